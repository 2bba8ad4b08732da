"""The fold is a join, and a file is possible exactly when its story is."""

from __future__ import annotations

import itertools
import random
import re

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
)

from foxbatch.errors import TransitionError
from foxbatch.events import AttemptFact, AttemptId, Event, RunId, WatchEnded, word
from foxbatch.lifecycle import (
    TRANSITIONS,
    BatchState,
    Lane,
    Phase,
    Stage,
    fold,
    next_stage,
)
from tests.facts import stamped
from tests.property.histories import JOBS, MAKE, RUNS, bags, files, make

# The story of an attempt in one file, told a second time: one letter per step.
LETTERS = {
    "submit.intended": "i",
    "submit.accepted": "a",
    "submit.refused": "r",
    "submit.unknown": "u",
    "submit.settled:task": "t",
    "submit.settled:buy_again": "b",
    "submit.settled:write_off": "w",
    "status.seen": "s",
    "watch.ended": "e",
    "results.seen": "R",
    "artifact.stored": "A",
    "job.succeeded": "S",
    "job.failed": "F",
}
WATCHED = "[se]*(F|R[seRA]*[SF]?)?"
OWN = re.compile(f"(i(rF?|u([bw]|t{WATCHED})?|a{WATCHED})?)?")
ADOPTED = re.compile(f"[bw]|t?{WATCHED}")

MINE, THEIRS = AttemptId(f"{RUNS[0]}-1"), AttemptId(f"{RUNS[1]}-1")


@given(bag=bags(), data=st.data())
def test_order_and_repetition_of_facts_do_not_matter(
    bag: list[Event], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(bag))) if bag else []
    shuffled = data.draw(st.permutations([*bag, *again]))

    assert fold(shuffled) == fold(bag)


@given(bag=bags(), seed=st.integers())
def test_whoever_looks_at_a_job_sees_the_same_in_any_order(
    bag: list[Event], seed: int
) -> None:
    """Also what is read off the state does not depend on the order of facts."""
    shuffled = bag.copy()
    random.Random(seed).shuffle(shuffled)
    one, other = fold(bag), fold(shuffled)

    assert one.bought() == other.bought()
    for job in JOBS:
        assert one.phase(job, RUNS[:1]) is other.phase(job, RUNS[:1])
    for job, state in one.jobs.items():
        assert state.leading() == other.jobs[job].leading()
        assert state.in_order() == other.jobs[job].in_order()
        assert state.unexplained_purchases() == other.jobs[job].unexplained_purchases()


@given(bag=bags(), cut=st.integers(0, 25))
def test_a_prefix_and_then_the_rest_is_all(bag: list[Event], cut: int) -> None:
    state = fold(bag[:cut])
    for fact in bag[cut:]:
        state.join(fact)

    assert state == fold(bag)


@given(bag=bags(), homes=st.lists(st.integers(0, 2), min_size=25, max_size=25))
def test_facts_may_be_split_into_files_in_any_way(
    bag: list[Event], homes: list[int]
) -> None:
    shards: list[list[Event]] = [[], [], []]
    for fact, home in zip(bag, homes, strict=False):
        shards[home].append(fact)

    for order in itertools.permutations(shards):
        assert fold(itertools.chain(*order)) == fold(bag)


@given(bag=bags(), data=st.data())
def test_what_was_bought_is_never_forgotten(
    bag: list[Event], data: st.DataObject
) -> None:
    part = data.draw(st.lists(st.sampled_from(bag), unique_by=id)) if bag else []

    assert fold(part).bought() <= fold(bag).bought()


@given(files())
def test_files_that_could_have_happened_are_admitted(
    written: list[tuple[Event, ...]],
) -> None:
    for facts in written:
        lane = Lane(facts[0].run)
        for fact in facts:
            lane.admit(fact)


