"""A run that is killed again and again: nothing is bought twice, nothing is lost."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.acceptance.conftest import MakeShell, Shell

MANIFEST = """\
foxbatch: 1
name: crashes
provider: foxapi
jobs:
  - id: sweep
    model: veo-3.1-fast
    prompts: [A fox in the snow, A fox in the rain, A fox at sea]
    matrix:
      axes:
        seed: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
        aspect_ratio: [16:9, 9:16]
    params: {duration: 4, resolution: 720p, generate_audio: false}
limits: {in_flight: 30, requests_per_second: 40, downloads: 4}
"""
JOBS = 60
KILLS = 10


@contextmanager
def served_sandbox(shell: Shell, *arguments: str) -> Iterator[str]:
    """Serve a sandbox of its own process; give its address."""
    with shell.start("sandbox", "--state", "state", *arguments) as process:
        try:
            assert process.stdout is not None
            url: str = json.loads(process.stdout.readline())["url"]
            yield url
        finally:
            process.terminate()
            process.communicate(timeout=20)


def stats(url: str) -> dict[str, object]:
    reply = httpx.get(f"{url}/sandbox/stats")
    found: dict[str, object] = reply.raise_for_status().json()
    return found


@pytest.mark.parametrize("seed", [1])
def test_ten_kills_at_random_moments_buy_nothing_twice(
    shell: MakeShell, seed: int
) -> None:
    """`kill -9` ten times, then one run to the end.

    The sandbox lives in a process of its own, so it knows what was really created.
    """
    rng = random.Random(seed)
    home = shell()
    with served_sandbox(home, "--speed", "100") as url:
        terminal = shell(FOXAPI_API_KEY="sk-test-crashes", FOXAPI_BASE_URL=url)
        (terminal.folder / "crashes.yaml").write_text(MANIFEST)
        run_dir = terminal.folder / "runs" / "crashes@foxapi"
        for _ in range(KILLS):
            kill_after_some_facts(terminal, run_dir, rng.randint(1, 60))

        done = terminal.run("run", "crashes.yaml", "--yes", "--format", "json")
        again = terminal.run("run", "crashes.yaml", "--yes", "--format", "json")
        service = stats(url)

    counts = json.loads(done.stdout)["counts"]
    assert set(counts) <= {"done", "held"}
    assert sum(counts.values()) == JOBS
    assert done.returncode == (11 if counts.get("held") else 0), done.stderr
    assert json.loads(again.stdout)["submitted"] == 0
    intents = [fact for fact in facts(run_dir) if fact["event"] == "submit.intended"]
    created = service["created"]
    assert isinstance(created, int)
    assert counts["done"] <= created <= len(intents)
    by_digest = service["by_request_digest"]
    assert isinstance(by_digest, dict)
    assert set(by_digest.values()) == {1}, "a request was created twice"
    files = [path for path in (run_dir / "artifacts").rglob("*.mp4") if path.is_file()]
    assert len(files) == counts["done"]


def kill_after_some_facts(terminal: Shell, run_dir: Path, number: int) -> None:
    """Start the run and kill it once it has written *number* facts, or has ended.

    Facts are written where something just happened, so this hits moments that matter.
    """
    known = set((run_dir / "ledger").glob("*.jsonl"))
    with terminal.start("run", "crashes.yaml", "--yes") as process:
        while process.poll() is None:
            mine = set((run_dir / "ledger").glob("*.jsonl")) - known
            if any(path.read_bytes().count(b"\n") >= number for path in mine):
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.005)
        process.kill()
        process.communicate()


def facts(run_dir: Path) -> list[dict[str, object]]:
    files = sorted((run_dir / "ledger").glob("*.jsonl"))
    return [json.loads(line) for p in files for line in p.read_bytes().splitlines()]
