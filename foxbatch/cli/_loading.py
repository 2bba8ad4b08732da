"""Manifests as commands get them: from a file, or from standard input."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from foxbatch.cli._terminal import Terminal

if TYPE_CHECKING:
    from foxbatch.api import Wanted

STDIN = "-"


def load(
    terminal: Terminal, path: str, provider: str | None, overrides: Sequence[str] = ()
) -> Wanted:
    """Read the manifest at *path*, with *overrides* (`--set`) before what it says.

    What is not in a file is kept for showing its lines.

    Raises:
        InvalidError: The manifest or its provider file is wrong.
        UsageError: An override sets nothing that there is.
    """
    from foxbatch import api
    from foxbatch.manifest import read_bounded

    if path == STDIN:
        content = read_bounded(sys.stdin.buffer)
        sys.stdin = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")
        terminal.sources.texts["<stdin>"] = content.decode("utf-8-sig", "replace")
    for written in overrides:
        name, _, value = written.partition("=")
        terminal.sources.texts[f"--set {name}"] = value
    return api.load_manifest(path, provider=provider, overrides=overrides)
