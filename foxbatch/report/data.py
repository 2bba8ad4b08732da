"""What the page knows about runs: axes, cells, and the details of each cell."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

import msgspec

from foxbatch import canonical
from foxbatch.canonical import Digest, JobId, Json
from foxbatch.clock import from_text
from foxbatch.report.curl import Service, head_of
from foxbatch.report.texts import Texts
from foxbatch.results import Failure, Record, StoredFile, Times
from foxbatch.state import Phase


class RunOf(msgspec.Struct, frozen=True, kw_only=True):
    """One run directory and what came of it.

    Attributes:
        path: The run directory.
        label: What people call it; unique within a gallery.
        records: In the order of the manifest.
        posters: Pictures that stand for files, by the digest of the file; in the run
            directory.
        base: Its address as the page writes it; empty for where it is.
        peaks: How loud sounds are over their time, likewise: up to 200, 0 to 255.
        service: Where its requests go, where that is known.
    """

    path: Path
    label: str
    records: Sequence[Record]
    base: str = ""
    posters: Mapping[Digest, Path] = {}
    peaks: Mapping[Digest, list[int]] = {}
    service: Service | None = None


class RunShown(msgspec.Struct, frozen=True, kw_only=True):
    """A run, as the page knows it; `base` is its address, seen from the page."""

    label: str
    base: str


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """Something that jobs differ in.

    Attributes:
        id: `run`, `spec`, `prompt`, `model`, `repeat`, or `cell.<axis>`.
        values: In the order in which jobs first had them.
    """

    id: str
    values: list[Json]


class FileShown(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a cell; `path` and `poster` are addresses relative to the run's.

    Attributes:
        text: The beginning of what is text.
        more: Whether that is not all of it.
    """

    path: str
    sha256: Digest
    bytes: int
    kind: str
    duration_s: float | None
    width: int | None
    height: int | None
    sound: bool
    poster: str | None
    peaks: list[int] | None
    mismatch: tuple[str, ...]
    text: str | None = None
    more: bool = False


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of one job without opening it.

    Attributes:
        run: Index of its run.
        at: Index of its value on each axis of the gallery; -1 where it has none.
        prompt: Index into the texts of the gallery, or None.
        flags: Where what came is not as asked, in words.
        times: Milliseconds since 1970, by event; what did not happen is absent, and
            `ended` where files were downloaded then.
    """

    run: int
    job: JobId
    name: str
    at: list[int]
    prompt: int | None
    model: str
    kind: str
    phase: Phase
    error: Failure | None
    files: list[FileShown]
    credits: float | None
    latency_s: float | None
    flags: tuple[str, ...]
    times: dict[str, int]


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of one job when it is opened.

    Attributes:
        request: The exact body, as JSON for people.
        curl: The command that would send it again, up to the body.
    """

    spec: str
    repeat: int
    request: str
    curl: str | None
    task: str | None
    attempts: int
    times: Times
    reported_model: str | None
    request_id: str | None
    manifest: str
    line: int


