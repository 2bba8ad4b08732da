"""What a ledger says of its jobs, one after the other.

A fold of everything takes as much memory as all jobs together. Whoever wants each of
them once, in a given order, needs no more than to know where its facts stand: a first
pass checks every line and notes the places, a second one reads them again, some jobs at
a time. That costs a second decoding, and little memory beside these jobs and places.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from foxbatch.canonical import JobId
from foxbatch.errors import LedgerError
from foxbatch.events import AttemptFact, Event, JobPlanned, RunId, decode
from foxbatch.ledger import LedgerTail, cannot_read, ledger_files
from foxbatch.state import JobState, fold


class LedgerIndex:
    """Knows where in a folder of ledger files the facts of each job stand.

    Nobody may append to the files before the last job is read.

    Args:
        folder: The `ledger/` folder; one that is not there is empty.
        first: Jobs that come before the others, in this order, known or not.

    Attributes:
        torn: Names of files that end in an unfinished line, which was ignored.
        names: Name of the file that each run wrote; of several copies the last.

    Raises:
        LedgerError: A file cannot be trusted.
    """

    def __init__(self, folder: Path, first: Iterable[JobId] = ()) -> None:
        self.torn: list[str] = []
        self.names: dict[RunId, str] = {}
        self._first = dict.fromkeys(first)
        self._paths = ledger_files(folder)
        # Twelve bytes per fact: where it stands, and the number of the one before it
        # about the same job, from 1. Then the last one of each job.
        self._places = array("Q")
        self._before = array("I")
        self._last: dict[JobId, int] = {}
        self._planned: dict[JobId, tuple[str, RunId, int]] = {}
        for number, path in enumerate(self._paths):
            self._note(number, path)

    def _note(self, number: int, path: Path) -> None:
        """Note where the facts of one file stand, and check them."""
        tail = LedgerTail(path)
        begins, run = 0, None
        for fact in tail.news():
            if isinstance(fact, AttemptFact | JobPlanned):
                self._places.append(begins * len(self._paths) + number)
                self._before.append(self._last.get(fact.job, 0))
                self._last[fact.job] = len(self._places)
            if isinstance(fact, JobPlanned) and fact.job not in self._first:
                key = fact.at, fact.run, fact.seq
                self._planned[fact.job] = max(self._planned.get(fact.job, key), key)
            begins, run = tail.read_bytes, fact.run
        if tail.torn:
            self.torn.append(path.name)
        if run is not None:
            self.names[run] = path.name

    def jobs(self, *, at_a_time: int = 200) -> Iterator[JobState]:
        """Yield what is known of each job: of the first ones, then of the rest.

        The rest comes in the order in which it was first written down.

        Args:
            at_a_time: How many are in memory together.

        Raises:
            LedgerError: A file cannot be read any more.
        """
        rest = sorted(self._last.keys() - self._first.keys(), key=self._order)
        order = iter((*self._first, *rest))
        while some := list(islice(order, at_a_time)):
            state = fold(self._facts(some))
            for job in some:
                yield state.jobs.get(job, JobState(job))

    def _order(self, job: JobId) -> tuple[str, int, JobId]:
        at, _, seq = self._planned.get(job, ("~", "", 0))
        return at, seq, job

    def _facts(self, jobs: Iterable[JobId]) -> Iterator[Event]:
        """Yield the facts about *jobs*, each file from its beginning to its end."""
        begins: dict[int, list[int]] = defaultdict(list)
        for job in jobs:
            fact = self._last.get(job, 0)
            while fact:
                begin, number = divmod(self._places[fact - 1], len(self._paths))
                begins[number].append(begin)
                fact = self._before[fact - 1]
        for number in sorted(begins):
            yield from _read(self._paths[number], sorted(begins[number]))


def _read(path: Path, begins: Iterable[int]) -> Iterator[Event]:
    """Yield the facts of one file whose lines begin at some places.

    Raises:
        LedgerError: It is not what it was.
    """
    try:
        with path.open("rb") as file:
            for begin in begins:
                file.seek(begin)
                # NULs may follow a line that lacks its line feed.
                yield decode(file.readline().rstrip(b"\0"))
    except OSError as error:
        raise cannot_read(path, error) from error
    except ValueError as error:
        raise LedgerError(
            f"{path} was changed while it was read: {error}",
            hint="Type the same command again.",
        ) from None
