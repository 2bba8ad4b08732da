"""How replies travel, on real sockets: whole, slow, cut off, or never."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest
from aiohttp import web
from anyio.from_thread import start_blocking_portal

from foxbatch.sandbox.messages import Delivery, Reply, json_reply
from foxbatch.sandbox.web.delivery import Written, deliver
from tests.sockets import PATIENCE_S, Heard, asked, connected, listened

BODY = b"0123456789" * 10
LAST = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Answering:
    """A server that gives every request the same reply.

    Attributes:
        url: Where it is.
        ended: Set when the handler of a request has ended, in whatever way.
        most_unsent_bytes: What waited for the client when a request was begun.
    """

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.url = ""
        self.ended = threading.Event()
        self.most_unsent_bytes = 0

    async def answer(self, message: web.BaseRequest) -> Written:
        assert message.transport is not None
        unsent_bytes = message.transport.get_write_buffer_size()
        self.most_unsent_bytes = max(self.most_unsent_bytes, unsent_bytes)
        try:
            return await deliver(message, self.reply)
        finally:
            self.ended.set()

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        before = asyncio.all_tasks()
        server = web.Server(self.answer, handler_cancellation=True, access_log=None)
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(server, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        yield
        listening.close()
        await server.shutdown(0.1)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() <= before, "nothing is left behind"


Serve = Callable[[Reply], Answering]


@pytest.fixture
def serve() -> Iterator[Serve]:
    with start_blocking_portal("asyncio") as portal, contextlib.ExitStack() as open_:

        def begin(reply: Reply) -> Answering:
            answering = Answering(reply)
            open_.enter_context(portal.wrap_async_context_manager(answering.served()))
            return answering

        yield begin


def reply_with(delivery: Delivery, body: bytes = BODY) -> Reply:
    return Reply(status=200, headers={"X-A": "b"}, body=body, delivery=delivery)


class TestEnds:
    @pytest.mark.parametrize(
        ("ends", "ended"),
        [
            pytest.param("dropped", "reset", id="dropped is a reset"),
            pytest.param("closed", "closed", id="closed is orderly"),
            pytest.param("stalled", "reset", id="stalled is a reset at last"),
        ],
    )
    def test_nothing_of_the_reply_leaves(
        self, serve: Serve, ends: str, ended: str
    ) -> None:
        delivery = Delivery(ends=ends, stalls_s=0.01)  # type: ignore[arg-type]

        heard = asked(serve(reply_with(delivery)).url)

        assert heard == Heard("", b"", ended)

    @pytest.mark.parametrize("ends", ["dropped", "closed", "stalled"])
    @pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
    def test_a_part_of_the_body_leaves(
        self, serve: Serve, ends: str, share: float
    ) -> None:
        delivery = Delivery(
            ends=ends,  # type: ignore[arg-type]
            sent=share,
            stalls_s=0.01,
        )

        heard = asked(serve(reply_with(delivery)).url)

        assert heard.head.startswith("HTTP/1.1 200 OK\r\nX-A: b\r\n")
        assert heard.length == 100
        assert heard.body == BODY[: int(100 * share)]
        assert heard.ended == ("closed" if ends == "closed" else "reset")

    @pytest.mark.parametrize("sent", [None, 0.5])
    def test_a_client_that_leaves_a_stalled_reply_leaves_nothing_behind(
        self, serve: Serve, sent: float | None
    ) -> None:
        answering = serve(
            reply_with(Delivery(ends="stalled", sent=sent, stalls_s=3600))
        )

        with connected(answering.url) as connection:
            connection.sendall(LAST.encode())
            if sent is not None:
                assert connection.recv(1)

        assert answering.ended.wait(PATIENCE_S)

    def test_a_client_that_leaves_amid_a_large_body_leaves_nothing_behind(
        self, serve: Serve
    ) -> None:
        answering = serve(reply_with(Delivery(), body=bytes(50_000_000)))

        with connected(answering.url) as connection:
            connection.sendall(LAST.encode())
            assert connection.recv(1) == b"H"

        assert answering.ended.wait(PATIENCE_S)


class TestPace:
    def test_the_first_byte_waits(self, serve: Serve) -> None:
        answering = serve(reply_with(Delivery(waits_s=0.1)))

        start = time.monotonic()
        heard = asked(answering.url, LAST)

        assert time.monotonic() - start >= 0.1
        assert (heard.body, heard.ended) == (BODY, "closed")

    def test_the_body_drips(self, serve: Serve) -> None:
        answering = serve(reply_with(Delivery(bytes_per_s=500)))

        start = time.monotonic()
        with connected(answering.url) as connection:
            connection.sendall(LAST.encode())
            first = connection.recv(1 << 16)
            rest = listened(connection)

        assert time.monotonic() - start >= 0.2
        assert first.endswith(b"\r\n\r\n")  # the head came before the body
        assert (first + rest.head.encode()).endswith(BODY)

    def test_slower_than_a_byte_a_beat(self, serve: Serve) -> None:
        answering = serve(reply_with(Delivery(bytes_per_s=8), body=b"ab"))

        start = time.monotonic()
        heard = asked(answering.url, LAST)

        assert heard.body == b"ab"
        assert time.monotonic() - start >= 0.25

    def test_a_whole_reply_that_was_slow_is_followed_by_another(
        self, serve: Serve
    ) -> None:
        answering = serve(reply_with(Delivery(waits_s=0.001), body=bytes(5_000_000)))

        with httpx.Client(base_url=answering.url) as client:
            sizes = [len(client.get("/").content) for _ in range(2)]

        assert sizes == [5_000_000] * 2

    def test_one_who_asks_and_does_not_listen_fills_no_memory(
        self, serve: Serve
    ) -> None:
        answering = serve(Reply(status=200, headers={}, body=bytes(60_000)))
        several = LAST.replace("close", "keep-alive") * 299 + LAST

        with connected(answering.url, room_bytes=10_000) as connection:
            connection.sendall(several.encode())
            for _ in range(100):  # others are served meanwhile
                asked(answering.url, LAST)
            heard = listened(connection)

        assert heard.body.count(b"HTTP/1.1 200 OK") == 299
        assert answering.most_unsent_bytes < 200_000


class TestClaims:
    def test_more_is_claimed_than_comes(self, serve: Serve) -> None:
        heard = asked(serve(reply_with(Delivery(claims_bytes=7))).url)

        assert (heard.length, heard.body, heard.ended) == (107, BODY, "closed")

    def test_less_is_claimed_than_comes(self, serve: Serve) -> None:
        heard = asked(serve(reply_with(Delivery(claims_bytes=-7))).url)

        assert (heard.length, heard.body, heard.ended) == (93, BODY, "closed")

    def test_no_length_is_below_nothing(self, serve: Serve) -> None:
        heard = asked(serve(reply_with(Delivery(claims_bytes=-1000))).url)

        assert heard.length == 0


class TestHeads:
    def test_a_reply_says_when_it_was_made(self, serve: Serve) -> None:
        heard = asked(serve(json_reply(200, {})).url, LAST)

        assert "\r\nDate: " in heard.head
        assert heard.head.endswith("Connection: close")

    def test_no_header_begins_another_one(self, serve: Serve) -> None:
        reply = Reply(status=200, headers={"Content-Type": "a\r\nX-Evil: 1\n\rb"})

        heard = asked(serve(reply).url, LAST)

        assert "Content-Type: a  X-Evil: 1  b\r\n" in heard.head

    def test_a_status_without_a_name_has_one_all_the_same(self, serve: Serve) -> None:
        heard = asked(serve(Reply(status=599, headers={})).url, LAST)

        assert heard.head.startswith("HTTP/1.1 599 Unknown\r\n")

    @pytest.mark.parametrize("status", [204, 304])
    def test_what_never_has_a_body_has_no_length(
        self, serve: Serve, status: int
    ) -> None:
        heard = asked(serve(Reply(status=status, headers={})).url, LAST)

        assert "Content-Length" not in heard.head

    def test_the_length_of_a_described_body_is_told(self, serve: Serve) -> None:
        described = Reply(status=200, headers={"Content-Length": "42"})

        heard = asked(serve(described).url, LAST.replace("GET", "HEAD"))

        assert (heard.length, heard.body) == (42, b"")

    def test_an_old_client_is_told_that_the_connection_stays(
        self, serve: Serve
    ) -> None:
        old = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"

        with connected(serve(json_reply(200, {})).url) as connection:
            connection.sendall(old.encode())
            first = connection.recv(1 << 16)
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            second = listened(connection)

        assert b"Connection: keep-alive" in first
        assert second.head.endswith("Connection: close")
