"""The beginnings of results that are text, for a page that cannot read files itself."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from foxbatch.canonical import Digest
from foxbatch.results import StoredFile

LONGEST = 2_000  # characters
MOST = 4_000_000  # characters of all results of a gallery together
_BYTES_EACH = 4  # of the longest character in UTF-8

_SUFFIXES = {".txt", ".md", ".csv", ".tsv", ".srt", ".vtt", ".json", ".jsonl"}
_BOM = "\ufeff"


class Texts:
    """Reads beginnings of files, each once, until there is enough for one page."""

    def __init__(self) -> None:
        self._left = MOST
        self._known: dict[tuple[Path, str, Digest], tuple[str | None, bool]] = {}

    def of(self, run_dir: Path, file: StoredFile) -> tuple[str | None, bool]:
        """Return the beginning of *file*, and whether there is more of it.

        None for what is no text, is not there, or lies outside of *run_dir*; also when
        other files have used up what one page may hold.
        """
        key = (run_dir, file.path, file.sha256)
        if key not in self._known:
            self._known[key] = self._read(run_dir, file)
        return self._known[key]

    def _read(self, run_dir: Path, file: StoredFile) -> tuple[str | None, bool]:
        if not _is_text(file) or self._left <= 0:
            return None, False
        begin = _begin_of(run_dir, file.path)
        if begin is None or "\0" in begin:
            return None, False
        text = begin[: min(LONGEST, self._left)]
        self._left -= len(text)
        return text, len(text) < len(begin)


def _is_text(file: StoredFile) -> bool:
    suffix = PurePosixPath(file.path).suffix.lower()
    return file.media.kind in ("json", "text") or suffix in _SUFFIXES


def _begin_of(run_dir: Path, path: str) -> str | None:
    """Return at least one character more than is shown, if there is one."""
    where = run_dir / path
    try:
        # A ledger may come from elsewhere: it names no files but its own.
        if not where.resolve().is_relative_to(run_dir.resolve()):
            return None
        if not where.is_file():  # a pipe would be waited for
            return None
        with where.open("rb") as source:
            begin = source.read((LONGEST + 2) * _BYTES_EACH)
    except OSError:
        return None
    return begin.decode("utf-8", errors="replace").removeprefix(_BOM)
