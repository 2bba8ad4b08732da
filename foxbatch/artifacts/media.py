"""What a file contains, told from its bytes, and how that differs from the request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from foxbatch.events import MediaFacts

if TYPE_CHECKING:
    from av.container import InputContainer

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"\xff\xd8\xff", "jpg"),
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (8, b"WEBP", "webp"),
    (8, b"WAVE", "wav"),
    (0, b"\x1aE\xdf\xa3", "webm"),
    (0, b"ID3", "mp3"),
    (0, b"OggS", "ogg"),
    (0, b"fLaC", "flac"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"PK\x05\x06", "zip"),
    (0, b"%PDF-", "pdf"),
    (4, b"ftyp", "mp4"),
)
_BRANDS = {b"qt  ": "mov", b"avif": "avif", b"heic": "heic", b"M4A ": "m4a"}
_MPEG_AUDIO = re.compile(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]")
_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<!doctype|<html|<\?xml|<[a-z]+>|[{\[])", re.IGNORECASE
)
_TEXT = re.compile(rb"[\t\r\n\x20-\x7e]+")
_TYPES = {
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/avif": "avif",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/mp4": "m4a",
    "application/zip": "zip",
    "application/pdf": "pdf",
    "application/json": "json",
    "text/plain": "txt",
    "text/html": "html",
}
# The demuxer is said, never guessed: a guess may be a playlist, and FFmpeg would fetch
# whatever addresses it names.
_DEMUXERS = {
    "mp4": "mov",
    "mov": "mov",
    "m4a": "mov",
    "webm": "matroska",
    "mp3": "mp3",
    "wav": "wav",
    "ogg": "ogg",
    "flac": "flac",
    "gif": "gif",
    "png": "png_pipe",
    "jpg": "jpeg_pipe",
    "webp": "webp_pipe",
}
_PICTURES = frozenset({"png", "jpg", "webp", "gif"})
_SHORT_SIDES = {"480p": 480, "720p": 720, "1080p": 1080, "2160p": 2160, "4k": 2160}
_DURATION_TOLERANCE_S = 0.5
_SIZE_TOLERANCE = 0.02
_HEAD_BYTES = 512
_MICROSECONDS = 1_000_000


def sniff(head: bytes) -> str | None:
    """Return the extension that the first bytes of a file tell, None if they do not."""
    for offset, magic, extension in _MAGIC:
        if head.startswith(magic, offset):
            return _BRANDS.get(head[8:12], "mp4") if extension == "mp4" else extension
    return "mp3" if _MPEG_AUDIO.match(head) else None


def extension_for(head: bytes, content_type: str | None) -> str:
    """Return the extension for a file: by its bytes, else its type, else `bin`."""
    named = (content_type or "").partition(";")[0].strip().lower()
    return sniff(head) or _TYPES.get(named, "bin")


def is_page(head: bytes, content_type: str | None) -> bool:
    """Return whether a file is a page or another text rather than media."""
    if sniff(head) is not None:
        return False
    named = (content_type or "").partition(";")[0].strip().lower()
    if named.startswith("text/") or named == "application/json":
        return True
    return bool(_PAGE.match(head) or _TEXT.fullmatch(head))


def media_facts(path: Path, kind: str) -> MediaFacts:
    """Return what the file at *path* contains; *kind* is what it should be.

    `unchecked` where the media extra is not installed, `file` where nothing in it can
    be read as media.
    """
    if path.suffix == ".json":
        return MediaFacts(kind="json")
    if kind not in ("video", "image", "audio"):
        return MediaFacts(kind="file")
    try:
        import av
    except ImportError:
        return MediaFacts(kind="unchecked")
    try:
        with open_media(path) as container:
            is_picture = sniff(_head(path)) in _PICTURES
            return _facts(container, is_picture=is_picture)
    except (av.FFmpegError, ValueError):
        return MediaFacts(kind="file")


def open_media(path: Path) -> InputContainer:
    """Open the file at *path* as what its first bytes say it is, and as nothing else.

    Raises:
        ValueError: They say nothing that can be played.
        av.FFmpegError: It is damaged, or cannot be read.
    """
    import av

    extension = sniff(_head(path)) or ""
    if extension not in _DEMUXERS:
        raise ValueError(f"{path} is no media file")
    return av.open(
        str(path),
        format=_DEMUXERS[extension],
        options={"protocol_whitelist": "file"},
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _facts(container: InputContainer, *, is_picture: bool) -> MediaFacts:
    videos, audios = container.streams.video, container.streams.audio
    if is_picture and videos:
        size = videos[0].codec_context
        return MediaFacts(kind="image", width=size.width, height=size.height)
    duration = container.duration
    audio = audios[0].codec_context.name if audios else None
    seconds = None if duration is None else round(duration / _MICROSECONDS, 3)
    if not videos:
        kind = "audio" if audios else "file"
        return MediaFacts(kind=kind, duration_s=seconds, audio_codec=audio)
    video = videos[0].codec_context
    return MediaFacts(
        kind="video",
        duration_s=seconds,
        width=video.width,
        height=video.height,
        video_codec=video.name,
        audio_codec=audio,
    )


def mismatches(
    facts: MediaFacts, request: Mapping[str, object], *, kind: str
) -> list[str]:
    """Return where a file of *kind* differs from what was asked for, in words.

    Only what the request says is compared, and only what could be found out.
    """
    if facts.kind in ("unchecked", "json"):
        return []
    if facts.kind != kind and kind in ("video", "image", "audio"):
        got = "something that cannot be read" if facts.kind == "file" else facts.kind
        return [f"asked for {kind}, got {got}"]
    found = (_duration(facts, request), *_size(facts, request), _sound(facts, request))
    return [each for each in found if each is not None]


def _duration(facts: MediaFacts, request: Mapping[str, object]) -> str | None:
    asked = request.get("duration")
    if not isinstance(asked, int | float) or facts.duration_s is None:
        return None
    if abs(facts.duration_s - asked) <= _DURATION_TOLERANCE_S:
        return None
    return f"asked for {asked:g} s, got {facts.duration_s:g} s"


def _size(facts: MediaFacts, request: Mapping[str, object]) -> list[str]:
    if not (facts.width and facts.height):
        return []
    got = f"{facts.width}×{facts.height}"
    found = []
    resolution = str(request.get("resolution", "")).lower()
    short_side = _SHORT_SIDES.get(resolution)
    if short_side and not _close(min(facts.width, facts.height), short_side):
        found.append(f"asked for {resolution}, got {got}")
    ratio = re.fullmatch(r"([1-9]\d*):([1-9]\d*)", str(request.get("aspect_ratio", "")))
    if ratio and not _close(facts.width / facts.height, int(ratio[1]) / int(ratio[2])):
        found.append(f"asked for {ratio[0]}, got {got}")
    return found


def _sound(facts: MediaFacts, request: Mapping[str, object]) -> str | None:
    asked = request.get("generate_audio")
    if facts.kind != "video" or not isinstance(asked, bool):
        return None
    if asked == (facts.audio_codec is not None):
        return None
    return "asked for sound, got none" if asked else "asked for no sound, got sound"


def _close(got: float, asked: float) -> bool:
    return abs(got - asked) <= _SIZE_TOLERANCE * asked
