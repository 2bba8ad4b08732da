"""One run from manifest to records: what the commands and the Python API share.

Each name is imported when it is first used: checking a manifest needs neither the
client nor the runner, and they take longer to import than that does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foxbatch.api.choosing import unmatched
    from foxbatch.api.looking import (
        JobStatus,
        Status,
        plan,
        read_ledger,
        results,
        status,
    )
    from foxbatch.api.mending import fix_manifest
    from foxbatch.api.place import default_run_dir, find_run_dir
    from foxbatch.api.running import Audience, Beginning, Confirm, collect, run
    from foxbatch.api.service import SANDBOX_SPEED, RunOptions, find_access
    from foxbatch.api.settling import Settled, settle
    from foxbatch.api.summary import RunSummary, show_path
    from foxbatch.api.wanted import (
        Checked,
        Instead,
        Notice,
        Wanted,
        check,
        expand,
        expand_cells,
        load_manifest,
    )
    from foxbatch.planner import Choice
    from foxbatch.runner import StopButton

__all__ = [
    "SANDBOX_SPEED",
    "Audience",
    "Beginning",
    "Checked",
    "Choice",
    "Confirm",
    "Instead",
    "JobStatus",
    "Notice",
    "RunOptions",
    "RunSummary",
    "Settled",
    "Status",
    "StopButton",
    "Wanted",
    "check",
    "collect",
    "default_run_dir",
    "expand",
    "expand_cells",
    "find_access",
    "find_run_dir",
    "fix_manifest",
    "load_manifest",
    "plan",
    "read_ledger",
    "results",
    "run",
    "settle",
    "show_path",
    "status",
    "unmatched",
]

_HOME = {
    "SANDBOX_SPEED": "foxbatch.api.service",
    "Audience": "foxbatch.api.running",
    "Beginning": "foxbatch.api.running",
    "Checked": "foxbatch.api.wanted",
    "Choice": "foxbatch.planner",
    "Confirm": "foxbatch.api.running",
    "Instead": "foxbatch.api.wanted",
    "Notice": "foxbatch.api.wanted",
    "JobStatus": "foxbatch.api.looking",
    "RunOptions": "foxbatch.api.service",
    "RunSummary": "foxbatch.api.summary",
    "Settled": "foxbatch.api.settling",
    "Status": "foxbatch.api.looking",
    "StopButton": "foxbatch.runner",
    "Wanted": "foxbatch.api.wanted",
    "check": "foxbatch.api.wanted",
    "collect": "foxbatch.api.running",
    "default_run_dir": "foxbatch.api.place",
    "expand": "foxbatch.api.wanted",
    "expand_cells": "foxbatch.api.wanted",
    "find_access": "foxbatch.api.service",
    "find_run_dir": "foxbatch.api.place",
    "fix_manifest": "foxbatch.api.mending",
    "load_manifest": "foxbatch.api.wanted",
    "plan": "foxbatch.api.looking",
    "read_ledger": "foxbatch.api.looking",
    "results": "foxbatch.api.looking",
    "run": "foxbatch.api.running",
    "settle": "foxbatch.api.settling",
    "show_path": "foxbatch.api.summary",
    "status": "foxbatch.api.looking",
    "unmatched": "foxbatch.api.choosing",
}


if not TYPE_CHECKING:  # or else a type checker would believe in every name

    def __getattr__(name: str) -> object:
        """Import a name from its module the first time somebody asks for it."""
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_HOME[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
