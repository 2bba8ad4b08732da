"""Clips made real: an MP4 with H.264 and, where sound was asked for, AAC.

What costs is a frame (6.7 ms of CPU at 1080p on the machine this was measured on,
also when nothing moves), so there are few of them, fewer the larger they are, and
only a narrow strip changes.
"""

from __future__ import annotations

import io
import math
import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from fractions import Fraction

from foxbatch.errors import MissingExtraError
from foxbatch.sandbox.card import Card, draw
from foxbatch.sandbox.messages import Clip

try:
    import av
    from av.video.reformatter import Colorspace
    from PIL import Image
except ImportError as error:  # pragma: no cover  # seen in a process of its own
    raise MissingExtraError("the sandbox", "sandbox") from error

_SAMPLES_PER_S = 24_000
_CHORD_HZ = (220, 330, 440)  # multiples of 10: a tenth of a second can be repeated
_X264 = {
    "preset": "ultrafast",
    "tune": "zerolatency",
    "qp": "24",
    "x264-params": "scenecut=0:sliced-threads=0",
}


def render(clip: Clip) -> bytes:
    """Return the MP4 file for *clip*, the same bytes each time on one machine."""
    rate = _frames_per_s(clip)
    target = io.BytesIO()
    with av.open(target, "w", format="mp4", options={"fflags": "+bitexact"}) as mp4:
        video = mp4.add_stream("libx264", rate=rate, options=_X264)
        video.width, video.height, video.pix_fmt = clip.width, clip.height, "yuv420p"
        video.gop_size = rate * clip.duration_s
        video.codec_context.thread_count = 1
        video.codec_context.colorspace = Colorspace.ITU709
        audio = None
        if clip.audio:
            audio = mp4.add_stream(
                "aac",
                rate=_SAMPLES_PER_S,
                layout="mono",
                options={"aac_coder": "fast"},
            )
            audio.bit_rate = 32_000
        for frame in _frames(draw(clip), count=rate * clip.duration_s):
            frame.time_base = Fraction(1, rate)
            mp4.mux(video.encode(frame))
        mp4.mux(video.encode(None))
        if audio is not None:
            for sound in _seconds_of_sound(clip.duration_s):
                mp4.mux(audio.encode(sound))
            mp4.mux(audio.encode(None))
    return target.getvalue()


def _frames_per_s(clip: Clip) -> int:
    lines = min(clip.width, clip.height)
    if lines <= 720:  # noqa: PLR2004  # 720p
        return 6
    return 4 if lines <= 1080 else 2  # noqa: PLR2004  # 1080p


def _frames(card: Card, *, count: int) -> Iterator[av.VideoFrame]:
    """Yield *count* frames in which the strip is played from left to right.

    It is one frame, changed in place between the yields.
    """
    frame, played, playing = map(_as_yuv, (card.still, card.played, card.playing))
    corner = (card.strip_left, card.strip_top)
    before = 0
    for number in range(count):
        # Chroma has half the columns and rows: all borders are even.
        edge = round(played.width * (number + 1) / count) // 2 * 2
        last = max(0, edge - played.width // 40) // 2 * 2
        _copy_columns(played, frame, (before, last), corner)
        _copy_columns(playing, frame, (last, edge), corner)
        before = last
        frame.pts = number
        yield frame


def _as_yuv(picture: Image.Image) -> av.VideoFrame:
    frame: av.VideoFrame = av.VideoFrame.from_image(  # type: ignore[no-untyped-call]
        picture
    )
    return frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)


def _copy_columns(
    strip: av.VideoFrame,
    whole: av.VideoFrame,
    columns: tuple[int, int],
    corner: tuple[int, int],
) -> None:
    """Copy *columns* (first, end) of *strip*, which lies at *corner* of *whole*."""
    planes = zip(strip.planes, whole.planes, (1, 2, 2), strict=True)
    for source, target, shrink in planes:
        first, end, left, top = (value // shrink for value in (*columns, *corner))
        pixels, canvas = memoryview(source), memoryview(target)
        for row in range(strip.height // shrink):
            at = row * source.line_size
            to = (top + row) * target.line_size + left
            canvas[to + first : to + end] = pixels[at + first : at + end]


def _seconds_of_sound(duration_s: int) -> Iterator[av.AudioFrame]:
    """Yield a quiet chord, one second a frame."""
    tenth = array(
        "f", (_chord(n / _SAMPLES_PER_S) for n in range(_SAMPLES_PER_S // 10))
    )
    samples = tenth.tobytes() * 10
    for second in range(duration_s):
        frame = av.AudioFrame(format="fltp", layout="mono", samples=_SAMPLES_PER_S)
        frame.planes[0].update(samples)
        frame.sample_rate = _SAMPLES_PER_S
        frame.time_base = Fraction(1, _SAMPLES_PER_S)
        frame.pts = second * _SAMPLES_PER_S
        yield frame


def _chord(at_s: float) -> float:
    return sum(0.05 * math.sin(math.tau * hz * at_s) for hz in _CHORD_HZ)


class ClipCache:
    """Rendered clips, the most recently used ones, up to *limit_bytes* in all.

    Safe to use from several threads; a clip that two of them want is rendered once.
    """

    def __init__(
        self,
        render: Callable[[Clip], bytes] = render,
        *,
        limit_bytes: int = 64 * 2**20,
    ) -> None:
        self._render = render
        self._limit_bytes = limit_bytes
        self._size_bytes = 0
        self._lock = threading.Lock()
        self._clips: OrderedDict[Clip, Future[bytes]] = OrderedDict()

    def get(self, clip: Clip) -> bytes:
        """Return the file for *clip*, from memory if it is there."""
        with self._lock:
            waiting = self._clips.setdefault(clip, mine := Future[bytes]())
            self._clips.move_to_end(clip)
        if waiting is mine:
            self._fill(clip, mine)
        return waiting.result()

    def _fill(self, clip: Clip, mine: Future[bytes]) -> None:
        try:
            content = self._render(clip)
        except BaseException as error:
            with self._lock:
                del self._clips[clip]
            mine.set_exception(error)
            raise
        mine.set_result(content)
        self._forget_old(len(content))

    def _forget_old(self, added_bytes: int) -> None:
        with self._lock:
            self._size_bytes += added_bytes
            for clip, waiting in list(self._clips.items()):
                if self._size_bytes <= self._limit_bytes:
                    break
                if waiting.done():
                    del self._clips[clip]
                    self._size_bytes -= len(waiting.result())