class Gallery(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a page shows.

    Attributes:
        cells: In the order of runs and manifests.
        details: Of the cell at the same index.
        prompts: Texts, each once.
    """

    v: int = 1
    title: str
    runs: list[RunShown]
    axes: list[Axis]
    prompts: list[str]
    cells: list[Cell]
    details: list[Details]


_Point: TypeAlias = Mapping[str, Json]


def gallery(title: str, runs: Sequence[RunOf], *, beside: Path) -> Gallery:
    """Return what a page in the folder *beside* shows of *runs*.

    Args:
        title: For people.
        runs: In the order in which they are compared.
        beside: The folder of the page: addresses of files are relative to it.
    """
    bases = [run.base or _base(run.path, beside) for run in runs]
    shown = [
        RunShown(label=run.label, base=base)
        for run, base in zip(runs, bases, strict=True)
    ]
    album = Album(title, shown)
    for index, run in enumerate(runs):
        for record in run.records:
            album.take(index, run, record)
    return album.gallery()


class Album:
    """A gallery that grows: a cell keeps its place, also when it changes.

    Values of an axis are the same where their canonical JSON is: 1 and 1.0 are, 1 and
    "1" are not.

    Attributes:
        axes: In the order in which a job first had them.
        cells: In the order in which they came.
        details: Of the cell at the same index.
    """

    def __init__(self, title: str, runs: Sequence[RunShown]) -> None:
        self.axes: list[Axis] = []
        self.cells: list[Cell] = []
        self.details: list[Details] = []
        self._title = title
        self._runs = list(runs)
        self._order: dict[str, int] = {}  # of axes
        self._values: list[dict[bytes, int]] = []
        self._texts: dict[str, int] = {}
        self._begins = Texts()
        self._places: dict[tuple[int, JobId], int] = {}

    @property
    def prompts(self) -> list[str]:
        """Texts, each once."""
        return list(self._texts)

    def take(self, index: int, run: RunOf, record: Record) -> int | None:
        """Put in the job of *record*; return its place, None where nothing changed.

        Args:
            index: Of the run among those of the gallery.
            run: Where the files are, and their posters.
            record: All about the job.
        """
        several = len(self._runs) > 1
        at = self._place(_point(run.label, record, several=several))
        text = None
        if record.prompt is not None:
            text = self._texts.setdefault(record.prompt.text, len(self._texts))
        files = [_file(file, record, run, self._begins) for file in record.artifacts]
        cell = _cell(record, files, index=index, at=at, prompt=text)
        details = _details(record, run)
        place = self._places.setdefault((index, record.job), len(self.cells))
        if place == len(self.cells):
            self.cells.append(cell)
            self.details.append(details)
        elif (cell, details) == (self.cells[place], self.details[place]):
            return None
        else:
            self.cells[place] = cell
            self.details[place] = details
        return place

    def gallery(self) -> Gallery:
        """Return all that is in it now."""
        for cell in self.cells:  # older ones have no place on axes that came later
            cell.at.extend([-1] * (len(self.axes) - len(cell.at)))
        return Gallery(
            title=self._title,
            runs=list(self._runs),
            axes=[Axis(id=axis.id, values=list(axis.values)) for axis in self.axes],
            prompts=self.prompts,
            cells=list(self.cells),
            details=list(self.details),
        )

    def _place(self, point: _Point) -> list[int]:
        """Return where *point* lies on each axis; those that are missing are made."""
        found: dict[int, int] = {}
        for name, value in point.items():
            number = self._order.setdefault(name, len(self.axes))
            if number == len(self.axes):
                self.axes.append(Axis(id=name, values=[]))
                self._values.append({})
            axis, known = self.axes[number], self._values[number]
            key = canonical.encode(value)
            if key not in known:
                known[key] = len(axis.values)
                axis.values.append(value)
            found[number] = known[key]
        return [found.get(number, -1) for number in range(len(self.axes))]


def _point(run: str, record: Record, *, several: bool) -> _Point:
    """Return the value of *record* on each axis that it has."""
    prompt: dict[str, Json] = {}
    if record.prompt is not None:
        prompt = {"prompt": record.prompt.id}
    cell = {
        f"cell.{axis}": value
        for axis, value in record.cell.items()
        if (axis, value) != ("model", record.model)  # it has that axis already
    }
    return {
        **({"run": run} if several else {}),
        "spec": record.spec,
        **prompt,
        "model": record.model,
        **_plain(cell),
        "repeat": record.repeat,
    }


def _plain(values: Mapping[str, object]) -> dict[str, Json]:
    plain: dict[str, Json] = msgspec.to_builtins(values)
    return plain


def _cell(
    record: Record,
    files: list[FileShown],
    *,
    index: int,
    at: list[int],
    prompt: int | None,
) -> Cell:
    return Cell(
        run=index,
        job=record.job,
        name=record.name,
        at=at,
        prompt=prompt,
        model=record.model,
        kind=record.kind,
        phase=record.phase,
        error=record.error,
        files=files,
        credits=record.credits,
        latency_s=record.latency_s,
        flags=record.flags,
        times=_milliseconds(record.times),
    )


def _file(file: StoredFile, record: Record, run: RunOf, begins: Texts) -> FileShown:
    media, poster = file.media, run.posters.get(file.sha256)
    text, more = begins.of(run.path, file)
    return FileShown(
        path=quote(file.path),
        sha256=file.sha256,
        bytes=file.bytes,
        kind=record.kind if media.kind == "unchecked" else media.kind,
        duration_s=media.duration_s,
        width=media.width,
        height=media.height,
        sound=media.audio_codec is not None,
        poster=None if poster is None else _below(poster, run.path),
        peaks=run.peaks.get(file.sha256),
        mismatch=file.mismatch,
        text=text,
        more=more,
    )


def _below(path: Path, folder: Path) -> str:
    return quote(path.relative_to(folder).as_posix())


def _milliseconds(times: Times) -> dict[str, int]:
    said: dict[str, str | None] = msgspec.structs.asdict(times)
    if times.downloaded is not None:
        del said["ended"]  # the same moment
    return {
        event: round(from_text(at).timestamp() * 1000)
        for event, at in said.items()
        if at is not None
    }


def _details(record: Record, run: RunOf) -> Details:
    return Details(
        spec=record.spec,
        repeat=record.repeat,
        request=_as_text(record.request),
        curl=head_of(run.service, record.endpoint),
        task=record.task,
        attempts=record.attempts,
        times=record.times,
        reported_model=record.reported_model,
        request_id=record.request_id,
        manifest=record.manifest.sha256,
        line=record.manifest.line,
    )


def _as_text(body: Mapping[str, object]) -> str:
    # Not left to a browser: it knows no whole numbers of more than 53 bits.
    return msgspec.json.format(msgspec.json.encode(body), indent=2).decode()


def _base(path: Path, beside: Path) -> str:
    """Return the address of *path* as a page in the folder *beside* writes it.

    Raises:
        ValueError: They are on different drives.
    """
    relative = os.path.relpath(path.resolve(), beside.resolve())
    return quote(Path(relative).as_posix())
