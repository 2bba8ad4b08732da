"""What an account did while a job may have been bought: evidence, never proof.

Two things are compared with what the ledger knows. How much the account says it has
used, before and after: what no task accounts for may be a task that nobody heard of.
And what it says it was charged for: a charge that belongs to no known task may be that
of a held job. Others may use the same key, so neither proves anything.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from foxbatch.canonical import Json
from foxbatch.events import AccountSeen, AttemptId, JobPlanned
from foxbatch.prices import estimate, prices
from foxbatch.state import Attempt, BatchState, key_of

NOT_PROOF = "This is evidence and no proof: others may use the same key."

_CLOCKS_DIFFER = timedelta(minutes=1)
"""How wrong the service's clock and ours may be, put together."""

_MAY_TAKE = timedelta(minutes=3)
"""How long a submission without a known end may have been under way."""

_SAME = 0.01  # of a price: what amounts may differ by and still be equal


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What an account says about itself, in its own unit; None for what it does not."""

    used: float | None = None
    available: float | None = None
    unlimited: bool | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """Something an account was charged for.

    Attributes:
        at: When, by the service's clock.
        model: What for, in the service's words.
    """

    at: datetime
    model: str


# ---- How much it used


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """How much more an account had used at one look at it than at an earlier one.

    Attributes:
        since: When the first look was (RFC 3339, UTC).
        until: When the second one was.
        amount: The difference, in `unit`.
        unit: `credits` where it can be compared with those of tasks.
        tasks: Tasks the ledger knows that were made in between.
        unpriced: Those of them whose credits nobody reported.
        known: What the others account for, in credits.
        price: What each of the submissions in doubt is thought to cost, where that is
            known and the same for all.
        attempts: Those submissions.
    """

    since: str
    until: str
    amount: float
    unit: str
    tasks: int
    unpriced: int
    known: float
    price: float | None
    attempts: tuple[AttemptId, ...]

    @property
    def unexplained(self) -> float | None:
        """Credits that no known task accounts for; None where that is not known."""
        if self.unit != "credits" or self.unpriced:
            return None
        return round(self.amount - self.known, 6)

    def in_words(self) -> str:
        """Return it for people."""
        span = _span(_time(self.since), _time(self.until))
        moved = "rose" if self.amount >= 0 else "fell"
        start = (
            f"from {span} the account's used amount {moved} by"
            f" {_figure(abs(self.amount))} {self.unit}"
        )
        if self.unit != "credits":
            return f"{start}; what that is in credits is not known"
        if self.unpriced:
            tasks = _count(self.unpriced, "task")
            return f"{start}; what {tasks} of then cost is not known"
        return f"{start}; {self._explained()}; {self._rest()}"

    def _explained(self) -> str:
        if not self.tasks:
            return "the ledger knows no task of then"
        one = self.tasks == 1
        tasks = "one task" if one else f"{self.tasks:,} tasks"
        verb = "accounts" if one else "account"
        known = _figure(self.known)
        return f"the {tasks} that the ledger knows of then {verb} for {known}"

    def _rest(self) -> str:
        rest = self.unexplained or 0.0
        if abs(rest) <= _SAME * (self.price or 1):
            return "nothing is unexplained: no sign of a further purchase"
        if rest < 0:
            return (
                f"that is {_figure(-rest)} more, as where something is given back or"
                " charged later: it tells nothing"
            )
        return f"{_figure(rest)} are unexplained{self._in_tasks(rest)}"

    def _in_tasks(self, rest: float) -> str:
        if not self.price:
            return ""
        number = round(rest / self.price)
        if not number or abs(rest - number * self.price) > _SAME * self.price:
            return ""
        tasks = "one task" if number == 1 else f"{number:,} tasks"
        return f": about {tasks} of {_figure(self.price)}"

    def to_json(self) -> dict[str, Json]:
        """Return it for `status --format json`."""
        return {
            "since": self.since,
            "until": self.until,
            "amount": self.amount,
            "unit": self.unit,
            "tasks": self.tasks,
            "known": None if self.unexplained is None else self.known,
            "unexplained": self.unexplained,
            "attempts": list(self.attempts),
            "text": self.in_words(),
        }


def rises(state: BatchState, doubtful: Iterable[Attempt]) -> list[Rise]:
    """Return what the account did around each of the attempts that are *doubtful*.

    Attempts between the same two looks share one; those without a look before and
    after them, or whose looks cannot be compared, have none.
    """
    looks = _looks(state)
    between: dict[tuple[str, str], list[Attempt]] = {}
    pairs: dict[tuple[str, str], tuple[AccountSeen, AccountSeen]] = {}
    for attempt in doubtful:
        found = _around(looks, attempt)
        if found is not None:
            span = found[0].at, found[1].at
            pairs[span] = found
            between.setdefault(span, []).append(attempt)
    return [_rise(state, *pairs[span], attempts) for span, attempts in between.items()]


def _looks(state: BatchState) -> list[AccountSeen]:
    """Return every look that told what is used, the oldest first."""
    found = {
        key_of(look): look
        for run in state.runs.values()
        for look in (run.account_before, run.account_after)
        if look is not None and look.used is not None
    }
    return [found[key] for key in sorted(found)]


def _around(
    looks: Sequence[AccountSeen], attempt: Attempt
) -> tuple[AccountSeen, AccountSeen] | None:
    """Return the last look before *attempt* and the first one after it."""
    ended = attempt.unknown.at if attempt.unknown is not None else attempt.since
    before = [look for look in looks if look.at <= attempt.since]
    after = [look for look in looks if look.at >= ended and look not in before]
    if not before or not after:
        return None
    first, last = before[-1], after[0]
    same = (first.unit, first.per_credit) == (last.unit, last.per_credit)
    return (first, last) if same else None


def _rise(
    state: BatchState,
    first: AccountSeen,
    last: AccountSeen,
    doubtful: Sequence[Attempt],
) -> Rise:
    known = [
        attempt
        for attempt in _bought(state)
        if attempt.task is not None and first.at < _moment(attempt) <= last.at
    ]
    priced = [credits_ for a in known if (credits_ := a.credits) is not None]
    amount = (last.used or 0.0) - (first.used or 0.0)
    if last.per_credit:
        amount /= last.per_credit
    return Rise(
        since=first.at,
        until=last.at,
        amount=round(amount, 6),
        unit="credits" if last.per_credit else last.unit or "units of its own",
        tasks=len(known),
        unpriced=len(known) - len(priced),
        known=round(math.fsum(priced), 6),
        price=_price(state, doubtful),
        attempts=tuple(attempt.id for attempt in doubtful),
    )


def _bought(state: BatchState) -> Iterator[Attempt]:
    for job in state.jobs.values():
        for attempt in job.attempts.values():
            if attempt.counts_as_bought:
                yield attempt


def _moment(attempt: Attempt) -> str:
    """Return when its task was made, as far as that is known here."""
    return attempt.accepted.at if attempt.accepted is not None else attempt.since


def _price(state: BatchState, doubtful: Sequence[Attempt]) -> float | None:
    plans = [state.jobs[attempt.job].planned for attempt in doubtful]
    wanted = [plan for plan in plans if plan is not None]
    thought = estimate(wanted, prices(state))
    usual = {line.price.usual for line in thought.lines if line.price is not None}
    if thought.unpriced or thought.jobs < len(doubtful) or len(usual) != 1:
        return None
    return usual.pop()


# ---- What it was charged for


@dataclass(slots=True)
class Tally:
    """Submissions of one model, close to each other, beside the charges of then.

    Attributes:
        since: When the first could have been charged.
        until: When the last could have been.
        first_until: Until when the first could have been.
        tasks: How many became tasks that the ledger knows.
        attempts: Those that nobody knows the fate of.
        charges: How often the account was charged for the model.
        whole: Whether the charges certainly go back that far.
    """

    model: str
    since: datetime
    until: datetime
    first_until: datetime
    tasks: int = 0
    attempts: list[AttemptId] = field(default_factory=list)
    charges: int = 0
    whole: bool = False

    def in_words(self) -> str:
        """Return it for people."""
        shows = f"{_count(self.charges, 'charge')} for {self.model}"
        known = f"{_count(self.tasks, 'task')} accepted then"
        said = (
            f"between {_span(self.since, self.until, ' and ')} the account shows"
            f" {shows}; the ledger knows {known}"
        )
        if not self.whole or self.charges < self.tasks:
            return f"{said}, and the account's list may be incomplete: it tells nothing"
        return f"{said}: {self._verdict()}"

    def _verdict(self) -> str:
        more, doubts = self.charges - self.tasks, len(self.attempts)
        if not more:
            was = "this job was" if doubts == 1 else f"these {doubts:,} were"
            return f"not one more so far, so {was} probably not bought"
        count = "one" if more == 1 else f"{more:,}"
        said = f"{count} more, so "
        if more < doubts:
            was = "was" if more == 1 else "were"
            return f"{said}{count} of {doubts:,} such jobs {was} probably bought"
        was = "this job was" if doubts == 1 else f"these {doubts:,} were"
        return f"{said}{was} probably bought"


def tallies(state: BatchState, charges: Sequence[Charge]) -> dict[AttemptId, Tally]:
    """Return for each submission of unknown fate what the account was charged for then.

    All submissions of a model that could share a charge are counted together: clocks
    differ, and a charge beside the edge of a window would be counted on one side only.
    """
    found: dict[AttemptId, Tally] = {}
    times: dict[str, list[datetime]] = defaultdict(list)
    for charge in charges:
        times[_bare(charge.model)].append(charge.at)
    oldest = min((charge.at for charge in charges), default=None)
    for model, attempts in _by_model(state).items():
        for tally in _clusters(model, attempts):
            tally.charges = sum(
                tally.since <= at <= tally.until for at in times.get(model, ())
            )
            # The oldest charge is that of the first task here, or an older one: else
            # the list begins later than this does.
            tally.whole = oldest is None or oldest <= tally.first_until
            found |= dict.fromkeys(tally.attempts, tally)
    return found


def _by_model(state: BatchState) -> Mapping[str, list[Attempt]]:
    found: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in _bought(state):
        planned: JobPlanned | None = state.jobs[attempt.job].planned
        if planned is not None and attempt.since:
            found[_bare(planned.model)].append(attempt)
    return found


def _bare(model: str) -> str:
    """Return a model's name without the variant in brackets that is charged for."""
    return model.partition("[")[0]


