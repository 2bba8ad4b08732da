from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from foxbatch.forecast import (
    Forecast,
    Habits,
    Mark,
    Span,
    Track,
    by_rate,
    by_start,
    kind_of,
    parts_of,
    start_of,
)

KIND = ("model", "duration=4")
Report = Callable[[float], float | None]


def linear(share: float) -> float:
    return math.floor(100 * share)


def hidden(_share: float) -> None:
    return None


def forecast_of(least_gap_s: float = 0.02, first_s: float = 1.0) -> Forecast:
    rng = random.Random(0)
    return Forecast(least_gap_s=least_gap_s, first_s=first_s, rng=rng)


def test_what_earlier_runs_took_is_known_from_the_first_task_on() -> None:
    """Asked for the first time near its end, and not after `first_s`."""
    forecast = forecast_of(first_s=1.0)
    forecast.remember(KIND, [98.0, 100.0, 102.0])

    same = forecast.watch(KIND, began=0.0)
    like = forecast.watch(("model", "duration=8"), began=0.0)
    other = forecast.watch(("another",), began=0.0)

    assert 50 < forecast.wait_s(same, now=0.0) < 110
    assert 50 < forecast.wait_s(like, now=0.0) < 110
    assert forecast.wait_s(other, now=0.0) < 2


@dataclass
class Week:
    """A service that works on tasks at once, and a forecast that watches it.

    Attributes:
        polls: How many looks it took.
        late_s: How late each end was noticed.
        looked: At which ages there were looks at the last task.
    """

    report: Report
    forecast: Forecast = field(default_factory=forecast_of)
    hint_s: float | None = None
    workers: int = 1_000
    kind: tuple[str, ...] = KIND
    polls: int = 0
    late_s: list[float] = field(default_factory=list)
    looked: list[float] = field(default_factory=list)

    def work(self, durations: list[float], *, at_once: int = 20) -> Week:
        """Watch tasks of these *durations* from their beginning to their end."""
        waiting, ties = iter(durations), itertools.count()
        free = [0.0] * self.workers
        due: list[tuple[float, int, Track, float, float]] = []

        def submit(now: float) -> None:
            for duration in itertools.islice(waiting, 1):
                starts = max(now, heapq.heappop(free))
                heapq.heappush(free, starts + duration)
                track = self.forecast.watch(self.kind, now, self.hint_s)
                at = now + self.forecast.wait_s(track, now)
                heapq.heappush(due, (at, next(ties), track, starts, duration))

        for _ in range(at_once):
            submit(0.0)
        while due:
            now, tie, track, starts, duration = heapq.heappop(due)
            self.polls += 1
            if now >= starts + duration:
                self.late_s.append(now - starts - duration)
                self.forecast.ended(track, now)
                submit(now)
                continue
            self.looked.append(now - track.began)
            share = max(0.0, (now - starts) / duration)
            self.forecast.seen(track, now, self.report(share))
            at = now + self.forecast.wait_s(track, now)
            heapq.heappush(due, (at, tie, track, starts, duration))
        return self


def lognormal(count: int, median_s: float = 5.0, seed: int = 0) -> list[float]:
    rng = random.Random(seed)
    return [rng.lognormvariate(math.log(median_s), 0.5) for _ in range(count)]


def figures(week: Week, durations: list[float]) -> tuple[float, float]:
    """Return looks per task, and the delay as a share of all durations."""
    return week.polls / len(durations), sum(week.late_s) / sum(durations)


class TestKinds:
    def test_are_what_decides_how_long_a_task_takes(self) -> None:
        request = {
            "model": "veo-3.1",
            "prompt": "a fox",
            "duration": 8,
            "resolution": "720p",
            "generate_audio": False,
            "seed": 4,
        }

        assert kind_of(request) == (
            "veo-3.1",
            "resolution=720p",
            "duration=8",
            "generate_audio=False",
        )
        assert kind_of({}) == ("",)


