"""Posters of the files of a run, kept by content so that each is made once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeAlias, cast

from foxbatch.canonical import Digest
from foxbatch.errors import RunDirError
from foxbatch.report.workshop import Job, Order, work
from foxbatch.results import Record, StoredFile

FOLDER = ".posters"
"""Where they are kept, in the run directory. It may be removed: they are made anew."""

Watch: TypeAlias = Callable[[int, int], None]
"""Told how many of how many are made."""

_SUFFIX: Mapping[str, str] = {"video": ".webp", "image": ".webp", "audio": ".json"}
_MOST_PEAKS, _LOUDEST = 200, 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Posters:
    """What stands for the files of a run, by the digest of the file.

    Attributes:
        pictures: Of films and images.
        peaks: Of sounds: how loud they are over their time, from 0 to 255.
        made: How many were made now.
        without: How many files could have one, and cannot be read.
        unable: Why none can be made here, in words; empty where they can.
    """

    pictures: Mapping[Digest, Path] = field(default_factory=dict)
    peaks: Mapping[Digest, list[int]] = field(default_factory=dict)
    made: int = 0
    without: int = 0
    unable: str = ""


def why_unable(run_dir: Path) -> str:
    """Return why no poster can be made there, in words; empty if the folder is ready.

    Raises:
        RunDirError: The folder is a link, which may lead anywhere.
    """
    if find_spec("av") is None or find_spec("PIL") is None:
        return "they need packages: type pip install 'foxbatch[media]'"
    folder = run_dir / FOLDER
    if folder.is_symlink():
        raise RunDirError(
            f"{folder} is a link to {folder.readlink()}",
            hint="Remove it: a run directory keeps its files to itself.",
        )
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        return f"{folder} cannot be made: {error.strerror or error}"
    return "" if os.access(folder, os.W_OK) else f"{folder} cannot be written"


def posters_of(
    run_dir: Path,
    records: Iterable[Record],
    *,
    make: bool = True,
    watch: Watch | None = None,
) -> Posters:
    """Return the posters of all files of *records*; *make* those that are missing.

    A file that cannot be read has none. Nothing else in the directory is touched, and
    no lock is needed: whoever else makes the same poster makes the same bytes.

    Raises:
        RunDirError: The folder is a link.
    """
    files = list(_files(records))
    kept = _kept(run_dir)
    missing = _missing(run_dir, files, kept) if make else []
    unable = why_unable(run_dir) if missing else ""
    made = 0
    if missing and not unable:
        made = _made(missing, watch or (lambda _done, _all: None))
        kept = _kept(run_dir)
    pictures: dict[Digest, Path] = {}
    peaks: dict[Digest, list[int]] = {}
    for file, kind in files:
        name = f"{file.sha256}{_SUFFIX.get(kind, '')}"
        if name not in kept or kind not in _SUFFIX or file.sha256 in peaks:
            continue
        path = run_dir / FOLDER / name
        if kind != "audio":
            pictures[file.sha256] = path
        elif (found := read_peaks(path)) is not None:
            peaks[file.sha256] = found
    return Posters(
        pictures=pictures,
        peaks=peaks,
        made=made,
        without=0 if unable else len(missing) - made,
        unable=unable,
    )


def _kept(run_dir: Path) -> set[str]:
    """Return the names of the posters that are there; a link is none."""
    folder = run_dir / FOLDER
    if folder.is_symlink():
        return set()
    try:
        with os.scandir(folder) as entries:
            return {one.name for one in entries if one.is_file(follow_symlinks=False)}
    except OSError:
        return set()


def _missing(
    run_dir: Path, files: Iterable[tuple[StoredFile, str]], kept: Container[str]
) -> list[Order]:
    found: dict[tuple[Digest, str], Order] = {}
    for file, kind in files:
        name = f"{file.sha256}{_SUFFIX.get(kind, '')}"
        if (file.sha256, kind) in found or name in kept:
            continue
        order = order_for(run_dir, file, kind)
        if order is not None:
            found[file.sha256, kind] = order
    return list(found.values())


def _made(missing: list[Order], watch: Watch) -> int:
    made = 0
    watch(0, len(missing))
    for number, (_, done) in enumerate(work(missing), start=1):
        made += done
        watch(number, len(missing))
    return made


def _files(records: Iterable[Record]) -> Iterator[tuple[StoredFile, str]]:
    """Yield each file with what it is."""
    for record in records:
        for file in record.artifacts:
            yield file, kind_of(record, file)


def kind_of(record: Record, file: StoredFile) -> str:
    """Return what a file is; where that was not checked, what was asked for."""
    return record.kind if file.media.kind == "unchecked" else file.media.kind


class Kept(Protocol):
    """A file as a ledger or a record tells of it."""

    @property
    def path(self) -> str:
        """Relative to the run directory, POSIX."""

    @property
    def sha256(self) -> Digest:
        """Of its bytes."""

    @property
    def bytes(self) -> int:
        """Its size."""


def order_for(run_dir: Path, file: Kept, kind: str) -> Order | None:
    """Return what makes the poster of *file*; None where there is nothing to show."""
    if kind not in _SUFFIX or not file.sha256.isalnum():
        return None
    source = whole(run_dir, file)
    if source is None:
        return None
    target = run_dir / FOLDER / f"{file.sha256}{_SUFFIX[kind]}"
    return Order(job=cast("Job", kind), source=str(source), target=str(target))


def whole(run_dir: Path, file: Kept) -> Path | None:
    """Return where *file* is; None if it is not there, not whole, or not of the run.

    A ledger or a link out of a stranger's checkout may name any file of this machine.
    """
    place = PurePosixPath(file.path)
    if place.is_absolute() or ".." in place.parts:
        return None
    path = run_dir.joinpath(*place.parts)
    try:
        inside = path.resolve().is_relative_to(run_dir.resolve())
        return path if inside and path.stat().st_size == file.bytes else None
    except (OSError, ValueError):
        return None


def is_kept(path: Path) -> bool:
    """Return whether there is such a file; a link to one is not it."""
    return path.is_file() and not path.is_symlink()


def read_peaks(path: Path) -> list[int] | None:
    """Return what is kept at *path*, None if it is no list of peaks."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(found, list) or not 0 < len(found) <= _MOST_PEAKS:
        return None
    sound = all(type(peak) is int and 0 <= peak <= _LOUDEST for peak in found)
    return found if sound else None
