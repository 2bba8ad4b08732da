"""An asyncio server for the time of a block, in a thread, or until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Self, TypeAlias

from anyio.from_thread import start_blocking_portal

Serving: TypeAlias = AbstractAsyncContextManager[str]
"""Serves while its block runs, and gives the address."""


@contextlib.asynccontextmanager
async def meanwhile(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Have *work* done while the block runs, and end it with the block.

    Not a task group: it would wrap the errors of the block in a group.
    """
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class InThread:
    """Serves in a thread of its own, for as long as a `with` block runs.

    It has its own event loop, so it serves code under any backend, also inside a
    running loop.

    Attributes:
        url: What *serving* gives. Set inside the block.
    """

    url: str

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with self._open as opening:
            portal = opening.enter_context(start_blocking_portal("asyncio"))
            running = portal.wrap_async_context_manager(self._serving)
            self.url = opening.enter_context(running)
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()


def until_signalled(serving: Serving, on_ready: Callable[[str], object]) -> None:
    """Serve until SIGINT or SIGTERM; call *on_ready* with the address.

    Must be called on the main thread, outside any event loop.
    """

    async def until_stopped() -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            # Windows loops know no signal handlers: there Ctrl-C raises.
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, stopped.set)
        async with serving as url:
            on_ready(url)
            await stopped.wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(until_stopped())
