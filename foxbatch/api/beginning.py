"""What is told and asked before a run sends anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from foxbatch.api.service import RunOptions
from foxbatch.budget import Spending
from foxbatch.canonical import JobId
from foxbatch.errors import UsageError
from foxbatch.events import Event
from foxbatch.pace import PaceChange
from foxbatch.planner import BUYS, Plan
from foxbatch.policy import Budget, Limits
from foxbatch.prices import Estimate
from foxbatch.state import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What a run is about to do.

    Attributes:
        run_dir: Where everything is.
        name: Of the manifest, or of the run directory.
        provider: Id of the service.
        base_url: Where requests go; empty where none will be sent.
        paid: Whether requests cost money.
        plan: What is to be done.
        limits: Limits in force.
        phases: Where every job stands now.
        canaries: How many jobs are bought first, to learn what the rest costs.
        spending: How much of each budget is used.
        torn: Ledger files that end in an unfinished line.
        network: Kind of the network file system that the directory is on, if any.
    """

    run_dir: Path
    name: str
    provider: str
    base_url: str
    paid: bool
    plan: Plan
    limits: Limits
    phases: Mapping[JobId, Phase]
    canaries: int = 0
    spending: tuple[Spending, ...] = ()
    torn: tuple[str, ...] = ()
    network: str = ""


class Audience(Protocol):
    """Whoever watches a run: a screen, a log."""

    def begins(self, beginning: Beginning) -> None:
        """Take in what is going to happen."""

    def happened(self, fact: Event) -> None:
        """Take in one new fact, which is in the ledger already."""


@runtime_checkable
class PaceAudience(Protocol):
    """Whoever of an audience also wants to know how fast the run goes."""

    def paced(self, change: PaceChange) -> None:
        """Take in that a limit adapts to the service. It is no fact: it passes."""


Confirm = Callable[[Beginning], bool]
"""Asked before a run that costs money; False sends nothing."""


def check_prices(
    estimate: Estimate, budgets: Iterable[Budget], options: RunOptions
) -> None:
    """Raise `UsageError` where nobody can tell whether a budget in credits holds."""
    bounds = [budget for budget in budgets if budget.credits is not None]
    agreed = options.canary or options.allow_unpriced
    if not estimate.unpriced or not bounds or agreed:
        return
    number = estimate.unpriced
    jobs = "1 job costs" if number == 1 else f"{number:,} jobs cost"
    raise UsageError(
        f"a budget of {bounds[-1]} needs prices, and what {jobs} is not known",
        hint="Type --canary to buy one job of each kind first, or --allow-unpriced to "
        "buy without knowing.",
    )


def ask(beginning: Beginning, options: RunOptions, confirm: Confirm | None) -> None:
    """Raise `UsageError` unless somebody agreed to what a run may cost."""
    buys = len(beginning.plan.with_action(*BUYS))
    if not buys or not beginning.paid or options.yes:
        return
    if options.canary and not beginning.canaries:
        return  # all prices are known, and the question comes with them
    if confirm is None:
        if beginning.spending:  # a budget was set: that is a word
            return
        raise UsageError(
            f"this run would buy {buys} job{'' if buys == 1 else 's'} "
            f"from {beginning.provider}",
            hint="Type --yes to agree, or set a budget in the manifest.",
        )
    if not confirm(beginning):
        raise UsageError("nothing was bought", hint="Answer y to go on.")
