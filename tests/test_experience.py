"""What earlier runs teach about how long tasks take."""

from __future__ import annotations

import msgspec
import pytest

from foxbatch.events import AttemptId, Event
from foxbatch.experience import MOST, durations
from foxbatch.state import fold
from tests.facts import (
    ACCEPTED,
    INTENDED,
    LATER_RUN,
    PLANNED,
    RESULTS,
    RUN,
    file_of,
    stamped,
)

KIND = ("veo-3.1",)


def bought(attempt: int, *, took_s: float) -> list[Event]:
    """Return a task that was seen to end so long after it was accepted."""
    name = AttemptId(f"{RUN}-{attempt}")
    accepted = msgspec.structs.replace(ACCEPTED, attempt=name)
    results = msgspec.structs.replace(RESULTS, attempt=name)
    began_s = attempt * 1_000
    return [
        stamped(accepted, seq=2 * attempt, at_s=began_s),
        stamped(results, seq=2 * attempt + 1, at_s=began_s + took_s),
    ]


def test_a_task_took_a_little_less_than_it_seemed() -> None:
    """Its end was noticed when it was looked at, and that is later."""
    known = durations(fold([stamped(PLANNED), *bought(1, took_s=100)]))

    assert list(known) == [KIND]
    assert 95 < known[KIND][0] < 98


def test_the_latest_are_remembered_oldest_first() -> None:
    facts = [f for n in range(1, MOST + 6) for f in bought(n, took_s=n)]

    (known,) = durations(fold([stamped(PLANNED), *reversed(facts)])).values()

    assert len(known) == MOST
    assert list(known) == sorted(known)
    assert known[0] > 5


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(file_of(RUN, [PLANNED, INTENDED]), id="was not accepted"),
        pytest.param(file_of(RUN, [PLANNED, INTENDED, ACCEPTED]), id="has not ended"),
        pytest.param(
            [
                *file_of(RUN, [PLANNED, INTENDED, ACCEPTED]),
                *file_of(LATER_RUN, [RESULTS], start_s=9_000),
            ],
            id="another run saw end, after nobody had looked",
        ),
        pytest.param(
            file_of(RUN, [INTENDED, ACCEPTED, RESULTS]), id="nobody knows the job of"
        ),
        pytest.param(
            [stamped(PLANNED), *bought(1, took_s=-5)], id="ended before it began"
        ),
        pytest.param(
            [
                stamped(PLANNED),
                *bought(1, took_s=5)[:1],
                msgspec.structs.replace(bought(1, took_s=5)[1], at="yesterday"),
            ],
            id="has a stamp that is none",
        ),
    ],
)
def test_nothing_is_learned_of_a_task_that(facts: list[Event]) -> None:
    assert fold(facts).jobs
    assert not durations(fold(facts))
