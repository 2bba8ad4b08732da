"""The pretend service on a real socket: aiohttp around the pure core.

The only place in foxbatch that needs asyncio. The event loop only passes messages:
files are made by worker threads.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from foxbatch.errors import MissingExtraError
from foxbatch.pages.serving import InThread, meanwhile, until_signalled
from foxbatch.sandbox.options import SandboxOptions
from foxbatch.sandbox.service.core import Sandbox
from foxbatch.sandbox.web.contents import Contents
from foxbatch.sandbox.web.store import RecordStore

try:
    from foxbatch.sandbox.web.shell import Shell
except ImportError as error:  # pragma: no cover  # seen in a process of its own
    raise MissingExtraError("the sandbox", "sandbox") from error

_GOODBYE_S = 0.5  # for replies that are under way when the server stops


@contextlib.asynccontextmanager
async def serve(
    options: SandboxOptions | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    state_dir: Path | None = None,
) -> AsyncIterator[str]:
    """Serve the sandbox while the block runs; give its URL, without a last slash.

    Port 0 takes a free one. With *state_dir* the tasks and uploads of earlier
    processes are there again; request counts begin anew.

    Raises:
        OSError: The address cannot be used.
        RunDirError: The state directory is damaged.
    """
    sandbox = Sandbox(options=options or SandboxOptions(), started_at=time.time())
    async with contextlib.AsyncExitStack() as opening:
        store, contents = None, Contents()
        if state_dir is not None:
            store = opening.enter_context(RecordStore(state_dir))
            contents = Contents(state_dir / "uploads")
            for record in store.load():
                sandbox.remember(record)
                contents.take(record)
        shell = Shell(sandbox, host=host, port=port, store=store, contents=contents)
        opening.callback(shell.close)
        opening.push_async_callback(shell.server.shutdown, _GOODBYE_S)
        opening.callback(shell.doors.close)
        await shell.doors.open()
        await opening.enter_async_context(meanwhile(shell.doors.keep()))
        await opening.enter_async_context(meanwhile(shell.postman.keep()))
        yield shell.doors.url


class EmbeddedSandbox(InThread):
    """A sandbox in a thread of its own, for as long as a `with` block runs.

    Attributes:
        url: Where it listens, without a slash at the end. Set inside the block.
    """

    def __init__(
        self,
        options: SandboxOptions | None = None,
        *,
        port: int = 0,
        state_dir: Path | None = None,
    ) -> None:
        super().__init__(serve(options, port=port, state_dir=state_dir))


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
    serving = serve(options, host=host, port=port, state_dir=state_dir)
    until_signalled(serving, on_ready)
