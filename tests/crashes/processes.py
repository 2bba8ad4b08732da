"""foxbatch as a real process that is really killed, many times a second.

The harness has imported everything already and forks: the child is a process like any
other, and needs no half second to begin.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import foxbatch.__main__
import foxbatch.api
import foxbatch.cli
from tests.crashes.failpoints import Trap, install
from tests.crashes.service import KEY, KEY_NAME
from tests.simulation.mutants import MUTANTS

PATIENCE_S = 60.0

# What a command loads when it is first used, loaded once for all children.
PRELOADED = (foxbatch.api.run, foxbatch.api.settle_all, foxbatch.cli.main)


@dataclass(frozen=True)
class Kill:
    """Where a process is killed.

    Attributes:
        place: A label of a failpoint; `lines` for so many lines in the ledger, seen
            from outside; empty for nowhere.
        nth: At which passing, from 1.
    """

    place: str = ""
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.place}#{self.nth}" if self.place else "-"

    @classmethod
    def read(cls, text: str) -> Kill:
        """Return what `str` wrote."""
        place, _, nth = text.partition("#")
        return cls(place, int(nth)) if nth else cls()


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        code: Its exit code; minus the signal that killed it.
    """

    code: int
    stdout: str
    stderr: str

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


@dataclass
class Terminal:
    """A folder to type commands in.

    Attributes:
        mutant: What is broken in foxbatch, by its name; empty for nothing.
        log: What all commands said on stderr.
    """

    folder: Path
    mutant: str = ""
    log: list[str] = field(default_factory=list)

    def type(
        self, *words: str, kill: Kill | None = None, trace: Path | None = None
    ) -> Ended:
        """Run a command to its end, or to where it is killed."""
        kill = kill or Kill()
        out, err = self.folder / "stdout.txt", self.folder / "stderr.txt"
        before = _lines(self.folder)
        pid = os.fork()
        if not pid:
            self._become(words, kill, trace, out, err)
        watch = kill.place == "lines"
        code = _wait(pid, lambda: watch and _lines(self.folder) - before >= kill.nth)
        ended = Ended(code, out.read_text(), err.read_text())
        self.log.append(ended.stderr)
        return ended

    def _become(
        self,
        words: tuple[str, ...],
        kill: Kill,
        trace: Path | None,
        out: Path,
        err: Path,
    ) -> None:
        """Be foxbatch, in a child of the harness. Never returns."""
        code = 99
        try:
            os.chdir(self.folder)
            for number, path in ((0, Path(os.devnull)), (1, out), (2, err)):
                flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC
                os.dup2(os.open(path, flags), number)
            kept = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
            os.environ.clear()
            os.environ.update(kept, NO_COLOR="1", FOXBATCH_ACTOR="somebody")
            os.environ[KEY_NAME] = KEY
            with ExitStack() as broken:
                for mutant in MUTANTS:
                    if mutant.name == self.mutant:
                        broken.enter_context(mutant.patch())
                if kill.place != "lines":
                    install(Trap(kill.place, kill.nth, trace))
                code = foxbatch.__main__.main(words)
                sys.stdout.flush()
        finally:
            os._exit(code)


def _lines(folder: Path) -> int:
    paths = folder.glob("runs/*/ledger/*.jsonl")
    return sum(path.read_bytes().count(b"\n") for path in paths)


def _wait(pid: int, enough: Callable[[], bool]) -> int:
    """Return how *pid* ended; kill it once that is due, or after a long while."""
    ends = time.monotonic() + PATIENCE_S
    pause_s = 0.001
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if enough():
            os.kill(pid, signal.SIGKILL)
        elif time.monotonic() > ends:
            os.kill(pid, signal.SIGABRT)
        time.sleep(pause_s)
