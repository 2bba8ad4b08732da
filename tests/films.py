"""Small real media files, made as a test wants them."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
from PIL import Image, ImageDraw

Draw: TypeAlias = Callable[[int], Image.Image]
"""Makes the frame of a number."""


def half(size: tuple[int, int], left: str, right: str) -> Image.Image:
    """Return a picture whose left half has another colour than the right one."""
    picture = Image.new("RGB", size, right)
    ImageDraw.Draw(picture).rectangle((0, 0, size[0] // 2 - 1, size[1]), fill=left)
    return picture


def film(
    path: Path,
    draw: Draw | None = None,
    *,
    size: tuple[int, int] = (160, 90),
    frames: int = 12,
    rate: int = 12,
    sound: bool = False,
) -> Path:
    """Write an MP4; its frames are half red and half blue unless *draw* makes them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draw = draw or (lambda _: half(size, "red", "blue"))
    with av.open(str(path), "w", format="mp4") as mp4:
        video = mp4.add_stream("libx264", rate=rate, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        audio = mp4.add_stream("aac", rate=8000, layout="mono") if sound else None
        for number in range(frames):
            frame = av.VideoFrame.from_image(draw(number))  # type: ignore[no-untyped-call]
            frame.pts, frame.time_base = number, Fraction(1, rate)
            mp4.mux(video.encode(frame))
        mp4.mux(video.encode(None))
        if audio is not None:
            for heard in _tones([0.5] * (frames * 8000 // rate // 1000)):
                mp4.mux(audio.encode(heard))
            mp4.mux(audio.encode(None))
    return path


def turned(path: Path) -> Path:
    """Say in the MP4 at *path* that it is shown a quarter clockwise."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40  # version 0: the matrix comes 40 bytes in
    matrix = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    content[at : at + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(content)
    return path


def tone(path: Path, loudness: list[float]) -> Path:
    """Write a WAV with an eighth of a second of each *loudness*, from 0 to 1."""
    with av.open(str(path), "w", format="wav") as wav:
        stream = wav.add_stream("pcm_s16le", rate=8000, layout="mono")
        for frame in _tones(loudness):
            wav.mux(stream.encode(frame))
        wav.mux(stream.encode(None))
    return path


def _tones(loudness: list[float]) -> list[av.AudioFrame]:
    found = []
    for number, loud in enumerate(loudness):
        wave = (loud * 32000 * math.sin(t * 0.6) for t in range(1000))
        samples = array("h", map(round, wave))
        frame = av.AudioFrame("s16", "mono", 1000)
        frame.planes[0].update(samples.tobytes())
        frame.rate, frame.pts = 8000, number * 1000
        found.append(frame)
    return found
