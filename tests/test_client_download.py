"""Fetching files from hosts that are not the service."""

from __future__ import annotations

import errno
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO

import anyio
import httpx
import pytest

from foxbatch.access import decide
from foxbatch.artifacts import Partial
from foxbatch.canonical import sha256
from foxbatch.client import Fetched, FetchFailed, ServiceClient, download as module
from foxbatch.client.download import fetch
from foxbatch.clock import SystemClock
from foxbatch.errors import RunDirError
from foxbatch.provider import load_provider

KEY = "sk-invented-for-this-test"
URL = "https://cdn.test/results/out-0"
FILM = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256)) * 40
PAGE = b"<!doctype html><title>Sign in</title>" + b" " * 100
FOXAPI = load_provider("foxapi", base=Path())

Answer = httpx.Response | Callable[[httpx.Request], httpx.Response]


class Host:
    """Answers one request after the other and remembers them."""

    def __init__(self, *answers: Answer) -> None:
        self.requests: list[httpx.Request] = []
        self._answers = list(answers)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0)
        return answer if isinstance(answer, httpx.Response) else answer(request)

    def client(self, *, base_url: str = "https://api.foxapi.cc") -> ServiceClient:
        access = decide(
            FOXAPI, environ={"FOXAPI_API_KEY": KEY}, dotenv={}, base_url=base_url
        )
        transport = httpx.MockTransport(self)
        return ServiceClient(FOXAPI, access, clock=SystemClock(), transport=transport)