class TestArithmetic:
    def test_a_rate_gives_an_end_as_exactly_as_steps_allow(self) -> None:
        """From 20 % at 4 s to 60 % at 8 s: a tenth a second, so 12 s or about that."""
        span = by_rate(Mark(4, 0.2), Mark(8, 0.6), 0.01)

        assert span.low < 12 < span.high
        assert span.high - span.low < 0.4

    def test_progress_that_hardly_moved_gives_no_latest_end(self) -> None:
        assert by_rate(Mark(4, 0.2), Mark(8, 0.21), 0.01).high == math.inf

    def test_a_known_start_needs_one_mark(self) -> None:
        span = by_start(Mark(4, 0.25), Span(0, 0), 0.01)

        assert (span.low, span.high) == pytest.approx((4 / 0.26, 16))

    def test_a_later_start_means_an_earlier_end(self) -> None:
        span = by_start(Mark(4, 0.25), Span(2, 3), 0.01)

        assert (span.low, span.high) == pytest.approx((3 + 1 / 0.26, 10))

    def test_no_progress_gives_no_latest_end(self) -> None:
        assert by_start(Mark(4, 0), Span(0, 0), 0.01).high == math.inf

    def test_an_end_tells_the_start(self) -> None:
        span = start_of(Mark(6, 0.5), Span(10, 10), 0.0)

        assert (span.low, span.high) == pytest.approx((2, 2))

    def test_spans_that_have_nothing_in_common_meet_nowhere(self) -> None:
        assert Span(1, 2).meet(Span(3, 4)).empty
        assert not Span(1, 3).meet(Span(3, 4)).empty
        assert Span(1, math.inf).width == 1

    @pytest.mark.parametrize(
        ("width", "parts"),
        [
            pytest.param(0.0, 1, id="a point is looked at once"),
            pytest.param(0.01, 1, id="a per cent too, at its end"),
            pytest.param(0.02, 2, id="two are looked at in their middle"),
            pytest.param(9.0, 12, id="bounded"),
        ],
    )
    def test_wider_intervals_are_looked_through_in_more_parts(
        self, width: float, parts: int
    ) -> None:
        assert parts_of(width, 0.005) == parts


class TestAStrangeTask:
    """Of whose kind nothing is known."""

    def waits(self, forecast: Forecast, track: Track, *, until_s: float) -> list[float]:
        now, found = 0.0, []
        while now < until_s:
            found.append(forecast.wait_s(track, now))
            now += found[-1]
            forecast.seen(track, now, None)
        return found

    def test_is_first_looked_at_when_the_provider_says(self) -> None:
        forecast = forecast_of(first_s=5)

        assert forecast.wait_s(forecast.watch(KIND, 100.0), 100.0) == 5

    def test_is_then_looked_at_in_growing_steps(self) -> None:
        forecast = forecast_of(first_s=5, least_gap_s=5)

        _, *waits = self.waits(forecast, forecast.watch(KIND, 0.0), until_s=600)

        assert min(waits) >= 5
        assert waits[0] == pytest.approx(5, rel=0.06)
        assert 30 < max(waits) < 100

    def test_is_believed_to_take_what_the_service_estimates(self) -> None:
        forecast = forecast_of(first_s=5)

        first, second, *_ = self.waits(
            forecast, forecast.watch(KIND, 0.0, 60.0), until_s=60
        )

        assert 10 < first < 40
        assert second < first

    @pytest.mark.parametrize("hint_s", [1e308, 90_000_000.0, 1e-320])
    def test_an_estimate_that_cannot_be_keeps_nobody_waiting(
        self, hint_s: float
    ) -> None:
        forecast = Forecast(least_gap_s=0.1, first_s=5, rng=random.Random(0))
        track = forecast.watch(KIND, 0.0, hint_s)

        first_s = forecast.wait_s(track, 0.0)
        forecast.seen(track, first_s, None)

        assert 0.1 <= first_s <= 1800
        assert 0.1 <= forecast.wait_s(track, first_s) <= 1800

    @pytest.mark.parametrize("hint_s", [0.0, -3.0])
    def test_an_estimate_that_is_none_is_left_alone(self, hint_s: float) -> None:
        forecast = forecast_of(first_s=5)

        assert forecast.wait_s(forecast.watch(KIND, 0.0, hint_s), 0.0) == 5

    def test_learns_from_others_of_its_model(self) -> None:
        week = Week(hidden).work(lognormal(100, median_s=60.0))

        track = week.forecast.watch(("model", "duration=8"), 0.0)
        other = week.forecast.watch(("other",), 0.0)

        assert week.forecast.wait_s(track, 0.0) > 10
        assert week.forecast.wait_s(other, 0.0) == 1


