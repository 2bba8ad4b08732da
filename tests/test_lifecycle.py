"""What may happen to an attempt, and when."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
import pytest

from foxbatch.errors import TransitionError
from foxbatch.events import (
    AttemptFact,
    Event,
    RunId,
    SubmitIntended,
    word,
)
from foxbatch.lifecycle import TRANSITIONS, Lane, Stage, next_stage
from tests.facts import (
    ACCEPTED,
    ARTIFACT,
    BUY_AGAIN,
    ENDED,
    FAILED,
    FIRST,
    HALTED,
    JOB,
    LATER_RUN,
    PLANNED,
    REFUSED,
    RESULTS,
    RUN,
    SECOND,
    SETTLED,
    STARTED,
    STATUS,
    SUCCEEDED,
    UNKNOWN,
    WATCH_ENDED,
    WRITE_OFF,
)

INTENDED = SubmitIntended(job=JOB, attempt=FIRST)


EVERY_STEP: Mapping[str, Event] = {
    "submit.intended": INTENDED,
    "submit.accepted": ACCEPTED,
    "submit.refused": REFUSED,
    "submit.unknown": UNKNOWN,
    "submit.settled:task": SETTLED,
    "submit.settled:buy_again": BUY_AGAIN,
    "submit.settled:write_off": WRITE_OFF,
    "status.seen": STATUS,
    "watch.ended": WATCH_ENDED,
    "results.seen": RESULTS,
    "artifact.stored": ARTIFACT,
    "job.succeeded": SUCCEEDED,
    "job.failed": FAILED,
}
ACCEPTANCE = ("submit.intended", "submit.accepted")
WAYS: Mapping[Stage, tuple[str, ...]] = {
    Stage.UNBORN: (),
    Stage.SUBMITTING: ("submit.intended",),
    Stage.REFUSED: ("submit.intended", "submit.refused"),
    Stage.HELD: ("submit.intended", "submit.unknown"),
    Stage.RUNNING: ACCEPTANCE,
    Stage.OVERDUE: (*ACCEPTANCE, "watch.ended"),
    Stage.DOWNLOADING: (*ACCEPTANCE, "results.seen"),
    Stage.CLOSED: ("submit.settled:write_off",),
    Stage.DONE: (*ACCEPTANCE, "results.seen", "job.succeeded"),
    Stage.FAILED: (*ACCEPTANCE, "job.failed"),
}
"""How an attempt of this run comes to each stage."""


def second(fact: Event) -> Event:
    """Return *fact* as one about the second attempt."""
    assert isinstance(fact, AttemptFact)
    return msgspec.structs.replace(fact, attempt=SECOND)


def test_a_step_leads_to_its_stage() -> None:
    assert next_stage(Stage.SUBMITTING, UNKNOWN) is Stage.HELD
    assert next_stage(Stage.HELD, SETTLED) is Stage.RUNNING
    assert next_stage(Stage.HELD, BUY_AGAIN) is Stage.CLOSED


def test_an_impossible_step_says_what_and_where() -> None:
    with pytest.raises(TransitionError) as caught:
        next_stage(Stage.REFUSED, BUY_AGAIN)

    said = "submit.settled:buy_again cannot happen to an attempt that is refused"
    assert str(caught.value) == said


def test_an_impossible_step_of_a_file_shows_the_last_facts_of_its_job() -> None:
    lane = Lane(RUN)
    lane.admit(INTENDED, ACCEPTED)

    with pytest.raises(TransitionError) as caught:
        lane.admit(STATUS, second(INTENDED), RESULTS, STATUS, INTENDED)

    assert "; last of job " + JOB in str(caught.value)
    assert re.findall(r"\d ([a-z.]+) of (\S+)", str(caught.value)) == [
        ("submit.intended", SECOND),
        ("results.seen", FIRST),
        ("status.seen", FIRST),
    ]


def test_where_nothing_is_known_of_a_job_that_is_said() -> None:
    with pytest.raises(TransitionError, match=f"nothing before it is about job {JOB}$"):
        Lane(RUN).admit(STARTED, PLANNED, ACCEPTED)


@pytest.mark.parametrize("about_a_run", [STARTED, PLANNED, HALTED, ENDED], ids=word)
@pytest.mark.parametrize("step", [None, *EVERY_STEP], ids=str)
def test_facts_about_runs_change_no_stage(about_a_run: Event, step: str | None) -> None:
    """In every stage each of them is possible, and the same is possible after it."""
    for stage, way in WAYS.items():
        lane = Lane(RUN)
        lane.admit(*(EVERY_STEP[one] for one in way), about_a_run)
        if step is None:
            continue
        if step in TRANSITIONS[stage]:
            lane.admit(EVERY_STEP[step])
        else:
            with pytest.raises(TransitionError, match=f"that is {stage};"):
                lane.admit(EVERY_STEP[step])


def test_an_attempt_of_this_run_begins_with_its_intent() -> None:
    with pytest.raises(TransitionError, match="that is unborn"):
        Lane(RUN).admit(ACCEPTED)


def test_an_attempt_of_an_earlier_run_goes_on_but_is_never_sent() -> None:
    lane = Lane(LATER_RUN)

    with pytest.raises(TransitionError, match="that is elsewhere"):
        lane.admit(INTENDED)
    lane.admit(STATUS, RESULTS, ARTIFACT, SUCCEEDED)


def test_a_run_whose_name_begins_like_another_is_another_run() -> None:
    with pytest.raises(TransitionError, match="that is elsewhere"):
        Lane(RunId(RUN[:-1])).admit(INTENDED)


def test_facts_about_runs_and_plans_may_come_at_any_time() -> None:
    lane = Lane(RUN)

    lane.admit(STARTED, PLANNED, INTENDED, PLANNED, HALTED, ENDED)

    lane.admit(ACCEPTED)


def test_a_refused_group_of_facts_leaves_all_as_it_was() -> None:
    lane = Lane(RUN)
    lane.admit(INTENDED)

    with pytest.raises(TransitionError):
        lane.admit(ACCEPTED, STATUS, ACCEPTED)

    lane.admit(UNKNOWN)
