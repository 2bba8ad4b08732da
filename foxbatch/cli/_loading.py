"""Manifests as commands get them: from a file, or from standard input."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from foxbatch.cli._terminal import Terminal

if TYPE_CHECKING:
    from foxbatch.api import Wanted

STDIN = "-"


def load(terminal: Terminal, path: str, provider: str | None) -> Wanted:
    """Read the manifest at *path*; what stdin says is kept for showing its lines.

    Raises:
        InvalidError: The manifest or its provider file is wrong.
    """
    from foxbatch import api

    if path == STDIN:
        content = sys.stdin.buffer.read()
        sys.stdin = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")
        terminal.sources.texts["<stdin>"] = content.decode("utf-8-sig", "replace")
    return api.load_manifest(path, provider=provider)
