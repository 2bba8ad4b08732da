"""Asking a service: what a submission sends, how long it waits, and polls."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import httpx
import pytest
import trio.testing
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.stapled import MultiListener

from foxbatch.access import Access, decide
from foxbatch.artifacts import Partial
from foxbatch.client import (
    Accepted,
    NotSent,
    PollDenied,
    PollTrouble,
    ServiceClient,
    SubmitOutcome,
    TaskMissing,
    TaskSeen,
    Unknown,
)
from foxbatch.client.http import MAX_REPLY_BYTES, _trust
from foxbatch.clock import SystemClock
from foxbatch.errors import UsageError
from foxbatch.events import TaskId
from foxbatch.provider import load_provider

KEY = "sk-invented-for-this-test"
TASK = TaskId("task-unified-1785830400-k3v9qd2m")
ENDPOINT = "/v1/videos/generations"
BODY = b'{"model":"veo-3.1","prompt":"A fox"}'
FOXAPI = load_provider("foxapi", base=Path())

Script = Callable[[SocketStream, bytes], Awaitable[None]]


def access_to(url: str) -> Access:
    return decide(
        FOXAPI,
        environ={"FOXAPI_API_KEY": KEY},
        dotenv={},
        base_url=url,
        trusted=frozenset({"api.test"}),
    )


def client_at(
    url: str, transport: httpx.AsyncBaseTransport | None = None
) -> ServiceClient:
    return ServiceClient(
        FOXAPI, access_to(url), clock=SystemClock(), transport=transport
    )


def reply(status: str, content: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


ACCEPTED_BODY = json.dumps({"id": TASK, "status": "pending"}).encode()
ACCEPTED = reply("200 OK", ACCEPTED_BODY)


class Server:
    """A loopback server that answers each request as a script says.

    Attributes:
        requests: What arrived, whole.
        connections: How many were opened.
    """

    def __init__(self, script: Script) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.url = ""
        self._script = script

    async def handle(self, stream: SocketStream) -> None:
        self.connections += 1
        async with stream:
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while request := await read_request(stream):
                    self.requests.append(request)
                    await self._script(stream, request)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Server]:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = port_of(listener)
        self.url = f"http://127.0.0.1:{port}"
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, self.handle)
            yield self
            tasks.cancel_scope.cancel()


def port_of(listener: MultiListener[SocketStream]) -> int:
    return int(listener.extra_attributes[SocketAttribute.local_port]())


async def read_request(stream: SocketStream) -> bytes:
    data = await stream.receive()
    while b"\r\n\r\n" not in data:
        data += await stream.receive()
    length = re.search(rb"(?i)content-length: (\d+)", data)
    whole = data.index(b"\r\n\r\n") + 4 + (int(length[1]) if length else 0)
    while len(data) < whole:
        data += await stream.receive()
    return data


def sends(*parts: bytes) -> Script:
    async def script(stream: SocketStream, _request: bytes) -> None:
        for part in parts:
            await stream.send(part)

    return script


async def submit_to(script: Script) -> tuple[SubmitOutcome, Server]:
    async with (
        Server(script).running() as server,
        client_at(server.url) as client,
    ):
        outcome = await client.submit(ENDPOINT, BODY)
    return outcome, server


@pytest.mark.anyio
class TestSubmitOverSockets:
    async def test_an_accepted_job(self) -> None:
        outcome, server = await submit_to(sends(ACCEPTED))

        assert isinstance(outcome, Accepted)
        assert outcome.task == TASK
        head, _, content = server.requests[0].partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        assert lines[0] == f"POST {ENDPOINT} HTTP/1.1"
        assert f"Authorization: Bearer {KEY}" in lines
        assert "Content-Type: application/json" in lines
        assert content == BODY

    async def test_it_says_who_asks(self) -> None:
        """The edge refuses the user agents of common libraries."""
        _, server = await submit_to(sends(ACCEPTED))

        assert re.search(rb"User-Agent: foxbatch/\d+\.\d+", server.requests[0])

    async def test_a_connection_that_the_server_closed_meanwhile_is_not_used(
        self,
    ) -> None:
        closed = anyio.Event()

        class Impatient(Server):
            async def handle(self, stream: SocketStream) -> None:
                self.connections += 1
                async with stream:
                    self.requests.append(await read_request(stream))
                    await stream.send(ACCEPTED)
                closed.set()

        async with (
            Impatient(sends()).running() as server,
            client_at(server.url) as client,
        ):
            first = await client.submit(ENDPOINT, BODY)
            await closed.wait()
            second = await client.submit(ENDPOINT, BODY)

        assert isinstance(first, Accepted)
        assert isinstance(second, Accepted)
        assert server.connections == 2

    async def test_an_answer_that_explodes_is_unknown(self) -> None:
        bomb = gzip.compress(ACCEPTED_BODY + b" " * (2 * MAX_REPLY_BYTES))

        outcome, _ = await submit_to(
            sends(reply("200 OK", bomb, "Content-Encoding: gzip"))
        )

        assert isinstance(outcome, Unknown)
        assert "too long" in outcome.reason

    async def test_proxies_of_the_environment_are_not_for_this_machine(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

        outcome, _ = await submit_to(sends(ACCEPTED))

        assert isinstance(outcome, Accepted)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            pytest.param("ALL_PROXY", "socks5://127.0.0.1:1", id="a missing package"),
            pytest.param("ALL_PROXY", "gopher://127.0.0.1:1", id="an unknown scheme"),
            pytest.param("HTTPS_PROXY", "http://[::1", id="no address"),
        ],
    )
    def test_a_proxy_that_cannot_be_used_is_said(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(name, value)

        with pytest.raises(UsageError, match="proxy") as caught:
            client_at("https://api.test")

        assert name in caught.value.hint

    def test_certificates_that_cannot_be_read_are_said(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/at/all")
        _trust.cache_clear()

        with pytest.raises(UsageError, match="certificates cannot be read"):
            client_at("https://api.test")

    def test_the_sandbox_needs_neither(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/at/all")
        monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
        sandbox = load_provider("sandbox", base=Path())

        ServiceClient(sandbox, access_to("http://127.0.0.1:1"), clock=SystemClock())


def raising(kind: type[httpx.RequestError]) -> httpx.MockTransport:
    def handle(request: httpx.Request) -> httpx.Response:
        raise kind(f"said with {KEY} in it", request=request)

    return httpx.MockTransport(handle)


def leaves(kind: type[httpx.RequestError]) -> Iterator[type[httpx.RequestError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from leaves(child)


BEFORE = {
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.ProxyError,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
}


@pytest.mark.anyio
@pytest.mark.parametrize("kind", list(leaves(httpx.RequestError)))
async def test_only_errors_before_any_byte_prove_that_nothing_was_sent(
    kind: type[httpx.RequestError],
) -> None:
    """Every error httpx can raise about a request, also those of later versions."""
    async with client_at("https://api.test", raising(kind)) as client:
        submitted = await client.submit(ENDPOINT, BODY)
        polled = await client.poll(TASK)

    assert type(submitted) is (NotSent if kind in BEFORE else Unknown)
    assert type(polled) is PollTrouble
    assert KEY not in f"{submitted} {polled}"


class Slow(httpx.AsyncByteStream):
    """A body that takes its time, and whose end does too."""

    def __init__(self, content: bytes, *, gap_s: float = 0, close_s: float = 0) -> None:
        self.content, self.gap_s, self.close_s = content, gap_s, close_s
        self.closing = anyio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for position in range(len(self.content)):
            await anyio.sleep(self.gap_s)
            yield self.content[position : position + 1]

    async def aclose(self) -> None:
        self.closing.set()
        await anyio.sleep(self.close_s)


class TestPatience:
    """Hours that take no time."""

    @pytest.fixture
    def anyio_backend(self) -> tuple[str, dict[str, object]]:
        return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}

    def client(self, stream: Slow) -> ServiceClient:
        transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=stream))
        return client_at("https://api.test", transport)

    @pytest.mark.anyio
    async def test_an_answer_that_drips_is_not_waited_for(self) -> None:
        """Each byte comes within the time that one read may take."""
        async with self.client(Slow(b" " * 100, gap_s=50)) as client:
            started = anyio.current_time()
            submitted = await client.submit(ENDPOINT, BODY)
            between = anyio.current_time()
            polled = await client.poll(TASK)

        assert isinstance(submitted, Unknown)
        assert between - started == pytest.approx(180)
        assert isinstance(polled, PollTrouble)
        assert anyio.current_time() - between == pytest.approx(60)

    @pytest.mark.anyio
    async def test_an_answer_that_has_arrived_survives_a_cancellation(self) -> None:
        stream = Slow(json.dumps({"id": TASK}).encode(), close_s=5)
        outcome: SubmitOutcome | None = None

        async with self.client(stream) as client, anyio.create_task_group() as tasks:

            async def submit() -> None:
                nonlocal outcome
                outcome = await client.submit(ENDPOINT, BODY)

            tasks.start_soon(submit)
            await stream.closing.wait()
            tasks.cancel_scope.cancel()

        assert isinstance(outcome, Accepted)

    @pytest.mark.anyio
    async def test_a_cancellation_before_the_answer_is_passed_on(self) -> None:
        finished = False

        async with self.client(Slow(b"{}", gap_s=50)) as client:
            with anyio.move_on_after(20):
                await client.submit(ENDPOINT, BODY)
                finished = True

        assert not finished


@pytest.mark.anyio
class TestPoll:
    def client(
        self, seen: list[httpx.Request], response: httpx.Response
    ) -> ServiceClient:
        def handle(request: httpx.Request) -> httpx.Response:
            seen.append(request)
            return response

        return client_at("https://api.test", httpx.MockTransport(handle))

    @pytest.mark.parametrize(
        ("sync", "query"), [(True, b"sync_upstream=true"), (False, b"")]
    )
    async def test_a_task_is_asked_for_by_its_id(
        self, query: bytes, *, sync: bool
    ) -> None:
        seen: list[httpx.Request] = []
        answer = httpx.Response(200, json={"id": TASK, "status": "processing"})

        async with self.client(seen, answer) as client:
            outcome = await client.poll(TASK, sync=sync)

        assert isinstance(outcome, TaskSeen)
        assert seen[0].url.path == f"/v1/tasks/{TASK}"
        assert seen[0].url.query == query
        assert seen[0].headers["Authorization"] == f"Bearer {KEY}"

    @pytest.mark.parametrize(
        ("status", "kind"),
        [(404, TaskMissing), (401, PollDenied), (429, PollTrouble), (302, PollDenied)],
    )
    async def test_other_answers(self, status: int, kind: type) -> None:
        seen: list[httpx.Request] = []
        answer = httpx.Response(status, headers={"Location": "/elsewhere"})

        async with self.client(seen, answer) as client:
            outcome = await client.poll(TASK)

        assert type(outcome) is kind
        assert len(seen) == 1

    async def test_an_answer_without_end_is_trouble(self) -> None:
        answer = httpx.Response(200, content=b" " * (MAX_REPLY_BYTES + 1))

        async with self.client([], answer) as client:
            outcome = await client.poll(TASK)

        assert outcome == PollTrouble("an answer that is too long", status=200)

    async def test_what_is_no_task_id_is_not_put_into_a_path(self) -> None:
        async with self.client([], httpx.Response(200)) as client:
            with pytest.raises(ValueError, match="no task id"):
                await client.poll(TaskId("../models"))


@pytest.mark.anyio
async def test_a_client_without_a_key_sends_none(tmp_path: Path) -> None:
    seen: list[httpx.Request] = []
    sandbox = load_provider("sandbox", base=Path())
    access = decide(sandbox, environ={}, dotenv={}, base_url="http://127.0.0.1:1")

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"id": TASK, "status": "pending"})

    async with ServiceClient(
        sandbox, access, clock=SystemClock(), transport=httpx.MockTransport(handle)
    ) as client:
        await client.submit(ENDPOINT, BODY)
        await client.poll(TASK)
        await client.download(
            "http://127.0.0.1:1/a", Partial(tmp_path / "a"), expect_kind="video"
        )

    assert len(seen) == 3
    assert not any("Authorization" in request.headers for request in seen)


@pytest.mark.anyio
async def test_netrc_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    sandbox = load_provider("sandbox", base=Path())

    async with Server(sends(ACCEPTED)).running() as server:
        access = decide(sandbox, environ={}, dotenv={}, base_url=server.url)
        async with ServiceClient(sandbox, access, clock=SystemClock()) as client:
            await client.submit(ENDPOINT, BODY)

    assert b"Authorization" not in server.requests[0]
