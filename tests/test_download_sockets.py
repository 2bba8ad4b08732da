"""Downloads over real sockets: cut, gone on with, redirected, and led astray."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from foxbatch.artifacts import Partial
from foxbatch.client import Fetched, FetchFailed, ServiceClient, download
from foxbatch.client.download import fetch
from tests import peers
from tests.peers import Certificate, Handler, Peer, says
from tests.submitting import KEY, Trust, client_at, reply

FILM = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256)) * 400
HALF = len(FILM) // 2
PARTS = r"(?i)range: bytes=(\d+)-"

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("impatient")]


@pytest.fixture
def anyio_backend() -> str:
    """Use the event loop that foxbatch runs on."""
    return "asyncio"


@pytest.fixture
def target(tmp_path: Path) -> Partial:
    return Partial(tmp_path / "partial" / "job-1")


def film(*headers: str, upto: int | None = None) -> bytes:
    whole = reply("200 OK", FILM, "Content-Type: video/mp4", *headers)
    return whole if upto is None else whole[: upto - len(FILM)]


def part(start: int, *headers: str, content: bytes = FILM) -> bytes:
    span = f"Content-Range: bytes {start}-{len(content) - 1}/{len(content)}"
    return reply("206 Partial Content", content[start:], span, *headers)


async def fetched(
    client: ServiceClient, url: str, target: Partial
) -> Fetched | FetchFailed:
    return await client.download(url, target, expect_kind="video")


class TestResuming:
    """The first answer breaks off in the middle; the second try meets another."""

    async def twice(
        self, target: Partial, then: bytes, *, tag: str = '"v1"', breaks: Handler | None
    ) -> tuple[Fetched | FetchFailed, Peer]:
        first = film(f"ETag: {tag}", upto=HALF)

        def handle(peer: Peer, connection: socket.socket) -> None:
            if peer.connections > 1:
                says(then)(peer, connection)
                return
            says(first)(peer, connection)
            if breaks is not None:
                breaks(peer, connection)

        with Peer(handle) as peer:
            async with client_at(peer.url()) as client:
                cut = await fetched(client, peer.url() + "/a", target)
                assert isinstance(cut, FetchFailed)
                return await fetched(client, peer.url() + "/a", target), peer

    @pytest.mark.parametrize(
        "breaks",
        [
            pytest.param(None, id="closed"),
            pytest.param(lambda _, it: peers.reset(it), id="reset"),
        ],
    )
    async def test_it_goes_on_where_it_broke_off(
        self, target: Partial, breaks: Handler | None
    ) -> None:
        # How much of a reset answer arrives is the kernel's business: all or less.
        start = HALF

        def handle(peer: Peer, connection: socket.socket) -> None:
            nonlocal start
            head = peers.heard(peer, connection)
            found = re.search(PARTS, head.decode())
            start = int(found[1]) if found else 0
            if peer.connections > 1:
                more = ('ETag: "v1"', "Content-Type: video/mp4")
                connection.sendall(part(start, *more) if found else film(*more))
                return
            connection.sendall(film('ETag: "v1"', upto=HALF))
            if breaks is not None:
                breaks(peer, connection)

        with Peer(handle) as peer:
            async with client_at(peer.url()) as client:
                cut = await fetched(client, peer.url() + "/a", target)
                kept = target.size
                outcome = await fetched(client, peer.url() + "/a", target)

        assert isinstance(cut, FetchFailed)
        assert outcome == Fetched("mp4", "video/mp4", len(FILM))
        assert target.path.read_bytes() == FILM
        assert start == kept <= HALF
        assert kept == HALF or breaks is not None

    async def test_a_server_without_parts_sends_it_whole(self, target: Partial) -> None:
        outcome, peer = await self.twice(target, film('ETag: "v1"'), breaks=None)

        assert isinstance(outcome, Fetched)
        assert target.path.read_bytes() == FILM
        assert b'If-Range: "v1"' in peer.requests[1]

    async def test_another_version_is_sent_whole_and_taken(
        self, target: Partial
    ) -> None:
        other = FILM[:12] + FILM[:11:-1]
        answer = reply("200 OK", other, 'ETag: "v2"')

        outcome, _ = await self.twice(target, answer, breaks=None)

        assert isinstance(outcome, Fetched)
        assert target.path.read_bytes() == other

    async def test_a_part_of_another_version_is_never_appended(
        self, target: Partial
    ) -> None:
        """Some servers know Range but not If-Range."""
        other = part(HALF, 'ETag: "v2"', content=FILM[:12] + FILM[:11:-1])

        outcome, _ = await self.twice(target, other, breaks=None)

        assert outcome == FetchFailed("a part of another version of the file came")
        assert target.size == 0

    async def test_another_part_than_asked_for_is_never_appended(
        self, target: Partial
    ) -> None:
        outcome, _ = await self.twice(target, part(HALF - 9), breaks=None)

        assert isinstance(outcome, FetchFailed)
        assert "another part" in outcome.reason
        assert target.size == 0


class TestRest:
    @pytest.fixture(autouse=True)
    def _restless(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(download, "_REST_S", 0.3)
        monkeypatch.setattr(download, "_LEAST_BYTES", 1000)

    async def test_a_server_that_drips_is_left_and_what_came_is_kept(
        self, target: Partial
    ) -> None:
        def drips(peer: Peer, connection: socket.socket) -> None:
            says(film('ETag: "v1"', upto=HALF))(peer, connection)
            for _ in range(200):
                connection.sendall(b"x")
                if peer.over.wait(0.02):
                    return

        with Peer(drips) as peer:
            async with client_at(peer.url()) as client:
                outcome = await fetched(client, peer.url(), target)

        assert outcome == FetchFailed("less than 1000 bytes came in 0.3 s")
        assert HALF <= target.size < HALF + 200
        assert target.validator == '"v1"'

    async def test_one_that_is_slow_but_steady_is_not(self, target: Partial) -> None:
        """It takes longer than a rest may, and never rests for so long."""

        def steady(peer: Peer, connection: socket.socket) -> None:
            says(film(upto=0))(peer, connection)
            step = -(-len(FILM) // 20)
            for start in range(0, len(FILM), step):
                connection.sendall(FILM[start : start + step])
                peer.over.wait(0.03)

        with Peer(steady) as peer:
            async with client_at(peer.url()) as client:
                outcome = await fetched(client, peer.url(), target)

        assert isinstance(outcome, Fetched)


class TestWhereItLeads:
    """A name that was public when it was looked up, and this machine afterwards."""

    @pytest.fixture(autouse=True)
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Answer for two names as a hostile resolver does; tell what was asked."""
        known: Callable[..., object] = socket.getaddrinfo
        asked: list[str] = []

        def look_up(host: str | bytes, port: object, **options: object) -> object:
            name = host.decode() if isinstance(host, bytes) else host
            if name not in ("cdn.test", "api.test"):
                return known(host, port, **options)
            address = "127.0.0.1" if name in asked[-1:] else "93.184.216.34"
            asked.append(name)
            return known(address, port, type=socket.SOCK_STREAM)

        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, port, family=0, type=0, proto=0, flags=0: look_up(  # noqa: A006
                host, port, family=family, type=type, proto=proto, flags=flags
            ),
        )
        return asked

    async def fetched(self, url: str, target: Partial) -> Fetched | FetchFailed:
        async with httpx.AsyncClient() as client:
            return await fetch(
                client,
                url,
                target,
                expect_kind="video",
                api_host="api.test",
                look_up=True,
            )

    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_nothing_is_asked_of_a_private_address(
        self, target: Partial, asked: list[str], scheme: str
    ) -> None:
        with Peer(peers.always(film())) as peer:
            url = f"{scheme}://cdn.test:{peer.port}/a"
            outcome = await self.fetched(url, target)

        assert outcome == FetchFailed("cdn.test is a private address", permanent=True)
        assert asked == ["cdn.test", "cdn.test", "api.test"]
        assert peer.requests == []

    async def test_a_proxy_may_be_anywhere(
        self, target: Partial, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Peer(says(film())) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url())
            outcome = await self.fetched("http://cdn.test/a", target)
            target.close()

        assert isinstance(outcome, Fetched)
        assert proxy.requests[0].startswith(b"GET http://cdn.test/a ")


