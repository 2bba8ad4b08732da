"""Contact sheets that play: all films on them in step, each once from its start."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
from PIL import Image

from foxbatch.artifacts import open_media
from foxbatch.report.posters import Watch
from foxbatch.report.sheet import Sheet, Tile
from foxbatch.report.sheet_drawing import (
    PALETTES,
    Found,
    Scheme,
    draw_sheet,
    place_within,
    tile_mask,
)
from foxbatch.report.stills import fitting, shown_size, upright

if TYPE_CHECKING:
    from av.video.stream import VideoStream

FRAMES_PER_S = 12
LONGEST_S = 8.0

WIDEST_PX = 1920

MOST_PX = 4_000_000
"""Of a sheet that plays: what a browser plays and a chat takes."""

# By form: options of the file, the encoder, and options of that.
_CODECS = {
    "mp4": (
        {"fflags": "+bitexact", "movflags": "+faststart"},
        "libx264",
        {"preset": "fast", "crf": "21"},
    ),
    "webp": (
        {"loop": "0"},
        "libwebp_anim",
        {"quality": "70", "compression_level": "3"},
    ),
}


@dataclass(frozen=True, slots=True)
class _Reel:
    """A film as the frames of its tile, raw, one after another in a file."""

    tile: Tile
    path: Path
    frames: int


def films_on(sheet: Sheet) -> list[Tile]:
    """Return the tiles that show films."""
    return [
        tile
        for tile in sheet.tiles
        if tile.cell is not None
        and tile.cell.files
        and tile.cell.files[0].kind == "video"
    ]


def write_film(
    sheet: Sheet,
    runs: Sequence[Found],
    scheme: Scheme,
    target: Path,
    *,
    form: str,
    watch: Watch | None,
) -> None:
    """Write *sheet* to *target* as a film; one that is over stands still at its end.

    Args:
        sheet: What goes where.
        runs: Where the files of each run are.
        scheme: Which colours.
        target: Replaced piece by piece.
        form: `mp4` or `webp`.
        watch: Told how many of how many films are read.

    Raises:
        OSError: The disk is full, or does not take it.
        av.FFmpegError: Likewise, in other words.
    """
    canvas = draw_sheet(sheet, runs, scheme, moving=True)
    # The colours of films are stored for pairs of pixels.
    even = canvas.width // 2 * 2, canvas.height // 2 * 2
    with tempfile.TemporaryDirectory(prefix="foxbatch-sheet-") as folder:
        reels = _developed(sheet, runs, scheme, Path(folder), watch)
        pictures = (one.crop((0, 0, *even)) for one in _played(canvas, reels))
        _encode(pictures, even, target, form=form)


def _developed(
    sheet: Sheet,
    runs: Sequence[Found],
    scheme: Scheme,
    folder: Path,
    watch: Watch | None,
) -> list[_Reel]:
    """Read each film into frames of the size of its tile, a few films at once."""
    tiles = films_on(sheet)
    ground = PALETTES[scheme].sunk
    reels = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        tasks = [
            threads.submit(_develop, tile, runs, ground, folder / str(number))
            for number, tile in enumerate(tiles)
        ]
        try:
            for number, task in enumerate(as_completed(tasks), start=1):
                reels.append(task.result())
                if watch is not None:
                    watch(number, len(tiles))
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    return [reel for reel in reels if reel.frames]


def _develop(
    tile: Tile, runs: Sequence[Found], ground: tuple[int, int, int], path: Path
) -> _Reel:
    if tile.cell is None:
        raise TypeError("a tile without a cell shows no film")
    source = runs[tile.cell.run].files.get(tile.cell.files[0].sha256)
    count = 0
    if source is None:
        return _Reel(tile, path, count)
    with path.open("wb") as file:
        try:
            for picture in _sampled(source, (tile.width, tile.height)):
                box = Image.new("RGB", (tile.width, tile.height), ground)
                place_within(box, picture)
                file.write(box.tobytes())
                count += 1
        except (av.FFmpegError, ValueError, FileNotFoundError):
            pass  # what could be read is shown, and else its poster
    return _Reel(tile, path, count)


def _sampled(source: Path, most: tuple[int, int]) -> Iterator[Image.Image]:
    """Yield what a film shows at each tick of the sheet, up to its end."""
    with open_media(source) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        tick, size, begin = 0, (0, 0), 0.0
        for number, frame in enumerate(container.decode(stream)):
            if number == 0:
                begin = frame.time or 0.0
                whole = shown_size(frame, stream.sample_aspect_ratio)
                size = fitting(whole, most)
            # Ticks between two frames show the first of them, but for rounding.
            at = (frame.time or 0.0) - begin
            if tick / FRAMES_PER_S > at + 0.5 / FRAMES_PER_S:
                continue
            picture = upright(frame, size)
            while tick / FRAMES_PER_S <= at + 0.5 / FRAMES_PER_S:
                if tick >= LONGEST_S * FRAMES_PER_S:
                    return
                yield picture
                tick += 1


def _played(canvas: Image.Image, reels: Sequence[_Reel]) -> Iterator[Image.Image]:
    """Yield *canvas* with all reels one tick further each time."""
    for tick in range(max((reel.frames for reel in reels), default=1)):
        for reel in reels:
            if tick < reel.frames:
                _lay(canvas, reel, tick)
        yield canvas


def _lay(canvas: Image.Image, reel: _Reel, tick: int) -> None:
    size = reel.tile.width, reel.tile.height
    length = size[0] * size[1] * 3
    with reel.path.open("rb") as file:
        file.seek(tick * length)
        picture = Image.frombytes("RGB", size, file.read(length))
    canvas.paste(picture, (reel.tile.left, reel.tile.top), tile_mask(size))


def _encode(
    pictures: Iterator[Image.Image], size: tuple[int, int], target: Path, *, form: str
) -> None:
    head, codec, options = _CODECS[form]
    with av.open(str(target), "w", format=form, options=head) as film:
        stream = cast(
            "VideoStream", film.add_stream(codec, FRAMES_PER_S, options=options)
        )
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_image(picture)  # type: ignore[no-untyped-call]
            frame.pts, frame.time_base = number, Fraction(1, FRAMES_PER_S)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
