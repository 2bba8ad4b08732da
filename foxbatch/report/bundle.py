"""The gallery and all its files in one ZIP, which opens anywhere once unpacked."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import msgspec

from foxbatch.canonical import Digest
from foxbatch.durable import sync_folder
from foxbatch.errors import MissingExtraError, RunDirError
from foxbatch.report.data import RunOf, gallery
from foxbatch.report.page import page_of
from foxbatch.report.posters import FOLDER, Watch, is_kept, kind_of, whole, why_unable
from foxbatch.report.workshop import Order, work
from foxbatch.results import StoredFile

_PAGE = "report.html"
_POSTERS = "posters"  # some unpackers hide or leave out names with a dot
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # equal runs make equal bytes, whenever
_READABLE = 0o644 << 16
_UNIX = 3
_BLOCK_BYTES = 1 << 20
_UNSAFE = re.compile(r"[^\w.@-]+", re.ASCII)
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
_NAME_LETTERS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundled:
    """What went into a bundle.

    Attributes:
        files: Results, without their posters.
        notes: What is not as somebody may expect, in words.
    """

    files: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    path: Path


def write_bundle(
    title: str,
    runs: Sequence[RunOf],
    path: Path,
    *,
    proxy_lines: int = 0,
    watch: Watch | None = None,
) -> Bundled:
    """Write the page of *runs* to *path*, with their files; whole or not at all.

    Equal runs make equal bytes. Nothing but files that a ledger names, whole and inside
    their run directory, gets in.

    Args:
        title: Headline of the page.
        runs: As for `gallery`.
        path: The ZIP.
        proxy_lines: The shorter side of films in it, in pixels; 0 for as they are.
        watch: Told how many of how many films are made smaller.

    Raises:
        MissingExtraError: Films cannot be made smaller here.
        RunDirError: It cannot be written. What was there is as it was.
    """
    proxies: list[dict[Digest, Path]] = [{} for _ in runs]
    if proxy_lines:
        proxies = [proxies_of(run, proxy_lines, watch=watch) for run in runs]
    names = folder_names([run.label for run in runs])
    inside = [
        _Inside(run, name, smaller)
        for run, name, smaller in zip(runs, names, proxies, strict=True)
    ]
    shown = gallery(title, [one.as_unpacked() for one in inside], beside=Path())
    page = page_of(shown)
    members = [member for one in inside for member in one.members()]
    try:
        _write(path, page, members)
    except OSError as error:
        raise RunDirError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="Mend that, or name another place with -o.",
        ) from error
    missing = sum(one.missing for one in inside)
    notes = _missing_note(missing)
    return Bundled(files=sum(one.files for one in inside), notes=notes)


def _missing_note(missing: int) -> tuple[str, ...]:
    if missing == 0:
        return ()
    files = "1 file is" if missing == 1 else f"{missing:,} files are"
    return (f"{files} not in it: missing here, or not as stored; ask foxbatch verify",)


class _Inside:
    """One run as it is inside a bundle."""

    def __init__(self, run: RunOf, name: str, smaller: Mapping[Digest, Path]) -> None:
        self._run, self._name, self._smaller = run, name, smaller
        found: dict[str, StoredFile] = {}
        for record in run.records:
            for file in record.artifacts:
                found.setdefault(file.path, file)
        self._there = {
            name: (file, source)
            for name, file in found.items()
            if (source := whole(run.path, file)) is not None
        }
        self.missing = len(found) - len(self._there)
        self.files = len(self._there)
        self._posters = {
            sha256: poster for sha256, poster in run.posters.items() if is_kept(poster)
        }

    def as_unpacked(self) -> RunOf:
        """Return the run as a page beside its files has to know it."""
        records = [
            msgspec.structs.replace(
                record, artifacts=tuple(map(self._as_unpacked, record.artifacts))
            )
            for record in self._run.records
        ]
        posters = {
            sha256: self._run.path / _POSTERS / poster.name
            for sha256, poster in self._posters.items()
        }
        return msgspec.structs.replace(
            self._run, base=self._name, records=records, posters=posters
        )

    def _as_unpacked(self, file: StoredFile) -> StoredFile:
        return msgspec.structs.replace(file, path=self._path(file))

    def _path(self, file: StoredFile) -> str:
        changed = file.sha256 in self._smaller and not file.path.endswith(".mp4")
        return f"{file.path}.mp4" if changed else file.path

    def members(self) -> Iterator[_Member]:
        """Yield what is beside the page, in an order that equal runs share."""
        for _, (file, source) in sorted(self._there.items()):
            path = self._smaller.get(file.sha256, source)
            yield _Member(f"{self._name}/{self._path(file)}", path)
        for poster in sorted(set(self._posters.values())):
            yield _Member(f"{self._name}/{_POSTERS}/{poster.name}", poster)


def folder_names(labels: Sequence[str]) -> list[str]:
    """Return a name for each label that is a folder on every system; all different."""
    names: list[str] = []
    for label in labels:
        plain = (
            _UNSAFE.sub("-", label).strip("-.")[:_NAME_LETTERS].rstrip("-.") or "run"
        )
        name = plain = f"run-{plain}" if _RESERVED.fullmatch(plain) else plain
        number = 2
        while name.lower() in {known.lower() for known in (*names, _PAGE)}:
            name, number = f"{plain}-{number}", number + 1
        names.append(name)
    return names


def proxies_of(
    run: RunOf, lines: int, *, watch: Watch | None = None
) -> dict[Digest, Path]:
    """Return films of *run* made smaller, by the digest of the film, kept by content.

    A film that would not become smaller is not among them.

    Raises:
        MissingExtraError: Nothing can be made here.
    """
    if find_spec("av") is None or find_spec("PIL") is None:
        raise MissingExtraError("making films smaller", "media")
    if why := why_unable(run.path):
        raise RunDirError(why, hint="Mend that, or leave --proxy out.")
    wanted: dict[Digest, tuple[Order, int]] = {}
    for record in run.records:
        for file in record.artifacts:
            source = whole(run.path, file)
            if kind_of(record, file) == "video" and source and file.sha256.isalnum():
                target = run.path / FOLDER / f"{file.sha256}-{lines}p.mp4"
                order = Order(
                    job="proxy", source=str(source), target=str(target), lines=lines
                )
                wanted.setdefault(file.sha256, (order, file.bytes))
    missing = [o for o, _ in wanted.values() if not is_kept(Path(o.target))]
    for number, _ in enumerate(work(missing), start=1):
        if watch is not None:
            watch(number, len(missing))
    return {
        sha256: path
        for sha256, (order, size) in wanted.items()
        if is_kept(path := Path(order.target)) and path.stat().st_size < size
    }


def _write(path: Path, page: bytes, members: Sequence[_Member]) -> None:
    """Write a ZIP piece by piece under another name, then give it its own."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    try:
        with temporary.open("xb") as file:
            with zipfile.ZipFile(file, "w") as bundle:
                entry = _entry(_PAGE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                bundle.writestr(entry, page)
                for member in members:
                    _add(bundle, member)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def _add(bundle: zipfile.ZipFile, member: _Member) -> None:
    """Store a file as it is: media do not become smaller."""
    entry = _entry(member.name)
    with member.path.open("rb") as source:
        entry.file_size = os.fstat(source.fileno()).st_size
        with bundle.open(entry, "w") as target:
            while block := source.read(_BLOCK_BYTES):
                target.write(block)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _LONG_AGO)
    entry.create_system = _UNIX
    entry.external_attr = _READABLE
    return entry
