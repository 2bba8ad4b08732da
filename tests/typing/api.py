"""The public API as a program sees it. Type-checked, never run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import assert_type

import foxbatch
from foxbatch.api import Beginning, Checked, Settled, Status
from foxbatch.errors import ExitCode
from foxbatch.events import Event
from foxbatch.ledger import LedgerReading
from foxbatch.matrix import Job
from foxbatch.planner import Plan
from foxbatch.results import Record


class Listener:
    """Whoever has these two methods can watch a run."""

    def begins(self, beginning: Beginning) -> None:
        assert_type(beginning.run_dir, Path)

    def happened(self, fact: Event) -> None:
        assert_type(fact.at, str)


def looking(path: Path) -> None:
    wanted = foxbatch.load_manifest(path, provider="sandbox")
    assert_type(wanted, foxbatch.Wanted)
    assert_type(foxbatch.check(wanted), Checked)
    assert_type(foxbatch.check(wanted).problems, tuple[foxbatch.Problem, ...])
    assert_type(foxbatch.expand(wanted), Iterator[Job])
    choice = foxbatch.Choice(only=("beach/*",))
    assert_type(foxbatch.plan(wanted, out=path, choice=choice), Plan)
    assert_type(foxbatch.read_ledger(path), LedgerReading)
    assert_type(foxbatch.read_results(path), list[Record])
    assert_type(foxbatch.status(path), Status)


async def doing(wanted: foxbatch.Wanted) -> None:
    options = foxbatch.RunOptions(yes=True, max_new=4, out=Path("out"))
    stop = foxbatch.StopButton()
    summary = await foxbatch.run(wanted, options, audience=[Listener()], stop=stop)
    assert_type(summary, foxbatch.RunSummary)
    assert_type(summary.exit_code, ExitCode)
    assert_type(await foxbatch.collect(summary.run_dir), foxbatch.RunSummary)
    assert_type(await foxbatch.settle(summary.run_dir, "a", "write_off"), Settled)
    await foxbatch.run(wanted, foxbatch.RunOptions(detach=True), confirm=lambda _: True)


def refusing(path: Path) -> foxbatch.FoxbatchError | None:
    try:
        foxbatch.load_manifest(path)
    except foxbatch.InvalidError as error:
        assert_type(error.problems, tuple[foxbatch.Problem, ...])
    except (foxbatch.UsageError, foxbatch.RunDirError) as error:
        return error
    return None
