"""Lines of the files that problems are about."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from foxbatch.cli._settings import redact
from foxbatch.sources import why_elsewhere

_LARGEST_BYTES = 16 * 2**20


@dataclass(slots=True)
class Sources:
    """Lines of the files that problems are about, each file read once.

    Attributes:
        texts: Text by file name, for what is not on disk.
        secrets: What no line may show.
    """

    texts: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    _lines: dict[str, list[str]] = field(default_factory=dict)

    def line(self, file: str, number: int) -> str:
        """Return line *number* (from 1) of *file*; empty where there is none."""
        if file not in self._lines:
            text = self.texts[file] if file in self.texts else _read(Path(file))
            self._lines[file] = text.replace("\r\n", "\n").split("\n")
        lines = self._lines[file]
        line = lines[number - 1] if 0 < number <= len(lines) else ""
        return redact(line, self.secrets)


def _read(path: Path) -> str:
    """Return the text of a file that may be gone, huge, or no text at all."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_BYTES:
            return ""
        if why_elsewhere(path):  # what is refused is not shown either
            return ""
        return path.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError:
        return ""
