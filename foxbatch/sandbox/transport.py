"""The pretend service as an httpx transport: no sockets, no threads, any backend.

Nothing in it waits, so under a virtual clock a simulated day takes no time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache

import httpx

from foxbatch.sandbox.core import Sandbox, handle
from foxbatch.sandbox.files import served
from foxbatch.sandbox.messages import Clip, Request


@cache
def _stand_in(clip: Clip) -> bytes:
    from foxbatch.sandbox.media import render

    return render(clip)


def stand_in(clip: Clip) -> bytes:
    """Return a real clip of the right size, length and sound, but with no prompt.

    There are few different ones, so a simulation of thousands of jobs renders few.
    """
    return _stand_in(dataclasses.replace(clip, prompt="", facts=(), look=""))


class SandboxTransport(httpx.AsyncBaseTransport):
    """Answers the requests of an `httpx.AsyncClient` from *sandbox*.

    Args:
        sandbox: The state; several transports may share one.
        now: The time in Unix seconds, asked once for each request.
        media: Makes the bytes of a served file.
        before: Called with each request before the sandbox sees it; what it
            returns is raised instead: a connection that is refused, say.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        now: Callable[[], float],
        media: Callable[[Clip], bytes] = stand_in,
        before: Callable[[httpx.Request], Exception | None] | None = None,
    ) -> None:
        self._sandbox = sandbox
        self._now = now
        self._media = media
        self._before = before

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the sandbox's reply.

        Raises:
            httpx.ReadError: The reply was dropped. The task may exist.
        """
        fault = self._before(request) if self._before is not None else None
        if fault is not None:
            raise fault
        wanted = Request(
            method=request.method,
            path=request.url.path,
            base_url=f"{request.url.scheme}://{request.url.netloc.decode()}",
            query=dict(request.url.params),
            headers={name.lower(): text for name, text in request.headers.items()},
            body=await request.aread(),
        )
        reply = handle(self._sandbox, wanted, self._now())
        if reply.delivery == "dropped":
            raise httpx.ReadError("the connection was aborted", request=request)
        if reply.clip is not None:
            reply = served(wanted, reply, self._media(reply.clip))
        return httpx.Response(
            reply.status, headers=dict(reply.headers), content=reply.body
        )
