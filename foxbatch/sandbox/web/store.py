"""The sandbox's memory on disk: one line for each record, appended, never edited.

Lines are handed to the operating system before the reply they belong to leaves, so
killing the process forgets nothing that a client has heard of. They are not forced to
the disk: the money is pretended.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Literal, Self

import msgspec

from foxbatch.errors import RunDirError
from foxbatch.sandbox.messages import (
    ORDINARY,
    FaultFired,
    Record,
    Task,
    Twist,
    Upload,
    UploadRemoved,
)

_FORMAT = 2
_FILE_NAME = "tasks.jsonl"


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    v: Literal[2]
    task: Task | None = None
    upload: Upload | None = None
    removed: UploadRemoved | None = None
    fired: FaultFired | None = None


_KEYS: dict[type[Record], str] = {
    Task: "task",
    Upload: "upload",
    UploadRemoved: "removed",
    FaultFired: "fired",
}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Line).decode


class RecordStore:
    """The records of one state directory, open for the length of a `with` block.

    Only one process may have it open at a time.

    Raises:
        RunDirError: The directory cannot be written.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / _FILE_NAME
        try:
            directory.mkdir(parents=True, exist_ok=True)
            # No link is followed: it may lead out of a stranger's checkout.
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
            flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
            handle = os.open(self._path, flags, 0o644)
            self._file = os.fdopen(handle, "a+b", buffering=0)
        except OSError as error:
            raise RunDirError(
                f"the sandbox cannot keep its tasks in {directory}: "
                f"{error.strerror or error}",
                hint="Make it writable, or name another folder.",
            ) from error

    def load(self) -> Iterator[Record]:
        """Yield the records of earlier processes, oldest first.

        What a killed process left of its last line is cut off at the end; nobody
        was told about it.

        Raises:
            RunDirError: A line is damaged, or of another format. Nothing was changed.
        """
        share = _Sharing()
        whole_bytes = 0
        with self._path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    break
                whole_bytes += len(line)
                yield share(self._read(line, number))
        self._file.truncate(whole_bytes)

    def add(self, records: Sequence[Record]) -> None:
        """Append *records*; when this returns, killing the process cannot undo it.

        Raises:
            OSError: The disk does not take them. None of them is kept.
        """
        lines = b"".join(map(_line, records))
        before_bytes = os.fstat(self._file.fileno()).st_size
        whole = False
        try:
            whole = self._file.write(lines) == len(lines)
        finally:
            if not whole:  # or the next line would continue this one
                self._file.truncate(before_bytes)
        if not whole:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _read(self, line: bytes, number: int) -> Record:
        try:
            read = _decode(line)
        except msgspec.DecodeError:
            raise self._unreadable(line, number) from None
        found = [
            record
            for record in (read.task, read.upload, read.removed, read.fired)
            if record is not None
        ]
        if len(found) != 1:
            raise self._unreadable(line, number)
        return found[0]

    def _unreadable(self, line: bytes, number: int) -> RunDirError:
        try:
            version = msgspec.json.decode(line)["v"]
        except (msgspec.DecodeError, TypeError, KeyError):
            version = None
        if isinstance(version, int) and version < _FORMAT:
            return RunDirError(
                f"{self._path} was written by an older version of the sandbox",
                hint="Delete the folder to begin with an empty sandbox, or name"
                " another one.",
            )
        return RunDirError(
            f"{self._path}:{number} is not a record of this version of the sandbox",
            hint="Delete the folder to begin with an empty sandbox.",
        )


class _Sharing:
    """Lets equal parts of tasks be one object: a third of the memory of 100,000."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._twists: dict[Twist, Twist] = {}

    def __call__(self, record: Record) -> Record:
        if isinstance(record, Task):
            # Nobody has seen the task yet, so nobody sees that it changes.
            texts = self._texts
            model, owner = record.model, record.owner
            object.__setattr__(record, "model", texts.setdefault(model, model))
            object.__setattr__(record, "owner", texts.setdefault(owner, owner))
            twist = record.twist
            if twist is not ORDINARY:  # its digest takes as long as all the rest
                twist = self._twists.setdefault(twist, twist)
                object.__setattr__(record, "twist", twist)
        return record


def _line(record: Record) -> bytes:
    key = _KEYS[type(record)]
    return b'{"v":%d,"%s":%s}\n' % (_FORMAT, key.encode(), _encode(_brief(record)))


def _defaults(kind: type[Record | Twist]) -> tuple[tuple[str, object], ...]:
    return tuple((field.name, field.default) for field in fields(kind))


_DEFAULTS = {kind: _defaults(kind) for kind in (*_KEYS, Twist)}


def _brief(value: Record | Twist) -> dict[str, object]:
    """Return the fields that are not as they are by default: most twists are."""
    brief: dict[str, object] = {}
    for name, default in _DEFAULTS[type(value)]:
        told = getattr(value, name)
        if told is not default and told != default:
            brief[name] = _brief(told) if isinstance(told, Twist) else told
    return brief
