"""The `artifacts` folder of a run directory.

A file is written under `artifacts/.partial/`, put on disk, and then renamed: under its
own name it is always whole. Everything is done on the caller's thread.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NoReturn

from foxbatch.canonical import Digest, JobId
from foxbatch.durable import Fsync, sync_folder
from foxbatch.errors import RunDirError

HEAD_BYTES = 512
"""How much of the start of a file is remembered, to tell what it is."""

_FOLDER = "artifacts"
_PARTIAL = ".partial"
_ID_CHARACTERS = 6
_NAME_BYTES = 255
_BLOCK_BYTES = 1 << 20
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_EXTENSION = re.compile(r"[a-z0-9]{1,8}")
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f\\:]")


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that is whole and on disk.

    Attributes:
        path: Relative to the run directory, POSIX.
        sha256: Of its bytes.
        bytes: Its size.
    """

    path: str
    sha256: Digest
    bytes: int


class Partial:
    """A file on its way. It grows at its end; its digest is known all the time.

    Attributes:
        path: Where it grows.
        size: Bytes so far.
        head: The first of them.
        source: Where it comes from; whoever downloads sets this and the next.
        validator: What the server called this version of the file, for resuming.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.head = b""
        self.source = ""
        self.validator: str | None = None
        self._sha256 = hashlib.sha256()
        self._file: BinaryIO | None = None
        self._begun = False

    def append(self, chunk: bytes) -> None:
        """Write *chunk* at the end.

        Raises:
            RunDirError: The disk is full or does not take it.
        """
        try:
            if self._file is None:
                self._file = self._open()
            self._file.write(chunk)
        except OSError as error:
            _refuse(error, self.path)
        self._note(chunk)

    def _note(self, chunk: bytes) -> None:
        self._sha256.update(chunk)
        self.size += len(chunk)
        if len(self.head) < HEAD_BYTES:
            self.head += chunk[: HEAD_BYTES - len(self.head)]

    def _open(self) -> BinaryIO:
        if self._begun:
            return self.path.open("ab")
        # What an earlier process left there is not known to be the same file, and may
        # be a link to another one.
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        file = self.path.open("xb")
        self._begun = True
        return file

    def take(self, source: Path) -> None:
        """Become the file at *source*: under a second name of it, or as a copy.

        A hard link costs no space, and a file that is whole is never written to. Some
        file systems have none, and between two of them there is none.

        Raises:
            RunDirError: The file cannot be read, or the disk is full.
        """
        self.reset()
        note = self._note if self._link(source) else self.append
        try:
            with source.open("rb") as file:
                while chunk := file.read(_BLOCK_BYTES):
                    note(chunk)
        except OSError as error:
            _refuse(error, self.path)

    def _link(self, source: Path) -> bool:
        """Return whether *source* has this name too now."""
        if not os.access(source, os.W_OK):
            return False  # only what can be opened for writing can be put on the disk
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.unlink(missing_ok=True)
            os.link(source.resolve(), self.path)
        except OSError:
            return False
        self._begun = True
        return True

    def reset(self) -> None:
        """Forget everything that was written."""
        self.close()
        self.size, self.head, self.validator = 0, b"", None
        self._sha256 = hashlib.sha256()
        self._begun = False

    def close(self) -> None:
        """Close the file; it may grow again later."""
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            file.close()
        except OSError as error:
            _refuse(error, self.path)

    @property
    def sha256(self) -> Digest:
        """Digest of what was written so far."""
        return Digest(self._sha256.hexdigest())


class Store:
    """Keeps the files of one run directory. Needs the directory's lock."""

    def __init__(self, run_dir: Path, *, fsync: Fsync | None = None) -> None:
        """Use the directory *run_dir*; *fsync* puts a file on disk."""
        self._run_dir = run_dir
        self._root = run_dir / _FOLDER
        self._fsync = fsync or os.fsync
        self._partials: dict[tuple[JobId, int], Partial] = {}
        self._durable: set[Path] = set()  # folders whose own name is on disk

    def check(self, outputs: Iterable[str]) -> None:
        """Raise if a file could not be kept inside the run directory.

        Nothing is written. To be called before anything is bought.

        Args:
            outputs: Output paths of the planned jobs.

        Raises:
            RunDirError: A link leads out, a file is where a folder must be, or nothing
                may be written there.
        """
        folders = {_parts(output)[:-1] for output in outputs}
        for folder in ((_PARTIAL,), *folders):
            self._check_way(folder)
            self._check_writable(folder)

    def _check_writable(self, folder: tuple[str, ...]) -> None:
        """Raise if what is there of a folder of the artifacts takes no new name."""
        ways = (self._root.joinpath(*folder[:n]) for n in range(len(folder), -1, -1))
        place = next((way for way in ways if way.exists()), None)
        if place is not None and not os.access(place, os.W_OK | os.X_OK):
            _refuse_read_only(place)

    def _check_way(self, folder: tuple[str, ...]) -> None:
        """Raise if something on the way to a folder of the artifacts is in the way."""
        place = self._root
        inside = Path(os.path.realpath(self._run_dir)) / _FOLDER
        for name in ("", *folder):
            place /= name
            target = os.path.realpath(place)
            if not Path(target).is_relative_to(inside):
                _refuse_link(place, target)
            if not os.path.lexists(place):
                return
            if not place.is_dir():
                _refuse_file(place)

    def partial(self, job_id: JobId, item: int) -> Partial:
        """Return where result *item* (from 1) of a job grows; the same until kept.

        Raises:
            RunDirError: A link leads out of the run directory.
        """
        known = self._partials.get((job_id, item))
        if known is None:
            self._check_way((_PARTIAL,))
            known = Partial(self._root / _PARTIAL / f"{job_id}-{item}")
            self._partials[job_id, item] = known
        return known

    def keep(
        self,
        partial: Partial,
        output: str,
        job_id: JobId,
        *,
        extension: str,
        item: int | None = None,
    ) -> Stored:
        """Give *partial* its name; it is on disk, under that name, when this returns.

        A file of that name with the same content is left as it is; one with another
        content too, and the new one is numbered.

        Args:
            partial: A whole file.
            output: The job's output path, without digest and extension.
            job_id: Its first characters become part of the name.
            extension: Without a dot.
            item: Number of the result where the job has several.

        Raises:
            RunDirError: The disk is full, or the path leaves the directory.
        """
        if not _EXTENSION.fullmatch(extension):
            raise ValueError(f"{extension!r} is no file extension")
        if partial.size == 0:
            partial.append(b"")  # so that an empty file exists too
        partial.close()
        suffix = f"-{job_id[:_ID_CHARACTERS]}" + (f"-{item}" if item else "")
        try:
            self._sync(partial.path)
            target = self._free(partial, output, suffix, extension)
            if target.exists():
                # Whoever made it may have died before it was on the disk.
                self._sync(target)
                partial.path.unlink()
            else:
                partial.path.replace(target)
            sync_folder(target.parent, self._fsync)
        except OSError as error:
            _refuse(error, self._root / output)
        self._partials = {
            key: other for key, other in self._partials.items() if other is not partial
        }
        path = target.relative_to(self._run_dir).as_posix()
        return Stored(path, partial.sha256, partial.size)

    def take(
        self, source: Path, output: str, job_id: JobId, *, item: int | None = None
    ) -> Stored:
        """Keep a file of another run directory here too: `keep` for what is whole."""
        partial = self.partial(job_id, item or 1)
        partial.take(source)
        extension = source.suffix.removeprefix(".")
        return self.keep(partial, output, job_id, extension=extension, item=item)

    def _sync(self, path: Path) -> None:
        with path.open("rb+") as file:
            self._fsync(file.fileno())

    def keep_json(
        self,
        value: Mapping[str, object],
        output: str,
        job_id: JobId,
        *,
        item: int | None = None,
    ) -> Stored:
        """Keep a result that is no file: `keep` for a value."""
        partial = self.partial(job_id, item or 1)
        partial.reset()
        text = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)
        partial.append(text.encode("utf-8", "replace") + b"\n")
        return self.keep(partial, output, job_id, extension="json", item=item)

    def _free(self, partial: Partial, output: str, suffix: str, extension: str) -> Path:
        """Return the first name that is free or holds exactly these bytes."""
        folder, stem = self._place(output)
        number = 1
        while True:
            tail = f"{suffix}{f'.{number}' if number > 1 else ''}.{extension}"
            target = folder / (_shortened(stem, _NAME_BYTES - len(tail)) + tail)
            if not os.path.lexists(target) or _holds(target, partial):
                return target
            number += 1

    def _place(self, output: str) -> tuple[Path, str]:
        """Return the folder of *output*, which exists then, and the name in it."""
        *folders, name = _parts(output)
        self._check_way(tuple(folders))  # before a folder is made on the other side
        folder = self._root.joinpath(*folders)
        folder.mkdir(parents=True, exist_ok=True)
        for each in (folder, *folder.parents):
            if each == self._run_dir or each in self._durable:
                break
            sync_folder(each.parent, self._fsync)
            self._durable.add(each)
        return folder, name


