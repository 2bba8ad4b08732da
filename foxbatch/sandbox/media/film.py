"""Clips made real: an MP4 with H.264 and, where sound was asked for, AAC.

What costs is a frame (5 ms of CPU at 1080p on the machine this was measured on, also
when nothing moves), so there are few of them, fewer the larger and the longer the
clip is, and only a narrow strip changes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from fractions import Fraction

from foxbatch.errors import MissingExtraError
from foxbatch.sandbox.media.card import Card, draw
from foxbatch.sandbox.media.sound import SAMPLES_PER_S, packets
from foxbatch.sandbox.messages import Clip

try:
    import av
    from av.video.reformatter import Colorspace
    from PIL import Image
except ImportError as error:  # pragma: no cover  # seen in a process of its own
    raise MissingExtraError("the sandbox", "sandbox") from error

_FRAMES_PER_S = ((720, 6), (1080, 4), (math.inf, 2))  # up to how many lines
_MOST_FRAMES = 60  # of a clip, unless that is less than one in a second
_X264 = {
    "preset": "ultrafast",
    "tune": "zerolatency",
    "qp": "26",
    "x264-params": "scenecut=0:sliced-threads=0:cabac=1",
}


def render_clip(clip: Clip) -> bytes:
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
                rate=SAMPLES_PER_S,
                layout="mono",
                options={"aac_coder": "fast"},
            )
            audio.bit_rate = 16_000
        for frame in _frames(draw(clip), count=rate * clip.duration_s):
            frame.time_base = Fraction(1, rate)
            mp4.mux(video.encode(frame))
        mp4.mux(video.encode(None))
        if audio is not None:
            for packet in packets(audio, clip.look, clip.duration_s):
                mp4.mux(packet)
    return target.getvalue()


def _frames_per_s(clip: Clip) -> int:
    lines = min(clip.width, clip.height)
    most = next(rate for limit, rate in _FRAMES_PER_S if lines <= limit)
    return max(1, min(most, _MOST_FRAMES // clip.duration_s))


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
