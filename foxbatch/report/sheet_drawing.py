"""Contact sheets, drawn: the page's colours, and text in any script."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import unquote

from PIL import Image, ImageDraw

from foxbatch.canonical import Digest
from foxbatch.report.data import Cell, FileShown
from foxbatch.report.sheet import Heading, Label, Sheet, Tile
from foxbatch.sandbox.media.lettering import (
    LEADING,
    Lettering,
    fitted,
    lettering,
    shortened,
    write,
)
from foxbatch.sandbox.media.shapes import WHITE, Colour, mixed, rounded
from foxbatch.state import Phase

Scheme: TypeAlias = Literal["light", "dark"]

_EXCERPT_BYTES = 2000
_SMOOTHING = 3


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of the page, light or dark."""

    ground: Colour
    text: Colour
    quiet: Colour
    fox: Colour
    sunk: Colour
    edge: Colour
    bad: Colour
    bad_on: Colour
    odd: Colour
    odd_on: Colour
    calm: Colour
    calm_on: Colour


def _hex(text: str) -> Colour:
    red, green, blue = bytes.fromhex(text)
    return red, green, blue


PALETTES: Mapping[Scheme, Palette] = {
    "light": Palette(
        ground=_hex("faf6f1"),
        text=_hex("2a201a"),
        quiet=_hex("6a5b50"),
        fox=_hex("b4470f"),
        sunk=_hex("f0e8df"),
        edge=_hex("d9cdc0"),
        bad=_hex("a0241b"),
        bad_on=_hex("fbe5e2"),
        odd=_hex("744600"),
        odd_on=_hex("faecd2"),
        calm=_hex("54493f"),
        calm_on=_hex("eee8e1"),
    ),
    "dark": Palette(
        ground=_hex("14110e"),
        text=_hex("f2e9e0"),
        quiet=_hex("b5a698"),
        fox=_hex("ff9d66"),
        sunk=_hex("211b16"),
        edge=_hex("4a3e34"),
        bad=_hex("f8aaa1"),
        bad_on=_hex("3c1a17"),
        odd=_hex("f1c57a"),
        odd_on=_hex("38290f"),
        calm=_hex("cdc2b7"),
        calm_on=_hex("2e2720"),
    ),
}

_WHY: Mapping[Phase, str] = {
    Phase.NEW: "not bought yet",
    Phase.SUBMITTING: "being submitted",
    Phase.RUNNING: "still running",
    Phase.DOWNLOADING: "finished, not downloaded yet",
    Phase.HELD: "nobody knows whether it was bought",
    Phase.OVERDUE: "not finished in time",
    Phase.FAILED: "failed",
    Phase.DONE: "nothing was returned",
}


@dataclass(frozen=True, slots=True)
class Found:
    """Where files of one run and their posters are, by digest: whole ones only."""

    files: Mapping[Digest, Path]
    posters: Mapping[Digest, Path]


def draw_sheet(
    sheet: Sheet, runs: Sequence[Found], scheme: Scheme, *, moving: bool = False
) -> Image.Image:
    """Return the picture of *sheet*.

    Args:
        sheet: What goes where.
        runs: Where the files of each run of the gallery are.
        scheme: Which colours.
        moving: Whether films will be played on it, and need no mark that they are.
    """
    palette = PALETTES[scheme]
    picture = Image.new("RGB", (sheet.width, sheet.height), palette.ground)
    pen = _Pen(picture, palette, sheet.unit, moving=moving)
    pen.head(sheet)
    for heading in (*sheet.columns, *sheet.rows):
        pen.heading(heading)
    for tile in sheet.tiles:
        pen.tile(tile, runs)
    return picture


