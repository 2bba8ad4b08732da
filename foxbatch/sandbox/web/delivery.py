"""Replies as bytes on a connection: whole, slow, cut off, or never.

They are written to the transport directly. aiohttp would correct what is wrong in them
on purpose, and spend most of the time of a small reply on objects for it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from aiohttp import HttpVersion11, web

from foxbatch.sandbox.messages import WHOLE, Reply
from foxbatch.sandbox.web.wire import pieces, sent_body, told_headers

_AT_ONCE_BYTES = 64 * 1024  # what the kernel takes without anybody waiting
# Close without a goodbye: what is unsent is given up, and the peer gets a RST.
_NO_LINGER = struct.pack("ii", 1, 0)


class Written(web.StreamResponse):
    """What aiohttp gets when everything has left already."""

    def __init__(self, *, goes_on: bool) -> None:
        super().__init__()
        self._goes_on = goes_on

    @property
    def keep_alive(self) -> bool | None:
        """Whether the connection may bring another request."""
        return self._goes_on

    async def prepare(self, _request: web.BaseRequest) -> None:
        """Do nothing: the head has left."""

    async def write_eof(self, _data: bytes = b"") -> None:
        """Do nothing: the body has left."""


_GOES_ON = Written(goes_on=True)
_ENDS = Written(goes_on=False)


async def deliver(message: web.BaseRequest, reply: Reply) -> Written:
    """Answer *message* in the way that the reply's delivery says.

    A client that leaves ends it: aiohttp cancels this, if `handler_cancellation` is
    on, and nothing remains.
    """
    transport = message.transport
    if transport is None:
        return _ENDS
    # After a body that was not read, nobody knows where the next request begins.
    goes_on = message.keep_alive and message.content.is_eof()
    if reply.delivery is WHOLE and len(reply.body) <= _AT_ONCE_BYTES:
        transport.write(_head(message, reply, goes_on=goes_on) + reply.body)
        await message.writer.drain()  # waits only for one who asks and never listens
        return _GOES_ON if goes_on else _ENDS
    return await _deliver_slowly(message, transport, reply, goes_on=goes_on)


async def _deliver_slowly(
    message: web.BaseRequest,
    transport: asyncio.Transport,
    reply: Reply,
    *,
    goes_on: bool,
) -> Written:
    way = reply.delivery
    if way.waits_s:
        await asyncio.sleep(way.waits_s)
    # Nor after a length that was not the true one, where the next reply begins.
    goes_on = goes_on and way.ends == "whole" and not way.claims_bytes
    body = sent_body(reply)
    if body is not None:
        transport.set_write_buffer_limits(0)  # `drain` waits until all has left
        transport.write(_head(message, reply, goes_on=goes_on))
        for wait_s, piece in pieces(body, way.bytes_per_s):
            if wait_s:
                await asyncio.sleep(wait_s)
            transport.write(piece)
            await message.writer.drain()
        await message.writer.drain()
    if way.ends == "stalled":
        await asyncio.sleep(way.stalls_s)
    if way.ends in {"stalled", "dropped"}:
        reset(transport)
    return _GOES_ON if goes_on else _ENDS


def reset(transport: asyncio.Transport) -> None:
    """Break the connection: the peer's next read or write fails."""
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def _head(message: web.BaseRequest, reply: Reply, *, goes_on: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {reply.status} {_reason(reply.status)}",
        # A name of a file or a type that somebody sent must not begin another header.
        *[
            f"{name}: {text}" if text.isprintable() else f"{name}: {_in_line(text)}"
            for name, text in told_headers(reply).items()
        ],
        f"Date: {_date(int(time.time()))}",
    ]
    if not goes_on:
        lines.append("Connection: close")
    elif message.version < HttpVersion11:
        lines.append("Connection: keep-alive")
    return "\r\n".join([*lines, "", ""]).encode()


def _in_line(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)


@lru_cache(maxsize=64)
def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


@lru_cache(maxsize=1)
def _date(unix_s: int) -> str:
    return formatdate(unix_s, usegmt=True)
