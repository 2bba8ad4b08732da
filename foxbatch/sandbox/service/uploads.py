"""The three upload routes: content taken from a request, and its place among others."""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from multipart import MultipartError, MultipartParser, parse_options_header

from foxbatch.sandbox.messages import Json, Request
from foxbatch.sandbox.service.checks import Refusal, fits

BASE64_LIMIT_BYTES = 20 * 2**20
STREAM_LIMIT_BYTES = 50 * 2**20
LIFETIME_S = 72 * 3600.0

FIELDS = {
    "stream": {"file", "file_name", "auto_cleanup", "purpose"},
    "base64": {"file_data", "file_name", "auto_cleanup", "purpose"},
    "url": {"url", "file_name", "auto_cleanup", "purpose"},
}
# White space may stand between the letters of base64, as mail and `base64` wrap it.
_SPACE, _LETTER = r"[ \t\r\n]*", r"[A-Za-z0-9+/]"
_HEAD = r"data:([A-Za-z0-9_.+/-]*)(?:;[A-Za-z0-9_=.+-]+)*;base64,"
BASE64 = (
    rf"^(?:{_HEAD})?(?:(?:{_SPACE}{_LETTER}){{4}})*"
    rf"(?:(?:{_SPACE}{_LETTER}){{4}}|(?:{_SPACE}{_LETTER}){{3}}{_SPACE}="
    rf"|(?:{_SPACE}{_LETTER}){{2}}{_SPACE}={_SPACE}=){_SPACE}$"
)
_DATA_URL = re.compile(_HEAD)
_SPACES = re.compile(r"[ \t\r\n]+")
_LETTERS = re.compile(rf"{_LETTER}*={{0,2}}")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9_.+-]+/[A-Za-z0-9_.+-]+")
_UNSAFE = re.compile(r"[^\w.()+-]+")
_NAME_LENGTH = 100
_OCTETS = "application/octet-stream"

TOO_LARGE = Refusal(message="File too large", kind="file_too_large_error", status=413)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One file that was sent, and whether older ones may make room for it."""

    name: str
    content_type: str
    content: bytes
    auto_cleanup: bool


def from_form(request: Request) -> Sent | Refusal:
    """Return the file of a multipart request, or what is wrong with it."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind.lower() != "multipart/form-data" or not options.get("boundary"):
        return _bad("Content-Type must be multipart/form-data")
    if len(request.body) > STREAM_LIMIT_BYTES + 2**20:
        return TOO_LARGE
    try:
        parts = {part.name: part for part in _parts(request.body, options["boundary"])}
        texts = {n: part.raw.decode() for n, part in parts.items() if n != "file"}
    except (MultipartError, ValueError):  # the latter for text that is not UTF-8
        return _bad("Request body is not valid multipart/form-data")
    if problem := _unknown_field("stream", parts):
        return problem
    file = parts.get("file")
    if file is None:
        return _bad("Missing field: file", status=422)
    if file.size > STREAM_LIMIT_BYTES:
        return TOO_LARGE
    cleanup = texts.get("auto_cleanup", "true")
    return _sent(
        file.raw,
        name=texts.get("file_name") or file.filename,
        content_type=file.content_type if file.filename else "",
        auto_cleanup=FLAGS.get(cleanup, cleanup),
    )


def _parts(body: bytes, boundary: str) -> MultipartParser:
    from io import BytesIO

    return MultipartParser(
        BytesIO(body),
        boundary,
        content_length=len(body),
        memory_limit=2 * STREAM_LIMIT_BYTES,
        disk_limit=2 * STREAM_LIMIT_BYTES,
        spool_limit=2 * STREAM_LIMIT_BYTES,
        strict=True,
    )


def from_base64(body: Mapping[str, Json]) -> Sent | Refusal:
    """Return the file in a JSON request, or what is wrong with it."""
    if problem := _unknown_field("base64", body):
        return problem
    text = body.get("file_data")
    if not isinstance(text, str) or not text:
        return _bad("file_data must be a string of base64", status=422)
    head = _DATA_URL.match(text)
    letters = _SPACES.sub("", text[head.end() :] if head else text)
    if len(letters.rstrip("=")) * 3 // 4 > BASE64_LIMIT_BYTES:
        return TOO_LARGE
    if len(letters) % 4 or not _LETTERS.fullmatch(letters):
        return _bad("file_data is not valid base64", status=422)
    content = base64.b64decode(letters)
    return _sent(
        content,
        name=body.get("file_name"),
        content_type=head[1] if head else "",
        auto_cleanup=body.get("auto_cleanup"),
    )


def from_url(body: Mapping[str, Json]) -> Sent | Refusal:
    """Return a file in the place of the one at a URL, which nobody fetches.

    The sandbox never calls out: the content says where it would have come from.
    """
    if problem := _unknown_field("url", body):
        return problem
    url = body.get("url")
    if not isinstance(url, str) or not fits(url, "url"):
        return _bad("url must be an http or https URL", status=422)
    path = url.partition("#")[0].partition("?")[0].split("/", 3)[3:]
    name = body.get("file_name")
    return _sent(
        f"In the place of {url}\n".encode(),
        name=unquote("".join(path)) if name in (None, "") else name,
        content_type="",
        auto_cleanup=body.get("auto_cleanup"),
    )


def _sent(
    content: bytes, *, name: Json, content_type: str, auto_cleanup: Json
) -> Sent | Refusal:
    if name is not None and not isinstance(name, str):
        return _bad("file_name must be a string", status=422)
    cleanup = True if auto_cleanup is None else auto_cleanup
    if not isinstance(cleanup, bool):
        return _bad("auto_cleanup must be a boolean", status=422)
    if not content:
        return _bad("The file is empty", status=422)
    last = (name or "").rpartition("/")[2][-_NAME_LENGTH:]
    safe = _UNSAFE.sub("_", last).strip("._")
    kind = content_type if _MEDIA_TYPE.fullmatch(content_type) else ""
    if not safe:
        safe = "upload" + (mimetypes.guess_extension(kind) or ".bin")
    kind = kind or mimetypes.guess_type(safe)[0] or _OCTETS
    return Sent(name=safe, content_type=kind, content=content, auto_cleanup=cleanup)


FLAGS: Mapping[str, bool] = {
    "true": True,
    "True": True,
    "1": True,
    "false": False,
    "False": False,
    "0": False,
}


def _unknown_field(route: str, sent: Mapping[str, object]) -> Refusal | None:
    unknown = [name for name in sent if name not in FIELDS[route]]
    if not unknown:
        return None
    return _bad("; ".join(f"Unknown field: {name}" for name in unknown), status=422)


def _bad(message: str, *, status: int = 400) -> Refusal:
    return Refusal(message=message, status=status)


def digest(content: bytes) -> str:
    """Return the SHA-256 of *content* in hex."""
    return hashlib.sha256(content).hexdigest()
