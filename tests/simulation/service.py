"""The pretend service behind a network that takes time and outlives its clients."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator, Callable
from typing import cast

import httpx
import trio

from foxbatch.sandbox import Recipe, Reply, Sandbox, SandboxTransport
from foxbatch.sandbox.messages import Task
from foxbatch.sandbox.service import core
from foxbatch.sandbox.service.results import recipe
from foxbatch.sandbox.transport import arriving
from tests.simulation.disk import CrashedError
from tests.simulation.oracle import Oracle


def film(made: Recipe) -> bytes:
    """Return a file that is known as a film, and that no other recipe gives."""
    look = hashlib.sha256(repr(made).encode()).digest()
    return b"\0\0\0\x18ftypisom" + look * (4 + look[0] % 28)


def served_by(task: Task, number: int) -> str:
    """Return the digest of result *number* (from 0) of a task, as it is served."""
    found = recipe(task, f"{number}.mp4")
    return "" if found is None else hashlib.sha256(film(found[0])).hexdigest()


def kind_of(request: httpx.Request) -> str:
    """Return `post`, `poll`, `look` (at the account) or `file`."""
    if request.method == "POST":
        return "post"
    if request.url.path.startswith("/api/"):
        return "look"
    return "poll" if request.url.path.startswith("/v1/tasks/") else "file"


class Network(SandboxTransport):
    """Carries requests to the sandbox, whether or not the client lives to see it.

    Attributes:
        dead: Whether the process that asks is gone: nothing more leaves then.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        oracle: Oracle,
        *,
        now: Callable[[], float],
        beyond: trio.Nursery,
        rng: random.Random,
        latency_s: float,
        tell: Callable[[str], None],
    ) -> None:
        super().__init__(sandbox, now=now, media=film)
        self.dead = False
        self._oracle, self._beyond, self._rng = oracle, beyond, rng
        self._latency_s, self._tell = latency_s, tell
        self._box, self._time = sandbox, now

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return what comes back, if anything does."""
        if self.dead:
            raise CrashedError
        kind = kind_of(request)
        self._oracle.starts(kind)
        if kind != "file":
            return await self._answered(request, kind)
        self._oracle.file_begins()
        try:
            response = await self._answered(request, kind)
        except BaseException:
            self._oracle.file_ends()
            raise
        response.stream = _Counted(
            cast("httpx.AsyncByteStream", response.stream), self._oracle
        )
        return response

    async def _answered(self, request: httpx.Request, kind: str) -> httpx.Response:
        if core.outage(self._box, self._time())[0]:
            self._tell(f"{kind} {request.url.path}: no connection")
            if kind == "post":
                self._oracle.refused_at_the_door()
            raise httpx.ConnectError("connection refused", request=request)
        body = await request.aread()
        post = self._oracle.leaves(body) if kind == "post" else None
        self._tell(f"{kind} {request.url.path} leaves")
        there_s, back_s = (self._rng.uniform(0, self._latency_s) for _ in range(2))
        replies: list[Reply] = []
        came = trio.Event()

        async def arrive() -> None:
            await trio.sleep(there_s)
            before = len(self._box.tasks)
            replies.append(self._answer(request, body))
            made = list(self._box.tasks)[before:]
            if kind == "post":
                self._oracle.arrives(post, made)
            told = replies[0].fault or replies[0].delivery.ends
            self._tell(f"{kind} arrives: {replies[0].status} {told} {' '.join(made)}")
            came.set()

        self._beyond.start_soon(arrive)
        await came.wait()
        if back_s:
            await trio.sleep(back_s)
        return await arriving(replies[0], request)


class _Counted(httpx.AsyncByteStream):
    """A body that tells when it is no longer read."""

    def __init__(self, inner: httpx.AsyncByteStream, oracle: Oracle) -> None:
        self._inner, self._oracle = inner, oracle
        self._open = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            yield piece

    async def aclose(self) -> None:
        """Count it as ended, once."""
        if self._open:
            self._open = False
            self._oracle.file_ends()
        await self._inner.aclose()
