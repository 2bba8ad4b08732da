"""What the environment and `.env` say, read once at the edge."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

_SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD")
_SHORTEST_SECRET = 6  # hiding "a" everywhere would hide the sense


def read_dotenv(folder: Path | None = None) -> dict[str, str]:
    """Return the values of `.env` in *folder*, the working directory by default.

    Nothing is interpolated and nothing enters the process environment: the file may
    come from a stranger's pull request.
    """
    path = (folder or Path.cwd()) / ".env"
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    values = dotenv_values(path, interpolate=False, encoding="utf-8-sig")
    return {name: value for name, value in values.items() if value is not None}


def secrets_of(environ: Mapping[str, str]) -> list[str]:
    """Return every text that must appear in no output, the longest first."""
    with contextlib.suppress(OSError, ValueError):
        environ = {**read_dotenv(), **environ}
    found = set()
    for name, value in environ.items():
        if any(word in name.upper() for word in _SECRET_WORDS):
            found.add(value.strip())
            if name.endswith("_FILE"):
                with contextlib.suppress(OSError, ValueError):
                    found.add(Path(value).read_text(encoding="utf-8").strip())
    return sorted((s for s in found if len(s) >= _SHORTEST_SECRET), key=len)[::-1]


def redact(text: str, secrets: list[str]) -> str:
    """Return *text* with every one of *secrets* replaced by `***`."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
