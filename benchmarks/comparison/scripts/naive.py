"""The first thing that works: one retry around submit, poll and download.

`naive.py REQUESTS FOLDER`. What has a file is left out, so a second run goes on.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from tenacity import RetryError, Retrying, stop_after_attempt, wait_random_exponential

BASE, KEY = os.environ["FOXAPI_BASE_URL"], os.environ["FOXAPI_API_KEY"]
IN_FLIGHT, POLL_S = int(os.environ["IN_FLIGHT"]), float(os.environ["POLL_S"])
PATIENCE_S = float(os.environ["PATIENCE_S"])
FOLDER = Path(sys.argv[2])

client = httpx.Client(headers={"Authorization": f"Bearer {KEY}"}, timeout=60)
retried = Retrying(
    stop=stop_after_attempt(8), wait=wait_random_exponential(0.5, max=30)
)


def make(name: str, request: dict[str, object]) -> None:
    reply = client.post(f"{BASE}/v1/videos/generations", json=request)
    task = reply.raise_for_status().json()["id"]
    deadline = time.monotonic() + PATIENCE_S
    while True:
        seen = client.get(f"{BASE}/v1/tasks/{task}").raise_for_status().json()
        if seen["status"] == "completed":
            break
        if seen["status"] == "failed" or time.monotonic() > deadline:
            raise RuntimeError(f"{task} is {seen['status']}: {seen.get('error')}")
        time.sleep(POLL_S)
    url = seen["results"][0]["url"]
    video = httpx.get(url, follow_redirects=True, timeout=60).raise_for_status()
    (FOLDER / f"{name}.mp4").write_bytes(video.content)


def made(line: str) -> bool:
    job = json.loads(line)
    if not (FOLDER / f"{job['name']}.mp4").exists():
        try:
            retried(make, job["name"], job["request"])
        except RetryError as error:
            print(f"{job['name']}: {error.last_attempt.exception()!r}", file=sys.stderr)
            return False
    return True


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        ok = list(pool.map(made, Path(sys.argv[1]).read_text().splitlines()))
    sys.exit(int(not all(ok)))