class TestRedirects:
    @pytest.mark.parametrize(
        "location",
        ["file:///etc/passwd", "ftp://cdn.test/a", "data:video/mp4;base64,AAAA"],
    )
    async def test_only_http_is_followed(self, target: Partial, location: str) -> None:
        answer = reply("302 Found", b"", f"Location: {location}")

        with Peer(peers.always(answer)) as peer:
            async with client_at(peer.url()) as client:
                outcome = await fetched(client, peer.url(), target)

        assert isinstance(outcome, FetchFailed)
        assert outcome.permanent
        assert len(peer.requests) == 1

    async def test_the_key_goes_to_no_host_on_the_way(self, target: Partial) -> None:
        with Peer(peers.always(film())) as last:
            answer = reply("302 Found", b"", f"Location: {last.url()}/b")
            with Peer(peers.always(answer)) as first:
                async with client_at(first.url()) as client:
                    outcome = await fetched(client, first.url() + "/a", target)

        assert isinstance(outcome, Fetched)
        heads = b"".join([*first.requests, *last.requests])
        assert heads.count(b"GET ") == 2
        assert b"authorization" not in heads.lower()
        assert KEY.encode() not in heads

    async def test_a_broken_tls_record_is_no_end_of_a_run(
        self, target: Partial, ours: Certificate, trusted: Trust
    ) -> None:
        trusted(ours)

        with Peer(peers.breaks_tls(ours.context)) as peer:
            async with client_at(peer.url("https")) as client:
                outcome = await fetched(client, peer.url("https"), target)

        assert isinstance(outcome, FetchFailed)
        assert "encrypted connection broke" in outcome.reason
        assert not outcome.permanent
