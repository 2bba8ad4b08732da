"""The same command goes on: after an interruption, a torn line, on another machine."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.conftest import MakeShell, Shell

MANIFEST = """\
foxbatch: 1
name: onward
provider: sandbox
jobs:
  - id: sweep
    model: veo-3.1-fast
    prompts: [A fox in the snow, A fox in the rain]
    matrix:
      axes:
        duration: [4, 6]
        aspect_ratio: [16:9, 9:16]
    params: {resolution: 720p, generate_audio: false}
"""


@pytest.fixture
def terminal(shell: MakeShell) -> Shell:
    """Return a shell beside a manifest of eight jobs."""
    made = shell()
    (made.folder / "onward.yaml").write_text(MANIFEST)
    return made


def run_dir_of(terminal: Shell) -> Path:
    return terminal.folder / "runs" / "onward@sandbox"


def wait_for(process: subprocess.Popen[str], beginning: str) -> None:
    """Read the process's standard error up to a line that begins like that."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(beginning):
            return
    raise AssertionError(f"the process ended without {beginning!r}")


def test_a_second_run_submits_nothing_and_says_so(terminal: Shell) -> None:
    first = terminal.run("run", "onward.yaml", "--format", "json")
    second = terminal.run("run", "onward.yaml")

    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert json.loads(first.stdout)["submitted"] == 8
    assert "Nothing to submit" in second.stderr
    assert "accepted job=" not in second.stderr
    assert len(list((run_dir_of(terminal) / "ledger").iterdir())) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_how_to_go_on_and_does(
    terminal: Shell, number: signal.Signals
) -> None:
    with terminal.start("run", "onward.yaml", "--speed", "10") as process:
        wait_for(process, "accepted")
        process.send_signal(number)
        _, stderr = process.communicate(timeout=10)

    assert process.returncode == 130
    assert "foxbatch run onward.yaml" in stderr
    assert ended_because(run_dir_of(terminal)) == "interrupted"
    done = terminal.run("run", "onward.yaml", "--speed", "100", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"] == {"done": 8}


def test_stop_after_leaves_tasks_running_and_collect_fetches_them(
    terminal: Shell,
) -> None:
    slow = ("--speed", "20", "--detach", "--format", "json")
    left = terminal.run("run", "onward.yaml", *slow)
    collected = terminal.run("collect", str(run_dir_of(terminal)), "--format", "json")

    assert left.returncode == 0, left.stderr
    assert json.loads(left.stdout)["submitted"] == 8
    assert collected.returncode == 0, collected.stderr
    assert json.loads(collected.stdout)["counts"] == {"done": 8}
    assert json.loads(collected.stdout)["submitted"] == 0


def test_a_second_writer_is_refused_and_told_who_writes(terminal: Shell) -> None:
    with terminal.start("run", "onward.yaml", "--speed", "1") as process:
        wait_for(process, "accepted")
        second = terminal.run("run", "onward.yaml")
        status = terminal.run("status", "onward.yaml", "--format", "json")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)

    assert second.returncode == 4
    assert f"process {process.pid}" in second.stderr
    assert json.loads(status.stdout)["running_pid"] == process.pid


def test_a_torn_last_line_is_ignored_and_said(terminal: Shell) -> None:
    terminal.run("run", "onward.yaml", "--format", "json")
    (ledger,) = (run_dir_of(terminal) / "ledger").iterdir()
    lines = ledger.read_bytes().splitlines(keepends=True)
    # Back to before the last success, in the middle of writing it.
    last = max(n for n, line in enumerate(lines) if b"job.succeeded" in line)
    ledger.write_bytes(b"".join(lines[:last]) + lines[last][:40])

    again = terminal.run("run", "onward.yaml", "--format", "json")

    assert again.returncode == 0, again.stderr
    summary = json.loads(again.stdout)
    assert (summary["counts"], summary["submitted"]) == ({"done": 8}, 0)
    assert any("unfinished line" in problem for problem in summary["problems"])


def test_damage_in_the_middle_is_refused_with_its_place(terminal: Shell) -> None:
    terminal.run("run", "onward.yaml", "--format", "json")
    (ledger,) = (run_dir_of(terminal) / "ledger").iterdir()
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join([*lines[:10], b"{}\n", *lines[11:]]))

    again = terminal.run("run", "onward.yaml")

    assert again.returncode == 4
    assert f"{ledger.name}:11:" in again.stderr


def test_a_rehearsal_cannot_pass_for_a_purchase(shell: MakeShell) -> None:
    """The directory of one service is refused for another one."""
    terminal = shell(FOXAPI_API_KEY="sk-test", FOXAPI_BASE_URL="http://127.0.0.1:9")
    (terminal.folder / "onward.yaml").write_text(MANIFEST)
    terminal.run("run", "onward.yaml", "--out", "mixed")

    other = terminal.run(
        "run", "onward.yaml", "--out", "mixed", "--provider", "foxapi", "--yes"
    )

    assert other.returncode == 4
    assert "sandbox" in other.stderr
    assert "--out" in other.stderr


def test_ids_survive_reformatting_comments_and_reordered_keys(
    terminal: Shell,
) -> None:
    reformatted = """\
# A comment.
jobs:
- params:
    generate_audio: no-longer-used
    resolution: "720p"
  matrix: {axes: {duration: [4, 6], aspect_ratio: ["16:9", '9:16']}}
  prompts:
    - >-
      A fox in
      the snow
    - "A fox in the rain"   # quoted
  model: veo-3.1-fast
  id: sweep
provider: sandbox
name: other-name
foxbatch: 1
""".replace("no-longer-used", "false")
    (terminal.folder / "other.yaml").write_text(reformatted)

    expanded = [
        terminal.run("expand", name, "--format", "jsonl").stdout.splitlines()
        for name in ("onward.yaml", "other.yaml")
    ]

    first, second = ([json.loads(line)["job"] for line in each] for each in expanded)
    assert len(first) == 8
    assert first == second


def ended_because(run_dir: Path) -> str:
    (ledger,) = (run_dir / "ledger").iterdir()
    last = json.loads(ledger.read_bytes().splitlines()[-1])
    assert last["event"] == "run.ended"
    return str(last["why"])
