"""Declarative batch runs of generative media, safe with money and with work.

What was asked for (`expand`), what is known (`read_ledger`), what is missing (`plan`),
and doing it (`run`) can all be had from Python; nothing is imported before it is used.

The modules, in a good order to read them:

    errors         every error raised on purpose, with the exit code it means
    canonical      JSON values in one spelling, so equal things have equal digests
    yaml12         YAML 1.2 core text to JSON values that remember where they stood
    schema         JSON Schema answers in the user's words at the user's line
    template       `${{ name }}` parsed once, rendered strictly
    durable        files and folders that are still there after a power cut
    processes      which process this is, and whether another may still be alive
    sources        text and digests of the files a manifest names
    policy         limits, retries, polling patience, budget
    provider       a service as data: endpoints, answers, models, prices
    access         which key may go to which address, and whose results those are
    manifest       what the user asked for, checked and frozen
    matrix         manifest to jobs, lazily, with ids from their content
    events         the facts a ledger can hold, one line each
    lifecycle      what may happen to a job, and in which order
    state          what is known about jobs: all facts of all files together
    ledger_schema  the published schema of a line, and what it refuses
    ledger         an append-only file that survives a power cut
    ledger_index   what it says of its jobs, one after the other
    lock           one writer per run directory, and who it is
    lint           what is valid in a manifest, and probably not meant
    prices         what a purchase is thought to cost
    budget         what may still be bought
    account        what the account did while a job may have been bought
    breaker        which slices of a sweep fail as a whole
    planner        what a run would do, and why
    clock          time, asked of one object
    signals        what asks this process to stop
    durations      how long tasks of a kind take
    forecast       when a task is worth a question
    experience     what earlier runs teach the forecast
    pace           how fast a service may be used now
    governor       the one place that may say "not yet"
    client         one service over HTTP; what it answers is a value
    artifacts      files whole or not at all, checked by what they contain
    runner         decide, act, record, repeat
    results        one record per job, for people, tables and SQL
    pages          what the pages of foxbatch share
    report         the gallery of one or more runs, and pictures of it
    sandbox        a pretend service that behaves, and misbehaves on purpose
    api            one run, from manifest to records
    cli            arguments in, exit code out
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foxbatch.api import (
        Choice,
        RunOptions,
        RunSummary,
        StopButton,
        Wanted,
        check,
        collect,
        expand,
        load_manifest,
        load_results,
        plan,
        read_ledger,
        results as read_results,
        run,
        settle,
        status,
    )
    from foxbatch.errors import (
        FoxbatchError,
        InvalidError,
        Problem,
        RunDirError,
        UsageError,
    )

__version__ = "0.1.0"

__all__ = [
    "Choice",
    "FoxbatchError",
    "InvalidError",
    "Problem",
    "RunDirError",
    "RunOptions",
    "RunSummary",
    "StopButton",
    "UsageError",
    "Wanted",
    "__version__",
    "check",
    "collect",
    "expand",
    "load_manifest",
    "load_results",
    "plan",
    "read_ledger",
    "read_results",
    "run",
    "settle",
    "status",
]

_HOME = {
    "Choice": "foxbatch.api",
    "FoxbatchError": "foxbatch.errors",
    "InvalidError": "foxbatch.errors",
    "Problem": "foxbatch.errors",
    "RunDirError": "foxbatch.errors",
    "RunOptions": "foxbatch.api",
    "RunSummary": "foxbatch.api",
    "StopButton": "foxbatch.api",
    "UsageError": "foxbatch.errors",
    "Wanted": "foxbatch.api",
    "check": "foxbatch.api",
    "collect": "foxbatch.api",
    "expand": "foxbatch.api",
    "load_manifest": "foxbatch.api",
    "load_results": "foxbatch.api",
    "plan": "foxbatch.api",
    "read_ledger": "foxbatch.api",
    "read_results": "foxbatch.api",
    "run": "foxbatch.api",
    "settle": "foxbatch.api",
    "status": "foxbatch.api",
}

# `foxbatch.results` is a module, and a name can be one thing only.
_NAME_THERE = {"read_results": "results"}


if not TYPE_CHECKING:  # or else a type checker would believe in every name

    def __getattr__(name: str) -> object:
        """Import a public name from its module the first time somebody asks for it."""
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = import_module(_HOME[name])
        value = globals()[name] = getattr(home, _NAME_THERE.get(name, name))
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
