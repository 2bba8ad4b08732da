"""Slices of a sweep that fail as a whole wait; nothing else does."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, strategies as st

from foxbatch.breaker import Breaker, Slice, slices_of
from foxbatch.canonical import JobId
from foxbatch.events import (
    EXPIRED,
    AttemptId,
    Event,
    JobFailed,
    JobPlanned,
    PromptText,
    ResultItem,
    ResultsSeen,
    WatchEnded,
)
from tests.runner_harness import many

BASE = many(1)[0]
ATTEMPT = AttemptId("run-1")


def job(number: int, **cell: object) -> JobPlanned:
    prompt = PromptText(id=f"p{number}", text="x")
    return msgspec.structs.replace(
        BASE, job=JobId(f"job-{number}"), cell=cell, prompt=prompt
    )


def failed(wanted: JobPlanned, failure: str = "service") -> Event:
    return JobFailed(job=wanted.job, attempt=ATTEMPT, error_class=failure)


def gave(wanted: JobPlanned) -> Event:
    return ResultsSeen(job=wanted.job, attempt=ATTEMPT, items=(ResultItem(url="x"),))


def breaker_after(pause_after: int, *events: tuple[Event, JobPlanned]) -> Breaker:
    breaker = Breaker(pause_after)
    for event, wanted in events:
        breaker.hear(event, wanted)
    return breaker


EIGHTS = [job(number, duration=8) for number in range(6)]
FOUR = job(9, duration=4)


def test_a_job_is_in_the_slices_of_its_model_its_values_and_its_prompt() -> None:
    wanted = job(1, duration=8, shot={"b": 1, "a": [2.0]}, time="dawn")

    assert [str(one) for one in slices_of(wanted)] == [
        f"model={BASE.model}",
        "duration=8",
        'shot={"a":[2],"b":1}',
        "time=dawn",
        "prompt_id=p1",
    ]


def test_a_job_without_a_prompt_is_in_no_slice_of_one() -> None:
    wanted = msgspec.structs.replace(BASE, prompt=None, cell={})

    assert slices_of(wanted) == (Slice("model", BASE.model),)


def test_a_slice_that_fails_as_a_whole_waits_and_the_others_go_on() -> None:
    breaker = breaker_after(
        2, (gave(FOUR), FOUR), *((failed(one), one) for one in EIGHTS[:2])
    )

    assert breaker.pauses(EIGHTS[5]) == Slice("duration", "8")
    assert breaker.pauses(FOUR) is None
    assert breaker.failed(Slice("duration", "8")) == 2


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([(failed(EIGHTS[0]), EIGHTS[0])], id="fewer failures"),
        pytest.param([(failed(EIGHTS[0]), EIGHTS[0])] * 3, id="one job, several times"),
        pytest.param(
            [
                (gave(EIGHTS[0]), EIGHTS[0]),
                *((failed(one), one) for one in EIGHTS[1:4]),
            ],
            id="one that succeeded before",
        ),
        pytest.param(
            [
                *((failed(one), one) for one in EIGHTS[1:4]),
                (gave(EIGHTS[0]), EIGHTS[0]),
            ],
            id="one that succeeds afterwards",
        ),
        pytest.param(
            [(failed(one, EXPIRED), one) for one in EIGHTS[:4]],
            id="results that vanished",
        ),
        pytest.param(
            [
                (WatchEnded(job=one.job, attempt=ATTEMPT, watched_s=1), one)
                for one in EIGHTS[:4]
            ],
            id="jobs that only take long",
        ),
    ],
)
def test_nothing_waits_after(events: list[tuple[Event, JobPlanned]]) -> None:
    assert breaker_after(2, *events).pauses(EIGHTS[5]) is None


def test_nothing_ever_waits_where_nobody_wants_that() -> None:
    events = [(failed(one), one) for one in EIGHTS]

    assert breaker_after(0, *events).pauses(EIGHTS[5]) is None


def test_a_model_that_fails_whatever_is_asked_waits() -> None:
    ones = [job(number, duration=number) for number in range(3)]

    found = breaker_after(3, *((failed(one), one) for one in ones)).pauses(FOUR)

    assert found == Slice("model", BASE.model)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.booleans())),
    st.integers(1, 4),
)
def test_a_job_waits_only_where_all_that_is_known_of_a_slice_failed(
    lives: list[tuple[int, int, bool]], pause_after: int
) -> None:
    """The law, told by an oracle that looks at everything at once."""
    jobs = [
        (job(number, duration=value, time="dawn" if value else "dusk"), fine)
        for number, value, fine in lives
    ]
    breaker = breaker_after(
        pause_after, *((gave(one) if fine else failed(one), one) for one, fine in jobs)
    )

    for wanted, _ in jobs:
        expected = [
            one
            for one in slices_of(wanted)
            if not any(fine for other, fine in jobs if one in slices_of(other))
            and len({o.job for o, _ in jobs if one in slices_of(o)}) >= pause_after
        ]
        assert breaker.pauses(wanted) == next(iter(expected), None)
