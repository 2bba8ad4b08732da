"""Places at which a process is killed, exactly, from the inside.

Nothing of this is in foxbatch: a child that the harness made wraps the calls by which
foxbatch touches the disk and the network. Each call passes one or more labels, such as
`fsync:submit.intended:before`; at the n-th passing of the label that was asked for, the
process sends itself SIGKILL.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec

from foxbatch import durable, ledger, lock, results
from foxbatch.artifacts import Partial, Store

_POST_MOMENTS = {
    "connection.connect_tcp.started": "connect",
    "http11.send_request_headers.started": "first-byte",
    "http11.send_request_body.complete": "sent",
    "http11.receive_response_headers.complete": "reply-begins",
    "http11.receive_response_body.complete": "reply-whole",
}
_LATE_S = 0.05  # long enough for the service to see what was sent


class Trap:
    """Counts passings, and kills at the one that was asked for.

    Args:
        label: Where to kill; empty to kill nowhere.
        nth: At which passing, from 1.
        trace: A file that is told each label, in the order of passings.
    """

    def __init__(self, label: str, nth: int, trace: Path | None = None) -> None:
        self._label = label
        self._left = nth
        self._trace = trace
        self.passed: Counter[str] = Counter()

    def passes(self, label: str) -> None:
        """Take in that the process is at a place."""
        if self._trace is not None:
            with self._trace.open("a") as file:
                file.write(label + "\n")
        if label == self._label:
            self._left -= 1
            if not self._left:
                if label.endswith(":late"):
                    time.sleep(_LATE_S)
                os.kill(os.getpid(), signal.SIGKILL)


def install(trap: Trap) -> None:
    """Let this process pass *trap* wherever it touches the disk or the network."""
    words: dict[int, str] = {}
    _watch_writes(trap, words)
    _watch_syncs(trap, words)
    _watch_files(trap)
    _watch_network(trap)


def _watch_writes(trap: Trap, words: dict[int, str]) -> None:
    plain = os.write

    def write(handle: int, content: Any) -> int:  # noqa: ANN401
        if not _name(handle).endswith(".jsonl"):
            return plain(handle, content)
        whole = bytes(content)
        known = [msgspec.json.decode(line)["event"] for line in whole.splitlines()]
        word = words[handle] = known[-1]
        trap.passes(f"write:{word}:before")
        half = plain(handle, whole[: len(whole) // 2])
        trap.passes(f"write:{word}:torn")
        plain(handle, whole[half:])
        trap.passes(f"write:{word}:after")
        return len(whole)

    ledger.os.write = write  # type: ignore[attr-defined]  # the module that all share


def _watch_syncs(trap: Trap, words: dict[int, str]) -> None:
    plain = os.fsync

    def fsync(handle: int) -> None:
        name = _name(handle)
        if handle in words and name.endswith(".jsonl"):
            what = words[handle]
        elif "/.partial/" in name:
            what = "artifact"
        elif name.endswith(".new"):
            what = "results" if "results" in name else "manifest"
        else:
            what = "name"
        trap.passes(f"fsync:{what}:before")
        plain(handle)
        trap.passes(f"fsync:{what}:after")

    durable.os.fsync = fsync  # type: ignore[attr-defined]
    for made in (ledger.LedgerWriter.__init__, Store.__init__):
        defaults: dict[str, Any] = made.__kwdefaults__ or {}
        defaults["fsync"] = fsync


def _name(handle: int) -> str:
    return str(Path(f"/proc/self/fd/{handle}").readlink())


def _watch_files(trap: Trap) -> None:
    _around(trap, Partial, "append", lambda *_: "partial:write")
    _around(trap, Path, "replace", lambda path, *_: f"rename:{_kind(path)}")
    _around(trap, Path, "unlink", lambda path, *_, **__: f"unlink:{_kind(path)}")
    _around(trap, Path, "mkdir", lambda *_, **__: "mkdir")
    _around(trap, lock.DirLock, "__enter__", lambda *_: "lock")
    _around(trap, lock.DirLock, "__exit__", lambda *_: "unlock")
    whole = durable.write_whole

    def write_whole(path: Path, chunks: Iterable[bytes]) -> None:
        whole(path, _slowly(trap, path, chunks))

    setattr(results, "write_whole", write_whole)  # noqa: B010


def _kind(path: Path) -> str:
    if ".partial" in path.parts:
        return "artifact"
    return "results" if "results" in path.name else "other"


def _slowly(trap: Trap, path: Path, chunks: Iterable[bytes]) -> Iterator[bytes]:
    for number, chunk in enumerate(chunks):
        if number:
            trap.passes(f"whole:{_kind(path)}:half")
        yield chunk


def _around(trap: Trap, owner: type, name: str, label: Callable[..., str]) -> None:
    plain = getattr(owner, name)

    def wrapped(*args: Any, **named: Any) -> Any:  # noqa: ANN401
        where = label(*args, **named)
        trap.passes(f"{where}:before")
        value = plain(*args, **named)
        trap.passes(f"{where}:after")
        return value

    setattr(owner, name, wrapped)


def _watch_network(trap: Trap) -> None:
    plain = httpx.AsyncHTTPTransport.handle_async_request

    async def handle(
        self: httpx.AsyncHTTPTransport, request: httpx.Request
    ) -> httpx.Response:
        kind = _route(request)

        async def trace(moment: str, _: object) -> None:
            where = _POST_MOMENTS.get(moment)
            if where is not None:
                trap.passes(f"{kind}:{where}")
            if where == "sent":
                trap.passes(f"{kind}:sent:late")

        trap.passes(f"{kind}:begins")
        request.extensions["trace"] = trace
        return await plain(self, request)

    httpx.AsyncHTTPTransport.handle_async_request = handle  # type: ignore[method-assign]


def _route(request: httpx.Request) -> str:
    if request.method == "POST":
        return "post"
    return "poll" if request.url.path.startswith("/v1/tasks/") else "file"
