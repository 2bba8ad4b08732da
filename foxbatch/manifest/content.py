"""The bytes of a manifest, from where people keep them."""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path
from typing import BinaryIO

from foxbatch.errors import InvalidError, Position, Problem
from foxbatch.schema import suggest
from foxbatch.sources import why_elsewhere
from foxbatch.yaml12 import MAX_BYTES


def read_content(path: Path) -> bytes:
    """Return the bytes of the file at *path*.

    Raises:
        InvalidError: It cannot be read, is no regular file, is a link out of its
            checkout, or is too large.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            what = "a folder" if path.is_dir() else "no regular file"
            raise _unreadable(path, f"it is {what}")
        if why := why_elsewhere(path):
            raise _unreadable(path, why)
        with path.open("rb") as file:
            return read_bounded(file)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        said = (error.strerror or type(error).__name__).lower()
        why = "there is no such file" if missing else said
        raise _unreadable(path, why) from None
    except ValueError as error:  # a NUL in the name
        raise _unreadable(path, str(error)) from None


def read_bounded(stream: BinaryIO) -> bytes:
    """Return what *stream* holds, and of what is too large little more than allowed."""
    return stream.read(MAX_BYTES + 1)


def _unreadable(path: Path, why: str) -> InvalidError:
    message = f"{path} cannot be read: {why}"
    hint = ""
    with contextlib.suppress(OSError, ValueError):  # the name may be none at all
        hint = _nearby(path)
    return InvalidError(
        (Problem("E-FILE-MISSING", message, Position(str(path)), hint),)
    )


def _nearby(path: Path) -> str:
    if path.exists() and not path.is_dir():
        return "Write - to read what another program prints."
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        return "Type `foxbatch init` for an example to start from."
    found = sorted(p.name for p in folder.iterdir() if p.suffix in {".yaml", ".yml"})
    return suggest(path.name, found, f"Manifests in {folder}")
