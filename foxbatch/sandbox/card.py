"""The picture of a pretend video: a card that shows what was asked for.

Colours and shapes come from the clip's `look`, so that two requests can be told
apart at a glance. Lengths are in hundredths of the shorter side.
"""

from __future__ import annotations

import colorsys
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from foxbatch.errors import MissingExtraError
from foxbatch.sandbox.messages import Clip

try:
    from PIL import Image, ImageDraw, ImageFilter, ImageFont
except ImportError as error:  # pragma: no cover  # seen in a process of its own
    raise MissingExtraError("the sandbox", "sandbox") from error

Colour: TypeAlias = tuple[int, int, int]
_Font: TypeAlias = "ImageFont.FreeTypeFont | ImageFont.ImageFont"

_WHITE: Colour = (255, 255, 255)
_BARS = 72
_TEXT_SIZES = (9, 7.8, 6.8, 6, 5.2, 4.6, 4.1, 3.6, 3.2, 2.8)
_RULER_SIZE = 100
_LEADING = 1.36  # from line to line, in sizes of the font
_SMOOTHING = 4  # shapes are drawn this much larger, then reduced: smooth edges

# The built-in font knows Latin letters; these are tried for everything else.
_WIDE_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "PingFang.ttc",
    "msyh.ttc",
    "DejaVuSans.ttf",
)
_BEYOND_LATIN = re.compile("[^\u0000-\u024f\u2010-\u2027\u20ac\u2122]")


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
class _Palette:
    ground: Colour
    glows: tuple[Colour, ...]
    accent: Colour


def draw(clip: Clip) -> Card:
    """Return the card for *clip*. Any text is drawn, legible where a font knows it."""
    rng = random.Random(clip.look)
    palette = _palette(rng)
    unit = min(clip.width, clip.height) / 100
    margin = 2 * round(3.5 * unit)
    picture = _glowing_ground(clip, palette, rng)

    top = _draw_head(picture, clip, palette, unit=unit, margin=margin)
    strip_height = 2 * round(5 * unit)
    strip_top = (clip.height - margin - strip_height) // 2 * 2
    facts_top = _draw_facts(
        picture, clip.facts, bottom=strip_top - 3.5 * unit, unit=unit, margin=margin
    )
    room = (margin, top, clip.width - margin, round(facts_top - 4 * unit))
    _draw_prompt(picture, clip.prompt, room=room, unit=unit)

    box = (margin, strip_top, clip.width - margin, strip_top + strip_height)
    bare = picture.crop(box)
    bars = _bars(bare.size, clip, rng)
    picture.paste(_painted(bare, bars, _mixed(palette.ground, _WHITE, 0.3)), box)
    return Card(
        still=picture,
        played=_painted(bare, bars, palette.accent),
        playing=_painted(bare, bars, _WHITE),
        strip_left=margin,
        strip_top=strip_top,
    )


def _palette(rng: random.Random) -> _Palette:
    hue, turn = rng.random(), rng.choice((-1, 1)) * rng.uniform(0.09, 0.22)

    def colour(hue: float, lightness: float, saturation: float) -> Colour:
        red, green, blue = colorsys.hls_to_rgb(hue % 1, lightness, saturation)
        return round(255 * red), round(255 * green), round(255 * blue)

    return _Palette(
        ground=colour(hue, 0.13, 0.55),
        glows=(
            colour(hue, 0.30, 0.60),
            colour(hue + turn, 0.36, 0.62),
            colour(hue + 2 * turn, 0.26, 0.66),
        ),
        accent=colour(hue + turn, 0.70, 0.88),
    )