class TestLookingBlindly:
    def test_costs_ten_looks_at_four_per_cent_of_delay(self) -> None:
        durations = lognormal(2_000)

        polls, delay = figures(Week(hidden).work(durations, at_once=100), durations)

        assert polls < 10.5
        assert delay < 0.045

    def test_recovers_from_an_estimate_that_is_far_too_long(self) -> None:
        durations = lognormal(1_000)
        week = Week(hidden, hint_s=45.0).work(durations)

        assert sum(week.late_s[500:]) / sum(durations[500:]) < 0.08

    def test_a_task_that_never_ends_is_not_looked_at_for_ever_and_ever(self) -> None:
        week = Week(hidden).work(lognormal(200))
        week.looked.clear()

        week.work([3_600.0], at_once=1)

        assert len(week.looked) < 160

    def test_looks_at_tasks_that_were_ordered_together_drift_apart(self) -> None:
        week = Week(hidden).work(lognormal(100))
        forecast = week.forecast

        tracks = [forecast.watch(KIND, 0.0) for _ in range(50)]
        waits = {forecast.wait_s(track, 0.0) for track in tracks}

        assert len(waits) == 50

    def test_is_the_same_every_time(self) -> None:
        weeks = [Week(hidden).work(lognormal(200)) for _ in range(2)]

        assert weeks[0].looked == weeks[1].looked


class TestProgress:
    def test_that_is_even_costs_three_looks_and_hardly_any_delay(self) -> None:
        durations = lognormal(2_000)

        polls, delay = figures(Week(linear).work(durations, at_once=200), durations)

        assert polls <= 3.3
        assert delay <= 0.008

    def test_of_long_tasks_keeps_the_least_gap(self) -> None:
        durations = lognormal(300, median_s=70.0)
        week = Week(linear, forecast_of(least_gap_s=5.0, first_s=5.0))

        polls, delay = figures(week.work(durations, at_once=8), durations)

        assert polls <= 3.3
        assert delay <= 0.01

    @pytest.mark.parametrize(
        "report",
        [
            pytest.param(lambda share: 25 * math.floor(4 * share), id="25 % steps"),
            pytest.param(lambda share: min(40, int(100 * share)), id="stuck at 40"),
            pytest.param(lambda _share: 10, id="stuck from the beginning"),
            pytest.param(
                lambda share: int(100 * share) - 40 * (share >= 0.6), id="backwards"
            ),
            pytest.param(lambda share: 100 * (1 - (1 - share) ** 3), id="slowing down"),
            pytest.param(lambda share: 100 * share**3, id="speeding up"),
            pytest.param(lambda share: share, id="up to one"),
            pytest.param(lambda _share: 100, id="always all"),
            pytest.param(lambda _share: -5, id="below nothing"),
        ],
    )
    def test_that_means_little_is_hardly_worse_than_none(self, report: Report) -> None:
        durations = lognormal(400)

        polls, delay = figures(Week(report).work(durations, at_once=40), durations)

        assert polls < 17
        assert delay < 0.06

    def test_behind_a_queue_is_not_taken_for_a_slow_task(self) -> None:
        durations = lognormal(1_000)
        week = Week(linear, workers=60)

        polls, delay = figures(week.work(durations, at_once=80), durations)

        assert polls < 7
        assert delay < 0.02

    def test_that_stands_still_all_of_a_sudden_forgets_no_task(self) -> None:
        week = Week(linear).work(lognormal(500))
        forecast, track = week.forecast, week.forecast.watch(KIND, 0.0)
        forecast.seen(track, 2.0, 1.0)  # as if it took 200 s, of a kind that takes 5

        assert forecast.wait_s(track, 2.0) < 30

    def test_of_a_task_that_began_sooner_than_others_is_no_end(self) -> None:
        forecast = forecast_of(least_gap_s=1.0)
        track = forecast.watch(KIND, 0.0)
        forecast.habits(track).learn_start(Span(10, 10))

        forecast.seen(track, 2.0, 30.0)

        assert forecast.wait_s(track, 2.0) == 1

    def test_may_be_looked_at_without_any_gap(self) -> None:
        durations = lognormal(200)
        week = Week(linear, forecast_of(least_gap_s=0.0)).work(durations)

        assert week.polls < 4 * len(durations)

    def test_is_relied_on_after_it_was_right_a_few_times(self) -> None:
        habits, proven = Habits(), []
        for right in [True] * 5 + [False] * 3:
            habits.judge(right=right)
            proven.append(habits.proven)

        assert proven == [False] * 4 + [True] * 3 + [False]


class TestLeaving:
    def test_a_task_that_is_left_teaches_nothing(self) -> None:
        forecast = forecast_of(first_s=5)
        for _ in range(10):
            forecast.leave(forecast.watch(KIND, 0.0))

        assert forecast.wait_s(forecast.watch(KIND, 0.0), 0.0) == 5

    def test_nor_does_one_that_ended_before_it_began(self) -> None:
        forecast = forecast_of(first_s=5)
        for _ in range(10):
            forecast.ended(forecast.watch(KIND, 9.0), 9.0)

        assert forecast.wait_s(forecast.watch(KIND, 9.0), 9.0) == 5
