"""Text on cards: fonts, lines, and tiles in place of letters that no font knows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

from foxbatch.errors import MissingExtraError
from foxbatch.sandbox.media.shapes import WHITE, Colour, rounded

try:
    from PIL import Image, ImageDraw, ImageFont
except ImportError as error:  # pragma: no cover  # seen in a process of its own
    raise MissingExtraError("the sandbox", "sandbox") from error

Font: TypeAlias = "ImageFont.FreeTypeFont | ImageFont.ImageFont"

LEADING = 1.36  # from line to line, in sizes of the font

_RULER_SIZE = 100
_SPARE = 1.04  # hinting makes small sizes wider than they were measured, up to 3 %

# The built-in font knows ASCII and little else. For other texts, that one of these is
# taken which knows most of their letters, the first of equals.
_WIDE_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "msyh.ttc",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "Arial Unicode.ttf",
    "DejaVuSans.ttf",
)

# What is drawn for a letter that no font here knows, told by a private character.
_SQUARE, _BAR, _DISC = "\ue000", "\ue001", "\ue002"
_TILE_WIDTHS = {_SQUARE: 1.0, _BAR: 0.6, _DISC: 1.1}  # in sizes of the font
_TILE = re.compile(f"([{_SQUARE}-{_DISC}])")
_PROBE_SIZE = 20
_NOBODY_KNOWS = "\U0010ffff"

# Parts of one emoji, which is one disc: skin colours, and what is joined to the first.
_EMOJI_PARTS = re.compile(
    "[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]|\u200d[\u2600-\u27bf\U0001f000-\U0001faff]"
)
_ASCII_MARKS = str.maketrans("。、「」『』\u2018’“”–—•", '.,""""\'\'""--*')

_CJK = f"\u3040-\u30ff\u3400-\u9fff\uff66-\uff9d\U00020000-\U0003ffff{_SQUARE}"
_PIECE = re.compile(
    rf"(\s*)([{_CJK}][^\w\s{_SQUARE}-{_DISC}]*|[^\s{_CJK}]+)"  # CJK: a line per letter
)


@dataclass(frozen=True, slots=True)
class Lettering:
    """One text, ready to be set in any size.

    Attributes:
        text: Printable; a tile's character where no font knows the letter.
        font_name: Of the file; empty for the built-in font.
    """

    text: str
    font_name: str

    def font(self, size: float) -> Font:
        """Return its font in *size* pixels."""
        return _loaded(self.font_name, max(1, round(size)))

    def width(self, size: float) -> float:
        """Return how wide the whole text is in one line, in pixels."""
        return _Ruler(self).width(self.text) * size / _RULER_SIZE


def lettering(text: str) -> Lettering:
    """Return *text* with the font that knows most of it."""
    plain = _EMOJI_PARTS.sub("", text)
    plain = "".join(letter if letter.isprintable() else " " for letter in plain)
    if plain.isascii():
        return Lettering(plain, "")
    letters = "".join(sorted(set(plain)))
    names = ("", *_wide_fonts())
    name = min(names, key=lambda name: len(_unknown(name, letters)))
    table = {ord(letter): _in_place_of(letter) for letter in _unknown(name, letters)}
    return Lettering(plain.translate(table), name)


def _unknown(name: str, letters: str) -> list[str]:
    return [
        letter
        for letter in letters
        if not letter.isascii() and _drawn(name, letter) == _drawn(name, _NOBODY_KNOWS)
    ]


@cache
def _drawn(name: str, letter: str) -> bytes:
    return bytes(_loaded(name, _PROBE_SIZE).getmask(letter))


def _in_place_of(letter: str) -> str:
    """Return what stands for *letter*: ASCII that is like it, or a tile."""
    alike = unicodedata.normalize("NFKD", letter.translate(_ASCII_MARKS))
    alike = "".join(part for part in alike if part.isascii())
    kind = unicodedata.category(letter)
    if alike or kind.startswith("M"):
        return alike
    if kind == "So":
        return _DISC
    return _SQUARE if unicodedata.east_asian_width(letter) == "W" else _BAR