def _parts(output: str) -> tuple[str, ...]:
    """Return the folders and the name of an output path."""
    path = PurePosixPath(output)
    if (
        path.is_absolute()
        or not path.name
        or path.parts[0] == _PARTIAL
        or ".." in path.parts
        or _NOT_IN_NAMES.search(output)
    ):
        _refuse_place(output)
    return path.parts


def verify_stored(
    run_dir: Path, *, path: str, sha256: Digest, size_bytes: int
) -> str | None:
    """Return what is wrong with a stored file, None if it is as it was stored."""
    place = PurePosixPath(path)
    if place.is_absolute() or ".." in place.parts or _NOT_IN_NAMES.search(path):
        return f"{path!r} is no path inside the run directory"
    file = run_dir.joinpath(*place.parts)
    if not file.resolve().is_relative_to(run_dir.resolve()):
        return f"{path} leads out of the run directory"
    try:
        size = file.stat().st_size
        if size != size_bytes:
            return f"{path} has {size} bytes instead of {size_bytes}"
        if _digest(file) != sha256:
            return f"{path} has other content than when it was stored"
    except FileNotFoundError:
        return f"{path} is missing"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or error}"
    return None


def _holds(path: Path, partial: Partial) -> bool:
    return (
        path.is_file()
        and not path.is_symlink()
        and path.stat().st_size == partial.size
        and _digest(path) == partial.sha256
    )


