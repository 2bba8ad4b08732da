"""What a good engineer writes in an hour: submit, poll, download, retry, resume.

`careful.py REQUESTS STATE FOLDER`, where a line of REQUESTS has a name and a request.
Task ids are written to STATE as soon as they are known; a second run goes on there.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

BASE, KEY = os.environ["FOXAPI_BASE_URL"], os.environ["FOXAPI_API_KEY"]
IN_FLIGHT, POLL_S = int(os.environ["IN_FLIGHT"]), float(os.environ["POLL_S"])
PATIENCE_S, ATTEMPTS = float(os.environ["PATIENCE_S"]), int(os.environ["ATTEMPTS"])
TRIES = 8
TRANSIENT = {404, 408, 429, 500, 502, 503, 504}


class FailedError(Exception):
    """The service says that a task failed."""


class State:
    """The ids of tasks, in a file that is replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tasks: dict[str, str] = (
            json.loads(path.read_text()) if path.exists() else {}
        )

    def set(self, name: str, task: str | None) -> None:
        """Remember a task, or forget one that failed."""
        self.tasks.pop(name, None)
        if task is not None:
            self.tasks[name] = task
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(json.dumps(self.tasks))
        temporary.replace(self.path)


async def retried(send: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """Try again, with growing waits, what broke or was answered with 429 or 5xx."""
    problem: Exception | None = None
    for number in range(TRIES):
        wait_s = min(30.0, 0.5 * 2**number) * random.uniform(0.5, 1)
        try:
            reply = await send()
            if reply.status_code not in TRANSIENT:
                return reply.raise_for_status()
            after = reply.headers.get("retry-after", "")
            wait_s = max(wait_s, min(float(after), 60)) if after.isdigit() else wait_s
            problem = httpx.HTTPStatusError(
                f"{reply.status_code}", request=reply.request, response=reply
            )
        except httpx.TransportError as error:
            problem = error
        if number < TRIES - 1:
            await asyncio.sleep(wait_s)
    raise problem or TimeoutError


class Batch:
    """All that jobs share."""

    def __init__(self, client: httpx.AsyncClient, state: State, folder: Path) -> None:
        self.client, self.state, self.folder = client, state, folder
        self.slots = asyncio.Semaphore(IN_FLIGHT)

    async def job(self, name: str, request: dict[str, object]) -> bool:
        """Make one file, and return whether it is there."""
        target = self.folder / f"{name}.mp4"
        async with self.slots:
            for _ in range(ATTEMPTS):
                if target.exists():
                    return True
                try:
                    if name not in self.state.tasks:
                        self.state.set(name, await self.submit(request))
                    await self.download(await self.poll(self.state.tasks[name]), target)
                except FailedError as error:
                    print(f"{name}: {error}", file=sys.stderr)
                    self.state.set(name, None)
                except (httpx.HTTPError, TimeoutError, ValueError, KeyError) as error:
                    print(f"{name}: {error!r}", file=sys.stderr)
        return target.exists()

    async def submit(self, request: dict[str, object]) -> str:
        path = f"{BASE}/v1/videos/generations"
        reply = await retried(lambda: self.client.post(path, json=request, timeout=60))
        return str(reply.json()["id"])

    async def poll(self, task: str) -> str:
        path = f"{BASE}/v1/tasks/{task}"
        async with asyncio.timeout(PATIENCE_S):
            while True:
                reply = await retried(lambda: self.client.get(path, timeout=15))
                seen = reply.json()
                if seen["status"] == "completed" and seen.get("results"):
                    return str(seen["results"][0]["url"])
                if seen["status"] in ("failed", "cancelled"):
                    raise FailedError(seen.get("error"))
                await asyncio.sleep(POLL_S)

    async def download(self, url: str, target: Path) -> None:
        async with httpx.AsyncClient(follow_redirects=True, timeout=60) as plain:
            reply = await retried(lambda: plain.get(url))
        temporary = target.with_suffix(".part")
        temporary.write_bytes(reply.content)
        temporary.replace(target)


async def main(requests: Path, state: Path, folder: Path) -> int:
    """Make all files; return 1 if any is missing."""
    folder.mkdir(exist_ok=True)
    jobs = [json.loads(line) for line in requests.read_text().splitlines()]
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}) as client:
        batch = Batch(client, State(state), folder)
        made = await asyncio.gather(*(batch.job(j["name"], j["request"]) for j in jobs))
    print(f"{sum(made)} of {len(jobs)} files", file=sys.stderr)
    return int(not all(made))


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*map(Path, sys.argv[1:]))))
