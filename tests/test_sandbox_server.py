from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import anyio
import av
import httpx
import pytest

from foxbatch.errors import RunDirError
from foxbatch.sandbox import EmbeddedSandbox, SandboxOptions, run_sandbox, serve
from foxbatch.sandbox.faults import Plan, read_plan
from foxbatch.sandbox.messages import Json
from tests.sockets import free_port

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
AT_ONCE = SandboxOptions(speed=1e4)  # a minute in 6 ms, a day in 9 s


def plan_of(rules: str) -> Plan:
    return read_plan(f"foxbatch: 1\n{rules}", shown_as="test.yaml", name="test")


def losing() -> SandboxOptions:
    """Lose the reply to every second submission."""
    plan = plan_of(
        "rules: [{name: lost, on: submit, when: {every: 2}, do: {drop: true}}]"
    )
    return SandboxOptions(speed=1e4, plan=plan)


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with (
        EmbeddedSandbox(AT_ONCE) as sandbox,
        httpx.Client(base_url=sandbox.url) as client,
    ):
        yield client


def submit(client: httpx.Client, **changes: Json) -> httpx.Response:
    body = {
        "model": "veo-3.1",
        "prompt": "A fox",
        "resolution": "720p",
        "duration": 4,
        **changes,
    }
    return client.post("/v1/videos/generations", json=body)


def link(client: httpx.Client) -> str:
    task = submit(client).json()["id"]
    while True:
        seen = client.get(f"/v1/tasks/{task}").json()
        if seen["status"] == "completed":
            return str(seen["results"][0]["url"])


