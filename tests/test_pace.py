from __future__ import annotations

import itertools
import random

import pytest

from foxbatch.pace import Pace, PaceChange, Pacer, Rate, Tasks, Window
from foxbatch.policy import Limits


def pace_of(in_flight: int = 20, submits_per_minute: int | None = None) -> Pace:
    return Pace(
        Limits(
            in_flight=in_flight,
            requests_per_second=10,
            submits_per_minute=submits_per_minute,
        )
    )


@pytest.mark.parametrize(
    ("per_second", "opens_at"),
    [
        pytest.param(1, 8.05, id="one a second: a second later, and a little"),
        pytest.param(2, 7.525, id="two a second: half of that"),
        pytest.param(1.9, 8.05, id="a fraction is rounded down"),
        pytest.param(0.5, 9.1, id="below one the gap is longer"),
    ],
)
def test_the_next_start_after_a_first_one(per_second: float, opens_at: float) -> None:
    pacer = Pacer(per_second)
    assert pacer.opens_at < 0

    pacer.started(7.0)

    assert pacer.opens_at == pytest.approx(opens_at)


def test_a_lower_rate_makes_the_gap_longer_and_a_higher_one_never_shorter() -> None:
    pacer = Pacer(10)

    pacer.started(0, at_most=2)
    slow = pacer.opens_at
    pacer.started(0, at_most=1_000)

    assert slow == pytest.approx(0.525)
    assert pacer.opens_at == pytest.approx(0.105)


def test_a_window_opens_a_minute_after_the_start_that_filled_it() -> None:
    window = Window(2)

    window.started(0)
    assert window.opens_at < 0
    window.started(10)
    assert 60 <= window.opens_at < 62
    window.started(61)
    assert 70 <= window.opens_at < 72


