"""Routes, the edge in front of them, queries, files and reports of the sandbox."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from foxbatch.sandbox import Clip, Request, Sandbox, handle
from foxbatch.sandbox.messages import Twist
from tests.pretend import START, Service, said

PATHS = (
    "/v1/videos/generations",
    "/v1/llm/generations",
    "/v1/files/upload/stream",
    "/v1/files/upload/base64",
    "/v1/files/upload/url",
)
READS = (
    "/v1/models",
    "/v1/configs/llm_generations_models",
    "/v1/configs/minimax-preset-voice-id",
    "/v1/account/credits",
)


def error(reply: Any) -> dict[str, Any]:  # noqa: ANN401
    value: dict[str, Any] = said(reply)["error"]
    return value


def twisted(service: Service, task: str, **changes: Any) -> None:  # noqa: ANN401
    """Change the story of *task*, as a rule of a fault plan would have."""
    old = service.sandbox.tasks[task]
    service.sandbox.tasks[task] = replace(old, twist=Twist(**changes))


# ---- Routes and the edge


class TestRoutes:
    @pytest.mark.parametrize(
        "path",
        ["/", "/v1", "/v1/tasks", "/v1/tasks/a/b", "/files/a", "/V1/models", "/v1/x"],
    )
    def test_what_is_nowhere_is_404_with_or_without_a_key(self, path: str) -> None:
        service = Service(keys={"sk-a": None})

        reply = service.get(path, key=None)

        assert reply.status == 404
        assert error(reply)["type"] == "not_found"

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
    def test_what_takes_posts_takes_nothing_else(self, method: str, path: str) -> None:
        reply = Service().send(method, path)

        assert (reply.status, reply.headers["Allow"]) == (405, "POST")

    @pytest.mark.parametrize(
        "path", ["/v1/models", "/v1/tasks/x", "/files/a/0", "/uploads/1/2/a.png"]
    )
    @pytest.mark.parametrize("method", ["POST", "DELETE"])
    def test_what_is_read_cannot_be_changed(self, method: str, path: str) -> None:
        reply = Service().send(method, path)

        assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD")

    @pytest.mark.parametrize("path", [*READS, "/api/pricing", "/v1/tasks/x"])
    def test_head_has_the_length_of_what_get_has(self, path: str) -> None:
        whole = Service().get(path)

        head = Service().send("HEAD", path)

        assert (head.status, head.body) == (whole.status, b"")
        assert head.headers["Content-Length"] == str(len(whole.body))

    def test_head_of_a_file_still_says_which_file(self) -> None:
        service = Service()
        task = service.task()
        service.finish(task)

        reply = service.send("HEAD", f"/files/{task}/0.mp4", key=None)

        assert isinstance(reply.media, Clip)


class TestEdge:
    @pytest.fixture
    def service(self) -> Service:
        return Service(keys={"sk-a": None, "sk-b": None})

    @pytest.mark.parametrize(
        "header",
        [
            pytest.param(None, id="no key"),
            pytest.param("Bearer sk-c", id="wrong key"),
            pytest.param("Bearer", id="no word after Bearer"),
            pytest.param("Bearer SK-A", id="other letters"),
            pytest.param("Basic sk-a", id="wrong scheme"),
            pytest.param("sk-a", id="no scheme"),
            pytest.param("Bearer \udcff\ud800", id="no text at all"),
        ],
    )
    def test_strangers_are_refused_wherever_a_key_is_needed(
        self, service: Service, header: str | None
    ) -> None:
        headers: Any = {} if header is None else {"authorization": header}
        sent = [("POST", path) for path in PATHS]
        sent += [("GET", path) for path in (*READS, "/v1/tasks/x")]

        replies = [
            service.send(method, path, key=None, **headers) for method, path in sent
        ]

        assert {reply.status for reply in replies} == {401}
        assert all(
            error(reply)
            == {"message": "Invalid API key", "type": "authentication_error"}
            for reply in replies
        )
        assert not service.sandbox.accounts

    @pytest.mark.parametrize("header", ["Bearer sk-a", "bearer sk-a", "BEARER  sk-a "])
    def test_the_scheme_may_be_written_in_any_way(
        self, service: Service, header: str
    ) -> None:
        reply = service.get("/v1/models", key=None)
        known = service.send("GET", "/v1/models", key=None, authorization=header)

        assert (reply.status, known.status) == (401, 200)

    @pytest.mark.parametrize(
        ("keyless", "header", "status"),
        [
            (True, None, 200),
            (False, None, 401),
            (False, "Bearer anything", 200),
            (True, "Basic abc", 401),
        ],
    )
    def test_any_key_is_accepted_where_none_are_listed(
        self, keyless: bool, header: str | None, status: int
    ) -> None:
        service = Service(keyless=keyless)
        headers: Any = {} if header is None else {"authorization": header}

        reply = service.send("GET", "/v1/models", key=None, **headers)

        assert reply.status == status

    def test_the_default_agent_of_python_is_refused_in_plain_text(
        self, service: Service
    ) -> None:
        agent = "Python-urllib/3.12"

        reply = service.send("GET", "/v1/models", key="sk-a", user_agent=agent)

        assert (reply.status, reply.body) == (403, b"error code: 1010")
        assert reply.headers["Content-Type"] == "text/plain"

    def test_a_key_is_nowhere_in_what_is_remembered(self, service: Service) -> None:
        service.submit(key="sk-a")
        service.get("/sandbox/stats")

        assert "sk-a" not in repr(service.sandbox).replace("'sk-a': None", "")

    def test_a_host_that_cannot_be_is_a_bad_request(self) -> None:
        request = Request(method="GET", path="/v1/models", base_url="http://\udcff")

        assert handle(Sandbox(), request, START).status == 400


# ---- Queries


class TestQueries:
    def test_a_task_has_the_documented_fields_and_no_others(self) -> None:
        service = Service()
        task = service.task()

        running, ended = service.query(task), service.finish(task)

        assert running == {
            "id": task,
            "object": "video.generation.task",
            "type": "video",
            "model": "veo-3.1-fast",
            "created": int(START),
            "status": "pending",
            "progress": 0,
            "usage": {"credits_reserved": 80, "user_group": "default"},
            "results": None,
            "error": None,
        }
        assert ended == {
            **running,
            "status": "completed",
            "progress": 100,
            "results": [{"url": f"http://sandbox.invalid/files/{task}/0.mp4"}],
        }

    def test_another_key_does_not_find_it(self) -> None:
        service = Service()
        task = service.task()

        statuses = [service.ask(task, key=key).status for key in ("sk-other", None)]

        assert statuses == [404, 404]

    @pytest.mark.parametrize("name", ["x", "", " ", "\udcff", "task-unified-1-a"])
    def test_an_unknown_id_is_404(self, name: str) -> None:
        reply = Service().ask(name)

        assert (reply.status, error(reply)["type"]) == (404, "not_found")

    @pytest.mark.parametrize(
        ("said_", "synced"),
        [("true", True), ("1", True), ("TRUE", True), ("false", False), ("yes", False)],
    )
    def test_sync_upstream_is_read_as_a_boolean(self, said_: str, synced: bool) -> None:
        service = Service()
        task = service.task()
        service.finish(task)
        twisted(service, task, empty_when="synced", empty_looks=1)

        query = {"sync_upstream": said_}
        reply = said(service.send("GET", f"/v1/tasks/{task}", query=query))

        assert (reply["results"] == []) is synced

    @pytest.mark.parametrize(
        ("form", "error_"),
        [
            (
                "full",
                {
                    "code": "x",
                    "message": "The generation failed.",
                    "type": "task_error",
                },
            ),
            ("no-code", {"message": "The generation failed."}),
            (
                "number",
                {
                    "code": 500,
                    "message": "The generation failed.",
                    "type": "task_error",
                },
            ),
            ("text", "The generation failed."),
            ("null", None),
        ],
    )
    def test_a_failure_is_told_in_every_form_that_was_seen(
        self, form: str, error_: dict[str, str] | str | None
    ) -> None:
        service = Service()
        task = service.task()
        service.finish(task)
        twisted(service, task, fails="x", error_form=form)

        told = service.query(task)

        assert (told["status"], told["error"], told["results"]) == (
            "failed",
            error_,
            None,
        )

    @pytest.mark.parametrize(
        ("form", "output"),
        [
            ("output", {"url": "{link}", "duration": 5}),
            ("outputs", {"urls": ["{link}"]}),
        ],
    )
    def test_the_old_form_has_output_in_the_place_of_results(
        self, form: str, output: dict[str, Any]
    ) -> None:
        service = Service()
        task = service.task()
        twisted(service, task, form=form)
        running, ended = service.query(task), service.finish(task)

        link = f"http://sandbox.invalid/files/{task}/0.mp4"
        assert running["output"] is None
        assert json.dumps(ended["output"]) == json.dumps(output).replace("{link}", link)
        assert "results" not in ended

    def test_the_old_form_of_a_failure_keeps_its_error(self) -> None:
        service = Service()
        task = service.task()
        twisted(service, task, form="output", fails="service_error")

        told = service.finish(task)

        assert (told["output"], told["error"]["code"]) == (None, "service_error")


# ---- Files


class TestFiles:
    @pytest.mark.parametrize(
        ("after_s", "status"),
        [
            pytest.param(9, 404, id="not made yet"),
            pytest.param(10, 200, id="made"),
            pytest.param(10 + 24 * 3600 - 1, 200, id="almost a day later"),
            pytest.param(10 + 24 * 3600, 403, id="a day later"),
        ],
    )
    def test_links_live_for_a_day(self, after_s: float, status: int) -> None:
        service = Service()
        task = service.task(prompt="[sandbox:slow 10]")
        service.later(after_s)

        assert service.get(f"/files/{task}/0.mp4", key=None).status == status

    def test_speed_shortens_that_day(self) -> None:
        service = Service(speed=60)
        task = service.task(prompt="[sandbox:slow 60]")

        statuses = []
        for wait_s in (1, 24 * 60 - 0.001, 0.001):
            service.later(wait_s)
            statuses.append(service.get(f"/files/{task}/0.mp4", key=None).status)

        assert statuses == [200, 200, 403]

    @pytest.mark.parametrize(
        "name",
        [
            "1.mp4",
            "00.mp4",
            "-1.mp4",
            "0.png",
            "0.",
            "0.mp4.mp4",
            ".mp4",
            "\N{ARABIC-INDIC DIGIT ZERO}.mp4",
            "x.mp4",
            "9" * 5000 + ".mp4",
            "",
            "0.mp4/3",
            "0.mp4/0",
            "0.mp4/-1",
            "0.mp4/",
            "0.mp4/" + "9" * 5000,
        ],
    )
    def test_other_names_are_404(self, name: str) -> None:
        service = Service()
        task = service.task()
        service.finish(task)

        reply = service.get(f"/files/{task}/{name}", key=None)

        assert (reply.status, reply.body) == (404, b"NoSuchKey")

    def test_a_failed_task_has_no_file(self) -> None:
        service = Service()
        task = service.task(prompt="[sandbox:fail x]")
        service.finish(task)

        assert service.get(f"/files/{task}/0.mp4", key=None).status == 404

    def test_redirects_end_at_the_file_unless_they_loop(self) -> None:
        service = Service()
        task = service.task()
        service.finish(task)
        start = f"/files/{task}/0.mp4"

        path, hops = f"{start}/2", 0
        while (reply := service.get(path, key=None)).status == 302:
            path = reply.headers["Location"].removeprefix("http://sandbox.invalid")
            hops += 1
        looping = service.get(f"{start}/loop", key=None)

        assert (hops, path, reply.status) == (2, start, 200)
        assert looping.headers["Location"].endswith("0.mp4/loop")

    @pytest.mark.parametrize("path", ["/files/{task}/0.mp4", "/uploads/1/2/a.png"])
    def test_a_key_at_the_file_host_is_noticed(self, path: str) -> None:
        service = Service()
        task = service.task()
        service.finish(task)

        assert service.get(path.format(task=task)).status == 400


# ---- Imports


def test_importing_the_sandbox_loads_nothing_heavy() -> None:
    script = (
        "import sys, foxbatch.sandbox;"
        "heavy = {'aiohttp', 'asyncio', 'av', 'httpx', 'PIL'} & set(sys.modules);"
        "print(sorted(heavy))"
    )

    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize("missing", ["aiohttp", "av", "PIL"])
def test_a_missing_package_is_an_error_that_names_the_extra(missing: str) -> None:
    script = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import foxbatch.sandbox as sandbox\n"
        "from foxbatch.errors import MissingExtraError\n"
        "try:\n    sandbox.EmbeddedSandbox\n"
        "except MissingExtraError as error:\n    print(error.hint)\n"
    )

    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == "Type: pip install 'foxbatch[sandbox]'"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    import foxbatch.sandbox

    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = foxbatch.sandbox.Nothing