class TestServing:
    def test_a_video_from_order_to_file(self, client: httpx.Client) -> None:
        url = link(client)

        reply = client.get(url)

        assert url.startswith(str(client.base_url).rstrip("/"))
        assert reply.headers["Content-Type"] == "video/mp4"
        assert reply.headers["Accept-Ranges"] == "bytes"
        assert int(reply.headers["Content-Length"]) == len(reply.content)
        with av.open(io.BytesIO(reply.content), "r") as mp4:
            assert mp4.duration == 4_000_000

    def test_head_tells_the_length(self, client: httpx.Client) -> None:
        url = link(client)

        head, whole = client.head(url), client.get(url)

        assert head.status_code == 200
        assert head.content == b""
        assert head.headers["Content-Length"] == whole.headers["Content-Length"]
        assert head.headers["ETag"] == whole.headers["ETag"]

    @pytest.mark.parametrize(
        ("wanted", "first", "last"),
        [
            pytest.param("bytes=0-0", 0, 0, id="first byte"),
            pytest.param("bytes=100-199", 100, 199, id="middle"),
            pytest.param("bytes=100-", 100, -1, id="from there on"),
            pytest.param("bytes=-100", -100, -1, id="the end"),
            pytest.param("bytes=100-99999999", 100, -1, id="more than there is"),
        ],
    )
    def test_a_range_is_a_part_of_the_file(
        self, client: httpx.Client, wanted: str, first: int, last: int
    ) -> None:
        url = link(client)
        whole = client.get(url).content

        part = client.get(url, headers={"Range": wanted})

        size = len(whole)
        start, end = first % size, last % size
        assert part.status_code == 206
        assert part.content == whole[start : end + 1]
        assert part.headers["Content-Range"] == f"bytes {start}-{end}/{size}"

    @pytest.mark.parametrize(
        "headers",
        [
            pytest.param({"Range": "bytes=0-1,4-5"}, id="two ranges"),
            pytest.param({"Range": "bytes=-"}, id="no numbers"),
            pytest.param({"Range": "lines=0-1"}, id="another unit"),
            pytest.param(
                {"Range": "bytes=0-1", "If-Range": '"old"'}, id="another file"
            ),
        ],
    )
    def test_other_ranges_are_answered_whole(
        self, client: httpx.Client, headers: dict[str, str]
    ) -> None:
        url = link(client)

        reply = client.get(url, headers=headers)

        assert reply.status_code == 200
        assert reply.content == client.get(url).content

    @pytest.mark.parametrize("wanted", ["bytes=99999999-", "bytes=5-4", "bytes=-0"])
    def test_a_range_outside_the_file_is_416(
        self, client: httpx.Client, wanted: str
    ) -> None:
        url = link(client)
        size = len(client.get(url).content)

        reply = client.get(url, headers={"Range": wanted})

        assert (reply.status_code, reply.content) == (416, b"")
        assert reply.headers["Content-Range"] == f"bytes */{size}"

    def test_a_lost_reply_is_a_broken_connection_and_a_task(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        with (
            EmbeddedSandbox(losing()) as sandbox,
            httpx.Client(base_url=sandbox.url) as client,
        ):
            submit(client)
            with caplog.at_level(logging.WARNING), pytest.raises(httpx.ReadError):
                submit(client)
            stats = client.get("/sandbox/stats").json()

        assert stats["created"] == 2
        assert stats["requests"] == {
            "POST /v1/videos/generations": {"200": 1, "dropped": 1}
        }
        assert not caplog.records

    def test_the_keys_of_the_options_hold(self) -> None:
        options = SandboxOptions(keys={"sk-a": None})

        with EmbeddedSandbox(options) as sandbox:
            statuses = [
                httpx.get(f"{sandbox.url}/v1/models", headers=headers).status_code
                for headers in ({}, {"Authorization": "Bearer sk-a"})
            ]

        assert statuses == [401, 200]

    def test_ids_and_paths_are_decoded(self, client: httpx.Client) -> None:
        task = submit(client).json()["id"]

        reply = client.get(f"/v1/tasks/{task.replace('-', '%2D')}?sync_upstream=true")

        assert reply.status_code == 200


class TestEmbedding:
    def test_it_stops_with_its_block(self) -> None:
        with EmbeddedSandbox() as sandbox:
            assert httpx.get(f"{sandbox.url}/v1/models").status_code == 200

        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{sandbox.url}/v1/models")
        assert "asyncio" not in " ".join(t.name for t in threading.enumerate())

    def test_a_port_that_is_taken_is_an_error(self) -> None:
        with EmbeddedSandbox() as sandbox:
            taken = httpx.URL(sandbox.url).port
            assert taken is not None

            with pytest.raises(OSError, match="in use"), EmbeddedSandbox(port=taken):
                pass

    @pytest.mark.anyio
    async def test_it_serves_code_inside_a_running_loop(self) -> None:
        with EmbeddedSandbox() as sandbox:
            async with httpx.AsyncClient(base_url=sandbox.url) as client:
                reply = await client.get("/v1/models")

        assert reply.status_code == 200

    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    @pytest.mark.anyio
    async def test_a_loop_can_serve_it_itself(self, anyio_backend: str) -> None:
        assert anyio_backend == "asyncio"

        async with serve() as url, httpx.AsyncClient() as client:
            reply = await client.get(f"{url}/v1/models")

        assert reply.status_code == 200


class TestRestarting:
    def test_tasks_and_credits_are_there_again(self, tmp_path: Path) -> None:
        options = SandboxOptions(keys={"sk-a": 600}, speed=1e4)
        key = {"Authorization": "Bearer sk-a"}
        with (
            EmbeddedSandbox(options, state_dir=tmp_path) as sandbox,
            httpx.Client(base_url=sandbox.url, headers=key) as client,
        ):
            first = submit(client, duration=8).json()["id"]

        with (
            EmbeddedSandbox(options, state_dir=tmp_path) as sandbox,
            httpx.Client(base_url=sandbox.url, headers=key) as client,
        ):
            seen = client.get(f"/v1/tasks/{first}").json()
            second = submit(client, duration=8).json()["id"]
            credits_ = client.get("/v1/account/credits").json()
            stats = client.get("/sandbox/stats").json()

        assert (seen["id"], seen["status"]) == (first, "completed")
        assert first != second
        assert credits_["credits_left"] == 600 - 2 * 168
        assert stats["created"] == 2
        assert list(stats["by_request_digest"].values()) == [2]

    def test_uploads_are_there_again(self, tmp_path: Path) -> None:
        with (
            EmbeddedSandbox(state_dir=tmp_path, port=(port := free_port())) as sandbox,
            httpx.Client(base_url=sandbox.url) as client,
        ):
            files = {"file": ("a.png", PNG)}
            url = client.post("/v1/files/upload/stream", files=files).json()["url"]

        with EmbeddedSandbox(state_dir=tmp_path, port=port):
            whole = httpx.get(url)
            part = httpx.get(url, headers={"Range": "bytes=1-3"})

        assert (whole.content, part.content) == (PNG, b"PNG")

    def test_an_upload_whose_content_was_deleted_is_gone(self, tmp_path: Path) -> None:
        with (
            EmbeddedSandbox(state_dir=tmp_path) as sandbox,
            httpx.Client(base_url=sandbox.url) as client,
        ):
            files = {"file": ("a.png", PNG)}
            url = client.post("/v1/files/upload/stream", files=files).json()["url"]
            for path in (tmp_path / "uploads").iterdir():
                path.unlink()

            assert client.get(url).status_code == 404

    def test_what_cannot_be_kept_is_not_promised(self, tmp_path: Path) -> None:
        (tmp_path / "uploads").touch()
        with (
            EmbeddedSandbox(state_dir=tmp_path) as sandbox,
            httpx.Client(base_url=sandbox.url) as client,
        ):
            files = {"file": ("a.png", PNG)}
            reply = client.post("/v1/files/upload/stream", files=files)

        assert reply.status_code == 500
        assert "cannot keep its records" in reply.json()["error"]["message"]

    def test_a_task_is_on_disk_when_its_reply_arrives(self, tmp_path: Path) -> None:
        with (
            EmbeddedSandbox(state_dir=tmp_path / "new") as sandbox,
            httpx.Client(base_url=sandbox.url) as client,
        ):
            task = submit(client).json()["id"]
            lines = (tmp_path / "new" / "tasks.jsonl").read_text().splitlines()

        assert [json.loads(line)["task"]["id"] for line in lines] == [task]

    def test_a_task_whose_reply_was_lost_is_on_disk_as_well(
        self, tmp_path: Path
    ) -> None:
        with (
            EmbeddedSandbox(losing(), state_dir=tmp_path) as sandbox,
            httpx.Client(base_url=sandbox.url) as client,
        ):
            submit(client)
            with pytest.raises(httpx.ReadError):
                submit(client)

            assert (tmp_path / "tasks.jsonl").read_text().count('"task":') == 2

    def test_a_killed_process_forgets_no_task_that_was_heard_of(
        self, tmp_path: Path
    ) -> None:
        script = (
            "import sys, pathlib, httpx\n"
            "from foxbatch.sandbox import EmbeddedSandbox\n"
            "state_dir = pathlib.Path(sys.argv[1])\n"
            "with EmbeddedSandbox(state_dir=state_dir) as sandbox:\n"
            "    url = f'{sandbox.url}/v1/videos/generations'\n"
            "    body = {'model': 'veo-3.1', 'prompt': 'A fox'}\n"
            "    print(httpx.post(url, json=body).json()['id'], flush=True)\n"
            "    sys.stdin.read()\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            task = process.stdout.readline().strip()
            process.kill()

        with EmbeddedSandbox(state_dir=tmp_path) as sandbox:
            seen = httpx.get(f"{sandbox.url}/v1/tasks/{task}")

        assert seen.json()["id"] == task

    def test_a_folder_that_cannot_be_used_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "state").write_text("a file")

        with (
            pytest.raises(RunDirError, match=r"cannot keep its tasks in .*state"),
            EmbeddedSandbox(state_dir=tmp_path / "state"),
        ):
            pass


class TestRunning:
    @pytest.mark.skipif(os.name == "nt", reason="signals are not for Windows")
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_it_serves_until_it_is_told_to_stop(self, number: signal.Signals) -> None:
        script = (
            "from foxbatch.sandbox import run_sandbox\n"
            "run_sandbox(on_ready=lambda url: print(url, flush=True))\n"
            "print('goodbye')\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            served = httpx.get(f"{url}/v1/models").status_code
            process.send_signal(number)
            told, complaints = process.communicate(timeout=10)

        assert (served, told.strip(), complaints) == (200, "goodbye", "")
        assert process.returncode == 0

    def test_a_keyboard_interrupt_ends_it_where_there_are_no_handlers(self) -> None:
        urls: queue.Queue[str] = queue.Queue()

        def interrupt(url: str) -> NoReturn:
            urls.put(url)
            raise KeyboardInterrupt

        run_sandbox(on_ready=interrupt)

        with pytest.raises(httpx.ConnectError):
            httpx.get(urls.get_nowait())


def test_many_clients_at_once_are_served() -> None:
    async def order(client: httpx.AsyncClient, number: int) -> None:
        body = {"model": "veo-3.1", "prompt": f"Fox {number}"}
        reply = await client.post("/v1/videos/generations", json=body)
        assert reply.status_code == 200

    async def order_many(url: str) -> None:
        async with (
            httpx.AsyncClient(base_url=url) as client,
            anyio.create_task_group() as tasks,
        ):
            for number in range(40):
                tasks.start_soon(order, client, number)

    with EmbeddedSandbox() as sandbox:
        asyncio.run(order_many(sandbox.url))
        stats = httpx.get(f"{sandbox.url}/sandbox/stats").json()

    assert (stats["created"], stats["in_flight_peak"]) == (40, 40)
