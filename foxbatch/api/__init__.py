"""One run from manifest to records: what the commands and the Python API share.

Each name is imported when it is first used: checking a manifest needs neither the
client nor the runner, and they take longer to import than that does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foxbatch.api.asking import (
        Results,
        distinct,
        load_results,
        open_tables,
        picked_results,
    )
    from foxbatch.api.beginning import Audience, Beginning, Confirm
    from foxbatch.api.choosing import unmatched
    from foxbatch.api.evidence import HeldJob, held
    from foxbatch.api.exporting import Exported, export
    from foxbatch.api.looking import (
        JobStatus,
        Length,
        Spent,
        Status,
        plan,
        read_ledger,
        results,
        status,
    )
    from foxbatch.api.mending import fix_manifest
    from foxbatch.api.place import default_run_dir, find_run_dir
    from foxbatch.api.postering import PosterAudience
    from foxbatch.api.recovering import LoggedTask, Recovery, read_log, recover
    from foxbatch.api.reporting import Reported, bundle, report
    from foxbatch.api.running import collect, run
    from foxbatch.api.service import SANDBOX_SPEED, RunOptions, find_access
    from foxbatch.api.settling import (
        Ruling,
        Settled,
        held_and_charged,
        look_up,
        settle,
        settle_all,
    )
    from foxbatch.api.sheeting import Sheeted, sheet
    from foxbatch.api.summary import RunSummary, show_path
    from foxbatch.api.verifying import Finding, Verified, verify
    from foxbatch.api.viewing import view, view_beside
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
    "Exported",
    "Finding",
    "HeldJob",
    "Instead",
    "JobStatus",
    "Length",
    "LoggedTask",
    "Notice",
    "PosterAudience",
    "Recovery",
    "Reported",
    "Results",
    "Ruling",
    "RunOptions",
    "RunSummary",
    "Settled",
    "Sheeted",
    "Spent",
    "Status",
    "StopButton",
    "Verified",
    "Wanted",
    "bundle",
    "check",
    "collect",
    "default_run_dir",
    "distinct",
    "expand",
    "expand_cells",
    "export",
    "find_access",
    "find_run_dir",
    "fix_manifest",
    "held",
    "held_and_charged",
    "load_manifest",
    "load_results",
    "look_up",
    "open_tables",
    "picked_results",
    "plan",
    "read_ledger",
    "read_log",
    "recover",
    "report",
    "results",
    "run",
    "settle",
    "settle_all",
    "sheet",
    "show_path",
    "status",
    "unmatched",
    "verify",
    "view",
    "view_beside",
]

_HOME = {
    "SANDBOX_SPEED": "foxbatch.api.service",
    "Audience": "foxbatch.api.beginning",
    "Beginning": "foxbatch.api.beginning",
    "Results": "foxbatch.api.asking",
    "distinct": "foxbatch.api.asking",
    "load_results": "foxbatch.api.asking",
    "open_tables": "foxbatch.api.asking",
    "Checked": "foxbatch.api.wanted",
    "Choice": "foxbatch.planner",
    "Confirm": "foxbatch.api.beginning",
    "Instead": "foxbatch.api.wanted",
    "Notice": "foxbatch.api.wanted",
    "JobStatus": "foxbatch.api.looking",
    "Length": "foxbatch.api.looking",
    "RunOptions": "foxbatch.api.service",
    "RunSummary": "foxbatch.api.summary",
    "HeldJob": "foxbatch.api.evidence",
    "Ruling": "foxbatch.api.settling",
    "Settled": "foxbatch.api.settling",
    "Spent": "foxbatch.api.looking",
    "Status": "foxbatch.api.looking",
    "StopButton": "foxbatch.runner",
    "Wanted": "foxbatch.api.wanted",
    "check": "foxbatch.api.wanted",
    "collect": "foxbatch.api.running",
    "default_run_dir": "foxbatch.api.place",
    "expand": "foxbatch.api.wanted",
    "Exported": "foxbatch.api.exporting",
    "export": "foxbatch.api.exporting",
    "expand_cells": "foxbatch.api.wanted",
    "find_access": "foxbatch.api.service",
    "find_run_dir": "foxbatch.api.place",
    "fix_manifest": "foxbatch.api.mending",
    "held": "foxbatch.api.evidence",
    "held_and_charged": "foxbatch.api.settling",
    "load_manifest": "foxbatch.api.wanted",
    "look_up": "foxbatch.api.settling",
    "picked_results": "foxbatch.api.asking",
    "plan": "foxbatch.api.looking",
    "PosterAudience": "foxbatch.api.postering",
    "read_ledger": "foxbatch.api.looking",
    "LoggedTask": "foxbatch.api.recovering",
    "Recovery": "foxbatch.api.recovering",
    "read_log": "foxbatch.api.recovering",
    "recover": "foxbatch.api.recovering",
    "Reported": "foxbatch.api.reporting",
    "bundle": "foxbatch.api.reporting",
    "report": "foxbatch.api.reporting",
    "results": "foxbatch.api.looking",
    "run": "foxbatch.api.running",
    "settle": "foxbatch.api.settling",
    "settle_all": "foxbatch.api.settling",
    "Sheeted": "foxbatch.api.sheeting",
    "sheet": "foxbatch.api.sheeting",
    "show_path": "foxbatch.api.summary",
    "status": "foxbatch.api.looking",
    "unmatched": "foxbatch.api.choosing",
    "Finding": "foxbatch.api.verifying",
    "Verified": "foxbatch.api.verifying",
    "verify": "foxbatch.api.verifying",
    "view": "foxbatch.api.viewing",
    "view_beside": "foxbatch.api.viewing",
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
