"""Whoever stops a run, the ledger says so within 5 s, and the same command goes on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import MakeShell, Shell

if sys.platform == "win32":
    pytest.skip("needs POSIX signals", allow_module_level=True)

import fcntl
import pty
import termios

RUN = ("run", "slow.yaml", "--speed", "1")
WITHIN_S = 5.0
MANIFEST = """\
foxbatch: 1
name: slow
provider: sandbox
jobs:
  - id: clip
    model: veo-3.1-fast
    prompts: [A fox in the snow, A fox in the rain, A fox at sea]
    params: {duration: 4, resolution: 720p, generate_audio: false}
"""


@pytest.fixture
def terminal(shell: MakeShell) -> Shell:
    """Return a shell beside a manifest of jobs that take a minute each."""
    made = shell()
    (made.folder / "slow.yaml").write_text(MANIFEST)
    return made


def read_until(process: subprocess.Popen[str], words: str, *, times: int = 1) -> None:
    """Read what is said until so many lines have these words."""
    assert process.stderr is not None
    for line in process.stderr:
        times -= words in line
        if not times:
            return
    raise AssertionError("the process ended early")


def facts(terminal: Shell) -> list[dict[str, object]]:
    (ledger,) = (terminal.folder / "runs" / "slow@sandbox" / "ledger").iterdir()
    return [json.loads(line) for line in ledger.read_bytes().splitlines()]


def goodbye(terminal: Shell) -> tuple[object, object]:
    """Return why the run ended, and how many jobs stand where."""
    last = facts(terminal)[-1]
    assert last["event"] == "run.ended", last
    return last["why"], last["counts"]


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda one: one.name
)
def test_one_signal_is_recorded_in_time(
    terminal: Shell, number: signal.Signals
) -> None:
    with terminal.start(*RUN) as process:
        read_until(process, "accepted job=", times=3)
        began = time.monotonic()
        process.send_signal(number)
        process.communicate(timeout=20)

    assert time.monotonic() - began < WITHIN_S
    assert process.returncode == 130
    assert goodbye(terminal) == ("interrupted", {"running": 3})


def test_a_second_signal_stops_at_once_and_is_recorded_too(terminal: Shell) -> None:
    """As CI services do it: SIGINT, and SIGTERM soon after. Here a POST hangs."""
    plan = terminal.folder / "hang.yaml"
    plan.write_text(
        "foxbatch: 1\nrules:\n"
        "  - {name: silent, on: submit, when: {nth: 2}, do: {delay: 1m}}\n"
    )
    with terminal.start(*RUN, "--faults", str(plan), "-vv") as process:
        read_until(process, "submit.intended", times=2)
        process.send_signal(signal.SIGINT)
        read_until(process, "interrupted")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)

    assert time.monotonic() - began < 2
    assert process.returncode == 130
    why, counts = goodbye(terminal)
    assert why == "interrupted"
    assert isinstance(counts, dict)
    assert counts["held"] == 1


def test_a_closed_terminal_is_recorded_though_nobody_can_be_told(
    terminal: Shell,
) -> None:
    """The terminal is gone before the signal is heard: every write to it fails."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "foxbatch", *RUN],
        cwd=terminal.folder,
        env=terminal.environment() | {"TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_own_terminal,  # noqa: PLW1509  no threads here
    ) as process:
        os.close(theirs)
        said = b""
        while said.count(b"accepted job=") < 3:
            said += os.read(ours, 4096)
        began = time.monotonic()
        os.close(ours)  # the system sends SIGHUP to who has this terminal
        process.wait(20)

    assert time.monotonic() - began < WITHIN_S
    assert process.returncode == 130
    assert goodbye(terminal) == ("interrupted", {"running": 3})


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_nohup_outlives_its_terminal(terminal: Shell) -> None:
    """What is ignored when the run begins stays ignored."""
    with _ignored(signal.SIGHUP), terminal.start(*RUN) as process:
        read_until(process, "accepted job=", times=3)
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)

    assert goodbye(terminal) == ("interrupted", {"running": 3})


@contextlib.contextmanager
def _ignored(number: signal.Signals) -> Iterator[None]:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, before)


def test_a_suspended_run_goes_on_when_it_is_woken(terminal: Shell) -> None:
    with terminal.start("run", "slow.yaml", "--speed", "15") as process:
        read_until(process, "accepted job=", times=3)
        # Not SIGTSTP: no terminal stops a group of processes that is nobody's child.
        process.send_signal(signal.SIGSTOP)
        _until_stopped(process.pid)
        process.send_signal(signal.SIGCONT)
        _, told = process.communicate(timeout=60)

    assert process.returncode == 0, told
    assert goodbye(terminal) == ("done", {"done": 3})


def _until_stopped(pid: int) -> None:
    _, status = os.waitpid(pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_goes_away_changes_nothing(terminal: Shell, stream: str) -> None:
    """As `| head -1` does."""
    command = ("run", "slow.yaml", "--speed", "1000", "--format", "json")
    with terminal.start(*command, "--faults", "lost-reply") as process:
        closed = process.stdout if stream == "stdout" else process.stderr
        assert closed is not None
        closed.close()
        setattr(process, stream, None)
        process.communicate(timeout=60)

    why, counts = goodbye(terminal)
    assert why == "done"
    assert isinstance(counts, dict)
    assert counts.get("held")
    assert process.returncode == 11


def test_the_log_of_a_run_outlives_a_full_disk(terminal: Shell) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no disk that is always full")

    ended = terminal.run("run", "slow.yaml", "--speed", "1000", "--log-file", str(full))

    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("warning: the log /dev/full cannot be written") == 1


SUSPENDED = """\
import os, signal, sys, time
from pathlib import Path

import anyio

from foxbatch.access import decide
from foxbatch.client import ServiceClient, http
from foxbatch.clock import SystemClock
from foxbatch.provider import load_provider

http._SILENT_SUBMIT_S = 1.0


async def main():
    provider = load_provider("sandbox", base=Path())
    access = decide(provider, environ={}, dotenv={}, base_url=sys.argv[1])
    async with ServiceClient(provider, access, clock=SystemClock()) as client:
        print("ready", flush=True)
        print(await client.submit("/v1/videos/generations", b"{}"))


anyio.run(main)
"""


def test_an_answer_that_came_while_we_were_suspended_is_read(tmp_path: Path) -> None:
    """Suspended for longer than a submission may take: that is no reason to hold it."""
    body = b'{"id": "task-1", "status": "pending"}'
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        subprocess.Popen(
            [sys.executable, "-c", SUSPENDED, f"http://127.0.0.1:{listening(server)}"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        connection, _ = server.accept()
        with connection:
            connection.recv(65_536)
            process.send_signal(signal.SIGSTOP)
            _until_stopped(process.pid)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            time.sleep(1.5)  # real time: the process's own clock must see it pass
            process.send_signal(signal.SIGCONT)
            told, _ = process.communicate(timeout=20)

    assert "Accepted(task='task-1'" in told


def listening(server: socket.socket) -> int:
    port: int = server.getsockname()[1]
    return port
