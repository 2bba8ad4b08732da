from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest

from foxbatch.durations import Lognormal, Schedule, Sums, fit

FIVE = Lognormal(math.log(5), 0.5)


def drawn(count: int, seed: int = 0) -> list[float]:
    """Return logarithms of durations that follow `FIVE`."""
    rng = random.Random(seed)
    return [rng.gauss(FIVE.mu, FIVE.sigma) for _ in range(count)]


def sums(logarithms: list[float]) -> Sums:
    found = Sums()
    for one in logarithms:
        found.add(one)
    return found


class TestADistribution:
    def test_knows_its_quantiles_and_their_place(self) -> None:
        assert FIVE.at(0) == pytest.approx(5)
        assert FIVE.z(FIVE.at(1.5)) == pytest.approx(1.5)
        assert FIVE.z(0) == -math.inf
        assert FIVE.mean == pytest.approx(5 * math.exp(0.125))


class TestFitting:
    def test_many_durations_give_what_they_follow(self) -> None:
        found = fit(sums(drawn(2_000)))

        assert found.mu == pytest.approx(FIVE.mu, abs=0.03)
        assert found.sigma == pytest.approx(FIVE.sigma, abs=0.03)

    def test_equal_durations_leave_a_little_doubt(self) -> None:
        assert fit(sums([1.0] * 10_000)).sigma == pytest.approx(0.03)

    def test_what_has_not_ended_yet_makes_the_others_longer(self) -> None:
        """A quarter of all has ended after 3.6 s, and the rest is at that age."""
        logs = sorted(drawn(400))
        ended, others = logs[:100], logs[100:]
        age = ended[-1]

        without = fit(sums(ended))
        found = fit(sums(ended), [age] * 30, weight=10)

        assert without.at(0) < 3
        assert len(others) == 300
        assert found.at(0) == pytest.approx(5, rel=0.25)

    def test_ends_that_nobody_saw_count_for_less_than_they_seem(self) -> None:
        """Looks at 15 s find everything ended: so the next guess is far lower."""
        found = fit(Sums(), (), [math.log(15)] * 5)

        assert found.at(0) < 10

    def test_a_task_that_is_far_out_does_not_upset_it(self) -> None:
        found = fit(sums([1.0] * 1_000), [2.0])

        assert found.at(0) == pytest.approx(math.e, rel=0.01)

    def test_old_durations_fade(self) -> None:
        found = sums([0.0] * 100)
        found.fade()
        found.fade()
        for _ in range(75):
            found.add(1.0)

        assert found.count == 100
        assert found.distribution().mu == pytest.approx(0.75)


class TestLooking:
    def looks(self, ends: Lognormal = FIVE, cost: float = 0.005) -> list[float]:
        schedule, times = Schedule(ends, cost), [0.0]
        while times[-1] < ends.at(8):
            times.append(schedule.after(times[-1]))
        return times[1:]

    def test_begins_where_ends_become_likely(self) -> None:
        first, *_ = self.looks()

        assert FIVE.at(-2) < first < FIVE.at(-1)

    def test_is_dense_where_ends_are_likely_and_sparse_before_and_after(self) -> None:
        times = self.looks()

        gaps = [later - time for time, later in pairwise(times)]
        middle = min(gaps)
        assert times[0] > 3 * middle
        assert gaps[-1] > middle

    def test_goes_on_however_long_a_task_takes(self) -> None:
        times = self.looks()

        assert all(later > time for time, later in pairwise(times))
        assert len(times) < 150

    def test_a_dearer_look_is_taken_more_seldom(self) -> None:
        assert self.looks(cost=0.02)[0] > self.looks(cost=0.002)[0]
        assert self.looks(cost=0.02)[9] > 2 * self.looks(cost=0.002)[9]

    def test_beats_a_fixed_interval_by_more_than_a_fifth_at_equal_delay(self) -> None:
        durations = [math.exp(one) for one in drawn(4_000, seed=1)]
        polls, late_s = cost_of(self.looks(), durations)
        # n equal gaps of g cost about 1/2 + d/g polls and g/2 seconds each.
        gap_s = 2 * late_s / len(durations)
        fixed, fixed_late_s = cost_of([gap_s * n for n in range(1, 2_000)], durations)

        assert fixed_late_s == pytest.approx(late_s, rel=0.05)
        assert polls < 0.8 * fixed


def cost_of(looks: list[float], durations: list[float]) -> tuple[int, float]:
    """Return how many looks it takes to notice all ends, and how late that is."""
    polls, late_s = 0, 0.0
    for duration in durations:
        number = next(n for n, at in enumerate(looks) if at >= duration)
        polls += number + 1
        late_s += looks[number] - duration
    return polls, late_s
