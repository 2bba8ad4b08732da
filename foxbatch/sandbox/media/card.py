"""The picture of a pretend video or image: a card that shows what was asked for.

Lengths are in units: hundredths of the shorter side, more on small pictures.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from foxbatch.errors import MissingExtraError
from foxbatch.sandbox.media.lettering import (
    LEADING,
    Lettering,
    fitted,
    lettering,
    shortened,
    write,
)
from foxbatch.sandbox.media.scene import Scene, paint
from foxbatch.sandbox.media.shapes import WHITE, Colour, mixed, rounded
from foxbatch.sandbox.messages import Clip, Picture

try:
    from PIL import Image, ImageDraw
except ImportError as error:  # pragma: no cover  # seen in a process of its own
    raise MissingExtraError("the sandbox", "sandbox") from error

_BARS = 72
_PROMPT_SIZES = (9, 7.8, 6.8, 6, 5.2, 4.6, 4.1, 3.6, 3.2, 2.8)
_TITLE_SIZES = (5, 4.4, 3.8, 3.3)
_ORIGIN = "foxbatch sandbox"
_LEGIBLE_PX = 3.2  # a unit of less makes the small print too small
_SHORT_PROMPT = 300  # letters
_TINY_PX = 120  # a side of less has room for one text


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A still picture, and the strip of it that moves.

    Attributes:
        still: The whole picture, nothing played yet.
        played: The moving strip as it looks once played.
        playing: The same strip in the colour of the present moment.
        strip_left: Where the strip begins, in pixels from the left; even.
        strip_top: Where it begins, in pixels from the top; even.
    """

    still: Image.Image
    played: Image.Image
    playing: Image.Image
    strip_left: int
    strip_top: int


@dataclass(frozen=True, slots=True)
class _Page:
    """A painted scene, and the measures of what is written on it.

    Attributes:
        unit: In pixels.
        margin: In pixels, even.
    """

    picture: Image.Image
    accent: Colour
    unit: float
    margin: int

    @property
    def right(self) -> int:
        return self.picture.width - self.margin


