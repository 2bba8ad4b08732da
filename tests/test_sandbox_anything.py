"""Whatever comes, with a fault plan and without: the sandbox answers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings, strategies as st

from foxbatch.sandbox import Request, Sandbox, SandboxOptions, handle
from foxbatch.sandbox.faults import names
from foxbatch.sandbox.service.core import outage
from tests.pretend import START, Service

PATHS = (
    "/v1/videos/generations",
    "/v1/llm/generations",
    "/v1/files/upload/stream",
    "/v1/files/upload/base64",
    "/v1/files/upload/url",
)
READS = ("/v1/models", "/v1/account/credits", "/api/pricing", "/v1/tasks/x")


# ---- Under a fault plan


class TestUnderAPlan:
    def test_without_one_connections_are_never_refused(self) -> None:
        assert outage(Service().sandbox, START + 1e6) == (False, None)

    def test_an_outage_is_told_in_real_time(self) -> None:
        service = Service("outage", speed=2)
        begins, ends, again = START + 15, START + 45, START + 315

        seen = [
            outage(service.sandbox, at)
            for at in (START, begins, ends - 0.01, ends, again)
        ]

        assert seen == [
            (False, begins),
            (True, ends),
            (True, pytest.approx(ends)),
            (False, again),
            (True, again + 30),
        ]

    @pytest.mark.parametrize("path", ["/v1/models", "/v1/tasks/x"])
    def test_head_still_has_the_length_of_what_get_has(self, path: str) -> None:
        whole = Service("slow-service").get(path)

        head = Service("slow-service").send("HEAD", path)

        assert head.body == b""
        assert head.headers["Content-Length"] == str(len(whole.body))

    @pytest.mark.parametrize("name", names())
    def test_no_plan_breaks_on_requests_of_any_kind(self, name: str) -> None:
        service = Service(name)
        hostile = ["/v1/tasks/", "/files//", "/files/x/0.mp4", "/uploads///", "/", ""]

        for path in hostile:
            service.get(path)
        for body in (b"", b"[]", b"{}", b'{"model": 5}', b'{"model": "veo-3.1"}'):
            service.send("POST", PATHS[0], body, content_type="application/json")
            service.send("POST", PATHS[2], body, content_type="multipart/form-data")
        for number in range(30):
            service.submit(prompt=f"Fox {number}")
            service.later(5)
        for task in service.sandbox.tasks:
            service.ask(task, synced=True)
            service.get(f"/files/{task}/0.mp4", key=None)
            service.send("HEAD", f"/v1/tasks/{task}")

        assert service.sandbox.logged > 30


# ---- Whatever comes


HOSTILE = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "\udcff",
            "\ud800",
            "..",
            "%2e%2e",
            "%",
            "\N{ARABIC-INDIC DIGIT THREE}",
            "0" * 5000,
            "\0",
        ]
    ),
    st.integers(-(10**40), 10**40).map(str),
)
PARTS = st.one_of(
    HOSTILE,
    st.sampled_from(
        ["v1", "tasks", "files", "uploads", "videos", "llm", "generations", "upload"]
    ),
)
ANY_PATH = st.one_of(
    st.lists(PARTS, max_size=6).map(lambda parts: "/" + "/".join(parts)),
    st.sampled_from([*PATHS, *READS, "/api/log/token", "/sandbox/tasks"]),
)
HEADERS = st.dictionaries(
    st.sampled_from(["authorization", "content-type", "user-agent", "x"]),
    st.one_of(
        HOSTILE,
        st.sampled_from(
            [
                "Bearer sk-a",
                "application/json",
                "application/json; charset=\udcff",
                "multipart/form-data; boundary=x",
                "multipart/form-data; boundary=\udcff",
                'multipart/form-data; boundary="',
            ]
        ),
    ),
)
BODIES = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        [
            b"[" * 3000,
            b'{"model":' * 3000,
            b'{"model":"veo-3.1","prompt":"\\ud800"}',
            b'{"model":"veo-3.1","prompt":"x","seed":' + b"9" * 5000 + b"}",
            b'{"model":"veo-3.1","prompt":"x","seed":NaN}',
            b'{"model":"veo-3.1","model":"veo-3.1","prompt":"x","prompt":"y"}',
            b'{"url":"https://[/a","file_name":"\\u0000"}',
            b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\na\r\n--x--\r\n',
        ]
    ),
)


@settings(max_examples=400)
@given(
    requests=st.lists(
        st.builds(
            Request,
            method=st.sampled_from(["GET", "POST", "HEAD", "PUT", "\udcff", ""]),
            path=ANY_PATH,
            base_url=st.sampled_from(
                ["http://a:1", "http://a:b", "http://[", "\ud800"]
            ),
            query=st.dictionaries(
                st.sampled_from(["limit", "offset", "after", "sync_upstream"]), HOSTILE
            ),
            headers=HEADERS,
            body=BODIES,
        ),
        max_size=5,
    )
)
def test_no_request_whatsoever_is_too_much(requests: list[Request]) -> None:
    sandbox = Sandbox(options=SandboxOptions(requests_per_s=3))

    for request in requests:
        assert 200 <= handle(sandbox, request, START).status < 504
    for page in ("recent", "overview", "stats", "tasks"):
        request = Request(method="GET", path=f"/sandbox/{page}")
        assert json.loads(handle(sandbox, request, START).body)


@pytest.mark.parametrize("depth", [*range(900, 1000, 3), 2000])
def test_a_body_of_any_depth_is_answered(depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    body = b'{"model":"veo-3.1","prompt":"x","advanced":{"a":' + nested + b"}}"
    service = Service()

    reply = service.send(
        "POST", "/v1/videos/generations", body, content_type="application/json"
    )

    assert reply.status in {200, 400}
    for task in service.sandbox.tasks:
        assert service.query(task)["id"] == task