def _clusters(model: str, attempts: Iterable[Attempt]) -> list[Tally]:
    """Return submissions of *model*, together where they could share a charge."""
    found: list[Tally] = []
    for since, until, attempt in sorted(
        ((*_when(one), one) for one in attempts), key=lambda span: span[:2]
    ):
        if not found or since > found[-1].until:
            found.append(Tally(model, since, until, first_until=until))
        tally = found[-1]
        tally.until = max(tally.until, until)
        if attempt.task is None:
            tally.attempts.append(attempt.id)
        else:
            tally.tasks += 1
    return found


def _when(attempt: Attempt) -> tuple[datetime, datetime]:
    """Return from when to when the service may say that it charged for *attempt*."""
    began = _time(attempt.since)
    heard = attempt.accepted or attempt.unknown
    ended = began + _MAY_TAKE if heard is None else _time(heard.at)
    return began - _CLOCKS_DIFFER, max(began, ended) + _CLOCKS_DIFFER


# ---- Words


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _figure(number: float) -> str:
    return f"{number:,.2f}".rstrip("0").rstrip(".")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _span(since: datetime, until: datetime, to: str = " to ") -> str:
    same_day = since.date() == until.date()
    end = f"{until:%H:%M:%S}" if same_day else f"{until:%Y-%m-%d %H:%M:%S}"
    return f"{since:%Y-%m-%d %H:%M:%S}{to}{end} UTC"
