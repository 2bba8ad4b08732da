"""Films made small enough to be sent to somebody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from foxbatch.artifacts import open_media
from foxbatch.report.stills import shown_size, upright

_X264 = {"preset": "veryfast", "crf": "27"}
_SOUND_BITS_PER_S, _SAMPLES_PER_S = 96_000, 48_000
# The head first, so that a browser shows the film while it still loads.
_MP4 = {"fflags": "+bitexact", "movflags": "+faststart"}
_USUAL_RATE = 24


def encode(source: Path, target: Path, *, lines: int) -> None:
    """Write the film at *source* to *target* as an MP4 with its sound.

    Args:
        source: Any film that can be played.
        target: Replaced.
        lines: Its shorter side, in pixels; a film that is smaller stays as small.

    Raises:
        ValueError: There is no picture in it.
        av.FFmpegError: It is damaged.
        OSError: It cannot be read, or the disk is full.
    """
    with open_media(source) as film:
        if not film.streams.video:
            raise ValueError(f"{source} has no picture")
        with av.open(str(target), "w", format="mp4", options=_MP4) as small:
            _Encoder(film, small, lines=lines).work()


class _Encoder:
    def __init__(
        self, film: InputContainer, small: OutputContainer, *, lines: int
    ) -> None:
        self._film, self._small, self._lines = film, small, lines
        self._seen = film.streams.video[0]
        self._seen.codec_context.thread_count = 1
        rate = self._seen.average_rate or _USUAL_RATE
        self._picture = small.add_stream("libx264", rate=rate, options=_X264)
        self._picture.pix_fmt = "yuv420p"
        self._picture.codec_context.thread_count = 1
        self._size: tuple[int, int] | None = None
        self._sound: AudioStream | None = None
        if film.streams.audio:
            self._sound = small.add_stream("aac", rate=_SAMPLES_PER_S, layout="stereo")
            self._sound.bit_rate = _SOUND_BITS_PER_S
        self._resampler = av.AudioResampler("fltp", "stereo", _SAMPLES_PER_S)

    def work(self) -> None:
        streams: list[VideoStream | AudioStream] = [self._seen]
        streams += self._film.streams.audio[:1]
        # The head of the file needs the size, which the first picture tells.
        waiting: list[av.AudioFrame] = []
        for frame in self._frames(streams):
            if isinstance(frame, av.VideoFrame):
                self._show(frame)
                for heard in waiting:
                    self._play(heard)
                waiting.clear()
            elif self._size is None:
                waiting.append(frame)
            else:
                self._play(frame)
        if self._size is None:
            raise ValueError("the film has no frame")
        self._small.mux(self._picture.encode(None))
        if self._sound is not None:
            for part in self._resampler.resample(None):
                self._small.mux(self._sound.encode(part))
            self._small.mux(self._sound.encode(None))

    def _frames(
        self, streams: list[VideoStream | AudioStream]
    ) -> Iterator[av.VideoFrame | av.AudioFrame]:
        for packet in self._film.demux(*streams):
            yield from cast("list[av.VideoFrame | av.AudioFrame]", packet.decode())

    def _show(self, frame: av.VideoFrame) -> None:
        if self._size is None:
            self._size = self._fit(frame)
            self._picture.width, self._picture.height = self._size
            if frame.time_base is not None:
                self._picture.codec_context.time_base = frame.time_base
        width, height = self._size
        if frame.rotation:
            turned = av.VideoFrame.from_image(  # type: ignore[no-untyped-call]
                upright(frame, self._size)
            )
            turned.pts, turned.time_base = frame.pts, frame.time_base
            frame = turned
        small = frame.reformat(width=width, height=height, format="yuv420p")
        small.pict_type = 0  # the encoder decides what is a key frame
        self._small.mux(self._picture.encode(small))

    def _fit(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Return the size of the small film: even, as its colours are stored."""
        width, height = shown_size(frame, self._seen.sample_aspect_ratio)
        scale = min(1.0, self._lines / min(width, height))
        return 2 * max(1, round(width * scale / 2)), 2 * max(
            1, round(height * scale / 2)
        )

    def _play(self, frame: av.AudioFrame) -> None:
        if self._sound is not None:
            for part in self._resampler.resample(frame):
                self._small.mux(self._sound.encode(part))