class Cut(httpx.AsyncByteStream):
    """A body that breaks off."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content
        raise httpx.RemoteProtocolError("peer closed connection")


@pytest.fixture
def target(tmp_path: Path) -> Partial:
    return Partial(tmp_path / "partial" / "job-1")


async def fetched(
    host: Host, target: Partial, *, url: str = URL
) -> Fetched | FetchFailed:
    async with host.client() as client:
        return await client.download(url, target, expect_kind="video")


def film(**headers: str) -> httpx.Response:
    return httpx.Response(200, content=FILM, headers=headers)


def packed(content: bytes, wbits: int, encoding: str) -> httpx.Response:
    """Return *content* as a server packs it; httpx does not look at it."""
    coder = zlib.compressobj(9, zlib.DEFLATED, wbits)
    stream = httpx.ByteStream(coder.compress(content) + coder.flush())
    return httpx.Response(200, headers={"Content-Encoding": encoding}, stream=stream)


@pytest.mark.anyio
class TestWhole:
    async def test_a_file_arrives(self, target: Partial) -> None:
        host = Host(film())

        outcome = await fetched(host, target)

        assert outcome == Fetched("mp4", None, len(FILM))
        assert target.path.read_bytes() == FILM
        assert target.sha256 == sha256(FILM)

    async def test_no_key_is_ever_sent(self, target: Partial) -> None:
        host = Host(httpx.Response(302, headers={"Location": URL}), film())

        await fetched(host, target, url="https://user:password@cdn.test/x")

        assert len(host.requests) == 2
        assert not any("Authorization" in each.headers for each in host.requests)

    async def test_its_bytes_tell_more_than_its_type(self, target: Partial) -> None:
        host = Host(film(**{"Content-Type": "text/html"}))

        outcome = await fetched(host, target)

        assert outcome == Fetched("mp4", "text/html", len(FILM))

    async def test_its_type_tells_what_its_bytes_do_not(self, target: Partial) -> None:
        answer = httpx.Response(
            200, content=b"\x01\x02" * 50, headers={"Content-Type": "video/webm"}
        )

        outcome = await fetched(Host(answer), target)

        assert outcome == Fetched("webm", "video/webm", 100, recognised=False)

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            pytest.param(
                httpx.Response(200, content=PAGE),
                "a page came",
                id="a page by its look",
            ),
            pytest.param(
                httpx.Response(200, json={"error": "expired"}), "a page came", id="JSON"
            ),
            pytest.param(
                httpx.Response(
                    200, content=b"x" * 80, headers={"Content-Type": "text/html"}
                ),
                "a page came",
                id="a page by its type",
            ),
            pytest.param(
                httpx.Response(200, content=b"error code: 1010"),
                "a page came",
                id="a sentence",
            ),
            pytest.param(
                httpx.Response(
                    200, content=b"\x01" * 80, headers={"Content-Type": "text/plain"}
                ),
                "a page came",
                id="a text by its type",
            ),
            pytest.param(
                httpx.Response(200, content=b""), "an empty file", id="nothing"
            ),
            pytest.param(
                film(**{"Content-Length": "20000"}), "instead of 20000", id="too short"
            ),
        ],
    )
    async def test_what_is_not_the_file_is_not_kept(
        self, target: Partial, answer: httpx.Response, reason: str
    ) -> None:
        outcome = await fetched(Host(answer), target)

        assert isinstance(outcome, FetchFailed)
        assert reason in outcome.reason
        assert not outcome.permanent
        assert target.size == 0

    @pytest.mark.parametrize("wbits", [31, 15], ids=["gzip", "deflate"])
    async def test_what_is_packed_in_spite_of_us_is_unpacked(
        self, target: Partial, wbits: int
    ) -> None:
        encoding = "gzip" if wbits == 31 else "deflate"

        outcome = await fetched(Host(packed(FILM, wbits, encoding)), target)

        assert outcome == Fetched("mp4", None, len(FILM))
        target.close()
        assert target.path.read_bytes() == FILM

    # httpx leaves its generators to the collector, and trio is strict about that.
    @pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")
    async def test_a_few_kilobytes_do_not_unpack_to_gigabytes(
        self, target: Partial, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "MAX_FILE_BYTES", 3 << 20)
        bomb = packed(FILM + bytes(100 << 20), 31, "gzip")

        tracemalloc.start()
        outcome = await fetched(Host(bomb), target)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert outcome == FetchFailed("more than 3145728 bytes", permanent=True)
        assert peak_bytes < 10 << 20

    @pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "x"])
    async def test_what_is_packed_in_another_way_is_no_answer(
        self, target: Partial, encoding: str
    ) -> None:
        outcome = await fetched(Host(packed(FILM, 31, encoding)), target)

        assert isinstance(outcome, FetchFailed)
        assert "not asked for" in outcome.reason

    # As above.
    @pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")
    async def test_what_is_not_packed_as_it_says_is_no_answer(
        self, target: Partial
    ) -> None:
        plain = httpx.Response(
            200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(FILM)
        )

        outcome = await fetched(Host(plain), target)

        assert outcome == FetchFailed("it cannot be unpacked")
        assert target.size == 0

    async def test_a_text_may_be_a_page(self, target: Partial) -> None:
        async with Host(httpx.Response(200, content=PAGE)).client() as client:
            outcome = await client.download(URL, target, expect_kind="document")

        assert outcome == Fetched("bin", None, len(PAGE))

    async def test_a_file_that_is_announced_as_too_large_is_not_begun(
        self, target: Partial
    ) -> None:
        outcome = await fetched(Host(film(**{"Content-Length": str(9 << 30)})), target)

        assert isinstance(outcome, FetchFailed)
        assert outcome.permanent

    # httpx leaves its generators to the collector, and trio is strict about that.
    @pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")
    async def test_a_file_that_grows_too_large_is_dropped(
        self, target: Partial, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "MAX_FILE_BYTES", 1000)
        whole = film()
        del whole.headers["Content-Length"]

        outcome = await fetched(Host(whole), target)

        assert outcome == FetchFailed("more than 1000 bytes", permanent=True)
        assert target.size == 0

    # httpx leaves its generators to the collector, and trio is strict about that.
    @pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")
    async def test_a_full_disk_is_an_error_that_says_how_to_go_on(
        self, target: Partial, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(_self: Path, *_args: object, **_options: object) -> BinaryIO:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Path, "open", full)

        with pytest.raises(RunDirError, match="No space left") as caught:
            await fetched(Host(film()), target)

        assert "Make room" in caught.value.hint


@pytest.mark.anyio
class TestFailures:
    @pytest.mark.parametrize("status", [401, 403, 404, 410])
    async def test_an_address_that_has_expired(
        self, target: Partial, status: int
    ) -> None:
        outcome = await fetched(Host(httpx.Response(status)), target)

        assert outcome == FetchFailed(f"status {status}", permanent=True, expired=True)

    @pytest.mark.parametrize("status", [400, 408, 429, 500, 502, 503, 302, 204])
    async def test_trouble_that_may_pass(self, target: Partial, status: int) -> None:
        outcome = await fetched(Host(httpx.Response(status)), target)

        assert outcome == FetchFailed(f"status {status}")

    async def test_a_broken_connection_may_be_tried_again(
        self, target: Partial
    ) -> None:
        answer = httpx.Response(200, stream=Cut(FILM[:1000]))

        outcome = await fetched(Host(answer), target)

        assert isinstance(outcome, FetchFailed)
        assert outcome.reason == "the answer broke off"
        assert not outcome.permanent

    @pytest.mark.parametrize(
        "url",
        [
            pytest.param(f"https://cdn.test/a?key={KEY}", id="the key"),
            pytest.param(f"https://cdn.test/a?key={KEY.replace('-', '%2D')}", id="%"),
            pytest.param("https://cdn.test/a?key=***", id="what is left of it"),
        ],
    )
    async def test_an_address_with_the_key_in_it_is_not_asked(
        self, target: Partial, url: str
    ) -> None:
        redirect = Host(httpx.Response(302, headers={"Location": url}))

        outcome = await fetched(Host(), target, url=url)
        after_redirect = await fetched(redirect, target)

        reason = "the address contains the key, so it is not asked"
        assert outcome == after_redirect == FetchFailed(reason, permanent=True)
        assert len(redirect.requests) == 1

    @pytest.mark.parametrize(
        "url",
        [
            "ftp://cdn.test/a",
            "file:///etc/passwd",
            "data:video/mp4;base64,AAAA",
            "//cdn.test/a",
            "https://",
            "https://[::1/a",
            "https://cdn.test:99999/a",
            "",
        ],
    )
    async def test_what_is_no_address_is_not_asked(
        self, target: Partial, url: str
    ) -> None:
        host = Host()

        outcome = await fetched(host, target, url=url)

        assert isinstance(outcome, FetchFailed)
        assert outcome.permanent
        assert host.requests == []


@pytest.mark.anyio
class TestResuming:
    async def interrupted(self, target: Partial, **headers: str) -> None:
        answer = httpx.Response(200, stream=Cut(FILM[:1000]), headers=headers)
        await fetched(Host(answer), target)

    def rest(self, request: httpx.Request) -> httpx.Response:
        start = int(request.headers["Range"][6:-1])
        span = f"bytes {start}-{len(FILM) - 1}/{len(FILM)}"
        return httpx.Response(
            206, content=FILM[start:], headers={"Content-Range": span}
        )

    @pytest.mark.parametrize(
        "headers",
        [{"ETag": '"v1"'}, {"Last-Modified": "Wed, 05 Aug 2026 08:00:30 GMT"}],
        ids="-".join,
    )
    async def test_it_goes_on_where_it_broke_off(
        self, target: Partial, headers: dict[str, str]
    ) -> None:
        await self.interrupted(target, **headers)
        host = Host(self.rest)

        outcome = await fetched(host, target)

        assert outcome == Fetched("mp4", None, len(FILM))
        assert target.path.read_bytes() == FILM
        assert target.sha256 == sha256(FILM)
        assert host.requests[0].headers["Range"] == "bytes=1000-"
        assert host.requests[0].headers["If-Range"] in headers.values()

    @pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"v1"'}], ids=["none", "weak"])
    async def test_without_a_name_for_the_version_it_starts_again(
        self, target: Partial, headers: dict[str, str]
    ) -> None:
        await self.interrupted(target, **headers)
        host = Host(film())

        outcome = await fetched(host, target)

        assert outcome == Fetched("mp4", None, len(FILM))
        assert "Range" not in host.requests[0].headers
        assert target.path.read_bytes() == FILM

    async def test_it_goes_on_with_a_new_signature(self, target: Partial) -> None:
        await self.interrupted(target, ETag='"v1"')
        host = Host(self.rest)

        outcome = await fetched(host, target, url=f"{URL}?signature=new")

        assert isinstance(outcome, Fetched)
        assert target.path.read_bytes() == FILM

    async def test_another_file_is_not_appended(self, target: Partial) -> None:
        await self.interrupted(target, ETag='"v1"')
        host = Host(film())

        await fetched(host, target, url=f"{URL}-of-another-task")

        assert "Range" not in host.requests[0].headers
        assert target.path.read_bytes() == FILM

    async def test_another_version_replaces_the_first(self, target: Partial) -> None:
        await self.interrupted(target, ETag='"v1"')
        other = FILM[:12] + b"other" * 300

        await fetched(Host(httpx.Response(200, content=other)), target)

        assert target.path.read_bytes() == other

    @pytest.mark.parametrize(
        "span", ["bytes 0-99/200", "bytes */200", "bytes 1-2", "pages 1000-1/2", ""]
    )
    async def test_a_part_that_was_not_asked_for_is_not_appended(
        self, target: Partial, span: str
    ) -> None:
        await self.interrupted(target, ETag='"v1"')
        answer = httpx.Response(206, content=b"x", headers={"Content-Range": span})

        outcome = await fetched(Host(answer), target)

        assert isinstance(outcome, FetchFailed)
        assert target.size == 0

    async def test_beyond_the_end_it_starts_again_next_time(
        self, target: Partial
    ) -> None:
        await self.interrupted(target, ETag='"v1"')

        outcome = await fetched(Host(httpx.Response(416)), target)

        assert outcome == FetchFailed("status 416")
        assert target.size == 0

    async def test_a_server_in_trouble_takes_nothing_away(
        self, target: Partial
    ) -> None:
        await self.interrupted(target, ETag='"v1"')

        await fetched(Host(httpx.Response(503)), target)

        assert target.size == 1000

    async def test_a_part_of_unknown_total_length_is_taken(
        self, target: Partial
    ) -> None:
        await self.interrupted(target, ETag='"v1"')
        answer = httpx.Response(
            206, content=FILM[1000:], headers={"Content-Range": "bytes 1000-9999/*"}
        )

        outcome = await fetched(Host(answer), target)

        assert outcome == Fetched("mp4", None, len(FILM))


@pytest.mark.anyio
class TestRedirects:
    def hops(self, count: int) -> list[Answer]:
        return [
            httpx.Response(302, headers={"Location": f"/hop-{number}"})
            for number in range(count)
        ]

    async def test_five_are_followed(self, target: Partial) -> None:
        host = Host(*self.hops(5), film())

        outcome = await fetched(host, target)

        assert isinstance(outcome, Fetched)
        assert str(host.requests[-1].url) == "https://cdn.test/hop-4"

    async def test_a_sixth_is_not(self, target: Partial) -> None:
        host = Host(*self.hops(6), film())

        outcome = await fetched(host, target)

        assert outcome == FetchFailed("more than 5 redirects")

    @pytest.mark.parametrize(
        "location",
        ["file:///etc/passwd", "http://169.254.169.254/latest", "http://127.0.0.1/"],
    )
    async def test_each_hop_is_looked_at(self, target: Partial, location: str) -> None:
        host = Host(httpx.Response(302, headers={"Location": location}), film())

        outcome = await fetched(host, target)

        assert isinstance(outcome, FetchFailed)
        assert outcome.permanent
        assert len(host.requests) == 1


PRIVATE = [
    "http://127.0.0.1/a",
    "http://localhost/a",
    "http://api.localhost/a",
    "http://10.1.2.3/a",
    "http://192.168.0.1/a",
    "http://172.16.0.1/a",
    "http://169.254.169.254/a",
    "http://0.0.0.0/a",
    "http://[::1]/a",
    "http://[fd00::1]/a",
    "http://[::ffff:127.0.0.1]/a",
    "http://[64:ff9b::a9fe:a9fe]/a",
    "http://[2002:7f00:1::]/a",
    "http://224.0.0.1/a",
]


@pytest.mark.anyio
class TestPrivateAddresses:
    @pytest.mark.parametrize("url", PRIVATE)
    async def test_they_are_not_asked(self, target: Partial, url: str) -> None:
        host = Host()

        outcome = await fetched(host, target, url=url)

        assert isinstance(outcome, FetchFailed)
        assert "private address" in outcome.reason
        assert outcome.permanent
        assert host.requests == []

    @pytest.mark.parametrize("url", PRIVATE)
    async def test_they_are_if_the_service_is_on_one(
        self, target: Partial, url: str
    ) -> None:
        host = Host(film())

        async with host.client(base_url="http://127.0.0.1:8080") as client:
            outcome = await client.download(url, target, expect_kind="video")

        assert isinstance(outcome, Fetched)

    @pytest.mark.parametrize(
        ("address", "asked"),
        [("93.184.216.34", 1), ("10.0.0.7", 0), ("fe80::1%eth0", 0), (None, 1)],
        ids=["public", "private", "link-local", "unknown here"],
    )
    async def test_names_are_looked_up(
        self,
        target: Partial,
        monkeypatch: pytest.MonkeyPatch,
        address: str | None,
        asked: int,
    ) -> None:
        async def look_up(host: str, port: int | None) -> list[tuple[object, ...]]:
            await anyio.lowlevel.checkpoint()
            if address is None or host == "api.foxapi.cc":
                raise OSError("Name or service not known")
            return [(None, None, None, "", (address, port))]

        monkeypatch.setattr(anyio, "getaddrinfo", look_up)
        host = Host(film())

        async with httpx.AsyncClient(transport=httpx.MockTransport(host)) as client:
            await fetch(
                client,
                URL,
                target,
                expect_kind="video",
                api_host="api.foxapi.cc",
                look_up=True,
            )
        target.close()

        assert len(host.requests) == asked
