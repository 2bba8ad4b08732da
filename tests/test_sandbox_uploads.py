"""The three upload routes: content, names, limits, and how old files make room."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, strategies as st

from foxbatch.sandbox import Reply, Upload
from foxbatch.sandbox.messages import UploadRemoved
from foxbatch.sandbox.service.uploads import (
    BASE64_LIMIT_BYTES,
    STREAM_LIMIT_BYTES,
    digest,
)
from tests.pretend import START, Service, said

HEAD = 'form-data; name="file"; filename="a.png"'


def form(
    content: bytes, *, head: str = HEAD, boundary: str = "x y", **more: str
) -> bytes:
    """Return a multipart body as a browser writes it."""
    parts = [
        f'form-data; name="{name}"'.encode() + b"\r\n\r\n" + text.encode()
        for name, text in more.items()
    ]
    parts.append(head.encode() + b"\r\nContent-Type: image/png\r\n\r\n" + content)
    edge = b"--" + boundary.encode()
    body = b"".join(
        edge + b"\r\nContent-Disposition: " + part + b"\r\n" for part in parts
    )
    return body + edge + b"--\r\n"


def streamed(service: Service, body: bytes, boundary: str = "x y") -> Reply:
    kind = f'multipart/form-data; boundary="{boundary}"'
    return service.send("POST", "/v1/files/upload/stream", body, content_type=kind)


def encoded(service: Service, content: bytes = b"fox", **fields: object) -> Reply:
    body = {"file_data": base64.b64encode(content).decode(), **fields}
    return service.post("/v1/files/upload/base64", body)


def linked(service: Service, url: str, **fields: object) -> Reply:
    return service.post("/v1/files/upload/url", {"url": url, **fields})


def error(reply: Reply) -> dict[str, Any]:
    value: dict[str, Any] = said(reply)["error"]
    return value


# ---- Replies


def test_the_reply_has_the_documented_form() -> None:
    reply = encoded(Service(), b"12345", file_name="photo.png")

    value = said(reply)
    assert value.keys() == {"id", "filename", "url", "size", "created"}
    assert (value["filename"], value["size"]) == ("photo.png", 5)
    assert value["created"] == int(START)
    kind, created, letters = value["id"].split("-")
    assert (kind, created, len(letters)) == ("file", str(int(START)), 6)
    assert value["url"].startswith("http://sandbox.invalid/uploads/20260804/")
    assert value["url"].endswith("/photo.png")


def test_what_is_kept_is_handed_over_with_its_record() -> None:
    reply = encoded(Service(), b"12345", file_name="a.png")

    (record,) = reply.records
    assert isinstance(record, Upload)
    assert (reply.keeps, record.sha256) == (b"12345", digest(b"12345"))


def test_the_link_serves_the_file_for_three_days_to_anybody_without_a_key() -> None:
    service = Service()
    url = str(said(encoded(service, file_name="a.png"))["url"])

    replies = []
    for wait_s in (0, 72 * 3600 - 1, 1):
        service.later(wait_s)
        replies.append(service.file(url))

    assert [reply.status for reply in replies] == [200, 200, 404]
    assert isinstance(replies[0].media, Upload)
    assert replies[0].headers["Content-Type"] == "image/png"


@pytest.mark.parametrize("change", ["x", "/", "%00", "?a"])
def test_no_other_link_does(change: str) -> None:
    service = Service()
    url = str(said(encoded(service, file_name="a.png"))["url"])

    statuses = {
        service.file(url.replace(old, old + change)).status
        for old in ("/uploads", "2026", "/a", ".png")
    }

    assert statuses == {404}


def test_equal_files_at_one_moment_have_different_links() -> None:
    service = Service()

    links = {said(encoded(service))["url"] for _ in range(20)}

    assert len(links) == len(service.sandbox.uploads) == 20


# ---- Multipart


@given(
    content=st.one_of(
        st.binary(min_size=1, max_size=300),
        st.lists(
            st.sampled_from(
                [
                    b"\r\n",
                    b"\n",
                    b"\r",
                    b"--",
                    b"--x y",
                    b"\r\n--x ",
                    b"--x y-",
                    b"\0",
                    b"-",
                ]
            ),
            min_size=1,
            max_size=30,
        ).map(b"".join),
    ).filter(lambda content: b"\r\n--x y" not in b"\r\n" + content),
)
def test_any_bytes_come_through_a_form_as_they_are(content: bytes) -> None:
    reply = streamed(Service(), form(content))

    assert (reply.status, reply.keeps) == (200, content)


@given(boundary=st.text("abcXYZ0123456789'()+_,-./:=?", min_size=1, max_size=70))
def test_any_boundary_that_may_be_is_understood(boundary: str) -> None:
    reply = streamed(Service(), form(b"\x89PNG\r\n", boundary=boundary), boundary)

    assert (reply.status, reply.keeps) == (200, b"\x89PNG\r\n")


@given(body=st.binary(max_size=200))
def test_no_body_is_too_strange_for_a_form(body: bytes) -> None:
    whole = form(b"content")
    for broken in (body, whole[: len(body)], body + whole, whole + body):
        assert streamed(Service(), broken).status in {200, 400, 422}


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "not valid multipart"),
        (form(b"a")[:-6], 400, "not valid multipart"),
        (form(b"a", purpose="x", hue="y"), 422, "Unknown field: hue"),
        (form(b"a", head='form-data; name="file_name"'), 422, "Missing field: file"),
        (form(b""), 422, "The file is empty"),
        (form(b"a", auto_cleanup="maybe"), 422, "auto_cleanup must be a boolean"),
        (form(b"\xff", head='form-data; name="purpose"'), 400, "not valid multipart"),
    ],
)
def test_forms_that_are_refused(body: bytes, status: int, message: str) -> None:
    reply = streamed(Service(), body)

    assert reply.status == status
    assert message in error(reply)["message"]


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "multipart/form-data", "multipart/mixed; boundary=x"],
)
def test_a_stream_is_a_form(content_type: str) -> None:
    reply = Service().send(
        "POST", "/v1/files/upload/stream", form(b"a"), content_type=content_type
    )

    assert reply.status == 400
    assert error(reply)["message"] == "Content-Type must be multipart/form-data"


@pytest.mark.parametrize(
    ("head", "more", "name", "kind"),
    [
        (HEAD, {}, "a.png", "image/png"),
        (HEAD, {"file_name": "b.jpg"}, "b.jpg", "image/png"),
        ('form-data; name="file"', {}, "upload.bin", "application/octet-stream"),
        ('form-data; name="file"', {"file_name": "c.webp"}, "c.webp", "image/webp"),
    ],
)
def test_a_form_names_its_file(
    head: str, more: dict[str, str], name: str, kind: str
) -> None:
    body = form(b"a", head=head, **more)

    (record,) = streamed(Service(), body).records

    assert isinstance(record, Upload)
    assert (record.name, record.content_type) == (name, kind)


# ---- Base64


@pytest.mark.parametrize(
    "text",
    [
        "Zm94",
        "Zm\r\n94\n",
        "data:image/png;base64,Zm94",
        "data:;base64,Zm94",
        "data:image/svg+xml;charset=utf-8;base64,Zm94",
    ],
)
def test_base64_is_read_in_every_form(text: str) -> None:
    body = {"file_data": text}

    reply = Service().post("/v1/files/upload/base64", body)

    assert (reply.status, reply.keeps) == (200, b"fox")


@given(content=st.binary(min_size=1, max_size=100))
def test_any_bytes_come_through_base64_as_they_are(content: bytes) -> None:
    assert encoded(Service(), content).keeps == content


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "file_data must be a string of base64"),
        ({"file_data": ""}, "file_data must be a string of base64"),
        ({"file_data": 5}, "file_data must be a string of base64"),
        ({"file_data": "Zm9"}, "file_data is not valid base64"),
        ({"file_data": "Zm9_"}, "file_data is not valid base64"),
        ({"file_data": "лиса"}, "file_data is not valid base64"),
        ({"file_data": "data:text/plain,fox"}, "file_data is not valid base64"),
        ({"file_data": "data:a/\r\nB: c;base64,Zm94"}, "file_data is not valid base64"),
        ({"file_data": "data:текст/лиса;base64,Zm94"}, "file_data is not valid base64"),
        ({"file_data": "data:;base64,"}, "The file is empty"),
        ({"file_data": "Zm94", "url": "x"}, "Unknown field: url"),
        ({"file_data": "Zm94", "file_name": 5}, "file_name must be a string"),
        ({"file_data": "Zm94", "auto_cleanup": 1}, "auto_cleanup must be a boolean"),
        (
            {"file_data": "Zm94", "auto_cleanup": "true"},
            "auto_cleanup must be a boolean",
        ),
        ({"file_data": "Zm94", "auto_cleanup": []}, "auto_cleanup must be a boolean"),
    ],
)
def test_base64_that_is_refused(body: dict[str, Any], message: str) -> None:
    reply = Service().post("/v1/files/upload/base64", body)

    assert (reply.status, error(reply)["message"]) == (422, message)


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        ("image/png", "upload.png", "image/png"),
        ("", "upload.bin", "application/octet-stream"),
        ("fox", "upload.bin", "application/octet-stream"),
        ("///", "upload.bin", "application/octet-stream"),
    ],
)
def test_a_data_url_names_its_type_if_it_is_one(
    kind: str, name: str, told: str
) -> None:
    body = {"file_data": f"data:{kind};base64,Zm94"}

    (record,) = Service().post("/v1/files/upload/base64", body).records

    assert isinstance(record, Upload)
    assert (record.name, record.content_type) == (name, told)


# ---- From a URL


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.com/a/fox.png?x=1#y", "fox.png"),
        ("https://example.com/a%20b.png", "a_b.png"),
        ("https://example.com/..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("https://example.com/", "upload.bin"),
        ("https://example.com", "upload.bin"),
        ("https://example.com/%FF%00", "upload.bin"),
    ],
)
def test_a_file_from_a_url_is_named_after_it(url: str, name: str) -> None:
    reply = linked(Service(), url)

    assert (reply.status, said(reply)["filename"]) == (200, name)
    assert reply.keeps == f"In the place of {url}\n".encode()


@pytest.mark.parametrize(
    "url", [None, 5, "", "ftp://a/b", "https://[::1", "https://a:b/", "file:///etc"]
)
def test_urls_that_are_refused(url: Any) -> None:  # noqa: ANN401
    reply = linked(Service(), url)

    assert reply.status == 422
    assert error(reply)["message"] == "url must be an http or https URL"


def test_a_file_from_a_url_has_no_content_of_its_own() -> None:
    reply = linked(Service(), "https://example.com/a.png", file_data="Zm94")

    assert error(reply)["message"] == "Unknown field: file_data"


# ---- Names


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("photo (1).png", "photo_(1).png"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\a.png", "C_a.png"),
        ("/", "upload.bin"),
        ("..", "upload.bin"),
        ("...a", "a"),
        ("a\0b\r\nc.png", "a_b_c.png"),
        ("лиса.png", "лиса.png"),
        ("%2e%2e%2fa.png", "2e_2e_2fa.png"),
        ("\u202egnp.exe", "gnp.exe"),
        ("x" * 300 + ".png", "x" * 96 + ".png"),
        ("." + "_" * 200 + ".png", "png"),
        ("", "upload.bin"),
        (None, "upload.bin"),
    ],
)
def test_hostile_names_are_made_harmless(sent: str | None, name: str) -> None:
    service = Service()

    reply = said(encoded(service, file_name=sent))

    assert reply["filename"] == name
    assert reply["url"].isascii()


@given(name=st.text(max_size=200))
def test_whatever_its_name_the_link_of_a_file_serves_it(name: str) -> None:
    from urllib.parse import unquote

    service = Service()

    url = str(said(encoded(service, file_name=name))["url"])

    assert service.file(unquote(url)).status == 200
    last = url.rpartition("/")[2]
    assert not last.startswith(".")
    assert url.count("/") == 6


# ---- Limits


def test_a_stream_holds_up_to_50_mb() -> None:
    service = Service()

    most = streamed(service, form(bytes(STREAM_LIMIT_BYTES)))
    more = streamed(service, form(bytes(STREAM_LIMIT_BYTES + 1)))
    far_more = streamed(service, bytes(STREAM_LIMIT_BYTES + 2**20 + 1))

    assert [most.status, more.status, far_more.status] == [200, 413, 413]
    assert error(more)["type"] == "file_too_large_error"


def test_base64_holds_up_to_20_mb_however_it_is_written() -> None:
    service = Service()

    most = encoded(service, bytes(BASE64_LIMIT_BYTES))
    wrapped = base64.encodebytes(bytes(BASE64_LIMIT_BYTES)).decode()
    lines = service.post("/v1/files/upload/base64", {"file_data": wrapped})
    more = encoded(service, bytes(BASE64_LIMIT_BYTES + 1))

    assert [most.status, lines.status, more.status] == [200, 200, 413]


class TestRoom:
    def test_the_oldest_file_makes_room(self) -> None:
        service = Service(upload_files=2)
        replies = [encoded(service, file_name=f"{n}.png") for n in range(3)]

        statuses = [service.file(str(said(reply)["url"])).status for reply in replies]

        assert statuses == [404, 200, 200]
        assert replies[2].records[0] == UploadRemoved(said(replies[0])["id"])
        assert len(service.sandbox.uploads) == 2

    def test_or_the_new_one_is_refused(self) -> None:
        service = Service(upload_files=1)
        encoded(service)

        reply = encoded(service, auto_cleanup=False)

        assert reply.status == 403
        assert error(reply)["message"] == "File storage is full"
        assert not reply.records

    @pytest.mark.parametrize("said_", [True, None])
    def test_making_room_is_what_happens_if_nothing_is_said(
        self, said_: bool | None
    ) -> None:
        service = Service(upload_files=1)
        encoded(service)

        assert encoded(service, auto_cleanup=said_).status == 200

    def test_a_file_that_is_dead_takes_no_room(self) -> None:
        service = Service(upload_files=1)
        encoded(service)
        service.later(72 * 3600)

        reply = encoded(service, auto_cleanup=False)

        assert reply.status == 200
        assert len(service.sandbox.uploads) == 1

    @pytest.mark.parametrize(
        ("text", "status"),
        [("false", 403), ("False", 403), ("0", 403), ("true", 200), ("1", 200)],
    )
    def test_a_form_says_it_in_a_word(self, text: str, status: int) -> None:
        service = Service(upload_files=1)
        encoded(service)

        assert streamed(service, form(b"a", auto_cleanup=text)).status == status
