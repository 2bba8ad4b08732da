"""Arguments in, exit code out; the only code that knows rich, click and log set-up."""

from __future__ import annotations

from foxbatch.cli._main import main

__all__ = ["main"]