@cache
def _loaded(name: str, size: int) -> Font:
    return ImageFont.truetype(name, size) if name else ImageFont.load_default(size)


@cache
def _wide_fonts() -> tuple[str, ...]:
    """Return those of the fonts that this machine has."""
    found = []
    for name in _WIDE_FONTS:
        try:
            _loaded(name, _PROBE_SIZE)
        except OSError:
            continue
        found.append(name)
    return tuple(found)


# ---- Lines


class _Ruler:
    """Measures text once, at one size: widths grow with the size of the font."""

    def __init__(self, words: Lettering) -> None:
        self._font = words.font(_RULER_SIZE)
        self._widths: dict[str, float] = {}

    def width(self, text: str) -> float:
        if text not in self._widths:
            self._widths[text] = sum(
                _RULER_SIZE * _TILE_WIDTHS[part]
                if part in _TILE_WIDTHS
                else _SPARE * self._font.getlength(part)
                for part in _TILE.split(text)
            )
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


def fitted(
    words: Lettering, sizes: Sequence[float], *, width: float, height: float
) -> tuple[float, list[str]]:
    """Return the first of *sizes* in which *words* fit, and their lines.

    If they fit in none, they end with an ellipsis in the last one.
    """
    ruler = _Ruler(words)
    size, lines = sizes[0], list[str]()
    for size in sizes:
        lines = list(_wrapped(words.text, ruler, width * _RULER_SIZE / size))
        if len(lines) * size * LEADING <= height:
            return size, lines
    most = max(1, int(height / (size * LEADING)))
    return size, [
        *lines[: most - 1],
        *(f"{line[:-1]}…" for line in lines[most - 1 : most]),
    ]


def shortened(words: Lettering, size: float, *, width: float) -> Lettering:
    """Return *words* cut to one line of *width* pixels, with an ellipsis if cut."""
    if words.width(size) <= width:
        return words
    ruler = _Ruler(words)
    start = next(ruler.cut(words.text, width * _RULER_SIZE / size))
    return replace(words, text=f"{start[:-1]}…")


def _wrapped(text: str, ruler: _Ruler, width: float) -> Iterator[str]:
    """Yield lines no wider than *width*; a word that is wider is broken."""
    line, used = "", 0.0
    for blank, word in _PIECE.findall(text):
        gap = " " if blank and line else ""
        if used + ruler.width(gap) + ruler.width(word) <= width:
            line = f"{line}{gap}{word}"
            used += ruler.width(gap) + ruler.width(word)
            continue
        if line:
            yield line
        *whole, line = ruler.cut(word, width)
        yield from whole
        used = ruler.width(line)
    if line:
        yield line


def write(
    picture: Image.Image,
    words: Lettering,
    at: tuple[float, float],
    *,
    size: float,
    accent: Colour,
) -> None:
    """Write *words* in one white line whose top left corner is *at*."""
    pen, font = ImageDraw.Draw(picture), words.font(size)
    x, y = at
    for part in _TILE.split(words.text):
        if part in _TILE_WIDTHS:
            _lay(picture, part, (x, y), size=size, accent=accent)
            x += _TILE_WIDTHS[part] * size
        else:
            pen.text((x, y), part, font=font, fill=WHITE)
            x += font.getlength(part)


def _lay(
    picture: Image.Image,
    tile: str,
    at: tuple[float, float],
    *,
    size: float,
    accent: Colour,
) -> None:
    mask = _tile_mask(tile, max(4, round(size)))
    corner = (round(at[0] + 0.06 * size), round(at[1] + 0.17 * size))
    picture.paste(accent if tile == _DISC else WHITE, corner, mask)


@cache
def _tile_mask(tile: str, size: int) -> Image.Image:
    height = round(0.88 * size)
    width = round((_TILE_WIDTHS[tile] - 0.12) * size)
    if tile == _DISC:
        return rounded(height, height, height / 2)
    return rounded(width, height, 0.2 * size).point(_faint)


def _faint(level: int) -> float:
    return level * 0.45
