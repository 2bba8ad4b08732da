"""An append-only file that survives a power cut, and the folder of such files.

Theory of operation
-------------------

A run directory holds one ledger file for each process run that ever worked in it.
A process appends to its own file alone, so nothing that was written is ever in
danger: the worst that a crash can leave is an unfinished last line in a file that no
one will write to again.

An append is one `write` of whole lines, then `fsync` where the caller is about to do
something that cannot be undone. When either fails, it is unknown what is on the disk
(the kernel may have dropped the dirty pages and forgotten the error), so nothing is
tried again: the writer refuses all further appends and the run stops.

Reading needs no lock. A file may be read while it is being written: a last line
without its line feed counts when it is a complete record and is otherwise *torn*:
ignored, and said. Any other line that is not a fact is damage, and refused with its
place, because a ledger that is silently half read would buy things twice.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from foxbatch.clock import Clock, to_text
from foxbatch.durable import Fsync, make_folder, sync_file, sync_folder
from foxbatch.errors import (
    LedgerError,
    TransitionError,
)
from foxbatch.events import (
    FORMAT,
    ArtifactStored,
    Event,
    NewerError,
    RunId,
    SubmitAccepted,
    SubmitSettled,
    decode,
    encode,
    is_task_id,
)
from foxbatch.lifecycle import Lane
from foxbatch.state import BatchState

EventT = TypeVar("EventT", bound=Event)

_RUN_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_RUN_ID_LENGTH = 10
_BLOCK_BYTES = 1 << 20


def new_run_id() -> RunId:
    """Return an id that no other run has: 50 random bits."""
    letters = (secrets.choice(_RUN_ID_ALPHABET) for _ in range(_RUN_ID_LENGTH))
    return RunId("".join(letters))


class LedgerWriter:
    """Appends the facts of one run to a new file of its own.

    Not for several threads. Facts get their `seq`, `at` and `run` here.

    Args:
        folder: The `ledger/` folder; it is made where it is missing.
        run: The run that writes.
        clock: Stamps the facts.
        fsync: Makes what was written to a file handle durable; None for the system's.
    """

    def __init__(
        self,
        folder: Path,
        run: RunId,
        clock: Clock,
        *,
        fsync: Fsync | None = None,
    ) -> None:
        self.run = run
        self._clock = clock
        self._fsync = fsync = fsync or os.fsync
        self._seq = 0
        self._at = ""
        self._broken = False
        started = clock.now().strftime("%Y%m%dT%H%M%SZ")
        # No colon in the name: it has to exist on every file system.
        self.path = folder / f"{started}-{run}.jsonl"
        self._lane = Lane(run, partial(_readable, self.path))
        try:
            make_folder(folder, fsync)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            self._handle = os.open(self.path, flags | getattr(os, "O_BINARY", 0), 0o644)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        try:
            # A run that was killed may have left facts in the memory of the system:
            # they have been read, so they must not vanish from under what follows.
            for path in filter(self.path.__ne__, ledger_files(folder)):
                with suppress(PermissionError):
                    sync_file(path, fsync)
            sync_folder(folder, fsync)
            sync_folder(folder.parent, fsync)
        except OSError as error:
            os.close(self._handle)
            raise cannot_write(self.path, error) from error

    @property
    def moment(self) -> str:
        """The stamp of a fact that is appended now.

        A clock may be set back while we run; "latest" must not be.
        """
        return max(self._at, to_text(self._clock.now()))

    def append(self, *events: EventT, durable: bool = False) -> tuple[EventT, ...]:
        """Append *events* with one write, and return them stamped.

        Args:
            events: Facts of this run without stamps, in the order they happened.
            durable: Whether they must be on the disk when this returns. All earlier
                facts then are too.

        Raises:
            TransitionError: A fact is impossible now. Nothing was written.
            LedgerError: They could not be written; no further append will be tried.
        """
        if self._broken:
            raise LedgerError(
                f"{self.path} could not be written before",
                hint="Type the same command again; what is on the disk is intact.",
            )
        self._at = at = self.moment
        stamped = tuple(
            msgspec.structs.replace(event, v=FORMAT, seq=seq, at=at, run=self.run)
            for seq, event in enumerate(events, start=self._seq + 1)
        )
        lines = b"".join(map(encode, stamped))
        self._lane.admit(*stamped)
        try:
            self._write(lines)
            if durable:
                self._fsync(self._handle)
        except OSError as error:
            self._broken = True
            raise cannot_write(self.path, error) from error
        self._seq += len(stamped)
        return stamped

    def _write(self, lines: bytes) -> None:
        view = memoryview(lines)
        while view:
            view = view[os.write(self._handle, view) :]

    def close(self) -> None:
        """Make everything durable and let go of the file."""
        try:
            if not self._broken:
                self._fsync(self._handle)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        finally:
            os.close(self._handle)


def cannot_write(path: Path, error: OSError) -> LedgerError:
    """Return what to say of a file that the system does not let us write."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    hint = (
        "Free some space and type the same command again."
        if full
        else "Mend that and type the same command again."
    )
    return LedgerError(
        f"{path} cannot be written: {error.strerror or error}", hint=hint
    )


@dataclass(slots=True)
class LedgerReading:
    """What a folder of ledger files says.

    Attributes:
        state: All facts together.
        files: Facts per file, by name, in the order of names.
        torn: Names of files that end in an unfinished line, which was ignored.
        names: Name of the file that each run wrote; of several copies the last.
    """

    state: BatchState = field(default_factory=BatchState)
    files: dict[str, int] = field(default_factory=dict)
    torn: list[str] = field(default_factory=list)
    names: dict[RunId, str] = field(default_factory=dict)


