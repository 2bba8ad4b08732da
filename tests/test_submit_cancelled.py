"""How far a submission got that somebody cancelled."""

from __future__ import annotations

import gc
import socket

import anyio
import httpx
import pytest

from foxbatch.access import Access
from foxbatch.client import Sending, ServiceClient, Unknown
from foxbatch.clock import SystemClock
from foxbatch.events import Origin
from tests import peers
from tests.peers import Peer, says
from tests.sockets import PATIENCE_S
from tests.submitting import (
    ACCEPTED,
    BODY,
    ENDPOINT,
    FOXAPI,
    check,
    client_at,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Use the event loop that foxbatch runs on: so many sockets take their time."""
    return "asyncio"


async def cancelled(url: str, peer: Peer) -> Sending:
    """Submit to *url*, cancel when *peer* hears of it, and return how far it got."""
    sending = Sending()
    async with client_at(url) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(client.submit, ENDPOINT, BODY, sending)
        assert await anyio.to_thread.run_sync(peer.arrived.acquire, True, PATIENCE_S)
        tasks.cancel_scope.cancel()
    gc.collect()  # httpcore forgets the socket of a handshake that was cancelled
    return sending


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
class TestCancellation:
    """The connection tells whether the POST can have begun; a cancellation does not."""

    async def test_while_it_connects(self) -> None:
        sending = Sending()

        with peers.full_backlog() as port:
            async with client_at(f"http://127.0.0.1:{port}") as client:
                with anyio.move_on_after(0.1):
                    await client.submit(ENDPOINT, BODY, sending)

        assert sending.began is False

    async def test_in_the_handshake(self) -> None:
        with Peer(peers.deaf) as peer:
            sending = await cancelled(peer.url("https"), peer)

        assert sending.began is False

    async def test_while_a_proxy_opens_the_way(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Peer(peers.silent) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url())
            sending = await cancelled("https://api.test", proxy)

        assert sending.began is False

    async def test_while_it_waits_for_the_answer(self) -> None:
        with Peer(peers.silent) as peer:
            sending = await cancelled(peer.url(), peer)

        assert sending.began is True

    async def test_on_a_connection_that_stood_already(self) -> None:
        sending = Sending()

        def answers_once(peer: Peer, connection: socket.socket) -> None:
            says(ACCEPTED)(peer, connection)
            peers.silent(peer, connection)

        with Peer(answers_once) as peer:
            async with client_at(peer.url()) as client:
                await client.submit(ENDPOINT, BODY)
                with anyio.move_on_after(0.1):
                    await client.submit(ENDPOINT, BODY, sending)

        assert sending.began is True
        assert peer.connections == 1

    @pytest.mark.parametrize(
        ("steps", "began"),
        [
            pytest.param([], None, id="nothing was heard"),
            pytest.param(["connection.connect_tcp.started"], False, id="connecting"),
            pytest.param(["connection.invented.started"], True, id="a step unheard of"),
            pytest.param(["http2.send_connection_init.started"], True, id="HTTP/2"),
            pytest.param(["http11.send_request_headers.started"], True, id="whose?"),
            pytest.param(
                ["http11.send.started", "connection.connect_tcp.started"],
                True,
                id="what has begun stays begun",
            ),
        ],
    )
    async def test_what_is_not_known_to_come_before_is_taken_for_the_beginning(
        self, steps: list[str], *, began: bool | None
    ) -> None:
        sending = Sending()

        for step in steps:
            await sending.hear(step, {})

        assert sending.began is began

    async def test_no_error_proves_what_the_connection_denies(self) -> None:
        """Whatever a later httpx calls `ConnectError`: what was sent was sent."""

        class Odd(httpx.AsyncHTTPTransport):
            async def handle_async_request(
                self, request: httpx.Request
            ) -> httpx.Response:
                response = await super().handle_async_request(request)
                await response.aclose()
                raise httpx.ConnectError("late", request=request)

        origin = Origin(provider="foxapi", base_url="http://127.0.0.1", account="a")
        with Peer(peers.always(ACCEPTED)) as peer:
            access = Access(base_url=peer.url(), key=None, account="a", origin=origin)
            async with ServiceClient(
                FOXAPI, access, clock=SystemClock(), transport=Odd()
            ) as client:
                outcome = await client.submit(ENDPOINT, BODY)

        check(outcome, Unknown, "could not be made: late")
