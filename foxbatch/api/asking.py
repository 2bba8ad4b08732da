"""Records of several runs at once: as a list, as flat tables, and for SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from foxbatch.api.looking import live, read_ledger, results
from foxbatch.api.place import Place, find_run_dir
from foxbatch.events import Event
from foxbatch.ledger import ledger_files, read_facts
from foxbatch.report.ratings import picked, read_ratings
from foxbatch.results import Record, Value, as_python, flatten, records
from foxbatch.results.notebook import as_html
from foxbatch.results.sql import Database, open_database
from foxbatch.results.story import attempts_table, facts_table


class Results(list[Record]):
    """The records of one run or several: a list of them, in order.

    Attributes:
        runs: What each run is called, and its records.
    """

    def __init__(self, runs: Sequence[tuple[str, Sequence[Record]]]) -> None:
        super().__init__(record for _, found in runs for record in found)
        self.runs = runs

    def rows(self) -> list[dict[str, Value | datetime]]:
        """Return one flat row per file, or per job without one.

        Every row has every column. Moments are aware `datetime`s in UTC; what is not
        there is None. `pandas.DataFrame` takes them as they are.
        """
        table = flatten(self.runs).results
        return [
            {name: as_python(row[name], kind) for name, kind in table.columns.items()}
            for row in table.rows
        ]

    def _repr_html_(self) -> str:
        """Return a small table, which notebooks show in place of a list."""
        return as_html(self.runs)


def load_results(*runs: str | Path) -> Results:
    """Return the records of *runs*: run directories, or the manifests of them.

    A plain function: it can be called inside a running event loop, such as a
    notebook's.

    Raises:
        UsageError: There is no such run directory.
        InvalidError: It is a manifest that is wrong.
        LedgerError: A ledger cannot be trusted.
    """
    run_dirs = distinct(runs)
    labels = labels_of(run_dirs)
    return Results(
        [(label, results(run)) for label, run in zip(labels, run_dirs, strict=True)]
    )


def picked_results(run_dir: Path) -> Results:
    """Return the records of which somebody picked a file, as it is now.

    Raises:
        LedgerError: The ledger cannot be trusted.
        RunDirError: A file of ratings is damaged.
    """
    lines = read_ratings(run_dir)
    return Results(
        [(label, picked(found, lines)) for label, found in load_results(run_dir).runs]
    )


@contextmanager
def open_tables(run_dirs: Sequence[Path]) -> Iterator[Database]:
    """Give the tables `results`, `jobs`, `attempts`, `artifacts` and `facts` for SQL.

    Raises:
        LedgerError: A ledger cannot be trusted.
        MissingExtraError: DuckDB is not installed.
    """
    labels = labels_of(run_dirs)
    states = [read_ledger(run_dir).state for run_dir in run_dirs]
    told = [
        (label, state, live(state, run_dir))
        for label, state, run_dir in zip(labels, states, run_dirs, strict=True)
    ]
    flat = flatten((label, records(state, live=alive)) for label, state, alive in told)
    facts = ((label, _facts(run)) for label, run in zip(labels, run_dirs, strict=True))
    tables = {
        "results": flat.results,
        "jobs": flat.jobs,
        "attempts": attempts_table(told),
        "artifacts": flat.artifacts,
        "facts": facts_table(facts),
    }
    with open_database(tables) as database:
        yield database


def _facts(run_dir: Path) -> Iterator[Event]:
    for path in ledger_files(Place(run_dir).ledger):
        yield from read_facts(path, on_torn=lambda _: None)


def distinct(runs: Iterable[str | Path]) -> list[Path]:
    """Return the run directories that *runs* mean, each once, in order.

    Raises:
        UsageError: There is no such run directory.
        InvalidError: It is a manifest that is wrong.
    """
    found: dict[Path, Path] = {}
    for run in runs:
        path = find_run_dir(run)
        found.setdefault(path.resolve(), path)
    return list(found.values())


def labels_of(run_dirs: Sequence[Path]) -> list[str]:
    """Return a short name for each directory, as long as it takes to be unique."""
    parts = [path.resolve().parts for path in run_dirs]
    longest = max(map(len, parts), default=0)
    for length in range(1, longest + 1):
        labels = ["/".join(one[-length:]) for one in parts]
        if len(set(labels)) == len(set(parts)):
            return labels
    return ["/".join(one) for one in parts]
