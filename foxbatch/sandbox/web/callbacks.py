"""Ends of tasks, told to whoever asked for it, on this machine only."""

from __future__ import annotations

import asyncio
import time
from ipaddress import ip_address
from urllib.parse import urlsplit

import aiohttp

from foxbatch.sandbox.service import core
from foxbatch.sandbox.web.doors import until

_TIMEOUT_S = 10.0
_AT_ONCE = 20


class Postman:
    """Posts what is due; the core decides what that is, and what is tried again."""

    def __init__(self, sandbox: core.Sandbox) -> None:
        self._sandbox = sandbox
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Have it look again at what is due."""
        self._news.set()

    async def keep(self) -> None:
        """Post as it comes due, until this is cancelled; then posts are given up."""
        patience = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        bound = aiohttp.TCPConnector(limit=_AT_ONCE)
        async with (
            aiohttp.ClientSession(connector=bound, timeout=patience) as session,
            asyncio.TaskGroup() as posts,
        ):
            while True:
                self._news.clear()
                due, more_at = core.due_callbacks(self._sandbox, time.time())
                for callback in due:
                    posts.create_task(self._post(session, callback))
                await until(self._news, more_at)

    async def _post(
        self, session: aiohttp.ClientSession, callback: core.DueCallback
    ) -> None:
        status = None
        if is_on_this_machine(callback.url):  # whatever the core thinks
            status = await _posted(session, callback)
        core.callback_answered(self._sandbox, callback.id, status, time.time())
        self.wake()


async def _posted(
    session: aiohttp.ClientSession, callback: core.DueCallback
) -> int | None:
    try:
        async with session.post(
            callback.url,
            data=callback.body,
            headers={"Content-Type": "application/json"},
            allow_redirects=False,  # it may lead to another machine
        ) as reply:
            return reply.status
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return None


def is_on_this_machine(url: str) -> bool:
    """Return whether *url* names a loopback address, without asking anybody."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        here = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
    return here and parts.scheme in {"http", "https"}