def _glowing_ground(clip: Clip, palette: _Palette, rng: random.Random) -> Image.Image:
    """Paint soft lights small and enlarge them: the cheapest blur there is."""
    small = Image.new("RGB", (clip.width // 20, clip.height // 20), palette.ground)
    pen = ImageDraw.Draw(small)
    size = max(small.size)
    for glow in palette.glows:
        x, y = rng.random() * small.width, rng.random() * small.height
        radius = size * rng.uniform(0.16, 0.30)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=glow)
    soft = small.filter(ImageFilter.GaussianBlur(size / 9))
    return soft.resize((clip.width, clip.height), Image.Resampling.BICUBIC)


def _draw_head(
    picture: Image.Image, clip: Clip, palette: _Palette, *, unit: float, margin: int
) -> int:
    """Draw model and origin; return where the room below begins."""
    pen = ImageDraw.Draw(picture, "RGBA")
    pen.text(
        (margin, margin), clip.title, font=_font(5 * unit), fill=_WHITE, anchor="lt"
    )
    pen.text(
        (clip.width - margin, margin),
        "foxbatch sandbox",
        font=_font(3 * unit),
        fill=(*_WHITE, 150),
        anchor="rt",
    )
    rule = margin + 7 * unit
    pen.rectangle(
        (margin, rule, margin + 12 * unit, rule + 0.7 * unit), fill=palette.accent
    )
    return round(rule + 5 * unit)


def _draw_facts(
    picture: Image.Image,
    facts: Sequence[str],
    *,
    bottom: float,
    unit: float,
    margin: int,
) -> float:
    """Draw each fact in a pill, in rows from the bottom; return where they begin."""
    font, height, gap = _font(3.1 * unit), round(6.4 * unit), 1.6 * unit
    rows: list[list[tuple[float, str, float]]] = [[]]
    x = float(margin)
    for fact in facts:
        width = font.getlength(fact) + 4.4 * unit
        if rows[-1] and x + width > picture.width - margin:
            rows.append([])
            x = margin
        rows[-1].append((x, fact, width))
        x += width + gap
    top = bottom - len(rows) * (height + gap) + gap
    for number, row in enumerate(rows):
        y = top + number * (height + gap)
        for left, fact, width in row:
            pill = _rounded(round(width), height, height / 2).point(_quarter)
            picture.paste(_WHITE, (round(left), round(y)), pill)
            centre = (left + width / 2, y + height / 2)
            ImageDraw.Draw(picture).text(
                centre, fact, font=font, fill=_WHITE, anchor="mm"
            )
    return top


def _quarter(level: int) -> float:
    return level * 0.18


def _draw_prompt(
    picture: Image.Image, prompt: str, *, room: tuple[int, int, int, int], unit: float
) -> None:
    """Write *prompt* as large as *room* (left, top, right, bottom) allows."""
    left, top, right, bottom = room
    text = "".join(char if char.isprintable() else " " for char in prompt)
    ruler = _Ruler(_font(_RULER_SIZE, text))

    def set_in(size: float) -> list[str]:
        return list(_wrapped(text, ruler, (right - left) * _RULER_SIZE / size))

    sizes = [share * unit for share in _TEXT_SIZES]
    fitting = (s for s in sizes if len(set_in(s)) * s * _LEADING <= bottom - top)
    size = next(fitting, sizes[-1])
    lines, most = set_in(size), int((bottom - top) / (size * _LEADING))
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1][:-1] + "…"]
    pen, font = ImageDraw.Draw(picture), _font(size, text)
    y = top + (bottom - top - len(lines) * size * _LEADING) / 2
    for number, line in enumerate(lines):
        pen.text((left, y + number * size * _LEADING), line, font=font, fill=_WHITE)


class _Ruler:
    """Measures text once, at one size: widths grow with the size of the font."""

    def __init__(self, font: _Font) -> None:
        self._font = font
        self._widths: dict[str, float] = {}

    def width(self, text: str) -> float:
        if text not in self._widths:
            # A little more than measured: hinting makes small sizes wider, up to 3 %.
            self._widths[text] = 1.04 * self._font.getlength(text)
        return self._widths[text]

    def cut(self, word: str, width: float) -> Iterator[str]:
        """Yield *word*, or pieces of it if it is wider than *width*."""
        if self.width(word) <= width:
            yield word
            return
        start, used = 0, 0.0
        for end, letter in enumerate(word):
            used += self.width(letter)
            if used > width and end > start:
                yield word[start:end]
                start, used = end, self.width(letter)
        yield word[start:]


def _wrapped(text: str, ruler: _Ruler, width: float) -> Iterator[str]:
    """Yield lines no wider than *width*; a word that is wider is broken."""
    line, used = "", 0.0
    for word in text.split():
        gap = ruler.width(" ") if line else 0.0
        if used + gap + ruler.width(word) <= width:
            line = f"{line} {word}" if line else word
            used += gap + ruler.width(word)
            continue
        if line:
            yield line
        *whole, line = ruler.cut(word, width)
        yield from whole
        used = ruler.width(line)
    if line:
        yield line


def _bars(size: tuple[int, int], clip: Clip, rng: random.Random) -> Image.Image:
    """Return the mask of the moving strip: a sound wave, or dots for silence."""
    mask, (width, height) = Image.new("L", size), size
    step = width / _BARS
    thickness = max(4, round(step * 0.62))
    level = 0.5
    for number in range(_BARS):
        level = min(1.0, max(0.12, level + rng.uniform(-0.34, 0.34)))
        tall = max(thickness, round(height * level)) if clip.audio else thickness
        bar = _rounded(thickness, tall, thickness / 2)
        mask.paste(bar, (round(number * step), (height - tall) // 2))
    return mask


def _rounded(width: int, height: int, radius: float) -> Image.Image:
    """Return a mask with round corners and smooth edges."""
    large = Image.new("L", (width * _SMOOTHING, height * _SMOOTHING))
    corner = (large.width - 1, large.height - 1)
    ImageDraw.Draw(large).rounded_rectangle(
        (0, 0, *corner), radius * _SMOOTHING, fill=255
    )
    return large.reduce(_SMOOTHING)


def _painted(bare: Image.Image, mask: Image.Image, colour: Colour) -> Image.Image:
    painted = bare.copy()
    painted.paste(colour, (0, 0), mask)
    return painted


def _mixed(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (
        round(a + (b - a) * share) for a, b in zip(first, second, strict=True)
    )
    return red, green, blue


def _font(size: float, text: str = "") -> _Font:
    """Return a font for *text*; letters that no font here knows become boxes."""
    name = _wide_font() if _BEYOND_LATIN.search(text) else ""
    return _loaded(name, round(size))


@cache
def _loaded(name: str, size: int) -> _Font:
    return ImageFont.truetype(name, size) if name else ImageFont.load_default(size)


@cache
def _wide_font() -> str:
    for name in _WIDE_FONTS:
        try:
            ImageFont.truetype(name, 10)
        except OSError:
            continue
        return name
    return ""
