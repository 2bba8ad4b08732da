"""The landscape behind a card: a sky, a sun or a moon, and hills.

Every row of a surface has one colour, so files of it are small, and all of it is
dark enough for white text.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TypeAlias

from foxbatch.errors import MissingExtraError
from foxbatch.sandbox.media.shapes import (
    WHITE,
    Colour,
    colour,
    dimmed,
    disc,
    gradient,
    mixed,
)
from foxbatch.sandbox.messages import Look

try:
    from PIL import Image, ImageDraw
except ImportError as error:  # pragma: no cover  # seen in a process of its own
    raise MissingExtraError("the sandbox", "sandbox") from error

_Crest: TypeAlias = list[tuple[float, float]]
"""Points of a skyline from left to right: x and y in pixels."""

_STEPS = 4  # levels of an edge between two rows
_WAVE_POINTS = 40  # for each length of the shorter side
_STARS = 90


@dataclass(frozen=True, slots=True)
class Scene:
    """A painted landscape, a bright colour that goes with it, and its darkest one."""

    picture: Image.Image
    accent: Colour
    near: Colour


@dataclass(frozen=True, slots=True)
class _Light:
    zenith: Colour
    horizon: Colour
    sun: Colour
    far: Colour
    near: Colour
    accent: Colour
    night: bool


def paint(width: int, height: int, look: Look) -> Scene:
    """Return the landscape that *look* stands for."""
    rng = random.Random(look)
    light = _light(rng)
    skyline = round(height * rng.uniform(0.52, 0.66))
    picture = Image.new("RGB", (width, height), light.near)
    sky = gradient((width, skyline), light.zenith, light.horizon, bend=1.4)
    picture.paste(sky, (0, 0))
    picture.paste(light.horizon, (0, skyline, width, height))
    if light.night:
        _add_stars(picture, skyline, rng)
    _add_sun(picture, skyline, light, rng)
    _add_hills(picture, skyline, light, rng)
    return Scene(picture, light.accent, light.near)


def _light(rng: random.Random) -> _Light:
    hue = rng.random()
    turn = rng.choice((-1, 1)) * rng.uniform(0.10, 0.30)
    night = rng.random() < 0.3  # noqa: PLR2004  # of all nights and days
    lightness, strength = (0.26, 0.55) if night else (0.42, 0.58)
    return _Light(
        zenith=colour(hue, 0.07 if night else 0.15, 0.60),
        horizon=dimmed(colour(hue + turn, lightness, strength)),
        sun=dimmed(colour(hue + turn, 0.62, 0.45 if night else 0.90)),
        far=colour(hue + turn / 2, 0.19 if night else 0.31, 0.45),
        near=colour(hue, 0.06, 0.55),
        accent=colour(hue + turn, 0.72, 0.90),
        night=night,
    )


def _add_stars(picture: Image.Image, skyline: int, rng: random.Random) -> None:
    """Add specks a little brighter than the sky there."""
    size = max(1, round(min(picture.size) / 300))
    mask = Image.new("L", (size, size))
    for _ in range(_STARS):
        x = rng.randrange(picture.width)
        y = round(skyline * rng.random() ** 1.5)
        mask.paste(rng.randint(40, 150), (0, 0, size, size))
        picture.paste(WHITE, (x, y), mask)


def _add_sun(
    picture: Image.Image, skyline: int, light: _Light, rng: random.Random
) -> None:
    """Add a disc with rings of light around it."""
    side = min(*picture.size, 2 * skyline)
    radius = side * rng.uniform(0.10, 0.19)
    x = picture.width * rng.uniform(0.18, 0.86)
    y = skyline - side * rng.uniform(-0.02, 0.42)
    rings = () if light.night else ((2.9, 0.10), (2.1, 0.14), (1.5, 0.20))
    for reach, strength in (*rings, (1.0, 1.0)):
        mask = disc(max(1, round(2 * radius * reach))).point(
            [round(level * strength) for level in range(256)]
        )
        corner = (round(x - mask.width / 2), round(y - mask.height / 2))
        picture.paste(light.sun, corner, mask)


def _add_hills(
    picture: Image.Image, skyline: int, light: _Light, rng: random.Random
) -> None:
    """Add ranges of hills, the farthest first; each fades into mist at its foot."""
    count = rng.randint(3, 5)
    crest = rng.choice((_waves, _peaks))
    for number in range(count):
        depth = number / (count - 1)
        level = skyline + (picture.height - skyline) * 0.78 * depth
        tall = min(picture.width, picture.height) * rng.uniform(0.09, 0.15)
        points = [(x, level - tall * y) for x, y in crest(picture, rng)]
        tone = mixed(light.far, light.near, depth)
        mist = mixed(tone, light.horizon, 0.42 * (1 - depth))
        _add_range(picture, points, tone, mist)


def _waves(picture: Image.Image, rng: random.Random) -> _Crest:
    """Return a rolling skyline between -1 and 1, x in pixels."""
    side = min(picture.size)
    swings = [
        (share, rng.uniform(*speeds), rng.random())
        for share, speeds in ((0.6, (0.4, 0.8)), (0.3, (0.9, 1.7)), (0.1, (2.5, 4)))
    ]
    count = math.ceil(_WAVE_POINTS * picture.width / side)
    return [
        (
            number * picture.width / count,
            sum(
                share
                * math.sin(
                    math.tau * (speed * number * picture.width / count / side + phase)
                )
                for share, speed, phase in swings
            ),
        )
        for number in range(count + 1)
    ]


def _peaks(picture: Image.Image, rng: random.Random) -> _Crest:
    """Return a jagged skyline between -1 and 1.3, x in pixels."""
    side = min(picture.size)
    x, up = -0.3 * side * rng.random(), rng.random() < 0.5  # noqa: PLR2004  # even odds
    crest: _Crest = []
    while not crest or crest[-1][0] < picture.width:
        high = rng.uniform(0.3, 1.3) if up else rng.uniform(-1, -0.1)
        crest.append((x, high))
        x += side * rng.uniform(0.07, 0.24)
        up = not up
    return crest


def _add_range(picture: Image.Image, crest: _Crest, tone: Colour, mist: Colour) -> None:
    """Fill what is below *crest*, from *tone* at the top to *mist* at the foot."""
    top = max(0, math.floor(min(y for _, y in crest)))
    low = min(picture.height, math.ceil(max(y for _, y in crest)) + 1)
    reach = max(1, picture.height - top)
    filled = gradient((picture.width, reach), tone, mist)
    mask = Image.new("L", (picture.width, (low - top) * _STEPS))
    outline = [(x, (y - top) * _STEPS) for x, y in crest]
    foot = [(crest[-1][0], mask.height), (crest[0][0], mask.height)]
    ImageDraw.Draw(mask).polygon([*outline, *foot], fill=255)
    smooth = mask.reduce((1, _STEPS))
    picture.paste(filled.crop((0, 0, picture.width, low - top)), (0, top), smooth)
    below = filled.crop((0, low - top, picture.width, reach))
    picture.paste(below, (0, low))
