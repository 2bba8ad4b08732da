"""The listening socket, which an outage takes away and gives back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable
from typing import TypeAlias

from aiohttp import web

Outage: TypeAlias = Callable[[float], tuple[bool, float | None]]
"""From the Unix time: are connections refused, and when does that change."""

_BACKLOG = 1024
_TRY_AGAIN_S = 0.05


class Doors:
    """One address on which *server* listens, except while there is an outage.

    Then the kernel itself refuses: the port stays bound, so that nobody else takes
    it, but nothing listens on it.

    Attributes:
        url: Where it listens, without a slash at the end.
        busy: Connections with a request in progress; the others are idle.
        shut: Whether connections are refused now.
    """

    def __init__(
        self, server: web.Server, *, host: str, port: int, outage: Outage
    ) -> None:
        self._server = server
        self._outage = outage
        self._bound: socket.socket | None = _bound(host, port)
        self._address: tuple[str, int] = self._bound.getsockname()[:2]
        self._listening: asyncio.Server | None = None
        self._news = asyncio.Event()
        self._changes_at: float | None = None
        self.url = f"http://{host}:{self._address[1]}"
        self.busy: set[web.RequestHandler] = set()
        self.shut = True

    async def open(self) -> None:
        """Listen, unless there is an outage from the beginning.

        Raises:
            OSError: The address is taken.
        """
        if not self.look():
            await self._open()

    def look(self) -> bool:
        """Refuse connections from now on if an outage has begun; return whether.

        To be called after whatever may begin or end one. The end of one needs a
        moment of `keep`.
        """
        refuses, changes_at = self._outage(time.time())
        if refuses and not self.shut:
            self._close()
        if refuses != self.shut or changes_at != self._changes_at:
            self._changes_at = changes_at
            self._news.set()
        return refuses

    async def keep(self) -> None:
        """Open and close as the time comes, until this is cancelled."""
        while True:
            self._news.clear()
            if not self.look() and self.shut:
                await self._open()
            await until(self._news, self._changes_at)

    def close(self) -> None:
        """Stop listening for good."""
        if self._listening is not None:
            self._listening.close()
        if self._bound is not None:
            self._bound.close()

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        while self._bound is None:
            self._bound = self._take()
            if self._bound is None:
                await asyncio.sleep(_TRY_AGAIN_S)
        self._listening = await loop.create_server(
            self._server, sock=self._bound, backlog=_BACKLOG
        )
        self.shut = False

    def _take(self) -> socket.socket | None:
        """Bind our address once more; None where it is taken for a moment.

        The system may give a port that nobody holds to a connection that begins.
        """
        with contextlib.suppress(OSError):
            return _bound(*self._address)
        return None

    def _close(self) -> None:
        if self._listening is not None:
            self._listening.close()
        self.shut = True
        self._bound = self._take()
        for connection in self._server.connections:
            if connection in self.busy:
                connection.close()  # after its reply
            elif connection.transport is not None:
                connection.transport.close()


async def until(news: asyncio.Event, unix_s: float | None) -> None:
    """Return when there is news, or when the time has come."""
    delay_s = None if unix_s is None else max(0.0, unix_s - time.time())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(delay_s):
            await news.wait()


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket that owns the address but does not listen yet."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it would let others take the address
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made