def draw(clip: Clip) -> Card:
    """Return the card for *clip*. Any text is drawn, legible where a font knows it."""
    scene = _backdrop(clip)
    page = _page(scene)
    height = 2 * max(1, round(5 * page.unit))
    top = max(0, (clip.height - page.margin - height) // 2 * 2)
    _fill(page, clip, bottom=top - 3.5 * page.unit)

    box = (page.margin, top, page.right // 2 * 2, top + height)
    bare = page.picture.crop(box)
    bars = _bars(bare.size, clip)
    page.picture.paste(_painted(bare, bars, mixed(scene.near, WHITE, 0.38)), box)
    return Card(
        still=page.picture,
        played=_painted(bare, bars, page.accent),
        playing=_painted(bare, bars, WHITE),
        strip_left=page.margin,
        strip_top=top,
    )


def draw_still(picture: Picture) -> Image.Image:
    """Return the card for *picture*: as that of a clip, without what moves."""
    page = _page(_backdrop(picture))
    _fill(page, picture, bottom=picture.height - page.margin)
    return page.picture


def _backdrop(recipe: Clip | Picture) -> Scene:
    """Return the scene of *recipe*, darker if much small print will cover it."""
    scene = paint(recipe.width, recipe.height, recipe.look)
    if len(recipe.prompt) <= _SHORT_PROMPT:
        return scene
    shade = Image.new("RGB", scene.picture.size, scene.near)
    return replace(scene, picture=Image.blend(scene.picture, shade, 0.45))


def _page(scene: Scene) -> _Page:
    width, height = scene.picture.size
    side = min(width, height)
    unit = max(side / 100, min(_LEGIBLE_PX, height / 75))
    if side < _TINY_PX:
        unit = side / 25
    margin = 2 * round(min(3.5 * unit, 0.05 * side))
    return _Page(scene.picture, scene.accent, unit, margin)


def _fill(page: _Page, recipe: Clip | Picture, *, bottom: float) -> None:
    """Write the texts of *recipe* above *bottom*; if tiny, in one paragraph."""
    if min(page.picture.size) < _TINY_PX:
        words = lettering(f"{recipe.title} {recipe.prompt}")
        _write_prompt(page, words, top=page.margin, bottom=bottom)
        return
    top = _write_head(page, recipe.title)
    facts_top = _write_facts(page, recipe.facts, bottom=bottom)
    words = lettering(recipe.prompt)
    _write_prompt(page, words, top=top, bottom=facts_top - 4 * page.unit)


def _write_head(page: _Page, title: str) -> int:
    """Write model and origin; return where the room below begins."""
    unit, margin = page.unit, page.margin
    origin, words = lettering(_ORIGIN), lettering(title)
    origin_left = page.right - origin.width(3 * unit)
    room = origin_left - 4 * unit - margin
    sizes = [share * unit for share in _TITLE_SIZES]
    size = next((size for size in sizes if words.width(size) <= room), sizes[-1])
    words = shortened(words, size, width=room)
    write(page.picture, words, (margin, margin), size=size, accent=page.accent)
    font = origin.font(3 * unit)
    ImageDraw.Draw(page.picture, "RGBA").text(
        (page.right, margin), _ORIGIN, font=font, fill=(*WHITE, 165), anchor="rt"
    )
    rule = margin + 7 * unit
    ImageDraw.Draw(page.picture).rectangle(
        (margin, rule, margin + 12 * unit, rule + 0.7 * unit), fill=page.accent
    )
    return round(rule + 5 * unit)


def _write_facts(page: _Page, facts: Sequence[str], *, bottom: float) -> float:
    """Write each fact in a pill, in rows from the bottom; return where they begin."""
    unit, size = page.unit, 3.1 * page.unit
    height, gap, padding = round(6.4 * unit), 1.6 * unit, 2.2 * unit
    room = page.right - page.margin - 2 * padding
    rows: list[list[tuple[float, Lettering]]] = [[]]
    x = float(page.margin)
    for fact in facts:
        words = shortened(lettering(fact), size, width=room)
        width = words.width(size) + 2 * padding
        if rows[-1] and x + width > page.right:
            rows.append([])
            x = page.margin
        rows[-1].append((x, words))
        x += width + gap
    top = bottom - len(rows) * (height + gap) + gap
    for number, row in enumerate(rows):
        y = top + number * (height + gap)
        for left, words in row:
            width = round(words.width(size) + 2 * padding)
            pill = rounded(width, height, height / 2).point(_quarter)
            page.picture.paste(WHITE, (round(left), round(y)), pill)
            corner = (left + padding, y + (height - 1.2 * size) / 2)
            write(page.picture, words, corner, size=size, accent=page.accent)
    return top


def _quarter(level: int) -> float:
    return level * 0.18


def _write_prompt(page: _Page, words: Lettering, *, top: float, bottom: float) -> None:
    """Write *words* between *top* and *bottom*, as large as they fit."""
    size, lines = fitted(
        words,
        [share * page.unit for share in _PROMPT_SIZES],
        width=page.right - page.margin,
        height=bottom - top,
    )
    y = top + (bottom - top - len(lines) * size * LEADING) / 2
    for number, line in enumerate(lines):
        corner = (page.margin, y + number * size * LEADING)
        row = Lettering(line, words.font_name)
        write(page.picture, row, corner, size=size, accent=page.accent)


def _bars(size: tuple[int, int], clip: Clip) -> Image.Image:
    """Return the mask of the moving strip: a sound wave, or dots for silence."""
    rng = random.Random(f"bars {clip.look}")
    mask, (width, height) = Image.new("L", size), size
    step = width / _BARS
    thickness = max(2, round(step * 0.62))
    level = 0.5
    for number in range(_BARS):
        level = min(1.0, max(0.12, level + rng.uniform(-0.34, 0.34)))
        tall = max(thickness, round(height * level)) if clip.audio else thickness
        bar = rounded(thickness, tall, thickness / 2)
        mask.paste(bar, (round(number * step), (height - tall) // 2))
    return mask


def _painted(bare: Image.Image, mask: Image.Image, colour: Colour) -> Image.Image:
    painted = bare.copy()
    painted.paste(colour, (0, 0), mask)
    return painted
