"""Submissions inside of TLS and through proxies: when it begins to be too late."""

from __future__ import annotations

import pytest

from foxbatch.client import Accepted, NotSent, SubmitOutcome, Unknown
from tests import peers
from tests.peers import Certificate, Handler, Peer, says, tunnels
from tests.sockets import free_port
from tests.submitting import (
    ACCEPTED,
    BROKE,
    KEY,
    NO_HTTP,
    TASK,
    Trust,
    check,
    reply,
    submitted,
)

# httpx leaves the body's generator to the collector, and trio is strict about that.
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.usefixtures("impatient"),
    pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning"),
]

CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@pytest.fixture(scope="module")
def of_another(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("another"), "DNS:another.test")


class TestHandshake:
    @pytest.mark.parametrize(
        ("handler", "words"),
        [
            pytest.param(peers.cuts_hello, "^TLS failed: unexpected eof", id="cut off"),
            pytest.param(peers.resets_hello, "could not be made", id="reset"),
            pytest.param(peers.plain_on_tls, "^TLS failed: .+", id="plain HTTP there"),
            pytest.param(
                peers.silent, r"^no connection within 0\.7 s$", id="never answered"
            ),
        ],
    )
    async def test_nothing_was_sent(self, handler: Handler, words: str) -> None:
        with Peer(handler) as peer:
            outcome = await submitted(peer.url("https"))

        check(outcome, NotSent, words)
        assert (peer.connections, peer.posts) == (1, 0)

    async def test_a_certificate_that_nobody_knows(self, ours: Certificate) -> None:
        with Peer(peers.over_tls(ours.context, says(ACCEPTED))) as peer:
            outcome = await submitted(peer.url("https"))

        check(outcome, NotSent, "^TLS failed: self-signed certificate$")
        assert peer.posts == 0

    async def test_a_certificate_of_another_host(
        self, of_another: Certificate, trusted: Trust
    ) -> None:
        trusted(of_another)

        with Peer(peers.over_tls(of_another.context, says(ACCEPTED))) as peer:
            outcome = await submitted(peer.url("https"))

        check(outcome, NotSent, r"^TLS failed: .*127\.0\.0\.1")
        assert peer.posts == 0


class TestInsideOfTls:
    """The handshake is over: what happens now may have come too late."""

    @pytest.fixture(autouse=True)
    def _trusts(self, ours: Certificate, trusted: Trust) -> None:
        trusted(ours)

    async def test_an_answer(self, ours: Certificate) -> None:
        with Peer(peers.over_tls(ours.context, says(ACCEPTED))) as peer:
            outcome = await submitted(peer.url("https"))

        check(outcome, Accepted, TASK)
        assert peer.posts == 1

    @pytest.mark.parametrize(
        "then",
        [
            pytest.param(says(b""), id="closed"),
            pytest.param(peers.resets, id="reset"),
            pytest.param(
                says(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"),
                id="half a body",
            ),
            pytest.param(peers.silent, id="no answer"),
        ],
    )
    async def test_an_answer_that_is_lost(
        self, ours: Certificate, then: Handler
    ) -> None:
        with Peer(peers.over_tls(ours.context, then)) as peer:
            outcome = await submitted(peer.url("https"))

        check(outcome, Unknown, "")
        assert peer.posts == 1

    async def test_what_comes_is_no_tls_any_more(self, ours: Certificate) -> None:
        with Peer(peers.breaks_tls(ours.context)) as peer:
            outcome = await submitted(peer.url("https"))

        check(outcome, Unknown, r"^the (encrypted )?connection broke.+ \(after \d")
        assert peer.posts == 1

    async def test_a_server_that_wants_a_certificate_of_ours(
        self, ours: Certificate
    ) -> None:
        """In TLS 1.3 it says so only after our side was content, and the POST left."""
        with Peer(peers.over_tls(ours.asks_for_one, says(ACCEPTED))) as peer:
            outcome = await submitted(peer.url("https"))

        check(outcome, Unknown, "broke")
        assert peer.posts == 0


class TestProxies:
    @pytest.mark.parametrize(
        ("handler", "words"),
        [
            pytest.param(
                says(reply("403 Forbidden")), "refuses the connection: 403", id="403"
            ),
            pytest.param(
                says(reply("407 Who")), "refuses the connection: 407", id="407"
            ),
            pytest.param(
                says(reply("502 Bad")), "refuses the connection: 502", id="502"
            ),
            pytest.param(says(b""), BROKE, id="closes"),
            pytest.param(peers.resets, BROKE, id="resets"),
            pytest.param(peers.silent, r"^no answer within 0\.7 s$", id="says nothing"),
            pytest.param(says(b"SSH-2.0\r\n\r\n"), NO_HTTP, id="is none"),
            pytest.param(says(CONNECTED), "^TLS failed: ", id="dies behind its yes"),
            pytest.param(
                tunnels(CONNECTED, peers.plain_on_tls), "TLS failed", id="leads astray"
            ),
            pytest.param(
                tunnels(CONNECTED, peers.deaf),
                r"^no connection within 0\.7 s$",
                id="leads nowhere",
            ),
        ],
    )
    async def test_the_way_is_not_open_yet(
        self, monkeypatch: pytest.MonkeyPatch, handler: Handler, words: str
    ) -> None:
        with Peer(handler) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url())
            outcome = await submitted("https://api.test")

        check(outcome, NotSent, words)
        assert (proxy.connections, proxy.posts) == (1, 0)
        assert proxy.requests[0].startswith(b"CONNECT api.test:443 ")
        assert KEY.encode() not in b"".join(proxy.requests)

    async def test_a_proxy_that_is_not_there(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")

        outcome = await submitted("https://api.test")

        check(outcome, NotSent, "refused$")

    @pytest.mark.parametrize(
        ("then", "kind", "words"),
        [
            pytest.param(says(ACCEPTED), Accepted, TASK, id="an answer"),
            pytest.param(says(b""), Unknown, BROKE, id="no answer"),
            pytest.param(peers.resets, Unknown, "broke", id="a reset"),
            pytest.param(says(reply("502 Bad")), Unknown, "^status 502$", id="502"),
        ],
    )
    async def test_behind_an_open_way_all_is_as_without_a_proxy(
        self,
        monkeypatch: pytest.MonkeyPatch,
        ours: Certificate,
        trusted: Trust,
        *,
        then: Handler,
        kind: type[SubmitOutcome],
        words: str,
    ) -> None:
        trusted(ours)

        with Peer(tunnels(CONNECTED, peers.over_tls(ours.context, then))) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url())
            outcome = await submitted("https://api.test")

        check(outcome, kind, words)
        assert (proxy.connections, proxy.posts) == (1, 1)

    @pytest.mark.parametrize(
        ("handler", "words"),
        [
            pytest.param(says(reply("502 Bad")), "^status 502$", id="502"),
            pytest.param(says(reply("504 Late")), "^status 504$", id="504"),
            pytest.param(says(b""), BROKE, id="closes"),
            pytest.param(peers.silent, "^no answer", id="says nothing"),
        ],
    )
    async def test_one_that_passes_requests_on_may_have_done_so(
        self, monkeypatch: pytest.MonkeyPatch, handler: Handler, words: str
    ) -> None:
        """No service that foxbatch asks is without TLS; its client must know anyway."""
        with Peer(handler) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url())
            outcome = await submitted("http://api.test")

        check(outcome, Unknown, words)
        assert (proxy.connections, proxy.posts) == (1, 1)
