"""Files that a provider or manifest of a checkout names, read with care."""

from __future__ import annotations

import stat
from pathlib import Path

from foxbatch.errors import InvalidError, Position, Problem
from foxbatch.schema import pointer
from foxbatch.sources import HIDDEN_HINT, find_root, why_hidden
from foxbatch.yaml12 import Document, Where

MAX_FILE_BYTES = 1 << 20


def problem_at(
    document: Document,
    where: Where,
    code: str,
    message: str,
    *,
    hint: str = "",
    key: bool = False,
) -> Problem:
    """Return the problem of what stands at *where* in such a file, or of its key."""
    position = document.position(where, key=key)
    return Problem(code, message, position, hint=hint, pointer=pointer(where))


def confined(written: str, base: Path, at: Position) -> Path:
    """Return the file that *written* means, if it may be read at all.

    What is wrong is said at the place that names it: an excerpt of the file itself
    could be anybody's secret.
    """
    root = find_root(base)
    try:
        path = (base / written).resolve()
    except (OSError, RuntimeError):  # links in a circle
        raise _unreadable(written, "its links lead in a circle", at) from None
    if not path.is_relative_to(root):
        raise InvalidError(
            (
                Problem(
                    "E-PATH-ESCAPE",
                    f"{written} is outside the repository",
                    at,
                    "Copy the file into the repository and name it from there.",
                ),
            )
        )
    if why := why_hidden(written, path, root):
        message = f"{written} is not read: {why}"
        raise InvalidError((Problem("E-PATH-HIDDEN", message, at, HIDDEN_HINT),))
    return path


def read(path: Path, written: str, at: Position) -> bytes:
    """Return the bytes of the file at *path*, which *written* names."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise _unreadable(written, "it is no regular file", at)
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(written, "there is no such file", at) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise _unreadable(written, reason, at) from None
    if len(content) > MAX_FILE_BYTES:
        message = f"{written} is larger than {MAX_FILE_BYTES:,} bytes"
        raise InvalidError((Problem("E-FILE-SIZE", message, at),))
    return content


def _unreadable(written: str, why: str, at: Position) -> InvalidError:
    hint = "A path starts at the folder of the file that names it."
    message = f"{written} cannot be read: {why}"
    return InvalidError((Problem("E-FILE-MISSING", message, at, hint),))
