"""What a run says of itself: why it ended, and the command that goes on with it."""

from __future__ import annotations

import shlex

from foxbatch.api.service import RunOptions
from foxbatch.api.wanted import Wanted
from foxbatch.errors import ExitCode
from foxbatch.runner import Outcome


def command(wanted: Wanted, options: RunOptions) -> str:
    """Return the command that goes on with a run: the same jobs, the same place."""
    words = ["foxbatch", "run", str(wanted.manifest.path or "-")]
    if wanted.instead is not None:
        words += ["--provider", wanted.instead]
    if options.out is not None:
        words += ["--out", str(options.out)]
    for override in wanted.manifest.overrides:
        words += ["--set", override]
    for glob in options.choice.only:
        words += ["--only", glob]
    if options.choice.fresh:
        words.append("--fresh")
    return shlex.join(words)


_WORDS = {
    ExitCode.DONE: "all that was asked for is done",
    ExitCode.HELD: "done, except submissions that a person must settle",
    ExitCode.FAILED_JOBS: "done, but jobs failed",
    ExitCode.REMOTE: "work is still running remotely",
    ExitCode.INTERRUPTED: "interrupted; the same command goes on",
}


_ENDINGS = {
    "detached": "everything is submitted; what runs remotely was left running",
    "stop_after": "stopped in time, as asked; the same command goes on",
}


def reason(outcome: Outcome | None, code: ExitCode, *, failed: int) -> str:
    """Return why a run ended, for people; *failed* of its jobs have."""
    if outcome is not None and outcome.why:
        word = "paused" if outcome.reason == "done" else "stopped"
        return f"{word}: {outcome.why}"
    if outcome is not None and outcome.reason in _ENDINGS:
        return _ENDINGS[outcome.reason]
    if code is ExitCode.DONE and failed:
        return f"done; {failed:,} failed, which the manifest accepts"
    return _WORDS[code]
