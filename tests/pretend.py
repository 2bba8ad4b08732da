"""The pretend service in a test's hands: requests in a line, a clock that is set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from foxbatch.sandbox import Reply, Request, Sandbox, SandboxOptions, handle
from foxbatch.sandbox.faults import named

START = 1_785_830_400.0
KEY = "sk-test"

VEO: Mapping[str, Any] = {"model": "veo-3.1-fast", "prompt": "A red fox in the snow"}


class Service:
    """One pretend service, and the time at which it is asked."""

    def __init__(self, plan: str = "", **options: Any) -> None:  # noqa: ANN401
        chosen = named(plan) if plan else None
        asked = SandboxOptions(plan=chosen, **options)
        self.sandbox = Sandbox(options=asked, started_at=START)
        self.now = START

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        key: str | None = KEY,
        query: Mapping[str, str] | None = None,
        **headers: str,
    ) -> Reply:
        named_headers = {n.replace("_", "-"): text for n, text in headers.items()}
        if key is not None:
            named_headers["authorization"] = f"Bearer {key}"
        request = Request(
            method=method,
            path=path,
            query=query or {},
            headers=named_headers,
            body=body,
        )
        return handle(self.sandbox, request, self.now)

    def post(
        self,
        path: str,
        value: object,
        *,
        key: str | None = KEY,
        **headers: Any,  # noqa: ANN401
    ) -> Reply:
        body = json.dumps(value).encode()
        headers = {"content_type": "application/json", **headers}
        return self.send("POST", path, body, key=key, **headers)

    def submit(self, *, key: str | None = KEY, **fields: Any) -> Reply:  # noqa: ANN401
        body = {**VEO, "generate_audio": False, **fields}
        return self.post("/v1/videos/generations", body, key=key)

    def task(self, **fields: Any) -> str:  # noqa: ANN401
        """Create a task and return its id, however the reply looked."""
        before = set(self.sandbox.tasks)
        self.submit(**fields)
        (new,) = set(self.sandbox.tasks) - before
        return new

    def query(
        self, task: str, *, key: str | None = KEY, synced: bool = False
    ) -> dict[str, Any]:
        reply = self.ask(task, key=key, synced=synced)
        assert reply.status == 200, (reply.status, reply.body)
        return said(reply)

    def ask(self, task: str, *, key: str | None = KEY, synced: bool = False) -> Reply:
        query = {"sync_upstream": "true"} if synced else {}
        return self.send("GET", f"/v1/tasks/{task}", key=key, query=query)

    def get(self, path: str, *, key: str | None = KEY, **query: str) -> Reply:
        return self.send("GET", path, key=key, query=query)

    def file(self, url: str, *, key: str | None = None) -> Reply:
        return self.get("/" + url.split("/", 3)[3], key=key)

    def later(self, seconds: float) -> None:
        self.now += seconds

    def finish(self, task: str) -> dict[str, Any]:
        """Let *task* end, and return what a query says then."""
        self.now = max(self.now, self.sandbox.tasks[task].ends_at)
        return self.query(task)


def said(reply: Reply) -> dict[str, Any]:
    """Return the JSON object in *reply*."""
    value: dict[str, Any] = json.loads(reply.body)
    return value