def read_facts(path: Path, *, on_torn: Callable[[str], None]) -> Iterator[Event]:
    """Yield the facts of one file, in the order in which they happened.

    Args:
        path: A ledger file, finished or being written.
        on_torn: Told the file's name when its last line is unfinished.

    Raises:
        LedgerError: A line in it is damaged, out of order, or from a newer foxbatch.
    """
    tail = LedgerTail(path)
    yield from tail.news()
    if tail.torn:
        on_torn(path.name)


class LedgerTail:
    """Reads one ledger file again and again, each time only what is new in it.

    Attributes:
        read_bytes: How much of the file was understood.
        torn: Whether there was an unfinished last line behind that.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read_bytes = 0
        self.torn = False
        self._count = 0
        self._lane: Lane | None = None
        self._unended = False  # the last line was whole, its line feed may yet come

    def news(self) -> Iterator[Event]:
        """Yield the facts that were appended since.

        Raises:
            LedgerError: A line is damaged, out of order, or from a newer foxbatch.
        """
        self.torn = False
        for line, last in _lines(self.path, self.read_bytes):
            # NULs: the size of the file came to the disk, what was written did not.
            whole = line.rstrip(b"\0") if last else line
            self.torn = whole != line
            if self._unended and whole == b"\n":
                self._unended = False
                self.read_bytes += 1
                continue
            event = self._decoded(whole, last=last) if whole else None
            if event is None:
                return
            self._count += 1
            self.read_bytes += len(whole)
            self._unended = not whole.endswith(b"\n")
            yield event

    def _decoded(self, line: bytes, *, last: bool) -> Event | None:
        """Return the fact of the next line; None for one that is not finished."""
        number = self._count + 1
        try:
            event = decode(line)
        except NewerError as error:
            raise _too_new(self.path, number, error) from None
        except ValueError as error:
            if last and not line.endswith(b"\n"):
                self.torn = True
                return None
            raise _damaged(self.path, number, str(error)) from None
        self._lane = self._lane or Lane(event.run, partial(_readable, self.path))
        _check_place(self.path, number, event, self._lane)
        return event


def _readable(path: Path) -> Iterator[Event]:
    """Yield the facts of a file that make sense each for itself."""
    with suppress(OSError):
        for line in path.read_bytes().splitlines(keepends=True):
            with suppress(ValueError):
                yield decode(line)


def _lines(path: Path, start: int) -> Iterator[tuple[bytes, bool]]:
    """Yield the lines of a file from byte *start*, and whether each is the last one.

    A block at a time: a million facts are three times as long as what is known then.
    """
    kept = b""
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            while block := file.read(_BLOCK_BYTES):
                # The last line is kept back, also if it looks whole: a line feed may
                # follow its carriage return, or NULs that belong to the end.
                *lines, kept = (kept + block).splitlines(keepends=True)
                for line in lines:
                    yield line, False
    except OSError as error:
        raise cannot_read(path, error) from error
    if kept:
        yield kept, True


def cannot_read(path: Path, error: OSError) -> LedgerError:
    """Return what to say of a ledger that the system does not let us read."""
    hint = "Make it readable for this user and type the same command again."
    if isinstance(error, IsADirectoryError | FileNotFoundError):
        hint = "Put the file back, or take away what is there: it is no ledger file."
    return LedgerError(f"{path} cannot be read: {error.strerror or error}", hint=hint)


def _check_place(path: Path, number: int, event: Event, lane: Lane) -> None:
    if event.seq != number:
        raise _damaged(path, number, f"seq is {event.seq} where {number} belongs")
    if event.run != lane.run:
        raise _damaged(path, number, f"it belongs to run {event.run}, not {lane.run}")
    if isinstance(event, ArtifactStored) and _leads_out(event.path):
        raise _damaged(path, number, f"{event.path!r} is outside the run directory")
    if isinstance(event, (SubmitAccepted, SubmitSettled)):
        task = event.task
        if task is not None and not is_task_id(task):
            raise _damaged(path, number, f"{task!r} is no task id")
    try:
        lane.admit(event)
    except TransitionError as error:
        raise _damaged(path, number, str(error)) from None


def _leads_out(path: str) -> bool:
    """Return whether *path* is no plain relative path: ledgers come from branches."""
    return path.startswith("/") or ".." in path.split("/") or "\\" in path


def _damaged(path: Path, number: int, why: str) -> LedgerError:
    return LedgerError(
        f"{path}:{number}: {why}",
        hint=(
            "Restore the file from git or a backup. Without it foxbatch cannot know "
            "what was paid for, so it does not go on."
        ),
    )


def _too_new(path: Path, number: int, error: NewerError) -> LedgerError:
    return LedgerError(
        f"{path}:{number}: {error}",
        hint=(
            "Upgrade foxbatch: a newer one wrote that line. If none did, the file is "
            "damaged: restore it from git or a backup."
        ),
    )


def read_folder(folder: Path) -> LedgerReading:
    """Return what all ledger files in *folder* say together; nothing for no folder.

    Raises:
        LedgerError: A file in it cannot be trusted.
    """
    reading = LedgerReading()
    for path in ledger_files(folder):
        count, name, run = 0, path.name, None
        for event in read_facts(path, on_torn=reading.torn.append):
            reading.state.join(event)
            run = event.run
            count += 1
        reading.files[name] = count
        if run is not None:
            reading.names[run] = name
    return reading


def ledger_files(folder: Path) -> list[Path]:
    """Return the files of a ledger in the order of their names; none for no folder.

    Raises:
        LedgerError: The folder cannot be read.
    """
    # Not `glob`: it finds nothing in a folder that it may not read, and a ledger that
    # looks empty buys everything again.
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".jsonl")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise cannot_read(folder, error) from error
