"""A service that knows only the documented contract, for tests and by hand.

It shares no code with foxbatch, its sandbox included, and is written from the public
pages alone: submit, query, download. Run it by hand with

    python tests/acceptance/plain_service.py

It prints its address. `GET /counts` tells what it was asked.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

KEY = "sk-plain-0123456789"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


class PlainService:
    """Serves on a free loopback port in a thread of its own, inside a `with` block.

    Attributes:
        url: Where it listens.
        created: Task ids by request body, in the order of creation.
        requests: How often each route was asked.
        keys_seen_by_files: Authorization headers that reached the file route.
    """

    def __init__(self, video: bytes, *, task_s: float = 0.2) -> None:
        self.url = ""
        self.created: dict[str, list[str]] = {}
        self.requests: Counter[str] = Counter()
        self.keys_seen_by_files: list[str] = []
        self._video = video
        self._task_s = task_s
        self._tasks: dict[str, tuple[float, str]] = {}
        self._rng = random.Random(1)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def _connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                request_line, *lines = head.decode("latin-1").split("\r\n")
                headers = dict(
                    line.lower().split(": ", 1) for line in lines if ": " in line
                )
                keys = re.findall(r"(?im)^authorization: (.*?)\r?$", head.decode())
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, target, _ = request_line.split(" ")
                status, kind, answer = self._answer(method, target, keys, body)
                writer.write(
                    f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n"
                    f"content-length: {len(answer)}\r\n\r\n".encode()
                    + answer
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(
        self, method: str, target: str, keys: list[str], body: bytes
    ) -> tuple[int, str, bytes]:
        path = target.partition("?")[0]
        if path == "/counts":
            return _json(200, {"created": len(self._tasks), **self.requests})
        if path.startswith("/files/"):
            self.requests["files"] += 1
            self.keys_seen_by_files += keys
            return 200, "video/mp4", self._video
        if keys != [f"Bearer {KEY}"]:
            return _error(401, "authentication_error", "the key is wrong")
        if (method, path) == ("POST", "/v1/videos/generations"):
            self.requests["submit"] += 1
            return self._submit(body)
        if method == "GET" and path.startswith("/v1/tasks/"):
            self.requests["query"] += 1
            return self._query(path.rpartition("/")[2])
        return _error(404, "not_found", "there is no such route")

    def _submit(self, body: bytes) -> tuple[int, str, bytes]:
        asked = json.loads(body)
        if asked.get("model") not in ("veo-3.1", "veo-3.1-fast"):
            return _error(422, "invalid_request_error", "model does not exist")
        tail = "".join(self._rng.choices(_ALPHABET, k=8))
        task = f"task-unified-{int(time.time())}-{tail}"
        self._tasks[task] = (time.monotonic(), asked["model"])
        self.created.setdefault(json.dumps(asked, sort_keys=True), []).append(task)
        return _json(200, self._view(task, "pending", 0, None))

    def _query(self, task: str) -> tuple[int, str, bytes]:
        if task not in self._tasks:
            return _error(404, "not_found", "the task does not exist")
        age_s = time.monotonic() - self._tasks[task][0]
        if age_s < self._task_s:
            progress = int(100 * age_s / self._task_s)
            return _json(200, self._view(task, "processing", progress, None))
        results = [{"url": f"{self.url}/files/{task}"}]
        return _json(200, self._view(task, "completed", 100, results))

    def _view(
        self,
        task: str,
        status: str,
        progress: int,
        results: list[dict[str, str]] | None,
    ) -> dict[str, object]:
        return {
            "created": int(task.split("-")[2]),
            "id": task,
            "model": self._tasks[task][1],
            "object": "video.generation.task",
            "progress": progress,
            "results": results,
            "status": status,
            "task_info": {"can_cancel": True, "estimated_time": 45},
            "type": "video",
            "usage": {"credits_reserved": 10, "user_group": "default"},
        }


def _json(status: int, value: object) -> tuple[int, str, bytes]:
    return status, "application/json", json.dumps(value).encode()


def _error(status: int, kind: str, message: str) -> tuple[int, str, bytes]:
    return _json(status, {"error": {"message": message, "type": kind}})


if __name__ == "__main__":
    with PlainService(b"\0\0\0\x18ftypisom" + bytes(1000)) as service:
        sys.stdout.write(f"{service.url} (key {KEY}); Ctrl-C ends it\n")
        sys.stdout.flush()
        threading.Event().wait()
