"""The gallery of runs that go on: read as they are written, told as they change."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from foxbatch.canonical import Digest, JobId
from foxbatch.errors import FoxbatchError
from foxbatch.events import JobFact, RunId, RunStarted
from foxbatch.ledger import LedgerTail, ledger_files
from foxbatch.lock import live_runs
from foxbatch.processes import Process, this_process
from foxbatch.report.curl import Service, service_of
from foxbatch.report.data import Album, Axis, Cell, Details, Gallery, RunOf, RunShown
from foxbatch.report.posters import kind_of, order_for, posters_of
from foxbatch.report.ratings import Line, RatingsTail
from foxbatch.report.workshop import Order
from foxbatch.results import Record, records
from foxbatch.state import BatchState

_MOST_UNLIT = 200  # files whose posters are looked for each time


class Changes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is not as it was: cells with their places, and what they refer to."""

    cells: list[tuple[int, Cell]]
    axes: list[Axis] | None = None
    prompts: list[str] | None = None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Whether anything goes on: `live`, `ended`, `gone`, or `damaged` and why."""

    state: str
    why: str = ""


@dataclass
class _Run:
    """One run directory, and how far its ledger was read."""

    path: Path
    label: str
    base: str
    here: Process
    state: BatchState = field(default_factory=BatchState)
    tails: dict[str, LedgerTail] = field(default_factory=dict)
    live: Mapping[RunId, int] = field(default_factory=dict)
    told: set[JobId] = field(default_factory=set)
    unlit: dict[JobId, Record] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    service: Service | None = None


class Watching:
    """A gallery that follows the ledgers of its runs. Not for several threads at once.

    Each look reads only what was appended since the last one. A cell keeps its place;
    a ledger that was replaced begins the gallery anew, and moments are named anew.

    Attributes:
        standing: Whether anything goes on, as of the last look.
        opinions: Lines of ratings that came since the gallery was made, in that order.
    """

    def __init__(self, title: str, runs: Sequence[tuple[str, Path]]) -> None:
        self._title = title
        self._places = list(runs)
        self.standing = Standing(state="ended")
        self.opinions: list[Line] = []
        self._ratings = [RatingsTail(path) for _, path in self._places]
        self._here = this_process()
        self._begin()

    def _begin(self) -> None:
        self._runs = [
            _Run(path, label, base=f"files/{number}", here=self._here)
            for number, (label, path) in enumerate(self._places)
        ]
        shown = [RunShown(label=run.label, base=run.base) for run in self._runs]
        self._album = Album(self._title, shown)
        self._born = secrets.token_hex(4)
        self._now = 0
        self._changed: list[int] = []  # when, of the cell at that place
        self._axes: tuple[int, int] = (0, 0)  # how many values, and since when
        self._prompts: tuple[int, int] = (0, 0)

    @property
    def moment(self) -> str:
        """A name for what is known now; changes are asked for from there."""
        return f"{self._born}-{self._now}"

    def look(self) -> bool:
        """Read what is new; return whether anything is not as it was.

        A ledger that cannot be read is told in `standing`, and tried again.
        """
        before = self.moment, self.standing
        heard = self.hear()
        try:
            if any(map(_is_replaced, self._runs)):
                self._begin()
            self._take_news()
            live = any(run.live for run in self._runs)
            self.standing = Standing(state="live" if live else "ended")
        except (FoxbatchError, OSError) as error:
            self.standing = Standing(state="damaged", why=str(error))
        return heard or before != (self.moment, self.standing)

    def hear(self) -> bool:
        """Read what people have rated meanwhile; return whether they have."""
        news = [line for tail in self._ratings for line in tail.news()]
        self.opinions += news
        return bool(news)

    def _take_news(self) -> None:
        now = self._now + 1
        for index, run in enumerate(self._runs):
            news = _news(run)
            changed = {**run.unlit, **news}
            shown = _lit(run, changed.values())
            for record in changed.values():
                place = self._album.take(index, shown, record)
                if place is None:
                    continue
                self._now = now
                if place == len(self._changed):
                    self._changed.append(now)
                self._changed[place] = now
                _note_files(run, self._album.cells[place], record)
        values = sum(len(axis.values) for axis in self._album.axes)
        if values != self._axes[0]:
            self._axes = (values, now)
        if len(self._album.prompts) != self._prompts[0]:
            self._prompts = (len(self._album.prompts), now)

    def gallery(self) -> Gallery:
        """Return all that is shown now, without details."""
        return msgspec.structs.replace(self._album.gallery(), details=[])

    def details(self, place: int) -> Details:
        """Return the details of the cell at *place*; `IndexError` if there is none."""
        if place < 0:
            raise IndexError(place)
        return self._album.details[place]

    def since(self, moment: str) -> Changes | None:
        """Return what changed since *moment*; None where all has to be asked again."""
        born, _, number = moment.partition("-")
        if born != self._born or not number.isdecimal():
            return None
        then = int(number)
        cells = [
            (place, self._album.cells[place])
            for place, at in enumerate(self._changed)
            if at > then
        ]
        return Changes(
            cells=cells,
            axes=self._album.axes if self._axes[1] > then else None,
            prompts=self._album.prompts if self._prompts[1] > then else None,
        )

    def file(self, run: int, address: str) -> Path | None:
        """Return the file that a cell names as *address*; None where none does.

        A ledger may come from a stranger's branch: what a link leads to outside the
        run directory is none of its files.
        """
        if not 0 <= run < len(self._runs):
            return None
        folder = self._runs[run].path
        name = self._runs[run].paths.get(address)
        if name is None:
            return None
        with suppress(OSError, ValueError):
            path = (folder / name).resolve(strict=True)
            if path.is_relative_to(folder.resolve()) and path.is_file():
                return path
        return None

    def run_of(self, job: JobId, sha256: str) -> Path | None:
        """Return the run directory of *job*, if several have it that with the file."""
        having = [run for run in self._runs if job in run.state.jobs]
        for run in having:
            if any(
                stored.sha256 == sha256
                for attempt in run.state.jobs[job].attempts.values()
                for stored in attempt.artifacts.values()
            ):
                return run.path
        return having[0].path if having else None

    @property
    def folders(self) -> list[Path]:
        """The run directories."""
        return [run.path for run in self._runs]

    def unlit(self) -> Iterator[Order]:
        """Yield what would make the posters that are missing, the newest first."""
        for run in self._runs:
            for record in reversed(list(run.unlit.values())):
                for file in record.artifacts:
                    order = order_for(run.path, file, kind_of(record, file))
                    if order is not None:
                        yield order


def _is_replaced(run: _Run) -> bool:
    """Return whether a file that was read is gone, or is shorter than it was."""
    for tail in run.tails.values():
        try:
            if tail.path.stat().st_size < tail.read_bytes:
                return True
        except OSError:
            return True
    return False


def _news(run: _Run) -> dict[JobId, Record]:
    """Read on, and return the records that may have changed."""
    for path in ledger_files(run.path / "ledger"):
        tail = run.tails.setdefault(path.name, LedgerTail(path))
        if path.stat().st_size == tail.read_bytes:
            continue
        for event in tail.news():
            run.state.join(event)
            if isinstance(event, RunStarted):
                run.service = service_of(run.state, run.path)
            elif isinstance(event, JobFact):
                run.told.add(event.job)
    live = live_runs(run.state, run.path, here=run.here)
    if live != run.live:
        # What a run was about to do when it ended is now in doubt.
        run.told |= run.state.jobs.keys()
        run.live = live
    part = BatchState(jobs={job: run.state.jobs[job] for job in run.told})
    run.told = set()
    return {record.job: record for record in records(part, live=live)}


def _lit(run: _Run, changed: Iterable[Record]) -> RunOf:
    """Return the run with the posters of what *changed*, and note who has none yet."""
    having = [record for record in changed if record.artifacts]
    found = posters_of(run.path, having, make=False)
    lit: set[Digest] = {*found.pictures, *found.peaks}
    for record in having:
        if all(file.sha256 in lit for file in record.artifacts):
            run.unlit.pop(record.job, None)
        else:
            run.unlit[record.job] = record
    for job in list(run.unlit)[:-_MOST_UNLIT]:
        del run.unlit[job]
    return RunOf(
        path=run.path,
        label=run.label,
        records=(),
        base=run.base,
        posters=found.pictures,
        peaks=found.peaks,
        service=run.service,
    )


def _note_files(run: _Run, cell: Cell, record: Record) -> None:
    """Remember the only addresses that are served, and which file each one means."""
    for shown, file in zip(cell.files, record.artifacts, strict=True):
        run.paths[shown.path] = file.path
        if shown.poster is not None:
            run.paths[shown.poster] = shown.poster
