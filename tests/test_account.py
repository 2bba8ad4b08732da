"""What an account did around held jobs: how much it used, what it was charged for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import msgspec
import pytest

from foxbatch.account import Balance, Charge, Rise, rises, tallies
from foxbatch.canonical import JobId
from foxbatch.events import (
    AccountSeen,
    AttemptId,
    Event,
    RunId,
    SubmitAccepted,
    SubmitIntended,
    SubmitRefused,
    SubmitSettled,
    SubmitUnknown,
    TaskId,
)
from foxbatch.state import Attempt, BatchState, fold
from tests.facts import LATER_RUN, PLANNED, RUN, START, STARTED, stamped

MODEL = PLANNED.model


class Ledger:
    """Facts with times in seconds since the start, in any order."""

    def __init__(self) -> None:
        self.facts: list[Event] = []

    def tell(self, at_s: float, *facts: Event, run: RunId = RUN) -> None:
        for fact in facts:
            seq = len(self.facts) + 1
            self.facts.append(stamped(fact, run=run, seq=seq, at_s=at_s))

    def look(self, at_s: float, used: float | None, **other: object) -> None:
        run = RunId(str(other.pop("run", RUN)))
        look = AccountSeen(used=used, unit="quota", per_credit=10.0)
        self.tell(at_s, msgspec.structs.replace(look, **other), run=run)

    def intend(self, number: int, at_s: float, model: str = MODEL) -> AttemptId:
        job, attempt = JobId(f"job{number}"), AttemptId(f"{RUN}-{number}")
        self.tell(0, msgspec.structs.replace(PLANNED, job=job, model=model))
        self.tell(at_s, SubmitIntended(job=job, attempt=attempt))
        return attempt

    def accept(
        self,
        number: int,
        at_s: float,
        credits: float | None = 5,  # noqa: A002  as in the fact
        model: str = MODEL,
    ) -> AttemptId:
        attempt = self.intend(number, at_s, model)
        task = TaskId(f"task-{number}")
        job = JobId(f"job{number}")
        self.tell(
            at_s + 1,
            SubmitAccepted(job=job, attempt=attempt, task=task, credits=credits),
        )
        return attempt

    def lose(
        self, number: int, at_s: float, model: str = MODEL, *, after_s: float = 1
    ) -> AttemptId:
        attempt = self.intend(number, at_s, model)
        lost = SubmitUnknown(job=JobId(f"job{number}"), attempt=attempt, why="lost")
        self.tell(at_s + after_s, lost)
        return attempt

    @property
    def state(self) -> BatchState:
        return fold([stamped(STARTED), *self.facts])

    def held(self) -> list[Attempt]:
        return [
            attempt
            for job in self.state.jobs.values()
            for attempt in job.attempts.values()
            if attempt.task is None and attempt.counts_as_bought
        ]

    def rises(self) -> list[Rise]:
        return rises(self.state, self.held())

    def said(self) -> str:
        (rise,) = self.rises()
        return rise.in_words()

    def charged(self, *at_s: float, model: str = MODEL) -> dict[AttemptId, str]:
        found = tallies(self.state, charges(at_s, model))
        return {attempt: tally.in_words() for attempt, tally in found.items()}


def charges(at_s: Iterable[float], model: str = MODEL) -> list[Charge]:
    return [Charge(START + timedelta(seconds=second), model) for second in at_s]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def test_a_balance_may_say_nothing() -> None:
    assert Balance() == Balance(used=None, available=None, unlimited=None)


class TestUsed:
    """What is used before and after, beside what known tasks cost."""

    def test_what_no_task_explains_is_told_in_tasks(self, ledger: Ledger) -> None:
        ledger.look(1, 1_000)
        ledger.accept(1, 2)
        ledger.accept(2, 4)
        lost = ledger.lose(3, 6)
        ledger.look(60, 1_150)

        (rise,) = ledger.rises()

        assert (rise.amount, rise.known, rise.unexplained) == (15, 10, 5)
        assert rise.attempts == (lost,)
        assert rise.in_words() == (
            "from 2026-01-02 03:04:06 to 03:05:05 UTC the account's used amount rose by"
            " 15 credits; the 2 tasks that the ledger knows of then account for 10;"
            " 5 are unexplained: about one task of 5"
        )

    @pytest.mark.parametrize(
        ("used", "said"),
        [
            pytest.param(50, "nothing is unexplained: no sign", id="nothing more"),
            pytest.param(150, "10 are unexplained: about 2 tasks of 5", id="two more"),
            pytest.param(120, "7 are unexplained", id="no whole number of tasks"),
            pytest.param(60, "1 are unexplained", id="less than a task"),
            pytest.param(20, "that is 3 more, as where something is given", id="less"),
            pytest.param(-20, "fell by 2 credits;", id="it fell"),
        ],
    )
    def test_the_rest_is_told_in_words(
        self, ledger: Ledger, used: float, said: str
    ) -> None:
        ledger.look(1, 0)
        ledger.accept(1, 2)
        ledger.lose(2, 6)
        ledger.look(60, used)

        assert said in ledger.said()
        assert ledger.said().endswith(said) is (" are unexplained" in said)
        assert "the one task that the ledger knows of then accounts" in ledger.said()

    def test_without_any_task_all_is_unexplained(self, ledger: Ledger) -> None:
        ledger.look(1, 0)
        ledger.lose(2, 6)
        ledger.look(60, 1_234.5)

        assert ledger.said().endswith(
            "rose by 123.45 credits; the ledger knows no task of then;"
            " 123.45 are unexplained"
        )

    def test_tasks_of_other_times_explain_nothing(self, ledger: Ledger) -> None:
        ledger.accept(1, -5)
        ledger.look(1, 0)
        ledger.lose(2, 6)
        ledger.look(60, 50)
        ledger.accept(3, 61)

        assert ledger.rises()[0].tasks == 0

    def test_what_was_settled_as_a_task_explains_its_price(
        self, ledger: Ledger
    ) -> None:
        ledger.look(1, 0)
        found, _lost = ledger.lose(1, 2), ledger.lose(2, 6)
        ledger.look(60, 50)
        ledger.tell(
            99,
            SubmitSettled(
                job=JobId("job1"),
                attempt=found,
                decision="task",
                task=TaskId("t"),
                credits=5,
            ),
            run=LATER_RUN,
        )

        assert ledger.rises()[0].unexplained == 0

    def test_a_task_of_unknown_price_leaves_it_open(self, ledger: Ledger) -> None:
        ledger.look(1, 0)
        ledger.accept(1, 2, None)
        ledger.lose(2, 6)
        ledger.look(60, 50)

        (rise,) = ledger.rises()

        assert rise.unexplained is None
        assert rise.in_words().endswith(
            "5 credits; what 1 task of then cost is not known"
        )
        assert rise.to_json()["known"] is None

    @pytest.mark.parametrize(("unit", "shown"), [("quota", "quota"), ("", "units of")])
    def test_another_unit_is_not_compared(
        self, ledger: Ledger, unit: str, shown: str
    ) -> None:
        ledger.look(1, 0, per_credit=None, unit=unit)
        ledger.accept(1, 2)
        ledger.lose(2, 6)
        ledger.look(60, 50, per_credit=None, unit=unit)

        (rise,) = ledger.rises()

        assert rise.unexplained is None
        assert f"rose by 50 {shown}" in rise.in_words()
        assert rise.in_words().endswith("what that is in credits is not known")

    def test_prices_that_differ_are_not_counted_in_tasks(self, ledger: Ledger) -> None:
        ledger.look(1, 0)
        ledger.accept(1, 2, 5)
        ledger.accept(2, 2, 7, model="veo-3.1-fast")
        ledger.lose(3, 6)
        ledger.lose(4, 6, model="veo-3.1-fast")
        ledger.look(60, 240)

        (rise,) = ledger.rises()

        assert (rise.price, len(rise.attempts)) == (None, 2)
        assert rise.in_words().endswith("12 are unexplained")

    def test_a_job_that_no_plan_describes_has_no_price(self, ledger: Ledger) -> None:
        ledger.look(1, 0)
        attempt = AttemptId(f"{RUN}-1")
        ledger.tell(2, SubmitIntended(job=JobId("job1"), attempt=attempt))
        ledger.look(60, 50)

        (rise,) = rises(ledger.state, ledger.held())

        assert rise.price is None
        assert ledger.charged(2) == {}

    def test_a_killed_run_is_looked_at_by_the_next_one(self, ledger: Ledger) -> None:
        ledger.look(1, 0)
        killed = ledger.intend(1, 5)
        ledger.look(5_000, 50, run=LATER_RUN)
        ledger.look(6_000, 990, run=LATER_RUN)

        (rise,) = ledger.rises()

        assert rise.attempts == (killed,)
        assert rise.amount == 5

    @pytest.mark.parametrize(
        "looks",
        [
            pytest.param([], id="no look"),
            pytest.param([(1, 0.0)], id="only before"),
            pytest.param([(60, 0.0)], id="only after"),
            pytest.param([(1, 0.0), (60, None)], id="nothing told"),
        ],
    )
    def test_less_than_two_looks_tell_nothing(
        self, ledger: Ledger, looks: list[tuple[float, float | None]]
    ) -> None:
        for at_s, used in looks:
            ledger.look(at_s, used)
        ledger.lose(1, 6)

        assert ledger.rises() == []

    def test_looks_in_different_units_tell_nothing(self, ledger: Ledger) -> None:
        ledger.look(1, 0)
        ledger.lose(1, 6)
        ledger.look(60, 50, per_credit=20.0)

        assert ledger.rises() == []

    def test_a_look_during_the_submission_is_not_after_it(self, ledger: Ledger) -> None:
        ledger.look(1, 0)
        ledger.lose(1, 6, after_s=10)
        ledger.look(10, 40, run=LATER_RUN)
        ledger.look(60, 50)

        assert ledger.rises()[0].amount == 5

    def test_a_long_run_names_both_days(self, ledger: Ledger) -> None:
        ledger.look(1, 0)
        ledger.lose(1, 6)
        ledger.look(86_401, 50)

        assert "from 2026-01-02 03:04:06 to 2026-01-03 03:04:06 UTC" in ledger.said()

    def test_programs_get_figures_and_the_words(self, ledger: Ledger) -> None:
        ledger.look(1, 0)
        lost = ledger.lose(1, 6)
        ledger.look(60, 50)

        (rise,) = ledger.rises()

        assert rise.to_json() == {
            "since": "2026-01-02T03:04:06.000Z",
            "until": "2026-01-02T03:05:05.000Z",
            "amount": 5,
            "unit": "credits",
            "tasks": 0,
            "known": 0,
            "unexplained": 5,
            "attempts": [lost],
            "text": rise.in_words(),
        }


class TestCharges:
    """What the account was charged for, beside what the ledger knows."""

    def test_one_charge_more_is_probably_the_held_job(self, ledger: Ledger) -> None:
        ledger.accept(1, 2)
        ledger.accept(2, 60)
        lost = ledger.lose(3, 90)

        assert ledger.charged(2, 60, 90) == {
            lost: (
                "between 2026-01-02 03:03:07 and 03:06:36 UTC the account shows"
                " 3 charges for veo-3.1; the ledger knows 2 tasks accepted then:"
                " one more, so this job was probably bought"
            )
        }

    def test_no_charge_more_means_probably_not_bought(self, ledger: Ledger) -> None:
        ledger.accept(1, 2)
        lost = ledger.lose(2, 90)

        assert ledger.charged(3)[lost].endswith(
            "1 charge for veo-3.1; the ledger knows 1 task accepted then:"
            " not one more so far, so this job was probably not bought"
        )

    @pytest.mark.parametrize(
        ("more", "said"),
        [
            (0, "not one more so far, so these 3 were probably not bought"),
            (1, "one more, so one of 3 such jobs was probably bought"),
            (2, "2 more, so 2 of 3 such jobs were probably bought"),
            (3, "3 more, so these 3 were probably bought"),
            (4, "4 more, so these 3 were probably bought"),
        ],
    )
    def test_several_held_jobs_share_what_is_left(
        self, ledger: Ledger, more: int, said: str
    ) -> None:
        ledger.accept(1, 0)
        held = [ledger.lose(number, number) for number in (2, 3, 4)]

        found = ledger.charged(0, *range(more))

        assert list(found) == held
        assert {text.rpartition(": ")[2] for text in found.values()} == {said}

    def test_a_long_submission_is_counted_with_what_began_after_a_short_one(
        self, ledger: Ledger
    ) -> None:
        killed = ledger.intend(1, 0)
        ledger.accept(2, 10)
        lost = ledger.lose(3, 200)

        found = ledger.charged(10, 230)

        assert found[killed] == found[lost]
        assert "one more, so one of 2 such jobs was probably bought" in found[lost]

    def test_charges_of_other_times_and_models_do_not_count(
        self, ledger: Ledger
    ) -> None:
        ledger.accept(1, 0, model="veo-3.1-fast")
        lost = ledger.lose(2, 1_000)
        other = charges([1_000], "veo-3.1-fast")

        found = tallies(ledger.state, [*charges([0, 2_000]), *other])

        assert list(found) == [lost]
        assert (found[lost].charges, found[lost].tasks) == (0, 0)
        assert "0 charges" in found[lost].in_words()

    def test_a_charge_may_name_the_variant(self, ledger: Ledger) -> None:
        lost = ledger.lose(1, 0)

        found = ledger.charged(0, model="veo-3.1[4k|audio]")

        assert found[lost].endswith("one more, so this job was probably bought")

    def test_clocks_may_differ_by_a_minute(self, ledger: Ledger) -> None:
        lost = ledger.lose(1, 100)

        assert "bought" in ledger.charged(41)[lost]
        assert "1 charge " in ledger.charged(41)[lost]
        assert "0 charges" in ledger.charged(0, 39)[lost]

    def test_a_killed_submission_may_have_taken_minutes(self, ledger: Ledger) -> None:
        lost = ledger.intend(1, 0)

        assert "1 charge " in ledger.charged(235)[lost]

    @pytest.mark.parametrize(
        "at_s",
        [
            pytest.param([0, 500], id="fewer charges than tasks"),
            pytest.param(
                [300, 400, 500, 501, 600, 601, 602], id="the first task is not in it"
            ),
        ],
    )
    def test_a_list_that_may_begin_later_tells_nothing(
        self, ledger: Ledger, at_s: list[float]
    ) -> None:
        for number in range(7):
            ledger.accept(number, number * 100)
        ledger.facts = [fact for fact in ledger.facts if "job3" not in repr(fact)]
        lost = ledger.lose(3, 300)

        found = ledger.charged(*at_s)

        assert found[lost].endswith("list may be incomplete: it tells nothing")

    def test_an_empty_list_is_a_list(self, ledger: Ledger) -> None:
        lost = ledger.lose(1, 0)

        assert ledger.charged()[lost].endswith(
            "not one more so far, so this job was probably not bought"
        )

    def test_what_was_refused_needs_no_charge(self, ledger: Ledger) -> None:
        attempt = ledger.intend(1, 0)
        refused = SubmitRefused(job=JobId("job1"), attempt=attempt, error_class="busy")
        ledger.tell(1, refused)
        lost = ledger.lose(2, 3)

        assert list(ledger.charged(3)) == [lost]
        assert "this job was probably bought" in ledger.charged(3)[lost]
