"""What is around the service: the edge before it, and the page for people."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from foxbatch.sandbox import EmbeddedSandbox, SandboxOptions
from tests.sockets import asked, connected

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with EmbeddedSandbox() as sandbox, httpx.Client(base_url=sandbox.url) as client:
        yield client


class TestEdge:
    """What happens to a message before the service sees it."""

    def test_a_large_body_is_refused_in_html(self, client: httpx.Client) -> None:
        reply = client.post("/v1/videos/generations", content=bytes(10 * 2**20 + 1))

        assert reply.status_code == 413
        assert reply.headers["Content-Type"] == "text/html"
        assert b"413 Request Entity Too Large" in reply.content

    def test_a_body_of_unknown_length_is_refused_when_it_grows_too_large(
        self, client: httpx.Client
    ) -> None:
        body = (bytes(2**20) for _ in range(11))

        reply = client.post("/v1/videos/generations", content=body)

        assert reply.status_code == 413

    def test_a_body_in_chunks_is_read(self, client: httpx.Client) -> None:
        pieces = iter([b'{"model":"veo-3.1",', b'"prompt":"A fox"}'])
        headers = {"Content-Type": "application/json"}

        reply = client.post("/v1/videos/generations", content=pieces, headers=headers)

        assert reply.status_code == 200

    def test_an_upload_may_be_larger(self, client: httpx.Client) -> None:
        content = PNG + bytes(20 * 2**20)

        reply = client.post(
            "/v1/files/upload/stream", files={"file": ("a.png", content)}
        )

        assert reply.json()["size"] == len(content)
        assert client.get(reply.json()["url"]).content == content

    def test_an_upload_may_be_too_large(self, client: httpx.Client) -> None:
        files = {"file": ("a.png", bytes(60 * 2**20))}

        reply = client.post("/v1/files/upload/stream", files=files)

        assert reply.status_code == 413

    def test_a_client_that_asks_first_is_told_to_go_on(
        self, client: httpx.Client
    ) -> None:
        body = '{"model":"veo-3.1","prompt":"A fox"}'

        heard = asked(
            str(client.base_url),
            "POST /v1/videos/generations HTTP/1.1\r\nHost: x\r\n"
            "Content-Type: application/json\r\nExpect: 100-continue\r\n"
            f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n",
            then=body,
        )

        assert heard.head == "HTTP/1.1 100 Continue"
        assert heard.body.startswith(b"HTTP/1.1 200 OK")

    @pytest.mark.parametrize(
        "request_",
        [
            pytest.param(
                "GET http://other.test/v1/models?a=b HTTP/1.1\r\nHost: x\r\n",
                id="a whole address, as proxies get it",
            ),
            pytest.param("GET /v1/models HTTP/1.0\r\n", id="no host"),
            pytest.param("GET /v1/%6dodels HTTP/1.0\r\n", id="escapes"),
        ],
    )
    def test_a_target_may_be_written_otherwise(
        self, client: httpx.Client, request_: str
    ) -> None:
        heard = asked(str(client.base_url), f"{request_}Connection: close\r\n\r\n")

        assert heard.head.startswith("HTTP/1.1 200 OK")

    def test_a_client_that_leaves_before_its_body_is_whole_creates_nothing(
        self, client: httpx.Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        with connected(str(client.base_url)) as connection:
            connection.sendall(
                b"POST /v1/videos/generations HTTP/1.1\r\nHost: x\r\n"
                b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
            )

        assert client.get("/sandbox/stats").json()["created"] == 0
        assert not caplog.records

    def test_a_client_that_leaves_after_its_request_has_bought(
        self, client: httpx.Client
    ) -> None:
        body = b'{"model":"veo-3.1","prompt":"A fox"}'
        with connected(str(client.base_url)) as connection:
            connection.sendall(
                b"POST /v1/videos/generations HTTP/1.1\r\nHost: x\r\n"
                b"Content-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )

        assert client.get("/sandbox/stats").json()["created"] == 1


class TestPage:
    @pytest.mark.parametrize(
        ("path", "kind"),
        [
            ("/", "text/html"),
            ("/sandbox/page.css", "text/css"),
            ("/sandbox/page.js", "text/javascript"),
            ("/sandbox/page.svg", "image/svg+xml"),
        ],
    )
    def test_its_files_allow_nothing_from_elsewhere(
        self, client: httpx.Client, path: str, kind: str
    ) -> None:
        page, head = client.get(path), client.head(path)

        assert page.headers["Content-Type"].startswith(kind)
        assert page.headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert head.headers["Content-Length"] == str(len(page.content))
        assert b"https://" not in page.content

    def test_looking_is_not_counted(self, client: httpx.Client) -> None:
        client.get("/")

        assert client.get("/sandbox/stats").json()["requests"] == {}

    def test_it_names_a_key_that_works(self) -> None:
        with EmbeddedSandbox(SandboxOptions(keys={"sk-a": None})) as sandbox:
            page = httpx.get(sandbox.url).text

        assert 'data-key=""' in page
