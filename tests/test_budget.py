"""Prices that were measured, budgets that hold, and what a canary decides."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from foxbatch.budget import Projection, Purse, Spending, Ticket, charge_of, period_of
from foxbatch.clock import to_text
from foxbatch.events import (
    AttemptId,
    Event,
    JobFailed,
    JobPlanned,
    JobSucceeded,
    RunId,
    StatusSeen,
    SubmitAccepted,
    SubmitIntended,
    SubmitRefused,
    SubmitSettled,
    SubmitUnknown,
    TaskId,
)
from foxbatch.policy import Budget, Per
from foxbatch.prices import (
    Estimate,
    Price,
    PriceLine,
    canaries,
    estimate,
    price_shape,
    prices,
    reserved,
)
from foxbatch.state import Attempt, BatchState
from tests.runner_harness import RUN, many, state_of

JOB, OTHER, THIRD = many(3)
LONG = msgspec.structs.replace(THIRD, request={**THIRD.request, "duration": 8})
FIRST, SECOND = AttemptId("run-1"), AttemptId("run-2")
AT = "2026-01-01T00:00:30.000Z"
SHAPE = price_shape(JOB)


def intended(
    job: JobPlanned = JOB, attempt: AttemptId = FIRST, aside: float | None = None
) -> SubmitIntended:
    return SubmitIntended(job=job.job, attempt=attempt, credits=aside)


def accepted(
    credits_: float | None, job: JobPlanned = JOB, attempt: AttemptId = FIRST
) -> SubmitAccepted:
    task = TaskId(f"task-{attempt}")
    return SubmitAccepted(job=job.job, attempt=attempt, task=task, credits=credits_)


def attempt_of(*facts: Event) -> Attempt:
    return state_of(JOB, *facts).jobs[JOB.job].attempts[FIRST]


def purse_of(
    *facts: Event,
    jobs: int | None = None,
    credits_: float | None = None,
    per: Per = "directory",
) -> Purse:
    budget = Budget(jobs=jobs, credits=credits_, per=per)
    return Purse([budget], state_of(JOB, OTHER, LONG, *facts), RUN)


def short(purse: Purse, job: JobPlanned = JOB, at: str = AT) -> str:
    return purse.shortage(job, at)


class TestShape:
    @pytest.mark.parametrize("name", ["duration", "resolution", "generate_audio"])
    def test_depends_on(self, name: str) -> None:
        other = msgspec.structs.replace(JOB, request={**JOB.request, name: "x"})

        assert price_shape(other) != SHAPE

    def test_depends_on_the_model(self) -> None:
        assert price_shape(msgspec.structs.replace(JOB, model="other")) != SHAPE

    @pytest.mark.parametrize("name", ["prompt", "seed", "image_urls"])
    def test_does_not_depend_on(self, name: str) -> None:
        other = msgspec.structs.replace(JOB, request={**JOB.request, name: "x"})

        assert price_shape(other) == SHAPE

    def test_is_the_same_for_equal_numbers(self) -> None:
        other = msgspec.structs.replace(JOB, request={**JOB.request, "duration": 4.0})

        assert price_shape(other) == SHAPE


class TestPrice:
    @pytest.mark.parametrize(
        ("facts", "amount"),
        [
            pytest.param([accepted(28)], 28, id="what the reply reserved"),
            pytest.param([accepted(None)], None, id="nothing where it did not say"),
            pytest.param(
                [
                    accepted(None),
                    StatusSeen(
                        job=JOB.job,
                        attempt=FIRST,
                        status="pending",
                        state="running",
                        credits=30,
                    ),
                ],
                30,
                id="what a later answer says",
            ),
            pytest.param(
                [
                    accepted(28),
                    JobFailed(
                        job=JOB.job, attempt=FIRST, error_class="service", credits=0
                    ),
                ],
                28,
                id="not what is left after a refund",
            ),
            pytest.param([accepted(-1)], None, id="no negative amount"),
            pytest.param([accepted(math.nan)], None, id="no number that is none"),
            pytest.param([accepted(math.inf)], None, id="no infinite amount"),
            pytest.param([accepted(1e308)], None, id="no amount that nobody has"),
            pytest.param([accepted(0)], 0, id="zero where it says zero"),
        ],
    )
    def test_is(self, facts: list[Event], amount: float | None) -> None:
        assert reserved(attempt_of(intended(), *facts)) == amount

    def test_is_known_per_shape(self) -> None:
        facts: list[Event] = [
            intended(),
            accepted(20),
            intended(OTHER, SECOND),
            accepted(30, OTHER, SECOND),
        ]

        known = prices(state_of(JOB, OTHER, LONG, *facts))

        assert known == {SHAPE: Price(20, 25, 30, 2)}

    def test_of_what_no_plan_describes_teaches_nothing(self) -> None:
        assert prices(state_of(intended(), accepted(20))) == {}

    def test_is_told_by_shape_the_most_jobs_first(self) -> None:
        state = state_of(JOB, intended(), accepted(28))

        found = estimate([LONG, JOB, OTHER], prices(state))

        assert [(line.jobs, line.price) for line in found.lines] == [
            (2, Price(28, 28, 28, 1)),
            (1, None),
        ]
        assert (found.credits, found.most, found.unpriced) == (56, 56, 1)

    def test_of_a_part_is_that_of_the_whole(self) -> None:
        whole = estimate([LONG, JOB], prices(state_of(JOB, intended(), accepted(28))))

        part = whole.part([OTHER])

        assert part.lines == (PriceLine(OTHER, 1, Price(28, 28, 28, 1)),)


def amount(exact: Decimal | None) -> float | None:
    return None if exact is None else float(exact)


class TestCharge:
    FAILED = JobFailed(job=JOB.job, attempt=FIRST, error_class="service", credits=0)
    UNKNOWN = SubmitUnknown(job=JOB.job, attempt=FIRST, why="lost")
    DONE = JobSucceeded(job=JOB.job, attempt=FIRST, credits=20)

    @pytest.mark.parametrize(
        ("facts", "known", "aside"),
        [
            pytest.param([], None, 28, id="under way: what was set aside"),
            pytest.param([accepted(30)], 30, 28, id="accepted: what is reserved"),
            pytest.param([accepted(30), FAILED], 30, 28, id="failed: no refund"),
            pytest.param([UNKNOWN], None, 28, id="held: what was set aside"),
            pytest.param(
                [
                    UNKNOWN,
                    SubmitSettled(job=JOB.job, attempt=FIRST, decision="write_off"),
                ],
                None,
                28,
                id="written off: what was set aside",
            ),
            pytest.param([accepted(30), DONE], 20, 28, id="done: what it took"),
            pytest.param(
                [accepted(30), JobSucceeded(job=JOB.job, attempt=FIRST)],
                30,
                28,
                id="done without a word: what was reserved",
            ),
            pytest.param(
                [JobSucceeded(job=JOB.job, attempt=FIRST)],
                None,
                28,
                id="done, and nothing was ever said",
            ),
        ],
    )
    def test_is(
        self, facts: list[Event], known: float | None, aside: float | None
    ) -> None:
        charge = charge_of(attempt_of(intended(aside=28), *facts), SHAPE)

        assert charge is not None
        assert [amount(charge.known), amount(charge.aside)] == [known, aside]

    def test_of_a_refused_attempt_is_none(self) -> None:
        refused = SubmitRefused(job=JOB.job, attempt=FIRST, error_class="rate")

        assert charge_of(attempt_of(intended(aside=28), refused), SHAPE) is None

    def test_is_known_without_its_intent(self) -> None:
        charge = charge_of(attempt_of(accepted(30)), SHAPE)

        assert charge is not None
        assert [amount(charge.known), amount(charge.aside)] == [30, None]


@pytest.mark.parametrize(
    ("per", "name"),
    [
        ("directory", ""),
        ("run", "run"),
        ("day", "2027-01-01"),
        ("week", "2026-W53"),
        ("month", "2027-01"),
    ],
)
def test_a_budget_is_for_a_stretch_of_time(per: Per, name: str) -> None:
    assert period_of(per, "2027-01-01T00:00:00.000Z", RUN) == name


class TestPurse:
    def test_without_a_bound_holds_everything(self) -> None:
        assert short(purse_of(intended(), accepted(1e9))) == ""

    def test_has_endless_room_where_a_budget_bounds_something_else(self) -> None:
        (in_jobs,) = purse_of(jobs=3).spending(AT)
        (in_credits,) = purse_of(credits_=3).spending(AT)

        assert (in_jobs.jobs_left, in_jobs.credits_left) == (3, math.inf)
        assert (in_credits.jobs_left, in_credits.credits_left) == (math.inf, 3)

    def test_says_when_the_jobs_are_used_up(self) -> None:
        purse = purse_of(intended(), accepted(28), jobs=1)

        assert short(purse) == "the budget of 1 job is used up"

    def test_says_when_the_next_does_not_fit(self) -> None:
        purse = purse_of(intended(), accepted(28), credits_=50)

        assert short(purse) == (
            "the next job does not fit into the budget of 50 credits: "
            "28 are spent or set aside, and it takes 28"
        )

    def test_says_when_nothing_is_left(self) -> None:
        purse = purse_of(intended(), accepted(28), credits_=28, per="day")

        assert short(purse) == "the budget of 28 credits per day is used up"

    def test_takes_three_tenths_for_three_times_a_tenth(self) -> None:
        purse = purse_of(intended(), accepted(0.1), credits_=0.3)
        purse.reserve(JOB, AT)

        assert short(purse) == ""

        purse.reserve(JOB, AT)

        assert short(purse)

    def test_sets_aside_before_anything_is_written(self) -> None:
        purse = purse_of(intended(), accepted(28), credits_=60)

        ticket = purse.reserve(OTHER, AT)

        assert short(purse)
        purse.close(ticket)
        assert short(purse) == ""

    def test_counts_a_written_intent_once(self) -> None:
        purse = purse_of(intended(), accepted(28), credits_=100, jobs=9)
        ticket = purse.reserve(OTHER, AT)

        state = state_of(OTHER, intended(OTHER, SECOND, 28))
        purse.hear(state.jobs[OTHER.job].attempts[SECOND], SHAPE)
        purse.intended(ticket)

        (spent,) = purse.spending(AT)
        assert (spent.jobs, spent.credits) == (2, 56)
        assert (spent.jobs_left, spent.credits_left) == (7, 44)

    def test_buys_what_has_no_price_one_by_one_until_it_has(self) -> None:
        purse = purse_of(credits_=100)

        ticket = purse.reserve(JOB, AT)

        assert short(purse, OTHER) == (
            "what the first of its kind takes is not known yet"
        )
        assert short(purse, LONG) == ""
        purse.close(ticket)
        assert short(purse, OTHER) == ""

    def test_buys_several_without_a_price_where_no_credits_are_bound(self) -> None:
        purse = purse_of(jobs=5)
        purse.reserve(JOB, AT)

        assert short(purse, OTHER) == ""
        assert not purse.in_credits

    def test_buys_nothing_without_a_price_when_nothing_is_left(self) -> None:
        purse = purse_of(intended(), accepted(100), credits_=100)

        assert short(purse, LONG) == "the budget of 100 credits is used up"

    def test_counts_what_is_unsaid_at_the_price_that_is_learnt(self) -> None:
        held = [intended(OTHER, SECOND)]
        before = purse_of(*held, credits_=100)
        after = purse_of(*held, intended(), accepted(28), credits_=100)

        assert [(s.credits, s.unpriced) for s in before.spending(AT)] == [(0, 1)]
        assert [(s.credits, s.unpriced) for s in after.spending(AT)] == [(56, 0)]

    def test_takes_the_most_that_was_ever_reserved_for_a_price(self) -> None:
        purse = purse_of(
            intended(),
            accepted(28),
            intended(OTHER, SECOND),
            accepted(20, OTHER, SECOND),
        )

        assert purse.price(SHAPE) == 28
        assert purse.price(price_shape(LONG)) is None

    def test_follows_a_service_that_corrects_itself(self) -> None:
        purse = purse_of(credits_=100)
        later = attempt_of(intended(), accepted(20))

        purse.hear(attempt_of(intended(), accepted(28)), SHAPE)
        purse.hear(later, SHAPE)

        assert purse.price(SHAPE) == 20

    def test_keeps_a_price_that_others_were_asked_as_well(self) -> None:
        purse = purse_of(intended(OTHER, SECOND), accepted(28, OTHER, SECOND))
        purse.hear(attempt_of(intended(), accepted(28)), SHAPE)

        purse.hear(attempt_of(intended(), accepted(20)), SHAPE)

        assert purse.price(SHAPE) == 28

    def test_knows_purchases_that_no_plan_describes(self) -> None:
        state = state_of(intended(), accepted(28))
        purse = Purse([Budget(credits=50)], state, RUN)

        assert [one.credits for one in purse.spending(AT)] == [28]
        assert purse.prices == {}

    def test_is_not_led_astray_by_an_amount_that_nobody_has(self) -> None:
        some: list[Event] = [intended(), accepted(1e308)]
        some += [intended(OTHER, SECOND), accepted(1e308, OTHER, SECOND)]

        (spent,) = purse_of(*some, credits_=100).spending(AT)

        assert (spent.credits, spent.credits_left, spent.unpriced) == (0, 100, 2)

    def test_counts_what_it_has_forgotten(self) -> None:
        purse = purse_of(intended(), accepted(28), credits_=100)

        purse.forget(FIRST)
        purse.hear(attempt_of(intended(OTHER, SECOND), accepted(20)), SHAPE)

        assert [one.credits for one in purse.spending(AT)] == [48]
        assert purse.prices == {SHAPE: Price(20, 24, 28, 2)}

    def test_keeps_to_several_budgets(self) -> None:
        budgets = [Budget(credits=1000), Budget(credits=30, per="run")]
        state = state_of(JOB, intended(), accepted(28))

        assert Purse(budgets, state, RUN).shortage(JOB, AT)
        assert Purse(budgets, state, RunId("next")).shortage(JOB, AT) == ""

    def test_begins_anew_with_the_day(self) -> None:
        purse = purse_of(intended(), accepted(28), credits_=28, per="day")

        assert short(purse)
        assert short(purse, at="2026-01-02T00:00:00.000Z") == ""

    def test_doubts_what_was_set_aside_yesterday(self) -> None:
        purse = purse_of(credits_=28, per="day")

        ticket = purse.reserve(JOB, AT)

        assert purse.covers(ticket, AT)
        assert not purse.covers(ticket, "2026-01-02T00:00:00.000Z")

    def test_doubts_what_was_set_aside_at_an_older_price(self) -> None:
        purse = purse_of(intended(), accepted(10), credits_=40)
        ticket = purse.reserve(OTHER, AT)

        purse.hear(attempt_of(intended(), accepted(28)), SHAPE)

        assert not purse.covers(ticket, AT)


class TestProjection:
    REST = Estimate((PriceLine(JOB, 3, Price(20, 25, 30, 2)),))

    @pytest.mark.parametrize(
        ("budget", "shortage"),
        [
            pytest.param(Budget(credits=100), "", id="fits"),
            pytest.param(
                Budget(credits=99, per="day"),
                (
                    "the rest (3 jobs, up to 90 credits) does not fit into the budget "
                    "of 99 credits per day: 89 credits are left"
                ),
                id="too dear at the highest price",
            ),
            pytest.param(
                Budget(jobs=3),
                (
                    "the rest (3 jobs, up to 90 credits) does not fit into the budget "
                    "of 3 jobs: 2 jobs are left"
                ),
                id="too many",
            ),
        ],
    )
    def test_says_whether_the_rest_fits(self, budget: Budget, shortage: str) -> None:
        spent = Spending(budget, jobs=1, credits=10, unpriced=0)

        assert Projection(self.REST, (spent,)).shortage == shortage

    @pytest.mark.parametrize(
        ("price", "allowed", "unknown"),
        [
            (None, False, True),
            (None, True, False),
            (Price(1, 1, 1, 1), False, False),
        ],
        ids=["no price", "no price, agreed to", "a price"],
    )
    def test_says_whether_a_price_is_missing(
        self, price: Price | None, allowed: bool, unknown: bool
    ) -> None:
        rest = Estimate((PriceLine(JOB, 3, price),))

        assert Projection(rest, allow_unpriced=allowed).unknown is unknown


@pytest.mark.parametrize(
    ("known", "beside", "first"),
    [
        pytest.param([], [], [JOB, LONG], id="one of each shape"),
        pytest.param([SHAPE], [], [LONG], id="none of a shape with a price"),
        pytest.param([SHAPE], [price_shape(LONG)], [], id="none where it is no use"),
    ],
)
def test_canaries(known: list[str], beside: list[str], first: list[JobPlanned]) -> None:
    assert canaries([JOB, OTHER, LONG], known, beside=beside) == first


# ---- Laws

SHORT_PRICE, LONG_PRICE = 28.0, 0.1
KINDS = {"short": (JOB, SHORT_PRICE), "long": (LONG, LONG_PRICE)}
PERIODS: tuple[Per, ...] = ("directory", "run", "day", "week", "month")
budgets = st.lists(
    st.builds(
        Budget,
        jobs=st.none() | st.integers(0, 8),
        credits=st.none() | st.sampled_from([0.0, 0.3, 28.0, 60.0, 141.0]),
        per=st.sampled_from(PERIODS),
    ),
    min_size=1,
    max_size=3,
)


class Buying(RuleBasedStateMachine):
    """Runs that buy, are answered in any order, crash, and live through midnights.

    The service always takes the same for the same shape, and every shape was bought
    once before all budgets began.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 12, 30, tzinfo=UTC)
        self.facts: list[Event] = []
        self.numbers = itertools.count(1)
        self.seq = 0
        self.budgets: list[Budget] = []
        self.tickets: list[tuple[Ticket, JobPlanned]] = []
        self.open: dict[AttemptId, tuple[Ticket, JobPlanned]] = {}
        self.running: list[tuple[AttemptId, JobPlanned]] = []
        self.start()
        for job, price in KINDS.values():
            attempt = self.next_attempt()
            self.record(job, intended(job, attempt), accepted(price, job, attempt))
        self.now += timedelta(days=60)
        self.bought_before = len(KINDS)

    def start(self) -> None:
        self.run = RunId(f"run{next(self.numbers)}")
        self.seq = 0
        self.state = BatchState()
        for fact in self.facts:
            self.state.join(fact)
        self.purse = Purse(self.budgets, self.state, self.run)
        self.tickets, self.open = [], {}

    def next_attempt(self) -> AttemptId:
        return AttemptId(f"{self.run}-{next(self.numbers)}")

    @property
    def at(self) -> str:
        return to_text(self.now)

    def record(self, *events: Event) -> None:
        for event in events:
            self.seq += 1
            stamped = msgspec.structs.replace(
                event, v=1, seq=self.seq, run=self.run, at=self.at
            )
            self.facts.append(stamped)
            self.state.join(stamped)
            if isinstance(stamped, JobPlanned):
                continue
            known = self.state.jobs[stamped.job]  # type: ignore[union-attr]
            attempt = known.attempts[stamped.attempt]  # type: ignore[union-attr]
            assert known.planned is not None
            self.purse.hear(attempt, price_shape(known.planned))

    @initialize(chosen=budgets)
    def set_budgets(self, chosen: list[Budget]) -> None:
        # Bounds are about what is bought from here on: the two before come on top.
        self.budgets = [
            dataclasses.replace(
                budget,
                jobs=None if budget.jobs is None else budget.jobs + 2,
                credits=None
                if budget.credits is None
                else budget.credits + SHORT_PRICE + LONG_PRICE,
            )
            for budget in chosen
        ]
        self.start()

    @rule(kind=st.sampled_from(sorted(KINDS)))
    def choose(self, kind: str) -> None:
        job, _ = KINDS[kind]
        if not self.purse.shortage(job, self.at):
            self.tickets.append((self.purse.reserve(job, self.at), job))

    @precondition(lambda self: self.tickets)
    @rule(index=st.integers(0))
    def leave(self, index: int) -> None:
        ticket, job = self.tickets.pop(index % len(self.tickets))
        if not self.purse.covers(ticket, self.at):
            self.purse.close(ticket)
            return
        attempt = self.next_attempt()
        self.record(intended(job, attempt, self.purse.price(price_shape(job))))
        self.purse.intended(ticket)
        self.open[attempt] = (ticket, job)

    @precondition(lambda self: self.open)
    @rule(
        index=st.integers(0),
        answer=st.sampled_from(["yes", "no", "lost", "silent"]),
        forgets=st.booleans(),
    )
    def answer(self, index: int, answer: str, forgets: bool) -> None:
        attempt = sorted(self.open)[index % len(self.open)]
        ticket, job = self.open.pop(attempt)
        price = next(p for j, p in KINDS.values() if j is job)
        match answer:
            case "yes":
                self.record(accepted(price, job, attempt))
                self.running.append((attempt, job))
            case "silent":
                self.record(accepted(None, job, attempt))
            case "no":
                self.record(
                    SubmitRefused(job=job.job, attempt=attempt, error_class="rate")
                )
            case _:
                self.record(SubmitUnknown(job=job.job, attempt=attempt, why="lost"))
        self.purse.close(ticket)
        if forgets and answer != "yes":
            self.purse.forget(attempt)

    @precondition(lambda self: self.running)
    @rule(succeeds=st.booleans(), forgets=st.booleans())
    def end(self, succeeds: bool, forgets: bool) -> None:
        attempt, job = self.running.pop()
        if succeeds:
            self.record(JobSucceeded(job=job.job, attempt=attempt))
        else:
            self.record(
                JobFailed(job=job.job, attempt=attempt, error_class="x", credits=0)
            )
        if forgets:
            self.purse.forget(attempt)

    @rule(hours=st.sampled_from([1, 13, 24 * 8, 24 * 40]))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule()
    def crash(self) -> None:
        self.start()

    @invariant()
    def no_budget_is_exceeded(self) -> None:
        """What the service made tasks for, or may have, is within every bound."""
        for budget in self.budgets:
            for period, (jobs, credits_) in self.truth(budget.per).items():
                assert budget.jobs is None or jobs <= budget.jobs, period
                assert budget.credits is None or credits_ <= budget.credits + 1e-9

    def truth(self, per: Per) -> dict[str, tuple[int, float]]:
        """Return what was bought in each period, computed from the facts alone."""
        refused = {f.attempt for f in self.facts if isinstance(f, SubmitRefused)}
        found: dict[str, tuple[int, float]] = {}
        for fact in self.facts:
            if isinstance(fact, SubmitIntended) and fact.attempt not in refused:
                price = SHORT_PRICE if fact.job == JOB.job else LONG_PRICE
                if fact.credits is not None:
                    assert fact.credits == price
                period = period_of(per, fact.at, fact.run)
                jobs, credits_ = found.get(period, (0, 0.0))
                found[period] = jobs + 1, credits_ + price
        return found

    @invariant()
    def a_restart_changes_nothing(self) -> None:
        """A purse made from the ledger holds what this one does but its tickets."""
        again = Purse(self.budgets, self.state, self.run)
        for ticket, job in self.tickets:
            again.reserve(job, ticket.charge.at)
        assert again.spending(self.at) == self.purse.spending(self.at)
        assert again.prices == self.purse.prices == prices(self.state)


