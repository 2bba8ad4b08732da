"""A disk that refuses one call: whatever a process does to it is counted and watched.

It stands where Python meets the system: `os.open`, `os.write`, `os.fsync` and their
like, and the files that `open` returns. Files are real, and so is everything above.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias
from unittest import mock

Fault: TypeAlias = Literal["full", "short", "broken"]
"""All calls from here on find the disk full, also after half a write; or one fails."""

_NAMED = ("mkdir", "rename", "replace", "unlink", "link", "truncate")
_HELD: tuple[Literal["write", "fsync"], ...] = ("write", "fsync")
_FREES = ("unlink",)  # works on a full disk


@dataclass
class FaultyDisk:
    """What happens to the files below *root*, and the nth call, which goes wrong.

    Attributes:
        root: Only what is done below it counts.
        spared: Names of folders in it that belong to somebody else.
        nth: Which call fails, from 1; 0 for none.
        calls: What was asked for, each with its path relative to *root*.
        failed: Index of the first call that failed.
    """

    root: Path
    spared: tuple[str, ...] = (".sandbox",)
    nth: int = 0
    fault: Fault = "broken"
    calls: list[tuple[str, str]] = field(default_factory=list)
    failed: int | None = None

    @contextmanager
    def used(self) -> Iterator[FaultyDisk]:
        """Stand between the process and its files."""
        opens, opener = io.open, self._opener(io.open)
        with ExitStack() as stack:
            for name in _NAMED:
                stack.enter_context(mock.patch.object(os, name, self._named(name)))
            for held in _HELD:
                stack.enter_context(mock.patch.object(os, held, self._held(held)))
            stack.enter_context(mock.patch.object(os, "open", self._open(os.open)))
            stack.enter_context(mock.patch.object(io, "open", opener))
            stack.enter_context(mock.patch.object(builtins, "open", opener))
            yield self
        assert io.open is opens

    # ---- What is asked for

    def _path(self, place: object) -> str | None:
        """Return the path below the root; None for what is somebody else's."""
        if isinstance(place, int):
            try:
                place = Path(f"/proc/self/fd/{place}").readlink()
            except OSError:
                return None
        if not isinstance(place, (str, os.PathLike)):
            return None
        path = Path(os.path.abspath(place))  # noqa: PTH100  links stay as they are
        if not path.is_relative_to(self.root):
            return None
        inside = path.relative_to(self.root)
        return None if inside.parts[:1] in [(s,) for s in self.spared] else str(inside)

    def _fails(self, act: str, place: object) -> bool:
        """Count one call, and return whether it goes wrong."""
        path = self._path(place)
        if path is None:
            return False
        self.calls.append((act, path))
        full = self.fault != "broken" and self.failed is not None and act not in _FREES
        if full or len(self.calls) == self.nth:
            self.failed = self.failed or len(self.calls) - 1
            return True
        return False

    def _error(self, place: object) -> OSError:
        number = errno.EIO if self.fault == "broken" else errno.ENOSPC
        name = place if isinstance(place, (str, os.PathLike)) else None
        return OSError(number, os.strerror(number), name)

    # ---- Who is asked

    def _named(self, name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(place: Any, *more: Any, **named: Any) -> Any:  # noqa: ANN401
            if self._fails(name, more[0] if name in ("rename", "replace") else place):
                raise self._error(place)
            return real(place, *more, **named)

        return call

    def _held(self, name: Literal["write", "fsync"]) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(handle: int, *content: Any) -> Any:  # noqa: ANN401
            first = self.failed is None
            if self._fails(name, handle):
                if name == "write" and self.fault == "short" and first:
                    return real(handle, bytes(content[0])[: len(content[0]) // 2])
                raise self._error(handle)
            return real(handle, *content)

        return call

    def _open(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(place: Any, flags: int, *more: Any, **named: Any) -> int:  # noqa: ANN401
            makes = flags & os.O_CREAT and not os.path.lexists(place)
            if self._fails("create" if makes else "open", place):
                raise self._error(place)
            return real(place, flags, *more, **named)

        return call

    def _opener(self, real: Callable[..., Any]) -> Callable[..., Any]:
        disk = self

        class Raw(io.FileIO):
            """A file without a buffer whose writes are counted."""

            def write(self, content: Any) -> int:  # noqa: ANN401
                first = disk.failed is None
                if disk._fails("write", self.name):
                    if disk.fault == "short" and first:
                        content = bytes(content)
                        return super().write(content[: len(content) // 2])
                    raise disk._error(self.name)
                return super().write(content)

        def call(place: Any, mode: str = "r", *more: Any, **named: Any) -> Any:  # noqa: ANN401
            writes = set(mode) & set("wxa+") and "b" in mode
            if not writes or self._path(place) is None:
                return real(place, mode, *more, **named)
            if self._fails("open" if os.path.lexists(place) else "create", place):
                raise self._error(place)
            raw = Raw(place, mode.replace("b", ""))
            return io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)

        return call
