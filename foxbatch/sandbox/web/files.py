"""Served files as a file host serves them: whole, in ranges, or only described."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace

from foxbatch.sandbox.messages import Reply, Request

_ONE_RANGE = re.compile(r"bytes=(?P<first>\d{0,18})-(?P<last>\d{0,18})")


def etag_of(content: bytes) -> str:
    """Return what tells *content* from any other, as the header holds it."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def served(
    request: Request, reply: Reply, content: bytes, *, etag: str | None = None
) -> Reply:
    """Return *reply* with what *request* wants of *content*, the file it names.

    One range is honoured, several at once are ignored and answered whole, as file
    hosts may. Nothing of the content is sent for HEAD. Who serves a file often keeps
    its *etag*: a megabyte takes a millisecond to digest.
    """
    etag = etag or etag_of(content)
    status, part, extra = _part(request, content, etag)
    headers = {
        **reply.headers,
        **extra,
        "Accept-Ranges": "bytes",
        "Content-Length": str(len(part)),
        "ETag": etag,
    }
    body = b"" if request.method == "HEAD" else part
    return replace(reply, status=status, headers=headers, body=body, media=None)


def _part(
    request: Request, content: bytes, etag: str
) -> tuple[int, bytes, Mapping[str, str]]:
    size_bytes = len(content)
    wanted = _ONE_RANGE.fullmatch(request.headers.get("range", ""))
    same_file = request.headers.get("if-range", etag) == etag
    if wanted is None or not same_file or not any(wanted.groups()):
        return 200, content, {}
    if wanted["first"]:
        first = int(wanted["first"])
        last = min(int(wanted["last"] or size_bytes), size_bytes - 1)
    else:
        first, last = max(0, size_bytes - int(wanted["last"])), size_bytes - 1
    if first > last:
        return 416, b"", {"Content-Range": f"bytes */{size_bytes}"}
    extra = {"Content-Range": f"bytes {first}-{last}/{size_bytes}"}
    return 206, content[first : last + 1], extra
