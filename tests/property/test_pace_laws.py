"""Laws of pace: whatever a service says and whenever, the ceilings hold."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from hypothesis import given, strategies as st

from foxbatch.pace import Complaint, Pace
from foxbatch.policy import Limits

Word = Literal["fine", "rate", "tasks", "other"]

gaps_s = st.one_of(st.floats(0, 0.3), st.floats(0, 90))
stories = st.lists(
    st.tuples(gaps_s, st.sampled_from(["fine", "fine", "rate", "tasks", "other"])),
    max_size=60,
)
limits = st.builds(
    Limits,
    in_flight=st.integers(1, 50),
    requests_per_second=st.floats(0.2, 20),
    submits_per_minute=st.none() | st.integers(1, 20),
)


def told(pace: Pace, word: Word, now: float, running: int) -> None:
    if word == "fine":
        pace.answered(now, began=now - 0.01)
        return
    complaint: Complaint = word
    pace.refused(complaint, now, began=now - 0.01, asked_s=1.0, running=running)


@given(limits, stories, st.integers(0, 60))
def test_no_second_holds_more_starts_than_allowed_and_no_minute_more_submissions(
    limits: Limits, story: list[tuple[float, Word]], running: int
) -> None:
    pace, now, starts = Pace(limits), 0.0, []
    for gap_s, word in story:
        now = max(now + gap_s, pace.opens_at, pace.submits_open_at)
        pace.started(now, submit=True)
        starts.append(now)
        told(pace, word, now, running)

    most = max(1, int(limits.requests_per_second))
    least_s = max(1.0, 1 / limits.requests_per_second)
    for first, beyond in zip(starts, starts[most:], strict=False):
        assert beyond - first >= least_s
    per_minute = limits.submits_per_minute or len(starts) + 1
    for first, beyond in zip(starts, starts[per_minute:], strict=False):
        assert beyond - first >= 60


@given(limits, stories, st.integers(0, 60))
def test_no_limit_passes_its_ceiling_or_falls_to_nothing(
    limits: Limits, story: list[tuple[float, Word]], running: int
) -> None:
    pace, now = Pace(limits), 0.0
    for gap_s, word in story:
        now += gap_s
        told(pace, word, now, running)

        assert 0 < pace.rate.value <= limits.requests_per_second
        assert 1 <= pace.tasks.value <= limits.in_flight


@given(limits, stories, st.integers(0, 60))
def test_when_all_is_well_for_long_everything_is_at_its_ceiling_again(
    limits: Limits, story: list[tuple[float, Word]], running: int
) -> None:
    pace, now = Pace(limits), 0.0
    for gap_s, word in story:
        now += gap_s
        told(pace, word, now, running)
    for _ in range(20_000):
        now += 1
        pace.answered(now, began=now - 0.01)

    assert pace.rate.value == limits.requests_per_second
    assert pace.tasks.value == limits.in_flight


@given(st.lists(st.floats(0, 5), min_size=2, max_size=30))
def test_requests_under_way_together_are_one_episode(late_s: list[float]) -> None:
    pace = Pace(Limits(in_flight=20, requests_per_second=10))

    values = []
    for wait_s in sorted(late_s):
        pace.refused("rate", 10 + wait_s, began=9, asked_s=1, running=5)
        pace.refused("tasks", 10 + wait_s, began=9, asked_s=1, running=5)
        values.append((pace.rate.value, pace.tasks.value))

    assert all(one == other for one, other in pairwise(values))