class TestARate:
    def test_is_halved_once_for_a_burst_of_refusals(self) -> None:
        rate = Rate(10)
        for tenth in range(20):
            rate.started(tenth / 10)

        lowered = [rate.refused(2.0 + n / 10, began=1.9) for n in range(5)]

        assert lowered == [True, False, False, False, False]
        assert rate.value == pytest.approx(4.75)

    def test_comes_down_to_what_is_really_done_if_that_is_less(self) -> None:
        rate = Rate(100)
        for number in range(20):
            rate.started(number / 10)

        rate.refused(1.95, began=1.9)

        assert rate.value == pytest.approx(12.5)

    def test_forgets_what_was_done_long_ago(self) -> None:
        rate = Rate(10)
        for start in (0.0, 0.1, 0.2, 100.0):
            rate.started(start)

        rate.refused(100, began=99)

        assert rate.value == pytest.approx(1.25)

    def test_is_lowered_again_by_a_request_that_began_afterwards(self) -> None:
        rate = Rate(10)
        rate.refused(0, began=-1)
        once = rate.value

        assert [rate.refused(5, began=1 + n) for n in range(4)] == [
            False,
            False,
            False,
            True,
        ]
        assert rate.value < once

    @staticmethod
    def told(rate: Rate, ticks: range, *, refused_each: int) -> list[float]:
        """Answer ten times a second; return when the rate was lowered."""
        lowered_at = []
        for tick in ticks:
            now = tick / 10
            if tick % refused_each:
                rate.answered(now, began=now - 0.05)
            elif rate.refused(now, began=now - 0.05):
                lowered_at.append(now)
        return lowered_at

    def test_what_was_lowered_in_vain_is_put_back_and_left_longer_and_longer(
        self,
    ) -> None:
        rate = Rate(10)

        lowered_at = self.told(rate, range(1, 50_000), refused_each=5)

        gaps = [b - a for a, b in itertools.pairwise(lowered_at)]
        assert [round(gap) // 60 for gap in gaps][:7] == [1, 2, 4, 8, 16, 16, 16]
        assert rate.value == 10

    def test_many_more_refusals_are_not_borne(self) -> None:
        rate = Rate(10)
        (once,) = self.told(rate, range(1, 200), refused_each=5)

        again = self.told(rate, range(200, 600), refused_each=2)

        assert again
        assert again[0] < once + 60

    def test_where_less_helps_it_may_be_lowered_again_at_once(self) -> None:
        rate = Rate(10)
        self.told(rate, range(1, 9), refused_each=2)
        for tick in range(9, 40):
            rate.answered(tick / 10, began=tick / 10 - 0.05)
        below = rate.value

        assert below < 10
        assert rate.refused(4.1, began=4)

    @pytest.mark.parametrize(
        ("chance", "least"), [pytest.param(0.1, 17, id="10%"), (0.3, 5)]
    )
    def test_a_service_that_refuses_whatever_the_rate_stops_no_run(
        self, chance: float, least: float
    ) -> None:
        """At random, and not because of the rate, which used to fall to a tenth."""
        rate, dice, now, requests = Rate(20), random.Random(1), 0.0, 0
        while now < 3600:
            rate.started(now)
            requests += 1
            began, now = now, now + 1 / rate.value
            if dice.random() < chance:
                rate.refused(now, began=began)
            else:
                rate.answered(now, began=began)

        assert requests / now > least

    def test_a_storm_of_a_minute_is_forgotten_in_another(self) -> None:
        rate = Rate(10)
        for tick in range(20):
            rate.started(tick / 10)
        now = 2.0
        while now < 60:
            now += 1 / rate.value
            rate.refused(now, began=now - 0.05)
        lowest = rate.value
        while now < 120:
            now += 1 / rate.value
            rate.answered(now, began=now - 0.05)

        assert lowest < 1
        assert rate.value > 5

    def test_a_limit_that_is_there_is_found(self) -> None:
        """A service that takes 2 requests per second and refuses the others."""
        rate, now, room_at, refused, requests = Rate(20), 0.0, 0.0, 0, 0
        while now < 3600:
            rate.started(now)
            requests += 1
            began, now = now, now + 1 / rate.value
            if began >= room_at:
                room_at = max(room_at, began - 1) + 0.5
                rate.answered(now, began=began)
            else:
                refused += 1
                rate.refused(now, began=began)

        assert (requests - refused) / now > 1.8
        assert refused / requests < 0.25

    def test_never_falls_to_nothing(self) -> None:
        rate = Rate(10)
        for second in range(100):
            rate.refused(second, began=second - 0.5)

        assert rate.value == pytest.approx(0.1)

    def test_grows_by_equal_steps_and_slows_down_near_where_it_was_refused(
        self,
    ) -> None:
        rate = Rate(10)
        for tenth in range(20):
            rate.started(tenth / 10)
        rate.refused(2, began=1.9)
        values = []
        for second in range(3, 90):
            rate.answered(second, began=second - 0.1)
            values.append(rate.value)

        assert values[1] - values[0] == pytest.approx(values[2] - values[1])
        assert values[60] - values[59] < (values[1] - values[0]) / 2
        assert values[-1] == 10

    def test_silence_is_no_sign_that_all_is_well(self) -> None:
        rate, other = Rate(10), Rate(10)
        rate.refused(0, began=-1)
        other.refused(0, began=-1)

        rate.answered(1_000, began=999)
        other.answered(1, began=0.5)

        assert rate.value == other.value

    def test_an_answer_to_an_older_request_is_none_either(self) -> None:
        rate = Rate(10)
        rate.refused(0, began=-1)
        before = rate.value

        assert not rate.answered(1, began=-0.5)
        assert rate.value == before


class TestTasks:
    def test_are_no_more_than_what_was_running(self) -> None:
        tasks = Tasks(20)

        assert tasks.refused(0, began=-1, running=7)
        assert tasks.value == 7

    def test_are_lowered_once_for_a_burst(self) -> None:
        tasks = Tasks(20)
        tasks.refused(0, began=-1, running=7)

        assert not tasks.refused(1, began=-0.5, running=5)
        assert tasks.value == 7

    def test_are_never_none(self) -> None:
        tasks = Tasks(20)
        tasks.refused(0, began=-1, running=0)

        assert tasks.value == 1

    def test_grow_by_a_step_at_a_time_to_the_ceiling(self) -> None:
        tasks = Tasks(40)
        tasks.refused(0, began=-1, running=37)

        seen = []
        for second in (5, 10, 15, 20, 30):
            reached = tasks.answered(second, began=second - 1)
            seen.append((tasks.value, reached))

        assert seen == [(37, False), (39, False), (39, False), (40, True), (40, False)]

    def test_answers_to_older_requests_raise_nothing(self) -> None:
        tasks = Tasks(40)
        tasks.refused(0, began=-1, running=20)

        assert not tasks.answered(100, began=-0.5)
        assert tasks.value == 20

    def test_a_step_that_is_refused_at_once_is_tried_again_later_and_later(
        self,
    ) -> None:
        tasks, now, waits = Tasks(20), 0.0, []
        tasks.refused(now, began=now - 1, running=10)
        for _ in range(7):
            lowered_at = now
            while tasks.value == 10:
                now += 1
                tasks.answered(now, began=now - 0.5)
            waits.append(now - lowered_at)
            now += 1
            tasks.refused(now, began=now - 0.5, running=10)

        assert waits == [10, 20, 40, 80, 160, 320, 320]


class TestPace:
    def test_too_many_requests_lower_the_rate_and_let_everything_rest(self) -> None:
        pace = pace_of()

        changes = pace.refused("rate", 5, began=4, asked_s=7, running=3)

        (change,) = changes
        assert isinstance(change, PaceChange)
        assert (change.limit, change.was, change.ceiling) == (
            "requests_per_second",
            10,
            10,
        )
        assert change.value < 10
        assert change.reason == "too many requests"
        assert pace.opens_at == 12
        assert pace.tasks.value == 20

    def test_too_many_tasks_lower_how_many_and_let_only_submissions_rest(self) -> None:
        pace = pace_of()

        (change,) = pace.refused("tasks", 5, began=4, asked_s=7, running=3)

        assert (change.limit, change.value) == ("in_flight", 3)
        assert pace.submits_open_at == 12
        assert pace.opens_at < 5
        assert pace.rate.value == 10

    def test_anything_else_only_calls_for_a_rest_of_submissions(self) -> None:
        pace = pace_of()

        assert pace.refused("other", 5, began=4, asked_s=7, running=3) == []
        assert pace.submits_open_at == 12
        assert pace.opens_at < 5
        assert (pace.rate.value, pace.tasks.value) == (10, 20)

    def test_a_request_that_is_refused_now_and_then_waits_alone(self) -> None:
        pace = pace_of()
        for tick in range(1, 40):
            if tick % 5:
                pace.answered(tick / 10, began=tick / 10 - 0.05)
            else:
                pace.refused("rate", tick / 10, began=tick / 10 - 0.05, running=3)
        rests_until = pace.opens_at

        assert pace.refused("rate", 9, began=8.9, running=3) == []
        assert pace.opens_at == rests_until < 9
        assert pace.refused("rate", 9, began=8.9, asked_s=3, running=3) == []
        assert pace.opens_at == 12

    def test_a_rest_is_never_shortened(self) -> None:
        pace = pace_of()
        pace.refused("tasks", 5, began=4, asked_s=70, running=3)
        pace.refused("tasks", 6, began=4, asked_s=1, running=3)
        pace.rest(5, 60)
        pace.rest(6, 1)

        assert pace.submits_open_at == 75
        assert pace.opens_at == 65

    def test_what_is_at_its_ceiling_again_is_told(self) -> None:
        pace = pace_of()
        pace.refused("tasks", 0, began=-1, asked_s=0, running=19)
        pace.refused("rate", 0, began=-1, asked_s=0, running=19)

        told = [pace.answered(second, began=second - 0.1) for second in range(1, 300)]

        restored = [change for changes in told for change in changes]
        assert {change.limit: change.value for change in restored} == {
            "in_flight": 20,
            "requests_per_second": 10,
        }
        assert {change.reason for change in restored} == {""}

    def test_submissions_have_a_ceiling_of_their_own(self) -> None:
        pace = pace_of(submits_per_minute=1)

        pace.started(0, submit=False)
        assert pace.submits_open_at < 0
        pace.started(1, submit=True)

        assert pace.submits_open_at >= 61
        assert pace.opens_at < 2
