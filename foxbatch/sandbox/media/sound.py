"""Sounds made real: a few quiet notes, as WAV, MP3 or Ogg Opus.

A sound of minutes repeats one phrase. So does its encoded form: the encoder sees the
phrase twice, and what it made of the second time is written again and again. The
phrase is a whole number of frames long for each of the encoders, which makes that
possible.
"""

from __future__ import annotations

import io
import math
import random
import sys
import wave
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from foxbatch.errors import MissingExtraError
from foxbatch.sandbox.messages import Look, Sound

try:
    import av
except ImportError as error:  # pragma: no cover  # seen in a process of its own
    raise MissingExtraError("the sandbox", "sandbox") from error

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.stream import Stream

    Packet: TypeAlias = av.Packet[AudioStream] | av.Packet[Stream]

SAMPLES_PER_S = 16_000

_PHRASE = 92_160  # samples: 160 frames of MP3, 90 of AAC, 288 of Opus
_STEPS = (12, 16, 18, 24)  # notes in it
_SAMPLE_BYTES = 2
_LOUDEST = 6_000  # of 32 767: quiet
_SCALES = ((0, 2, 4, 7, 9, 12), (0, 3, 5, 7, 10, 12), (0, 2, 5, 7, 9, 12))
_LOWEST_HZ = 130.8  # C, an octave below the middle one

# How strong a tone, its double, its triple and so on are heard.
_TIMBRES = ((1, 0.25), (1, 0, 0.3), (1, 0.5, 0.2), (1, 0.1, 0.1, 0.2))


@dataclass(frozen=True, slots=True)
class _Encoder:
    container: str
    codec: Literal["libmp3lame", "libopus"]
    bits_per_s: int
    options: dict[str, str]


_MP3 = _Encoder(
    "mp3", "libmp3lame", 24_000, {"compression_level": "9", "reservoir": "0"}
)
_OPUS = _Encoder("ogg", "libopus", 20_000, {"compression_level": "0", "vbr": "off"})


def render_sound(sound: Sound) -> bytes:
    """Return the file for *sound*: exactly as long for WAV, else within a frame."""
    if sound.form == "wav":
        return _wav(sound)
    encoder = _MP3 if sound.form == "mp3" else _OPUS
    target = io.BytesIO()
    with av.open(
        target, "w", format=encoder.container, options={"fflags": "+bitexact"}
    ) as file:
        stream = file.add_stream(
            encoder.codec, rate=SAMPLES_PER_S, layout="mono", options=encoder.options
        )
        stream.bit_rate = encoder.bits_per_s
        file.metadata.update(title=_plain(sound.title), comment=_plain(sound.prompt))
        for packet in packets(stream, sound.look, sound.duration_s):
            file.mux(packet)
    return target.getvalue()


def _plain(text: str) -> str:
    """Return *text* as a tag can hold it: valid, and with an end only at its end."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()


def _wav(sound: Sound) -> bytes:
    target = io.BytesIO()
    phrase = _phrase(sound.look)
    whole, rest = divmod(sound.duration_s * SAMPLES_PER_S, _PHRASE)
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(_SAMPLE_BYTES)
        file.setframerate(SAMPLES_PER_S)
        file.writeframes(phrase * whole + phrase[: rest * _SAMPLE_BYTES])
    return target.getvalue()


def packets(stream: AudioStream, look: Look, duration_s: int) -> Iterator[Packet]:
    """Yield what *stream* has to hold: the notes of *look*, encoded.

    Args:
        stream: Of `SAMPLES_PER_S` and one channel.
        look: What the notes are drawn from.
        duration_s: How long, from 1.
    """
    whole, rest = divmod(duration_s * SAMPLES_PER_S, _PHRASE)
    repeats = max(0, whole - 2)
    made = _encoded(stream, _phrase(look), (whole - repeats) * _PHRASE + rest)
    frames = _PHRASE // stream.codec_context.frame_size
    second = [_Frame.of(packet) for packet in made[frames : 2 * frames]]
    yield from made[: 2 * frames]
    for number in range(1, repeats + 1):
        for frame in second:
            yield frame.later(number * _PHRASE, stream)
    for packet in made[2 * frames :]:
        packet.pts = packet.dts = _pts(packet) + repeats * _PHRASE
        yield packet


def _encoded(stream: AudioStream, phrase: bytes, samples: int) -> list[Packet]:
    """Return the first *samples* of *phrase*, played again and again, encoded."""
    frame = av.AudioFrame(format="s16", layout="mono", samples=samples)
    size_bytes = samples * _SAMPLE_BYTES
    frame.planes[0].update((phrase * (samples // _PHRASE + 1))[:size_bytes])
    frame.sample_rate = SAMPLES_PER_S
    frame.time_base = Fraction(1, SAMPLES_PER_S)
    frame.pts = 0
    return [*stream.encode(frame), *stream.encode(None)]


@dataclass(frozen=True, slots=True)
class _Frame:
    """What is in a packet; the packet itself is changed when it is written."""

    content: bytes
    pts: int
    duration: int

    @classmethod
    def of(cls, packet: Packet) -> _Frame:
        return cls(bytes(packet), _pts(packet), packet.duration or 0)

    def later(self, samples: int, stream: AudioStream) -> Packet:
        packet = av.Packet(self.content)
        packet.stream = stream
        packet.time_base = Fraction(1, SAMPLES_PER_S)
        packet.pts = packet.dts = self.pts + samples
        packet.duration = self.duration
        packet.is_keyframe = True
        return packet


def _pts(packet: Packet) -> int:
    return packet.pts or 0  # the encoders number all of them


# ---- Notes


@lru_cache(maxsize=16)  # WAVs of several lengths, and clips, may have one look
def _phrase(look: Look) -> bytes:
    """Return the phrase that *look* stands for, 16 bits a sample."""
    rng = random.Random(look)
    steps = rng.choice(_STEPS)
    root_hz = _LOWEST_HZ * 2 ** (rng.randrange(12) / 12)
    scale, partials = rng.choice(_SCALES), rng.choice(_TIMBRES)
    notes = [
        _note(root_hz, 2 ** (1 + tone / 12), partials, samples=_PHRASE // steps)
        for tone in scale
    ]
    place, melody = rng.randrange(len(notes)), []
    for _ in range(steps):
        melody.append(notes[place])
        place = min(
            max(place + rng.choice((-2, -1, -1, 0, 1, 1, 2)), 0), len(notes) - 1
        )
    return b"".join(melody)


def _note(
    root_hz: float, interval: float, partials: Sequence[float], *, samples: int
) -> bytes:
    """Return a plucked note and, softer, the root below it; silent at both ends."""
    tones = [
        (share, math.tau * root_hz * interval * number / SAMPLES_PER_S)
        for number, share in enumerate(partials, 1)
    ]
    tones.append((0.4, math.tau * root_hz / SAMPLES_PER_S))
    rise, fall = SAMPLES_PER_S // 100, SAMPLES_PER_S // 20
    level = _LOUDEST / sum(share for share, _ in tones)
    note = array("h")
    for at in range(samples):
        swell = min(1.0, at / rise, (samples - 1 - at) / fall)
        swell *= level * math.exp(-5 * at / SAMPLES_PER_S)
        note.append(round(swell * sum(s * math.sin(w * at) for s, w in tones)))
    if sys.byteorder == "big":  # pragma: no cover  # files are little-endian
        note.byteswap()
    return note.tobytes()
