"""What of a reply leaves, and at what pace: for a socket and for a transport alike."""

from __future__ import annotations

from collections.abc import Iterator

from foxbatch.sandbox.messages import Reply

_BEAT_S = 0.1  # between two pieces of a body whose pace is given
_PIECE_BYTES = 256 * 1024
_NEVER_WITH_A_BODY = frozenset({204, 304})


def told_headers(reply: Reply) -> dict[str, str]:
    """Return the headers as they leave, with the length that is told."""
    headers = dict(reply.headers)
    told = headers.setdefault("Content-Length", str(len(reply.body)))
    if reply.status in _NEVER_WITH_A_BODY:
        del headers["Content-Length"]
    elif reply.delivery.claims_bytes:
        claimed_bytes = int(told) + reply.delivery.claims_bytes
        headers["Content-Length"] = str(max(0, claimed_bytes))
    return headers


def sent_body(reply: Reply) -> bytes | None:
    """Return what leaves of the body; None: nothing, not even the status line."""
    way = reply.delivery
    if way.ends == "whole":
        return reply.body
    if way.sent is None:
        return None
    return reply.body[: int(len(reply.body) * way.sent)]


def pieces(body: bytes, bytes_per_s: float | None) -> Iterator[tuple[float, bytes]]:
    """Yield *body* in pieces, each with the seconds to wait before it leaves."""
    size, wait_s = _PIECE_BYTES, 0.0
    if bytes_per_s is not None:
        size = min(size, max(1, int(bytes_per_s * _BEAT_S)))
        wait_s = size / bytes_per_s
    for start in range(0, len(body), size):
        yield wait_s, body[start : start + size]
