"""One writer per run directory, whoever else tries, and who it is."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from foxbatch.errors import LedgerError, RunDirError, RunDirLockedError
from foxbatch.events import SubmitIntended, encode
from foxbatch.ledger import read_folder
from foxbatch.lock import DirLock, last_writer, live_runs
from foxbatch.processes import Process
from foxbatch.state import fold
from tests.facts import (
    ACCEPTED,
    ENDED,
    FIRST,
    JOB,
    LATER_RUN,
    PLANNED,
    RUN,
    STARTED,
    STATUS,
    at,
    file_of,
)

INTENDED = SubmitIntended(job=JOB, attempt=FIRST)
LIFE = file_of(RUN, [STARTED, PLANNED, INTENDED, ACCEPTED, STATUS, ENDED])
LINES = [encode(event) for event in LIFE]
HERE = Process(host="workstation")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run" / "ledger"


HOLDER = """
import os, sys
from pathlib import Path
from foxbatch.clock import SystemClock
from foxbatch.events import Origin, RunStarted
from foxbatch.ledger import LedgerWriter, new_run_id
from foxbatch.lock import DirLock

home = Path(sys.argv[1])
with DirLock(home):
    if "speechless" not in sys.argv:
        writer = LedgerWriter(home / "ledger", new_run_id(), SystemClock())
        origin = Origin("foxapi", "https://api.example")
        writer.append(RunStarted(origin=origin, host="workstation", pid=os.getpid()))
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(run_dir: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Hold the lock of *run_dir* in another process."""
    command = [sys.executable, "-c", HOLDER, str(run_dir), *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


class TestLock:
    def test_a_second_process_is_told_who_is_writing(self, tmp_path: Path) -> None:
        home = tmp_path / "run"

        with (
            holder(home) as process,
            pytest.raises(RunDirLockedError) as caught,
            DirLock(home),
        ):
            pytest.fail("two writers")

        owner = f"process {process.pid} on {HERE.host}"
        said = f"{home} is being written by {owner}, started 2"
        assert str(caught.value).startswith(said)

    def test_an_owner_that_has_not_said_its_name_is_still_an_owner(
        self, tmp_path: Path
    ) -> None:
        with (
            holder(tmp_path, "speechless"),
            pytest.raises(RunDirLockedError, match="another process"),
            DirLock(tmp_path),
        ):
            pytest.fail("two writers")

    def test_the_lock_goes_with_its_process(self, tmp_path: Path) -> None:
        with holder(tmp_path) as process:
            process.kill()
            process.wait()

            with DirLock(tmp_path):
                assert live_runs(
                    read_folder(tmp_path / "ledger").state, tmp_path, here=HERE
                )

    def test_a_lock_can_be_taken_again(self, tmp_path: Path) -> None:
        lock = DirLock(tmp_path)

        for _ in range(2):
            with lock, pytest.raises(RunDirLockedError), DirLock(tmp_path):
                pytest.fail("two writers")

    def test_a_place_that_is_no_folder_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "run").write_text("a file")

        with pytest.raises(LedgerError, match="cannot be written: File exists"):
            DirLock(tmp_path / "run").__enter__()

    @pytest.mark.parametrize(
        "number",
        [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS],
        ids=errno.errorcode.get,
    )
    def test_a_file_system_without_locks_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        """Two runs could buy the same there."""
        fcntl = pytest.importorskip("fcntl", reason="POSIX only")

        def flock(_handle: int, _operation: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", flock)
        (tmp_path / ".lock").touch()

        with pytest.raises(RunDirError, match="cannot lock a file") as caught:
            DirLock(tmp_path).__enter__()

        assert "--out" in caught.value.hint
        assert live_runs(fold(LIFE[:3]), tmp_path, here=HERE) == {}

    def test_of_many_processes_at_once_one_wins_and_the_others_are_told(
        self, tmp_path: Path
    ) -> None:
        """Started together, round after round, each with its own ledger file."""
        rounds, at_once = 3, 8
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", RACER, str(tmp_path / "run"), str(rounds)]
        racers = [
            subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
            for _ in range(at_once)
        ]
        won, told = [], []
        try:
            for number in range(rounds):
                for line in [answer(racer) for racer in racers]:
                    assert line == "ready\n"
                for racer in racers:
                    say(racer, "go")
                said = [answer(racer) for racer in racers]
                won.append(said.count("won\n"))
                told += [line for line in said if line != "won\n"]
                for racer in racers:
                    say(racer, "over")
                assert len(list((tmp_path / "run" / "ledger").iterdir())) == number + 1
        finally:
            for racer in racers:
                racer.kill()
                racer.communicate()

        assert won == [1] * rounds
        assert all(" is being written by " in line for line in told)
        named = {int(pid) for pid in re.findall(r"by process (\d+) on", "".join(told))}
        assert named <= {racer.pid for racer in racers}
        assert len(read_folder(tmp_path / "run" / "ledger").state.runs) == rounds


RACER = """
import sys
from pathlib import Path
from foxbatch.api.provenance import start_fact
from foxbatch.canonical import Digest
from foxbatch.clock import SystemClock
from foxbatch.errors import RunDirLockedError
from foxbatch.events import Origin, RunEnded
from foxbatch.ledger import LedgerWriter, new_run_id
from foxbatch.lock import DirLock

home = Path(sys.argv[1])
origin = Origin("foxapi", "https://api.example")
start = start_fact(origin, folder=home, environ={}, provider_sha256=Digest(""))
for _ in range(int(sys.argv[2])):
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        with DirLock(home):
            writer = LedgerWriter(home / "ledger", new_run_id(), SystemClock())
            writer.append(start, durable=True)
            print("won", flush=True)
            sys.stdin.readline()
            writer.append(RunEnded(why="done"))
            writer.close()
    except RunDirLockedError as error:
        print(error, flush=True)
        sys.stdin.readline()
"""


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def say(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def kept(folder: Path, content: bytes, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


class TestHolding:
    def test_ends_when_somebody_removes_the_file(self, tmp_path: Path) -> None:
        with DirLock(tmp_path) as lock:
            assert lock.holds()
            (tmp_path / ".lock").unlink()
            assert not lock.holds()

    @pytest.mark.skipif(os.name == "nt", reason="a file in use cannot be removed")
    def test_ends_when_another_process_locks_a_new_one(self, tmp_path: Path) -> None:
        with DirLock(tmp_path) as lock:
            (tmp_path / ".lock").unlink()
            with holder(tmp_path):
                assert not lock.holds()


class TestWhoIsAlive:
    def test_the_run_whose_process_holds_the_lock(self, tmp_path: Path) -> None:
        with holder(tmp_path) as process:
            state = read_folder(tmp_path / "ledger").state

            live = live_runs(state, tmp_path, here=HERE)
            assert list(live.values()) == [process.pid]
            assert live.keys() == state.runs.keys()
            assert live_runs(state, tmp_path, here=Process(host="laptop")) == {}

        assert live_runs(state, tmp_path, here=HERE) == {}

    def test_nobody_where_no_lock_ever_was(self, tmp_path: Path) -> None:
        assert live_runs(fold(LIFE[:3]), tmp_path, here=HERE) == {}

    def test_nobody_where_every_run_ended(self, tmp_path: Path) -> None:
        with DirLock(tmp_path):
            assert live_runs(fold(LIFE), tmp_path, here=HERE) == {}

    def test_only_the_newest_of_several_that_did_not_end(self, tmp_path: Path) -> None:
        state = fold([*LIFE[:3], *file_of(LATER_RUN, [STARTED], start_s=60)])

        with DirLock(tmp_path):
            assert live_runs(state, tmp_path, here=HERE) == {LATER_RUN: 4711}

    def test_nobody_where_the_lock_cannot_be_tried(self, tmp_path: Path) -> None:
        (tmp_path / ".lock").mkdir()

        assert live_runs(fold(LIFE[:3]), tmp_path, here=HERE) == {}

    def test_the_last_writer_of_a_damaged_ledger_is_just_another_process(
        self, folder: Path
    ) -> None:
        kept(folder, b"{}\n{}\n", "1.jsonl")

        assert last_writer(folder) == "another process"

    def test_the_last_writer_is_the_newest_that_did_not_end(self, folder: Path) -> None:
        kept(folder, b"".join(LINES), "1.jsonl")
        assert last_writer(folder) == "another process"

        kept(folder, encode(file_of(LATER_RUN, [STARTED], start_s=60)[0]), "2.jsonl")
        assert last_writer(folder) == f"process 4711 on {HERE.host}, started {at(61)}"
