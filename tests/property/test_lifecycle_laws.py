"""The fold is a join, and a file is possible exactly when its story is."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from foxbatch.errors import TransitionError
from foxbatch.events import (
    EXPIRED,
    AttemptFact,
    AttemptId,
    Event,
    JobFailed,
    JobSucceeded,
    ResultsSeen,
    RunId,
    StatusSeen,
    SubmitAccepted,
    SubmitIntended,
    SubmitRefused,
    SubmitSettled,
    SubmitUnknown,
    WatchEnded,
)
from foxbatch.lifecycle import TRANSITIONS, Lane, Stage, next_stage
from foxbatch.state import BatchState, fold
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
OWN = re.compile(f"(i(rF?|u([bw]|t{WATCHED})?|a{WATCHED})?|w|t{WATCHED})?")
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
def test_every_story_of_five_steps_is_admitted_exactly_when_it_is_possible(
    attempt: AttemptId, story: re.Pattern[str]
) -> None:
    possible: list[tuple[str, ...]] = [()]
    for _ in range(5):
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
    found = {Stage.UNBORN: ""}
    for _ in Stage:
        for stage, way in list(found.items()):
            for step, after in TRANSITIONS[stage].items():
                found.setdefault(after, way + LETTERS[step])
    return {**found, Stage.ELSEWHERE: ""}


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


class Lives(RuleBasedStateMachine):
    """Runs that come, submit, go on with each other's attempts, and die."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes: dict[RunId, Lane] = {}
        self.skews_s: dict[RunId, int] = {}
        self.live: set[RunId] = set()
        self.stories: dict[tuple[RunId, AttemptId], str] = {}
        self.born: set[AttemptId] = set()
        self.facts: list[Event] = []
        self.state = BatchState()

    @precondition(lambda self: len(self.lanes) < len(RUNS))
    @rule(skew_s=st.integers(-9, 9))
    def start(self, skew_s: int) -> None:
        run = RUNS[len(self.lanes)]
        self.lanes[run] = Lane(run)
        self.skews_s[run] = skew_s
        self.live.add(run)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), salt=st.integers(0, 11))
    def step(self, data: st.DataObject, salt: int) -> None:
        run = data.draw(st.sampled_from(sorted(self.live)))
        mine = {AttemptId(f"{run}-{n}") for n in (1, 2)}
        attempt = data.draw(st.sampled_from(sorted(self.born | mine)))
        told = self.stories.get((run, attempt), "")
        story = OWN if attempt in mine else ADOPTED
        possible = [s for s in MAKE if story.fullmatch(told + LETTERS[s])]
        for step in MAKE.keys() - set(possible):
            with pytest.raises(TransitionError):
                self.lanes[run].admit(make(step, attempt))
        if possible:
            step = data.draw(st.sampled_from(possible))
            self.stories[run, attempt] = told + LETTERS[step]
            self.born.add(attempt)
            self.happens(run, make(step, attempt, salt))

    def happens(self, run: RunId, event: Event) -> None:
        seq = len(self.facts) + 1
        fact = stamped(event, run=run, seq=seq, at_s=seq + self.skews_s[run])
        self.lanes[run].admit(fact)
        self.facts.append(fact)
        self.state.join(fact)

    @precondition(lambda self: len(self.live) > 1)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        self.live.remove(data.draw(st.sampled_from(sorted(self.live))))

    @invariant()
    def phases_are_as_documented(self) -> None:
        for job in JOBS:
            about = [
                f for f in self.facts if isinstance(f, AttemptFact) and f.job == job
            ]
            assert self.state.phase(job, self.live) == expected_phase(about, self.live)

    def teardown(self) -> None:
        assert fold(self.facts[::-1]) == self.state


def expected_phase(facts: Sequence[AttemptFact], live: set[RunId]) -> str:
    """Say where a job stands as the documentation does, from all its facts."""
    attempts: dict[AttemptId, list[AttemptFact]] = {}
    for fact in sorted(facts, key=lambda fact: (fact.at, fact.run, fact.seq)):
        attempts.setdefault(fact.attempt, []).append(fact)
    said = {
        attempt: expected_of_attempt(known, alive=attempt.rpartition("-")[0] in live)
        for attempt, known in attempts.items()
    }
    for phase in ("done", "downloading", "submitting", "running", "overdue", "held"):
        if phase in said.values():
            return phase
    deciding = [
        attempt
        for attempt in sorted(said, key=lambda one: (began(attempts[one]), one))
        if said[attempt]
    ]
    return said[deciding[-1]] if deciding else "new"


def began(known: Sequence[AttemptFact]) -> str:
    """Return when an attempt began: with its intent, or with what became of it."""
    for fact in known:
        if isinstance(fact, SubmitIntended):
            return fact.at
    decided = [fact for fact in known if isinstance(fact, SubmitSettled)]
    order = ("task", "buy_again", "write_off")
    return min(decided, key=lambda fact: order.index(fact.decision)).at


def expected_of_attempt(known: Sequence[AttemptFact], *, alive: bool) -> str:
    """Return a phase, or nothing for an attempt that was refused and never was."""
    kinds = {type(fact) for fact in known}
    decided = {fact.decision for fact in known if isinstance(fact, SubmitSettled)}
    watched = (SubmitAccepted, StatusSeen, WatchEnded)
    last = [fact for fact in known if isinstance(fact, watched)][-1:]
    task = SubmitAccepted in kinds or "task" in decided
    seen = kinds & {StatusSeen, WatchEnded, ResultsSeen, SubmitUnknown}
    answers = [
        ("done", JobSucceeded in kinds),
        ("failed", lost(known)),
        ("downloading", task and ResultsSeen in kinds),
        ("overdue", task and any(isinstance(fact, WatchEnded) for fact in last)),
        ("running", task),
        ("new", "buy_again" in decided),
        ("failed", "write_off" in decided),
        ("held", bool(seen)),
        ("", SubmitRefused in kinds),
        ("submitting", alive),
    ]
    return next((phase for phase, holds in answers if holds), "held")


def lost(known: Sequence[AttemptFact]) -> bool:
    """Return whether nothing will come of it: results outweigh another run's word."""
    failures = [fact for fact in known if isinstance(fact, JobFailed)]
    results = [fact for fact in known if isinstance(fact, ResultsSeen)]
    if not (failures and results) or any(f.error_class == EXPIRED for f in failures):
        return bool(failures)
    failed, seen = failures[-1], results[-1]
    return failed.run == seen.run and failed.seq > seen.seq


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=40, stateful_step_count=25)
