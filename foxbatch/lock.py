"""One writer per run directory and machine, and who it is.

The lock says that somebody works in a directory, the ledger who: each file begins with
the process that writes it; a run that said goodbye, or whose process is gone, is over.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import filelock

from foxbatch.durable import make_folder
from foxbatch.errors import LedgerError, RunDirError, RunDirLockedError
from foxbatch.events import RunId, RunStarted
from foxbatch.ledger import cannot_write, read_folder
from foxbatch.processes import (
    Process,
    in_other_container,
    is_gone,
    this_process,
    under_one_kernel,
)
from foxbatch.state import BatchState


class DirLock:
    """One writer per run directory and machine. A context manager.

    The lock is the operating system's: it goes when the process does.
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir, self._path = run_dir, run_dir / ".lock"
        # Not zero: whoever only looks whether the lock is held holds it for a moment.
        self._lock = _system_lock(run_dir, timeout_s=0.3)

    def __enter__(self) -> Self:
        try:
            make_folder(self._run_dir)
            self._lock.acquire()
        except filelock.Timeout:
            raise RunDirLockedError(
                str(self._run_dir), last_writer(self._run_dir / "ledger")
            ) from None
        except OSError as error:
            if error.errno in _NO_LOCKS:
                raise _no_locks(self._run_dir, error) from error
            raise cannot_write(self._path, error) from error
        self._file = _file_at(self._path)
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def holds(self) -> bool:
        """Return whether nobody else can have locked the directory meanwhile.

        Somebody may have removed the lock file, and then another process makes a new
        one. It is a lock to nobody but us then.
        """
        return self._file is None or _file_at(self._path) == self._file


def _file_at(path: Path) -> tuple[int, int] | None:
    """Return which file is there; None for none, and where that cannot be known."""
    try:
        first, again = path.stat(), path.stat()
    except OSError:
        return None
    found = first.st_dev, first.st_ino
    return found if found == (again.st_dev, again.st_ino) else None


def lock_lost(run_dir: Path) -> RunDirError:
    """Return what to say of a run whose lock file somebody has removed."""
    return RunDirError(
        f"{run_dir}/.lock was removed or replaced while this run went on",
        hint=(
            "Another run may have begun, so nothing more was bought here. Type the "
            "same command again when no other run goes on."
        ),
    )


# What network and FUSE mounts say that have no locks, or whose lock service is down.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


def _no_locks(run_dir: Path, error: OSError) -> RunDirError:
    return RunDirError(
        f"{run_dir} is on a file system that cannot lock a file: {error.strerror}",
        hint=(
            "Without the lock two runs could buy the same jobs. Name a folder on a "
            "local disk with --out."
        ),
    )


def _system_lock(run_dir: Path, *, timeout_s: float) -> filelock.BaseFileLock:
    # Never a soft lock, which is a file that outlives a killed process.
    path = run_dir / ".lock"
    return filelock.FileLock(path, timeout=timeout_s, fallback_to_soft=False)


def last_writer(folder: Path) -> str:
    """Return who wrote the newest file that may still be written, for people."""
    here = this_process()
    try:
        unfinished = _unfinished(read_folder(folder).state, here)
    except LedgerError:  # that it is damaged is said to whoever gets the lock
        unfinished = []
    for one in unfinished:
        place = "in another container on" if in_other_container(one, here) else "on"
        return f"process {one.pid} {place} {one.host}, started {one.at}"
    return "another process"


def _unfinished(state: BatchState, here: Process) -> list[RunStarted]:
    """Return the starts of runs that may be going on, the newest first.

    They did not say goodbye, and their process is not known to be gone.
    """
    starts = (
        run.started
        for run in state.runs.values()
        if run.started is not None and run.ended is None
    )
    going_on = (started for started in starts if not is_gone(started, here))
    return sorted(going_on, key=lambda started: started.at, reverse=True)


def live_runs(
    state: BatchState, run_dir: Path, *, here: Process
) -> Mapping[RunId, int]:
    """Return the runs that are going on now, and their process ids.

    Only the holder of the lock can be alive under this kernel; what another machine
    does cannot be seen from here, and its unfinished runs are taken for dead.

    Args:
        state: What the ledger says.
        run_dir: Where it lies.
        here: Who asks.
    """
    ours = [one for one in _unfinished(state, here) if under_one_kernel(one, here)]
    if not ours or not (run_dir / ".lock").exists():
        return {}
    probe = _system_lock(run_dir, timeout_s=0)
    try:
        with probe:
            return {}
    except filelock.Timeout:
        return {ours[0].run: ours[0].pid}
    except OSError:  # a read-only copy, or no locks: nobody can be writing to it
        return {}