def _digest(path: Path) -> Digest:
    with path.open("rb") as file:
        return Digest(hashlib.file_digest(file, "sha256").hexdigest())


def _shortened(name: str, limit_bytes: int) -> str:
    """Return *name*, cut between characters to at most *limit_bytes* in UTF-8."""
    return name.encode("utf-8")[:limit_bytes].decode("utf-8", "ignore")


def _refuse(error: OSError, path: Path) -> NoReturn:
    reason = error.strerror or str(error)
    hint = "Mend that and type the same command again: what is stored is kept."
    if error.errno in _NO_ROOM:
        hint = "Make room and type the same command again: what is stored is kept."
    raise RunDirError(f"{path} cannot be written: {reason}", hint=hint) from error


def _refuse_place(output: str) -> NoReturn:
    raise RunDirError(
        f"the output path {output!r} leaves the artifacts folder",
        hint="Use a relative path without .. in it.",
    )


def _refuse_link(link: Path, target: str) -> NoReturn:
    raise RunDirError(
        f"{link} leads out of the artifacts of the run directory, to {target}",
        hint="Remove that link and type the same command again.",
    )


def _refuse_file(path: Path) -> NoReturn:
    raise RunDirError(
        f"{path} is a file where a folder must be",
        hint="Move it away and type the same command again.",
    )


def _refuse_read_only(folder: Path) -> NoReturn:
    raise RunDirError(
        f"{folder} cannot be written to",
        hint="Make it writable and type the same command again.",
    )