Buying.TestCase.settings = settings(max_examples=120, stateful_step_count=40)
TestNoOrderOfEventsExceedsABudget = Buying.TestCase


@given(
    bound=st.integers(0, 200),
    known=st.integers(1, 40),
    asked=st.lists(st.integers(1, 60), max_size=12),
)
def test_a_budget_is_passed_by_no_more_than_what_was_dearer_than_ever(
    bound: int, known: int, asked: list[int]
) -> None:
    """Where prices rise, one purchase may cost more than was thought, not many."""
    state = state_of(JOB, intended(), accepted(known))
    purse = Purse([Budget(credits=bound, per="run")], state, RunId("next"))
    surprise = 0.0

    for number, price in enumerate(asked):
        if purse.shortage(JOB, AT):
            continue
        thought = purse.price(SHAPE) or 0
        attempt = AttemptId(f"next-{number}")
        ticket = purse.reserve(JOB, AT)
        facts = intended(attempt=attempt), accepted(price, attempt=attempt)
        purse.hear(state_of(JOB, *facts).jobs[JOB.job].attempts[attempt], SHAPE)
        purse.close(ticket)
        surprise += max(0, price - thought)

    (spent,) = purse.spending(AT)
    assert spent.credits <= bound + surprise


def stamped(facts: Iterable[Event]) -> Iterator[Event]:
    for seq, fact in enumerate(facts, start=1):
        yield msgspec.structs.replace(fact, v=1, seq=seq, run=RUN, at=AT)


@given(order=st.permutations(range(7)))
def test_the_order_in_which_files_are_read_changes_no_budget(order: list[int]) -> None:
    facts = list(
        stamped(
            [
                JOB,
                intended(aside=20),
                accepted(28),
                OTHER,
                intended(OTHER, SECOND),
                SubmitUnknown(job=OTHER.job, attempt=SECOND, why="lost"),
                JobFailed(job=JOB.job, attempt=FIRST, error_class="x", credits=0),
            ]
        )
    )
    state = BatchState()
    for index in order:
        state.join(facts[index])

    (spent,) = Purse([Budget(credits=100)], state, RUN).spending(AT)

    assert (spent.jobs, spent.credits, spent.unpriced) == (2, 56, 0)
