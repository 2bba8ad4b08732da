"""A sandbox in a process of its own, and what it knows for certain."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.comparison.work import SPEED

_PLANS = Path(__file__).parent / "plans"
_OUTAGE_S = 60.0  # longer than any of a plan, at this speed


@dataclass(frozen=True)
class Task:
    """A task that the service made."""

    id: str
    digest: str
    status: str
    credits: float


@dataclass(frozen=True)
class Service:
    """The sandbox: where it listens, and what it says of itself."""

    url: str

    def created(self) -> int:
        """Return how many tasks there are."""
        return int(self._told("/sandbox/stats")["created"])

    def tasks(self) -> list[Task]:
        """Return all tasks, oldest first."""
        found: list[Task] = []
        while True:
            page = self._told(f"/sandbox/tasks?offset={len(found)}")
            found += [
                Task(
                    task["id"],
                    task["request_digest"],
                    task["status"],
                    float(task["credits_reserved"]),
                )
                for task in page["tasks"]
            ]
            if not page["tasks"] or len(found) >= page["total"]:
                return found[::-1]

    def _told(self, path: str) -> dict[str, Any]:
        """Return what a page of the sandbox says, once no outage hides it."""
        give_up_at = time.monotonic() + _OUTAGE_S
        while True:
            try:
                reply = httpx.get(self.url + path, timeout=10, trust_env=False)
            except httpx.TransportError:
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(0.1)
                continue
            found: dict[str, Any] = reply.raise_for_status().json()
            return found


def plans() -> list[str]:
    """Return the names of the plans that come with the comparison."""
    return sorted(path.stem for path in _PLANS.glob("*.yaml"))


@contextmanager
def served(plan: str, seed: int, *, speed: int = SPEED) -> Iterator[Service]:
    """Serve a sandbox with that fault plan: one of the comparison's, or of foxbatch."""
    own = _PLANS / f"{plan}.yaml"
    command = [sys.executable, "-m", "foxbatch", "sandbox", "--speed", str(speed)]
    command += ["--seed", str(seed), "--faults", str(own) if own.exists() else plan]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield Service(json.loads(process.stdout.readline())["url"])
        finally:
            process.terminate()
            process.wait(timeout=20)
