"""Every way a submission can end, provoked on real sockets."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from httpcore._async import http11

from foxbatch.client import Accepted, NotSent, Refused, SubmitOutcome, Unknown, http
from foxbatch.provider import load_provider
from tests import peers
from tests.peers import Handler, Peer, says
from tests.sockets import PATIENCE_S, free_port
from tests.submitting import (
    ACCEPTED,
    BODY,
    BROKE,
    ENDPOINT,
    FOXAPI,
    MADE,
    NO_HTTP,
    OFF,
    TASK,
    check,
    client_at,
    reply,
    submitted,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("impatient")]


@pytest.fixture
def anyio_backend() -> str:
    """Use the event loop that foxbatch runs on: so many sockets take their time."""
    return "asyncio"


LONG = b" " * (12 << 20)


def head(*headers: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *headers]).encode() + b"\r\n\r\n"


@contextmanager
def nobody() -> Iterator[int]:
    yield free_port()


class TestNoConnection:
    @pytest.mark.parametrize(
        ("place", "words"),
        [
            pytest.param(
                nobody, "^the connection could not be made: refused$", id="refused"
            ),
            pytest.param(
                peers.full_backlog, r"^no connection within 0\.7 s$", id="no answer"
            ),
        ],
    )
    async def test_nothing_was_sent(
        self, place: Callable[[], AbstractContextManager[int]], words: str
    ) -> None:
        with place() as port:
            outcome = await submitted(f"http://127.0.0.1:{port}")

        check(outcome, NotSent, words)

    async def test_a_host_that_nobody_knows(self) -> None:
        """`.invalid` never exists; without any network the resolver says less."""
        outcome = await submitted("https://no-such-service.invalid")

        check(outcome, NotSent, "is not known|temporary failure|no connection within")

    async def test_one_of_several_addresses_is_enough_and_gets_it_once(self) -> None:
        """`localhost` is ::1 first in most places, where nobody listens."""
        with Peer(peers.always(ACCEPTED)) as peer:
            outcome = await submitted(f"http://localhost:{peer.port}")

        check(outcome, Accepted, TASK)
        assert (peer.connections, peer.posts) == (1, 1)

    async def test_connections_are_never_short(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """So none waits for one in vain: `PoolTimeout` cannot happen."""
        monkeypatch.setattr(http, "_SUBMIT", httpx.Timeout(PATIENCE_S, pool=0.1))
        many = 101  # httpx by itself allows a hundred
        outcomes: list[SubmitOutcome] = []
        with Peer(peers.waits_for(many, ACCEPTED)) as peer:
            async with client_at(peer.url()) as client:

                async def submit() -> None:
                    outcomes.append(await client.submit(ENDPOINT, BODY))

                async with anyio.create_task_group() as tasks:
                    for _ in range(many):
                        tasks.start_soon(submit)

        assert [type(each) for each in outcomes] == [Accepted] * many
        assert peer.posts == many


class TestSending:
    async def test_the_connection_breaks_in_the_middle_of_the_body(self) -> None:
        with Peer(peers.resets_in_the_middle) as peer:
            outcome = await submitted(peer.url(), LONG)

        check(outcome, Unknown, "broke")
        assert (peer.connections, peer.posts) == (1, 1)

    async def test_the_server_stops_reading(self) -> None:
        with Peer(peers.deaf, room_bytes=4096) as peer:
            outcome = await submitted(peer.url(), LONG)

        check(outcome, Unknown, r"^the request could not be sent within 0\.7 s$")
        assert peer.connections == 1


LOST = {
    "reset after the request": (peers.resets, BROKE),
    "no answer": (peers.silent, r"^no answer within 0\.7 s$"),
    "closed without a word": (says(b""), BROKE),
    "half a status line": (says(b"HTTP/1.1 20"), BROKE),
    "half a head": (says(b"HTTP/1.1 200 OK\r\nContent-Le"), BROKE),
    "half a body": (says(head("Content-Length: 900") + MADE), OFF),
    "half a refusal": (says(reply("422 No")[:-2] + b"X: 1\r\n"), BROKE),
    "half a chunk": (says(head("Transfer-Encoding: chunked") + b"50\r\n{"), OFF),
    "a chunk of no length": (
        says(head("Transfer-Encoding: chunked") + b"zz\r\n{}\r\n"),
        NO_HTTP,
    ),
    "two lengths": (says(head("Content-Length: 1", "Content-Length: 2")), NO_HTTP),
    "a head without end": (says(head(*["X: " + "x" * 900] * 200)), NO_HTTP),
    "another protocol": (says(b"SSH-2.0-OpenSSH\r\n\r\n"), NO_HTTP),
    "HTTP/0.9": (says(MADE), BROKE),
    "HTTP/2": (says(b"\0\0\x12\x04\0\0\0\0\0\r\n\r\n"), NO_HTTP),
    "only a promise": (says(b"HTTP/1.1 100 Continue\r\n\r\n"), BROKE),
    "another protocol from now on": (
        says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
        NO_HTTP,
    ),
    "a body that is not packed": (
        says(reply("200 OK", MADE[:-1], "Content-Encoding: gzip")),
        "^status 200 without a JSON object$",
    ),
    "a body packed in another way": (
        says(reply("200 OK", b"\x0b\x02", "Content-Encoding: br")),
        "^status 200 without a JSON object$",
    ),
    "a body that is too long": (
        says(reply("200 OK", MADE + b" " * http.MAX_REPLY_BYTES)),
        "^status 200 with a body that is too long$",
    ),
    "a body that ends early": (
        says(b"HTTP/1.0 200 OK\r\n\r\n" + MADE[:-9]),
        "^status 200 without a JSON object$",
    ),
    "an empty body": (says(reply("204 No Content")), "^status 204 without"),
}


class TestAnswers:
    @pytest.mark.parametrize(("handler", "words"), LOST.values(), ids=LOST)
    async def test_it_is_not_known_what_became_of_it(
        self, handler: Handler, words: str
    ) -> None:
        with Peer(handler) as peer:
            outcome = await submitted(peer.url())

        check(outcome, Unknown, words)
        assert (peer.connections, peer.posts) == (1, 1)

    async def test_hung_up_on_before_it_was_read(self) -> None:
        """The connection stood: nobody can say whether the kernel passed it on."""
        with Peer(peers.hangs_up) as peer:
            outcome = await submitted(peer.url())

        check(outcome, Unknown, "broke")
        assert (peer.connections, peer.posts) == (1, 0)

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(ACCEPTED, id="plain"),
            pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + ACCEPTED, id="after 100"),
            pytest.param(
                b"HTTP/1.1 103 Early Hints\r\n\r\n" + ACCEPTED, id="after 103"
            ),
            pytest.param(b"HTTP/1.0 200 OK\r\n\r\n" + MADE, id="HTTP/1.0"),
            pytest.param(
                head("Transfer-Encoding: chunked")
                + b"%x\r\n%s\r\n0\r\n\r\n" % (len(MADE), MADE),
                id="in chunks",
            ),
            pytest.param(
                reply("200 OK", gzip.compress(MADE), "Content-Encoding: gzip"),
                id="packed in spite of us",
            ),
            pytest.param(ACCEPTED + b"HTTP/1.1 500 Oops\r\n\r\n", id="and more"),
        ],
    )
    async def test_it_is_accepted(self, answer: bytes) -> None:
        with Peer(says(answer)) as peer:
            outcome = await submitted(peer.url())

        check(outcome, Accepted, TASK)
        assert peer.posts == 1

    @pytest.mark.parametrize(
        ("status", "scope"),
        [
            *((status, "job") for status in (400, 413, 422)),
            (429, "later"),
            *((status, "account") for status in (401, 402, 403)),
            *((status, "address") for status in (300, 301, 302, 303, 304, 307, 308)),
            *(
                (status, "address")
                for status in (404, 405, 407, 410, 415, 421, 426, 501)
            ),
            *(
                (status, "")
                for status in (408, 409, 418, 425, 451, 500, 502, 503, 504, 520, 599)
            ),
        ],
    )
    async def test_each_status(self, status: int, scope: str) -> None:
        answer = reply(f"{status} Said", b"", "Location: /v1/elsewhere")

        with Peer(peers.always(answer)) as peer:
            outcome = await submitted(peer.url())

        assert getattr(outcome, "scope", "") == scope
        assert type(outcome) is (Refused if scope else Unknown)
        assert (peer.connections, peer.posts) == (1, 1)

    @pytest.mark.parametrize("status", [422, 503])
    async def test_no_channel_is_free(self, status: int) -> None:
        error = {"error": {"code": "no_available_model", "message": "None is free"}}
        answer = reply(f"{status} Busy", json.dumps(error).encode())

        with Peer(says(answer)) as peer:
            outcome = await submitted(peer.url())

        check(outcome, Refused, "^None is free$")
        assert getattr(outcome, "scope", "") == "later"

    async def test_another_service_reads_its_own_table(self, tmp_path: Path) -> None:
        """A status that proves nothing of FoxAPI may prove something of another."""
        (tmp_path / "mine.yaml").write_text(
            "foxbatch: 1\nlike: foxapi\nid: mine\nbase_url: https://api.test\n"
            "submit:\n  - {status: [409], means: input}\n"
        )
        mine = load_provider("./mine.yaml", base=tmp_path)
        outcomes = {}
        for status in (409, 422):
            with Peer(peers.always(reply(f"{status} Said"))) as peer:
                outcomes[status] = [
                    type(await submitted(peer.url(), provider=provider))
                    for provider in (FOXAPI, mine)
                ]

        assert outcomes == {409: [Unknown, Refused], 422: [Refused, Unknown]}


def crosses(peer: Peer, connection: socket.socket) -> None:
    """Answer once, and close in the moment in which the next request arrives."""
    says(ACCEPTED)(peer, connection)
    peer.requests.append(connection.recv(1000))
    peers.reset(connection)


class TestKeptConnections:
    async def test_one_that_is_closed_while_the_next_is_sent(self) -> None:
        with Peer(crosses) as peer:
            async with client_at(peer.url()) as client:
                first = await client.submit(ENDPOINT, BODY)
                second = await client.submit(ENDPOINT, BODY)

        assert isinstance(first, Accepted)
        check(second, Unknown, BROKE)
        assert (peer.connections, peer.posts) == (1, 2)

    @pytest.mark.parametrize(("idle_s", "connections"), [(1.9, 1), (2.1, 2)])
    async def test_one_is_used_again_for_two_seconds(
        self, monkeypatch: pytest.MonkeyPatch, idle_s: float, connections: int
    ) -> None:
        """Real servers close after some seconds more: then the two could cross."""
        with Peer(peers.always(ACCEPTED)) as peer:
            async with client_at(peer.url()) as client:
                await client.submit(ENDPOINT, BODY)
                monkeypatch.setattr(http11, "time", Later(idle_s))
                await client.submit(ENDPOINT, BODY)

        assert (peer.connections, peer.posts) == (connections, 2)


class Later:
    """The module `time`, some seconds later."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def monotonic(self) -> float:
        return time.monotonic() + self._seconds