@pytest.mark.parametrize(
    ("attempt", "story"), [(MINE, OWN), (THEIRS, ADOPTED)], ids=["own", "adopted"]
)
def test_every_story_of_six_steps_is_admitted_exactly_when_it_is_possible(
    attempt: AttemptId, story: re.Pattern[str]
) -> None:
    possible: list[tuple[str, ...]] = [()]
    for _ in range(6):
        longer = [(*steps, step) for steps in possible for step in MAKE]
        possible = [steps for steps in longer if told(steps, story)]
        for steps in longer:
            assert admitted(steps, attempt) is told(steps, story), steps


def told(steps: tuple[str, ...], story: re.Pattern[str]) -> bool:
    return story.fullmatch("".join(LETTERS[step] for step in steps)) is not None


def admitted(steps: tuple[str, ...], attempt: AttemptId) -> bool:
    try:
        Lane(RUNS[0]).admit(*(make(step, attempt) for step in steps))
    except TransitionError:
        return False
    return True


def ways() -> dict[Stage, str]:
    """Return a shortest story that leads to each stage, in letters."""
    found = {Stage.UNBORN: "", Stage.ELSEWHERE: ""}
    for _ in Stage:
        for stage, way in list(found.items()):
            for step, after in TRANSITIONS[stage].items():
                found.setdefault(after, way + LETTERS[step])
    return found


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("step", MAKE)
def test_every_cell_of_the_table_is_right_and_every_absent_one_refused(
    stage: Stage, step: str
) -> None:
    story = ADOPTED if stage is Stage.ELSEWHERE else OWN
    possible = story.fullmatch(ways()[stage] + LETTERS[step]) is not None

    assert (step in TRANSITIONS[stage]) is possible
    if possible:
        assert next_stage(stage, make(step, MINE)) is TRANSITIONS[stage][step]
    else:
        with pytest.raises(TransitionError, match=f"that is {stage}$"):
            next_stage(stage, make(step, MINE))


def test_the_table_names_every_stage_and_no_step_that_cannot_be_made() -> None:
    assert TRANSITIONS.keys() == set(Stage) == ways().keys()
    assert set().union(*TRANSITIONS.values()) == MAKE.keys() == LETTERS.keys()


def expected_phase(facts: list[Event], live: set[RunId]) -> Phase:
    """Say where a job stands as the documentation does, from all its facts."""
    attempts: dict[AttemptId, list[AttemptFact]] = {}
    for fact in sorted(facts, key=lambda fact: (fact.at, fact.run, fact.seq)):
        if isinstance(fact, AttemptFact):
            attempts.setdefault(fact.attempt, []).append(fact)
    found = [
        expected_of_attempt(known, attempt.rpartition("-")[0] in live)
        for attempt, known in attempts.items()
    ]
    order = "done downloading submitting running overdue held".split()
    leading = [phase for phase in order if phase in found]
    if leading:
        return Phase(leading[0])
    # Attempts are sorted by their beginnings here: the last that counts decides.
    return Phase(next((phase for phase in reversed(found) if phase), "new"))


def expected_of_attempt(known: list[AttemptFact], alive: bool) -> str:
    said = [word(fact) for fact in known]  # type: ignore[arg-type]
    decided = {getattr(fact, "decision", None) for fact in known}
    if "job.succeeded" in said:
        return "done"
    if "job.failed" in said:
        return "failed"
    if "submit.accepted" in said or "task" in decided:
        if "results.seen" in said:
            return "downloading"
        told = ("submit.accepted", "status.seen", "watch.ended")
        watched = [fact for fact in known if word(fact) in told]  # type: ignore[arg-type]
        overdue = watched and isinstance(watched[-1], WatchEnded)
        return "overdue" if overdue else "running"
    if "buy_again" in decided:
        return "new"
    if "write_off" in decided:
        return "failed"
    if {"status.seen", "watch.ended", "results.seen", "submit.unknown"} & set(said):
        return "held"
    if "submit.refused" in said:
        return ""
    return "submitting" if alive else "held"
