"""The pretend service as an httpx transport: no sockets, no threads, any backend.

It waits only with `anyio.sleep`, so under a virtual clock a simulated day, or an hour
of silence, takes no time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import NoReturn

import anyio
import httpx

from foxbatch.sandbox.messages import (
    Recipe,
    Reply,
    Request,
    Upload,
    text_reply,
)
from foxbatch.sandbox.service import core
from foxbatch.sandbox.web.contents import Contents
from foxbatch.sandbox.web.files import served
from foxbatch.sandbox.web.wire import pieces, sent_body, told_headers


def stand_in(recipe: Recipe) -> bytes:
    """Return a real file of the right kind, size and length, but with no prompt.

    There are few different ones, so a simulation of thousands of jobs renders few.
    """
    from foxbatch.sandbox.media import stand_in as made

    return made(recipe)


class SandboxTransport(httpx.AsyncBaseTransport):
    """Answers the requests of an `httpx.AsyncClient` from *sandbox*.

    Args:
        sandbox: The state; several transports may share one.
        now: The time in Unix seconds, asked once for each request.
        media: Makes the bytes of a served file.
        before: Called with each request before the sandbox sees it; what it
            returns is raised instead: a connection that is refused, say.
        contents: Where uploaded files are; transports that share a sandbox share it.
    """

    def __init__(
        self,
        sandbox: core.Sandbox,
        *,
        now: Callable[[], float],
        media: Callable[[Recipe], bytes] = stand_in,
        before: Callable[[httpx.Request], Exception | None] | None = None,
        contents: Contents | None = None,
    ) -> None:
        self._sandbox = sandbox
        self._now = now
        self._media = media
        self._before = before
        self._contents = contents or Contents()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the sandbox's reply, as late and as broken as its delivery says.

        Raises:
            httpx.ConnectError: There is an outage. Nothing was created.
            httpx.ReadError: The connection was reset. The task may exist.
            httpx.RemoteProtocolError: It was closed before the reply, or amid it.
            httpx.ReadTimeout: Nothing came for as long as the client waits.
        """
        fault = self._before(request) if self._before is not None else None
        if fault is not None:
            raise fault
        body = await request.aread()
        if core.outage(self._sandbox, self._now())[0]:
            raise httpx.ConnectError("connection refused", request=request)
        return await arriving(self._answer(request, body), request)

    def _answer(self, request: httpx.Request, body: bytes) -> Reply:
        wanted = Request(
            method=request.method,
            path=request.url.path,
            base_url=f"{request.url.scheme}://{request.url.netloc.decode()}",
            query=dict(request.url.params),
            headers={name.lower(): text for name, text in request.headers.items()},
            body=body,
        )
        reply = core.handle(self._sandbox, wanted, self._now())
        for record in reply.records:
            self._contents.take(record, reply.keeps)
        if reply.media is None:
            return reply
        if not isinstance(reply.media, Upload):
            return served(wanted, reply, self._media(reply.media))
        content = self._contents.get(reply.media)
        if content is None:
            return text_reply(404, "NoSuchKey")
        return served(wanted, reply, content)


async def arriving(reply: Reply, request: httpx.Request) -> httpx.Response:
    """Return *reply* as it arrives; raise if it does not."""
    await _pass(reply.delivery.waits_s, request)
    left = sent_body(reply)
    if left is None:
        await _end(reply, request)
    return httpx.Response(
        reply.status,
        headers=told_headers(reply),
        stream=_Body(reply, left, request),
    )


class _Body(httpx.AsyncByteStream):
    """The part of a body that arrives, and then what becomes of the rest."""

    def __init__(self, reply: Reply, left: bytes, request: httpx.Request) -> None:
        self._reply = reply
        self._left = left
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        way = self._reply.delivery
        told = told_headers(self._reply).get("Content-Length")
        is_described = self._request.method == "HEAD" or told is None
        told_bytes = len(self._left) if is_described else int(told or 0)
        for wait_s, piece in pieces(self._left[:told_bytes], way.bytes_per_s):
            await _pass(wait_s, self._request)
            yield piece
        if way.ends != "whole":
            await _end(self._reply, self._request)
        if told_bytes > len(self._left):
            raise httpx.RemoteProtocolError(
                "peer closed connection without sending complete message body"
                f" (received {len(self._left)} bytes, expected {told_bytes})",
                request=self._request,
            )


async def _pass(wait_s: float, request: httpx.Request) -> None:
    """Wait, unless the client has less patience."""
    patience_s = request.extensions.get("timeout", {}).get("read")
    if patience_s is not None and wait_s > patience_s:
        await anyio.sleep(patience_s)
        raise httpx.ReadTimeout("nothing came in time", request=request)
    if wait_s:
        await anyio.sleep(wait_s)


async def _end(reply: Reply, request: httpx.Request) -> NoReturn:
    """End as a connection does that brings no more; one that stands still may wait."""
    way = reply.delivery
    if way.ends == "closed":
        told = "Server disconnected without sending a response."
        if way.sent is not None:
            told = "peer closed connection without sending complete message body"
        raise httpx.RemoteProtocolError(told, request=request)
    if way.ends == "stalled":
        await _pass(way.stalls_s, request)
    raise httpx.ReadError("the connection was reset", request=request)
