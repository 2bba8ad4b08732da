"""What stands for a file before it is played: a small picture, or the shape of a sound.

Files come from a service and may be anything. What is read of one is bounded, it is
never taken for a playlist, and it is done in a process that may die (`workshop`).
"""

from __future__ import annotations

import io
import itertools
import warnings
from array import array
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import av
from PIL import Image, ImageOps, ImageStat

from foxbatch.artifacts import open_media

PEAKS = 200
"""Into how many stretches a sound is cut at most."""

LONGEST_PX = (480, 540)
"""Of a poster: width and height that none exceeds."""

# Half the bytes of a JPEG that looks the same, for 7 ms more.
_FORM, _SETTINGS = "WEBP", {"quality": 72, "method": 2}
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")

# Many films begin black and fade in. The first frame is taken if there is something on
# it; or else the one with the most on it of those looked at, each _STEP frames.
_PLAIN = 9.0  # standard deviation of brightness, of 255
_STEP, _FRAMES = 12, 121
_THUMB = (48, 27)

_SAMPLES_PER_S = 8000
_GRAIN = 160  # samples, 20 ms
_LONGEST_S = 2 * 3600
_FULL, _LOUDEST = 255, 1 << 15


def poster_of(path: Path, kind: str) -> bytes:
    """Return a WebP that stands for the film or image at *path*.

    Raises:
        ValueError: There is no picture in it.
        av.FFmpegError: It is damaged.
        OSError: It is damaged, or cannot be read.
    """
    picture = frame_of(path) if kind == "video" else image_of(path)
    target = io.BytesIO()
    picture.save(target, _FORM, **_SETTINGS)
    return target.getvalue()


def image_of(path: Path) -> Image.Image:
    """Return the image at *path*, upright and small. Raises as `poster_of`."""
    with warnings.catch_warnings():
        # More than 89 megapixels, which a small file can claim.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path, formats=_known_formats()) as image:
                image.draft("RGB", (2 * LONGEST_PX[0], 2 * LONGEST_PX[1]))
                upright = ImageOps.exif_transpose(image)
                plain = upright.convert(
                    "RGBA" if upright.has_transparency_data else "RGB"
                )
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise ValueError(f"{path} is too large a picture") from error
    plain.thumbnail(LONGEST_PX, Image.Resampling.BICUBIC, reducing_gap=2)
    return plain


@cache
def _known_formats() -> list[str]:
    """Return those of the formats that this Pillow can read."""
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def frame_of(path: Path) -> Image.Image:
    """Return a frame of the film at *path*, small, with something on it if there is.

    Raises as `poster_of`.
    """
    with open_media(path) as container:
        if not container.streams.video:
            raise ValueError(f"{path} has no picture")
        stream = container.streams.video[0]
        stream.codec_context.thread_count = (
            1  # as many films at once as there are cores
        )
        frames = container.decode(stream)
        chosen = _with_most(_some(frames, path))
        size = fitting(shown_size(chosen, stream.sample_aspect_ratio), LONGEST_PX)
        return upright(chosen, size)


def _some(
    frames: Iterator[av.VideoFrame], path: Path
) -> Iterator[tuple[av.VideoFrame, float]]:
    """Yield few of *frames*, with how much is on each; what follows damage is left."""
    number = -1
    try:
        for number, frame in enumerate(itertools.islice(frames, _FRAMES)):
            if number % _STEP == 0:
                yield frame, _spread(frame)
    except av.FFmpegError:
        if number < 0:
            raise
    if number < 0:
        raise ValueError(f"{path} has no frame")


def _with_most(found: Iterator[tuple[av.VideoFrame, float]]) -> av.VideoFrame:
    best, most = next(found)
    if most >= _PLAIN:
        return best
    for frame, spread in found:
        if spread > most:
            best, most = frame, spread
    return best


def _spread(frame: av.VideoFrame) -> float:
    width, height = _THUMB
    thumb = _image(frame.reformat(width=width, height=height, format="gray"))
    return float(ImageStat.Stat(thumb.convert("L")).stddev[0])


def _image(frame: av.VideoFrame) -> Image.Image:
    image: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
    return image


def shown_size(frame: av.VideoFrame, pixel: object) -> tuple[float, float]:
    """Return width and height as they are shown: turned, and with square pixels."""
    ratio = float(pixel) if pixel else 1.0  # type: ignore[arg-type]  # Fraction or None
    width, height = frame.width * ratio, float(frame.height)
    return (height, width) if frame.rotation % 180 else (width, height)


def fitting(size: tuple[float, float], most: tuple[int, int]) -> tuple[int, int]:
    """Return *size* made as small as *most*, in whole pixels, never enlarged."""
    scale = min(1.0, most[0] / size[0], most[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def upright(frame: av.VideoFrame, size: tuple[int, int]) -> Image.Image:
    """Return *frame* in *size*, which is that of the picture once it is turned."""
    width, height = reversed(size) if frame.rotation % 180 else size
    image = _image(frame.reformat(width=width, height=height, format="rgb24"))
    return image.rotate(frame.rotation, expand=True) if frame.rotation else image


def peaks_of(path: Path) -> list[int]:
    """Return how loud the sound at *path* is over its time: from 0 to 255.

    The loudest stretch is 255, whatever the volume; silence is 0 throughout.

    Raises:
        ValueError: There is no sound in it.
        av.FFmpegError: It is damaged.
        OSError: It cannot be read.
    """
    grains = list(_grains(path))
    if not grains:
        raise ValueError(f"{path} has no sound")
    count = min(PEAKS, len(grains))
    edges = [number * len(grains) // count for number in range(count + 1)]
    peaks = [max(grains[a:b]) for a, b in itertools.pairwise(edges)]
    loudest = max(peaks)
    quiet = loudest < _LOUDEST // 1000
    return [0 if quiet else round(peak * _FULL / loudest) for peak in peaks]


def _grains(path: Path) -> Iterator[int]:
    """Yield the loudest sample of each 20 ms."""
    with open_media(path) as container:
        if not container.streams.audio:
            return
        resampler = av.AudioResampler("s16", "mono", _SAMPLES_PER_S)
        most = _LONGEST_S * _SAMPLES_PER_S
        left = array("h")
        for frame in container.decode(container.streams.audio[0]):
            for part in resampler.resample(frame):
                plain = bytes(part.planes[0])[: 2 * part.samples]
                left.frombytes(plain)
                most -= part.samples
            whole = len(left) // _GRAIN * _GRAIN
            for start in range(0, whole, _GRAIN):
                grain = left[start : start + _GRAIN]
                yield _loudness(grain)
            del left[:whole]
            if most <= 0:
                return
        if left:
            yield _loudness(left)


def _loudness(grain: array[int]) -> int:
    highest, lowest = max(grain), min(grain)
    return max(highest, -lowest)
