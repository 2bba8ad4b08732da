"""The pretend service on a real socket: aiohttp around the pure core.

The only place in foxbatch that needs asyncio. The event loop only passes messages:
clips are rendered by worker threads, and a dropped reply is an aborted connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from anyio.from_thread import start_blocking_portal

from foxbatch.errors import MissingExtraError
from foxbatch.sandbox.core import Sandbox, SandboxOptions, handle
from foxbatch.sandbox.files import served
from foxbatch.sandbox.messages import Clip, Request
from foxbatch.sandbox.store import TaskStore

try:
    from aiohttp import web

    from foxbatch.sandbox.media import ClipCache
except ImportError as error:  # pragma: no cover  # seen in a process of its own
    raise MissingExtraError("the sandbox", "sandbox") from error

_RENDERERS = 2
_MAX_BODY_BYTES = 10 * 2**20
_GOODBYE_S = 0.5  # for replies that are under way when the server stops


class _Shell:
    """Passes messages between one core and aiohttp."""

    def __init__(self, sandbox: Sandbox, store: TaskStore | None) -> None:
        self._sandbox = sandbox
        self._store = store
        self._clips = ClipCache()
        self._renderers = ThreadPoolExecutor(_RENDERERS, "sandbox-render")

    async def answer(self, message: web.Request) -> web.StreamResponse:
        request = Request(
            method=message.method,
            path=message.path,
            base_url=f"{message.scheme}://{message.host}",
            query=dict(message.query),
            headers={name.lower(): text for name, text in message.headers.items()},
            body=await message.read(),
        )
        reply = handle(self._sandbox, request, time.time())
        if reply.created is not None and self._store is not None:
            self._store.add(reply.created)
        if reply.delivery == "dropped":
            return _dropped(message)
        if reply.clip is not None:
            reply = served(request, reply, await self._rendered(reply.clip))
        return web.Response(
            status=reply.status, headers=dict(reply.headers), body=reply.body
        )

    async def _rendered(self, clip: Clip) -> bytes:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._renderers, self._clips.get, clip)

    def close(self) -> None:
        """Wait for the clips that are being rendered, and give up the others."""
        self._renderers.shutdown(cancel_futures=True)


def _dropped(message: web.Request) -> web.StreamResponse:
    if message.transport is not None:
        message.transport.abort()
    return web.Response()  # aiohttp wants one; nobody hears it


@contextlib.asynccontextmanager
async def serve(
    options: SandboxOptions | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    state_dir: Path | None = None,
) -> AsyncIterator[str]:
    """Serve the sandbox while the block runs; give its URL, without a last slash.

    Port 0 takes a free one. With *state_dir* the tasks of earlier processes are
    there again; request counts begin anew.

    Raises:
        OSError: The address cannot be used.
        RunDirError: The state directory is damaged.
    """
    sandbox = Sandbox(options=options or SandboxOptions())
    async with contextlib.AsyncExitStack() as opening:
        store = None
        if state_dir is not None:
            store = opening.enter_context(TaskStore(state_dir))
            for task in store.load():
                sandbox.add(task)
        shell = opening.enter_context(contextlib.closing(_Shell(sandbox, store)))
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", shell.answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GOODBYE_S)
        opening.push_async_callback(runner.cleanup)
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        yield f"http://{host}:{runner.addresses[0][1]}"


class EmbeddedSandbox:
    """A sandbox in a thread of its own, for as long as a `with` block runs.

    It has its own event loop, so it serves code under any backend, also inside a
    running loop.

    Attributes:
        url: Where it listens, without a slash at the end. Set inside the block.
    """

    url: str

    def __init__(
        self,
        options: SandboxOptions | None = None,
        *,
        port: int = 0,
        state_dir: Path | None = None,
    ) -> None:
        self._serving = serve(options, port=port, state_dir=state_dir)
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


def run_sandbox(
    options: SandboxOptions | None = None,
    *,
    on_ready: Callable[[str], object],
    host: str = "127.0.0.1",
    port: int = 0,
    state_dir: Path | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; call *on_ready* with the URL once it listens.

    Must be called on the main thread, outside any event loop.
    """

    async def until_signalled() -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with serve(options, host=host, port=port, state_dir=state_dir) as url:
            for number in (signal.SIGINT, signal.SIGTERM):
                # Windows loops know no signal handlers: there Ctrl-C raises.
                with contextlib.suppress(NotImplementedError):
                    loop.add_signal_handler(number, stopped.set)
            on_ready(url)
            await stopped.wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(until_signalled())
