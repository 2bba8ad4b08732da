"""A pretend service in a process of its own, and what it knows to be true."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from foxbatch.sandbox import SandboxOptions, run_sandbox

KEY = "sk-test-crashes"
KEY_NAME = "FOXBATCH_KEY_FAST"


def write_provider(path: Path, url: str) -> None:
    """Write a provider file: the service at *url*, asked more often than the real one.

    It is fast, and whoever waits five seconds for an answer tests little meanwhile.
    """
    lines = (
        "foxbatch: 1",
        "like: foxapi",
        "id: fast",
        "title: Fast",
        f"base_url: {url}",
        f"key_env: {KEY_NAME}",
        "paid: true",
        "polling: {first_s: 0.05, interval_s: 0.05}",
    )
    path.write_text("\n".join(lines) + "\n")


def digest_of(request: dict[str, Any]) -> str:
    """Return the service's name of a request: its digest with sorted keys."""
    text = json.dumps(
        request, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Service:
    """Where it listens, and where its memory is.

    Attributes:
        pid: Its process.
    """

    url: str
    state: Path
    pid: int = 0

    def stats(self) -> dict[str, Any]:
        """Return what it counts about itself."""
        reply = httpx.get(f"{self.url}/sandbox/stats", trust_env=False, timeout=60)
        found: dict[str, Any] = reply.raise_for_status().json()
        return found

    def tasks(self, words: str = "") -> dict[str, str]:
        """Return the digest of the request that made each task, by id.

        Args:
            words: Only of requests with these words in them.
        """
        made = {}
        with (self.state / "tasks.jsonl").open("rb") as file:
            for line in file:
                if words.encode() not in line:
                    continue
                record = json.loads(line)
                if "task" in record:
                    made[record["task"]["id"]] = record["task"]["digest"]
        return made


@contextmanager
def serving(
    state: Path, *, speed: float = 1000.0, faults: str = "", port: int = 0
) -> Iterator[Service]:
    """Serve from another process until the block ends.

    Args:
        state: The folder of its memory; what an earlier one made is there again.
        speed: How much faster than real it is.
        faults: The name or the file of a plan; empty for none.
        port: 0 takes a free one.
    """
    command = [sys.executable, "-m", "tests.crashes.service"]
    typed = [str(state), str(speed), faults, str(port)]
    with subprocess.Popen(
        [*command, *typed], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield Service(process.stdout.readline().strip(), state, process.pid)
        finally:
            process.terminate()


def _serve(state: str, speed: str, faults: str, port: str) -> None:
    from functools import partial

    from foxbatch.sandbox.faults import choose
    from foxbatch.sandbox.media import RecipeCache, stand_in
    from foxbatch.sandbox.web import hot

    # Real files, but few different ones: drawing them takes longer than all the rest.
    setattr(hot, "RecipeCache", partial(RecipeCache, stand_in))  # noqa: B010
    plan = choose(faults) if faults else None
    run_sandbox(
        SandboxOptions(speed=float(speed), plan=plan),
        on_ready=lambda url: print(url, flush=True),  # noqa: T201  it is read
        port=int(port),
        state_dir=Path(state),
    )


if __name__ == "__main__":
    _serve(*sys.argv[1:])
