"""One run from manifest to records: what the commands and the Python API share."""

from __future__ import annotations

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
