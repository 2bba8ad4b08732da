"""Doors that close, and callbacks that are posted: what the server does by itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import httpx
import pytest

from foxbatch.sandbox import EmbeddedSandbox, Sandbox, SandboxOptions, Switches
from foxbatch.sandbox.faults import Plan, read_plan
from foxbatch.sandbox.web.callbacks import is_on_this_machine
from foxbatch.sandbox.web.shell import Shell
from tests.sockets import PATIENCE_S, Heard, asked, connected, listened

VIDEO = {"model": "veo-3.1", "prompt": "A fox"}
MODELS = "GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"


def plan_of(*rules: str) -> Plan:
    listed = "\n".join(f"  - {rule}" for rule in rules)
    return read_plan(f"foxbatch: 1\nrules:\n{listed}\n", shown_as="x.yaml", name="x")


def until_accepted(url: str) -> httpx.Response:
    """Ask again and again, as nobody is told when an outage ends."""
    while True:
        with contextlib.suppress(httpx.ConnectError):
            return httpx.get(f"{url}/v1/models", timeout=PATIENCE_S)


@pytest.fixture
def crashing() -> Iterator[str]:
    """The second submission brings the service down for a moment."""
    plan = plan_of("{name: crash, on: submit, when: {nth: 2}, do: {refuse: 30s}}")
    with EmbeddedSandbox(SandboxOptions(plan=plan, speed=100)) as sandbox:
        yield sandbox.url


class TestOutages:
    def test_connections_are_refused_and_then_accepted_again(
        self, crashing: str
    ) -> None:
        with httpx.Client(base_url=crashing) as client:
            client.post("/v1/videos/generations", json=VIDEO)
            with pytest.raises(httpx.RemoteProtocolError, match="disconnected"):
                client.post("/v1/videos/generations", json=VIDEO)
            with pytest.raises(httpx.ConnectError):
                client.get("/v1/models")

        assert until_accepted(crashing).status_code == 200

    def test_idle_connections_are_closed(self, crashing: str) -> None:
        with connected(crashing) as idle, httpx.Client(base_url=crashing) as client:
            idle.sendall(MODELS.encode())
            assert idle.recv(1 << 16)
            client.post("/v1/videos/generations", json=VIDEO)
            with pytest.raises(httpx.RemoteProtocolError):
                client.post("/v1/videos/generations", json=VIDEO)

            rest = listened(idle)

        assert rest.ended == "closed"

    def test_a_reply_under_way_is_finished(self) -> None:
        plan = plan_of(
            "{name: slow, on: read, do: {delay: 0.3s}}",
            "{name: crash, on: submit, do: {refuse: 1h}}",
        )
        with EmbeddedSandbox(SandboxOptions(plan=plan)) as sandbox:
            url = sandbox.url
            with connected(url) as slow:
                slow.sendall(MODELS.encode())
                until_counted(url)
                with pytest.raises(httpx.RemoteProtocolError):
                    httpx.post(f"{url}/v1/videos/generations", json=VIDEO)

                heard = listened(slow)

        assert heard.head.startswith("HTTP/1.1 200")
        assert heard.ended == "closed"

    def test_there_may_be_an_outage_from_the_beginning(self) -> None:
        plan = plan_of("{name: late, when: {until: 20s}, do: {refuse: true}}")

        with EmbeddedSandbox(SandboxOptions(plan=plan, speed=100)) as sandbox:
            with pytest.raises(httpx.ConnectError):
                httpx.get(sandbox.url)

            assert until_accepted(sandbox.url).status_code == 200

    def test_the_port_is_nobody_elses_meanwhile(self) -> None:
        plan = plan_of("{name: down, do: {refuse: true}}")
        with EmbeddedSandbox(SandboxOptions(plan=plan)) as sandbox:
            where = httpx.URL(sandbox.url)
            assert where.port is not None

            with socket.socket() as other, pytest.raises(OSError, match="in use"):
                other.bind((where.host, where.port))


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_message_that_slips_through_is_reset(anyio_backend: str) -> None:
    """Its connection was made when the outage began, but not yet told."""
    assert anyio_backend == "asyncio"
    shell = Shell(Sandbox(), host="127.0.0.1", port=0)
    with contextlib.closing(shell), contextlib.closing(shell.doors):
        loop = asyncio.get_running_loop()
        open_all_the_same = await loop.create_server(shell.server, "127.0.0.1", 0)
        port = open_all_the_same.sockets[0].getsockname()[1]

        heard = await asyncio.to_thread(asked, f"http://127.0.0.1:{port}", MODELS)

        open_all_the_same.close()
        await shell.server.shutdown(0)
    assert heard == Heard("", b"", "reset")


def until_counted(url: str) -> None:
    """Return when the service has seen a request."""
    while not httpx.get(f"{url}/sandbox/stats").json()["requests"]:
        pass


class Receiver(BaseHTTPRequestHandler):
    """Takes callbacks, and answers each with the next status."""

    received: ClassVar[queue.Queue[tuple[str, object]]]
    statuses: ClassVar[list[int]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.put((self.path, json.loads(body)))
        self.send_response(self.statuses.pop(0) if self.statuses else 200)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def receiver() -> type[Receiver]:
    class Mine(Receiver):
        received = queue.Queue()
        statuses: ClassVar[list[int]] = []

    return Mine


@pytest.fixture
def address(receiver: type[Receiver]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), receiver) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/done"
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def calling() -> Iterator[httpx.Client]:
    options = SandboxOptions(speed=1e4, switches=Switches(callbacks="loopback"))
    with (
        EmbeddedSandbox(options) as sandbox,
        httpx.Client(base_url=sandbox.url) as client,
    ):
        yield client


def order(client: httpx.Client, callback_url: str) -> str:
    body = {
        "model": "veo3.1-pro-lite",
        "prompt": "A fox",
        "callback_url": callback_url,
    }
    return str(client.post("/v1/videos/generations", json=body).json()["id"])


def until_reported(client: httpx.Client, count: int) -> dict[str, int]:
    while True:
        reported = client.get("/sandbox/stats").json()["callbacks"]
        if sum(reported.values()) >= count:
            return dict(reported)


class TestCallbacks:
    def test_the_end_of_a_task_is_posted(
        self, receiver: type[Receiver], address: str
    ) -> None:
        with calling() as client:
            task = order(client, address)
            path, body = receiver.received.get(timeout=PATIENCE_S)
            reported = until_reported(client, 1)

        assert path == "/done"
        assert isinstance(body, dict)
        assert (body["id"], body["status"]) == (task, "completed")
        assert reported == {"received": 1}

    def test_one_that_is_not_taken_is_posted_again(
        self, receiver: type[Receiver], address: str
    ) -> None:
        receiver.statuses.append(500)

        with calling() as client:
            order(client, address)
            for _ in range(2):
                receiver.received.get(timeout=PATIENCE_S)
            reported = until_reported(client, 2)

        assert reported == {"failed": 1, "received": 1}

    def test_a_redirect_is_not_followed(
        self, receiver: type[Receiver], address: str
    ) -> None:
        receiver.statuses.append(307)

        with calling() as client:
            order(client, address)
            first, _ = receiver.received.get(timeout=PATIENCE_S)
            again, _ = receiver.received.get(timeout=PATIENCE_S)

        assert (first, again) == ("/done", "/done")

    def test_nobody_there_is_no_error(self, caplog: pytest.LogCaptureFixture) -> None:
        with socket.socket() as deaf, calling() as client:
            deaf.bind(("127.0.0.1", 0))
            order(client, f"http://127.0.0.1:{deaf.getsockname()[1]}/")
            reported = until_reported(client, 1)

        assert reported == {"failed": 1}
        assert not caplog.records

    @pytest.mark.parametrize(
        ("url", "is_here"),
        [
            ("http://127.0.0.1:8000/a", True),
            ("https://localhost/", True),
            ("http://[::1]:8000/", True),
            ("http://127.9.9.9/", True),
            ("http://example.com/", False),
            ("http://10.0.0.1/", False),
            ("http://0.0.0.0/", False),
            ("http://127.0.0.1.example.com/", False),
            ("ftp://127.0.0.1/", False),
            ("http://[", False),
            ("", False),
        ],
    )
    def test_only_this_machine_is_called(self, url: str, *, is_here: bool) -> None:
        assert is_on_this_machine(url) == is_here
