"""A run directory whose ledger grows as a test wants it to: the run of another one."""

from __future__ import annotations

import shutil
from pathlib import Path

from foxbatch.events import Event, decode


class Growing:
    """Writes the facts of a finished run again, so many at a time.

    Attributes:
        path: The run directory, with all files of the finished one.
        facts: All that will be told.
    """

    def __init__(self, finished: Path, path: Path) -> None:
        shutil.copytree(finished, path, ignore=shutil.ignore_patterns("ledger"))
        (source,) = (finished / "ledger").iterdir()
        (path / "ledger").mkdir()
        self.path = path
        self.ledger = path / "ledger" / source.name
        self._lines = source.read_bytes().splitlines(keepends=True)
        self.facts: list[Event] = [decode(line) for line in self._lines]
        self._told = 0

    def tell(self, count: int) -> list[Event]:
        """Append the next *count* facts and return them."""
        begin, self._told = self._told, self._told + count
        with self.ledger.open("ab") as file:
            file.write(b"".join(self._lines[begin : self._told]))
        return self.facts[begin : self._told]

    def tell_the_rest(self) -> list[Event]:
        """Append all that was not told yet."""
        return self.tell(len(self._lines) - self._told)

    def tell_until(self, kind: type[Event]) -> Event:
        """Append facts up to the next one of that *kind*, and return that."""
        rest = self.facts[self._told :]
        place = next(i for i, fact in enumerate(rest) if isinstance(fact, kind))
        return self.tell(place + 1)[-1]