class _Pen:
    def __init__(
        self, picture: Image.Image, palette: Palette, unit: float, *, moving: bool
    ) -> None:
        self._picture, self._palette, self._unit = picture, palette, unit
        self._moving = moving

    # ---- Words

    def _line(
        self,
        text: str,
        at: tuple[float, float],
        *,
        width: float,
        size: float,
        fill: Colour,
        bold: bool = False,
    ) -> float:
        """Write one line, cut to *width*; return how wide it became."""
        spare = 1 if bold else 0
        words = shortened(lettering(text), size, width=max(1.0, width - spare))
        self._write(words, at, size=size, fill=fill, bold=bold)
        return words.width(size) + spare

    def _write(
        self,
        words: Lettering,
        at: tuple[float, float],
        *,
        size: float,
        fill: Colour,
        bold: bool = False,
    ) -> None:
        width, height = words.width(size) + 2, size * LEADING
        ink = _ink(words, size, (round(width), round(height)), bold=bold)
        self._picture.paste(fill, (round(at[0]), round(at[1])), ink)

    def _text(
        self,
        text: str,
        at: tuple[float, float],
        *,
        width: float,
        height: float,
        size: float,
        fill: Colour,
    ) -> float:
        """Write lines that fit; return where the room below begins."""
        x, y = at
        if height < size * LEADING or width < 2 * size:
            return y
        words = lettering(text)
        size, lines = fitted(words, [size], width=width, height=height)
        for line in lines:
            row = Lettering(line, words.font_name)
            self._write(row, (x, y), size=size, fill=fill)
            y += size * LEADING
        return y

    def head(self, sheet: Sheet) -> None:
        """Write the title, what is shown, and at the foot what is not."""
        unit, palette = self._unit, self._palette
        margin = 2 * unit
        room = sheet.width - 2 * margin
        self._line(
            sheet.title,
            (margin, 1.6 * unit),
            width=room,
            size=1.7 * unit,
            fill=palette.text,
            bold=True,
        )
        self._line(
            sheet.subtitle,
            (margin, 3.9 * unit),
            width=room,
            size=unit,
            fill=palette.quiet,
        )
        if sheet.left_out:
            y = sheet.height - 2.6 * unit
            self._line(
                sheet.left_out, (margin, y), width=room, size=unit, fill=palette.fox
            )

    def heading(self, heading: Heading) -> None:
        """Write a label at its row or column."""
        unit, palette = self._unit, self._palette
        fill = palette.fox if heading.outer else palette.text
        x, y = float(heading.left), heading.top + 0.2 * unit
        self._label(heading.label, (x, y), width=heading.width, fill=fill)
        self._text(
            heading.label.text,
            (x, y + 1.6 * unit),
            width=heading.width,
            height=heading.height - 1.8 * unit,
            size=0.86 * unit,
            fill=palette.quiet,
        )

    def _label(
        self, label: Label, at: tuple[float, float], *, width: float, fill: Colour
    ) -> None:
        x, y = at
        size = self._unit
        if label.axis:
            words = lettering(f"{label.axis} ")
            value = lettering(label.value).width(size)
            if words.width(0.86 * size) + value <= width:
                quiet = self._palette.quiet
                low = (x, y + 0.12 * size)
                self._write(words, low, size=0.86 * size, fill=quiet)
                used = words.width(0.86 * size)
                x, width = x + used, width - used
        self._line(label.value, (x, y), width=width, size=size, fill=fill, bold=True)

    # ---- Tiles

    def tile(self, tile: Tile, runs: Sequence[Found]) -> None:
        """Draw what came of a cell, or why nothing did."""
        size, corner = (tile.width, tile.height), (tile.left, tile.top)
        if tile.cell is None:
            self._absent(tile)
        elif tile.cell.files:
            drawn = self._shown(tile.cell.files[0], runs[tile.cell.run], size)
            mask = tile_mask(size)
            self._picture.paste(drawn, corner, mask)
            self._marks(tile, tile.cell.files[0])
        else:
            self._reason(tile, tile.cell)
        if tile.caption is not None:
            at = (tile.left + 1.0, tile.top + tile.height + 0.5 * self._unit)
            self._label(tile.caption, at, width=tile.width, fill=self._palette.text)

    def _shown(
        self, file: FileShown, found: Found, size: tuple[int, int]
    ) -> Image.Image:
        ground = Image.new("RGB", size, self._palette.sunk)
        poster = found.posters.get(file.sha256)
        if poster is not None and (picture := _opened(poster)) is not None:
            place_within(ground, picture)
        elif file.peaks:
            self._wave(ground, file.peaks)
        else:
            self._document(ground, file, found)
        return ground

    def _wave(self, ground: Image.Image, peaks: list[int]) -> None:
        """Draw a sound as bars about its middle."""
        width, height = ground.size
        room = 0.86 * width
        count = max(1, min(len(peaks), int(room // max(3, self._unit * 0.35))))
        step = room / count
        pen = ImageDraw.Draw(ground)
        for number in range(count):
            first = number * len(peaks) // count
            loud = max(
                peaks[first : max(first + 1, (number + 1) * len(peaks) // count)]
            )
            tall = max(1.5, 0.36 * height * loud / 255)
            left = 0.07 * width + number * step
            box = (left, height / 2 - tall, left + 0.6 * step, height / 2 + tall)
            pen.rounded_rectangle(box, 0.3 * step, fill=self._palette.fox)

    def _document(self, ground: Image.Image, file: FileShown, found: Found) -> None:
        """Write the first words of a text, or what kind of file it is."""
        inner = _Pen(ground, self._palette, self._unit, moving=False)
        width, height = ground.size
        pad = 0.9 * self._unit
        name = unquote(file.path).rpartition("/")[2]
        text = _excerpt(found.files.get(file.sha256)) if file.kind == "json" else ""
        inner._line(
            file.kind,
            (pad, pad),
            width=width - 2 * pad,
            size=0.86 * self._unit,
            fill=self._palette.fox,
            bold=True,
        )
        inner._text(
            text or name,
            (pad, pad + 1.5 * self._unit),
            width=width - 2 * pad,
            height=height - 2 * pad - 1.5 * self._unit,
            size=0.86 * self._unit,
            fill=self._palette.quiet,
        )

    def _marks(self, tile: Tile, file: FileShown) -> None:
        """Say in the corners how long a film is, and how many more cells are here."""
        if file.duration_s and not self._moving:
            self._pill(tile, f"{file.duration_s:.3g} s", low=True)
        if tile.more:
            self._pill(tile, f"+{tile.more:,}", low=False)

    def _pill(self, tile: Tile, text: str, *, low: bool) -> None:
        size = 0.78 * self._unit
        words = lettering(text)
        width, height = round(words.width(size) + 1.3 * size), round(1.7 * size)
        pad = round(0.5 * self._unit)
        if width + 2 * pad > tile.width or height + 2 * pad > tile.height:
            return
        left = tile.left + tile.width - width - pad
        top = tile.top + (tile.height - height - pad if low else pad)
        mask = round_mask((width, height), height / 2).point(_most)
        self._picture.paste((20, 16, 13), (left, top), mask)
        at = (left + 0.65 * size, top + 0.26 * size)
        self._write(words, at, size=size, fill=WHITE)

    def _reason(self, tile: Tile, cell: Cell) -> None:
        """Write why a cell is empty, in the colour of its trouble."""
        palette, unit = self._palette, self._unit
        text, ground = palette.calm, palette.calm_on
        if cell.phase is Phase.FAILED:
            text, ground = palette.bad, palette.bad_on
        elif cell.phase in (Phase.HELD, Phase.OVERDUE):
            text, ground = palette.odd, palette.odd_on
        size = (tile.width, tile.height)
        drawn = Image.new("RGB", size, ground)
        pad = min(0.9 * unit, 0.08 * min(size))
        inner = _Pen(drawn, palette, unit, moving=False)
        inner._line(
            cell.phase.value,
            (pad, pad),
            width=tile.width - 2 * pad,
            size=unit,
            fill=text,
            bold=True,
        )
        inner._text(
            why(cell),
            (pad, pad + 1.6 * unit),
            width=tile.width - 2 * pad,
            height=tile.height - 2 * pad - 1.6 * unit,
            size=0.86 * unit,
            fill=mixed(text, palette.text, 0.35),
        )
        self._picture.paste(drawn, (tile.left, tile.top), tile_mask(size))

    def _absent(self, tile: Tile) -> None:
        """Draw a dash where the matrix has no job."""
        x, y = tile.left + tile.width / 2, tile.top + tile.height / 2
        half = 0.5 * self._unit
        pen = ImageDraw.Draw(self._picture)
        pen.line((x - half, y, x + half, y), fill=self._palette.edge, width=2)


def place_within(ground: Image.Image, picture: Image.Image) -> None:
    """Put *picture* into the middle of *ground*, as large as it fits."""
    scale = min(ground.width / picture.width, ground.height / picture.height)
    size = (
        max(1, round(picture.width * scale)),
        max(1, round(picture.height * scale)),
    )
    # One that all but fits is made to: a hairline of ground looks like a mistake.
    if ground.width - size[0] <= 3 and ground.height - size[1] <= 3:  # noqa: PLR2004
        size = ground.size
    fit = picture.resize(size, Image.Resampling.LANCZOS)
    corner = ((ground.width - size[0]) // 2, (ground.height - size[1]) // 2)
    ground.paste(fit, corner, fit if fit.mode == "RGBA" else None)


def _ink(
    words: Lettering, size: float, room: tuple[int, int], *, bold: bool
) -> Image.Image:
    """Return *words* as a mask.

    They are written larger and then reduced: at the size of a caption the font would
    put each letter on a whole pixel, which makes uneven gaps.
    """
    large = Image.new("RGB", (room[0] * _SMOOTHING, room[1] * _SMOOTHING))
    # The built-in font has one weight.
    strokes = max(1, round(size * _SMOOTHING / 15)) if bold else 1
    for x in range(strokes):
        write(large, words, (x, 0), size=size * _SMOOTHING, accent=WHITE)
    return large.convert("L").reduce(_SMOOTHING)


def tile_mask(size: tuple[int, int]) -> Image.Image:
    """Return the mask of a tile."""
    return round_mask(size, max(3.0, min(0.06 * min(size), 12.0)))


@cache
def round_mask(size: tuple[int, int], radius: float) -> Image.Image:
    """Return a mask of *size* with round corners."""
    return rounded(*size, radius)


def _most(level: int) -> float:
    return level * 0.72


def _opened(path: Path) -> Image.Image | None:
    try:
        with Image.open(path, formats=("WEBP",)) as picture:
            alpha = picture.has_transparency_data
            return picture.convert("RGBA" if alpha else "RGB")
    except (OSError, ValueError):
        return None


def _excerpt(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            text = file.read(_EXCERPT_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    try:
        said = json.loads(text)
    except ValueError:
        return text
    return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)


def why(cell: Cell) -> str:
    """Return why there is nothing to see of *cell*, as the page says it."""
    error = cell.error
    said = (error.message or error.code or error.error_class) if error else ""
    return said or _WHY.get(cell.phase, cell.phase.value)
