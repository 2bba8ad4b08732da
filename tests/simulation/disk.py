"""A disk that forgets what was not fsynced, and on which a process can die.

Files are real, in a folder of the simulation. `os.write` and `os.fsync` are watched: a
power cut keeps what was fsynced, of the rest as much as chance wants, and names only
where their folder was fsynced after they were there.
"""

from __future__ import annotations

import os
import random
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NoReturn, TypeAlias
from unittest import mock

Act: TypeAlias = Literal["write", "fsync"]


class CrashedError(BaseException):
    """The process is dead. Nothing of it may be caught or go on."""


class Disk:
    """What is on the disk below *root*, and what is only in the memory of the system.

    Attributes:
        before: Called before the nth write or fsync of a process with what is written;
            returns how much of it is to be done, and what to raise then.
        wrote: Told about every write: the file, and what was written.
        synced: Told about every fsync of a file: the file, and its size.
        crash: Called in the middle of a system call that the process does not survive.
        refused: Called when the disk takes nothing more, and says so.
        dead: Whether the process that uses it is gone.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.before: Callable[[Act], tuple[float, BaseException | None]]
        self.before = lambda _act: (1.0, None)
        self.wrote: Callable[[int, bytes], None] = lambda _file, _what: None
        self.synced: Callable[[int, int], None] = lambda _file, _size: None
        self.crash: Callable[[], None] = lambda: None
        self.refused: Callable[[], None] = lambda: None
        self.dead = False
        self._write = os.write
        self._sizes: dict[int, int] = {}
        self._names: dict[int, dict[str, int]] = {}

    @contextmanager
    def used(self) -> Iterator[None]:
        """Stand between the process and the system."""
        self.dead = False
        with (
            mock.patch.object(os, "write", self.write),
            mock.patch.object(os, "fsync", self.fsync),
        ):
            yield

    def write(self, handle: int, content: bytes | memoryview) -> int:
        """Stand in for `os.write`."""
        if self.dead:
            raise CrashedError
        share, error = self.before("write")
        content = bytes(content)
        if error is None:
            self.wrote(os.fstat(handle).st_ino, content)
            return self._write(handle, content)
        done = content[: round(len(content) * share)]
        self._write(handle, done)
        self.wrote(os.fstat(handle).st_ino, done)
        return self._fail(error)

    def fsync(self, handle: int) -> None:
        """Stand in for `os.fsync`."""
        if self.dead:
            raise CrashedError
        share, error = self.before("fsync")
        if error is None or share >= 0.5:
            self._sync(handle)
        if error is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> NoReturn:
        if isinstance(error, CrashedError):
            self.crash()
        else:
            self.refused()
        raise error

    def _sync(self, handle: int) -> None:
        found = os.fstat(handle)
        if stat.S_ISDIR(found.st_mode):
            with os.scandir(handle) as entries:
                self._names[found.st_ino] = {e.name: e.inode() for e in entries}
        else:
            self._sizes[found.st_ino] = found.st_size
            self.synced(found.st_ino, found.st_size)

    # ---- The end of a process, and of a machine

    @property
    def _hidden(self) -> Path:
        return self.root.with_name(f".{self.root.name}.kept")

    def freeze(self) -> None:
        """Keep everything as it is now, whatever the dying process still does."""
        self.dead = True
        if self.root.exists():
            self.root.rename(self._hidden)

    def thaw(self) -> None:
        """Show again what was kept."""
        if self._hidden.exists():
            shutil.rmtree(self.root, ignore_errors=True)
            self._hidden.rename(self.root)

    def cut_power(self, rng: random.Random) -> list[str]:
        """Forget, by chance, what was never put on the disk; return what was lost."""
        lost: list[str] = []
        self._settle(self.root.parent, rng, lost, only=self.root.name)
        return lost

    def _settle(
        self, folder: Path, rng: random.Random, lost: list[str], only: str = ""
    ) -> None:
        names = self._names.get(folder.stat().st_ino, {})
        for path in sorted(folder.iterdir()):
            if only and path.name != only:
                continue
            found = path.stat()
            known = names.get(path.name) == found.st_ino
            if not known and rng.random() < 0.5:
                lost.append(path.relative_to(self.root.parent).as_posix())
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            elif path.is_dir():
                self._settle(path, rng, lost)
            else:
                self._shorten(path, found.st_size, rng, lost)
        # Whatever is there after the cut was on the disk.
        with os.scandir(folder) as entries:
            names |= {entry.name: entry.inode() for entry in entries}
        self._names[folder.stat().st_ino] = names

    def _shorten(
        self, path: Path, size: int, rng: random.Random, lost: list[str]
    ) -> None:
        sure = min(size, self._sizes.get(path.stat().st_ino, 0))
        if sure == size:
            return
        left = rng.choice(
            (sure, rng.randint(sure, size), rng.randint(sure, size), size)
        )
        os.truncate(path, left)
        if left < size and rng.random() < 0.3:
            # The size came to the disk, what was written did not.
            os.truncate(path, size)
        lost.append(
            f"{path.relative_to(self.root.parent)} {size}->{left} (sure {sure})"
        )
        self._sizes[path.stat().st_ino] = path.stat().st_size
