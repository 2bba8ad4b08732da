"""What the environment and `.env` say, read once at the edge."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from pathlib import Path

from foxbatch.errors import UsageError

_SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD")
_MOST_BYTES = 1 << 20


def read_dotenv(folder: Path | None = None) -> dict[str, str]:
    """Return the values of `.env` in *folder*, the working directory by default.

    Nothing is interpolated and nothing enters the process environment: the file may
    come from a stranger's pull request.

    Raises:
        UsageError: It is no text, or too large.
    """
    path = (folder or Path.cwd()) / ".env"
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = "it is not UTF-8" if isinstance(error, ValueError) else error.strerror
        raise UsageError(
            f"{path} cannot be read: {why}", hint="Save it as UTF-8, or remove it."
        ) from None
    if len(content) > _MOST_BYTES:
        raise UsageError(
            f"{path} is larger than {_MOST_BYTES:,} bytes",
            hint="Keep settings in it, and nothing else.",
        )
    values = dotenv_values(stream=io.StringIO(text), interpolate=False)
    return {name: value for name, value in values.items() if value is not None}


def secrets_of(environ: Mapping[str, str]) -> list[str]:
    """Return every text that must appear in no output, the longest first."""
    with contextlib.suppress(UsageError):
        environ = {**read_dotenv(), **environ}
    found = set()
    for name, value in environ.items():
        if any(word in name.upper() for word in _SECRET_WORDS):
            found.add(value.strip())
            if name.endswith("_FILE"):
                with contextlib.suppress(OSError, ValueError):
                    found.add(Path(value).read_text(encoding="utf-8").strip())
    return sorted(filter(None, found), key=len)[::-1]


def redact(text: str, secrets: list[str]) -> str:
    """Return *text* without *secrets*, however they are spelt."""
    from foxbatch.client import without_secrets

    return without_secrets(text, tuple(secrets)) if secrets else text
