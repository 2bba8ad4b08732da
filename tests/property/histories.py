"""Ledgers that could have happened, and bags of facts that could not."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import msgspec
from hypothesis import strategies as st

from foxbatch.canonical import JobId
from foxbatch.events import (
    ArtifactStored,
    AttemptFact,
    AttemptId,
    Event,
    JobFailed,
    JobSucceeded,
    MediaFacts,
    ResultItem,
    ResultsSeen,
    RunEnded,
    RunId,
    StatusSeen,
    SubmitAccepted,
    SubmitIntended,
    SubmitRefused,
    SubmitSettled,
    SubmitUnknown,
    TaskId,
    WatchEnded,
)
from foxbatch.lifecycle import TRANSITIONS, Stage
from tests.facts import ACCOUNT, HALTED, PLANNED, SHA256, STARTED, stamped

RUNS = [RunId(letter * 10) for letter in "abc"]
JOBS = [JobId("j" * 20), JobId("k" * 20)]

Make = Callable[[JobId, AttemptId, int], AttemptFact]
"""Make a fact about an attempt; the number makes it differ from others."""


def _settled(decision: str) -> Make:
    def make(job: JobId, attempt: AttemptId, salt: int) -> AttemptFact:
        if decision == "task":
            return SubmitSettled(
                job=job, attempt=attempt, decision="task", task=TaskId(f"t{salt % 3}")
            )
        if decision == "buy_again":
            return SubmitSettled(job=job, attempt=attempt, decision="buy_again")
        return SubmitSettled(job=job, attempt=attempt, decision="write_off")

    return make


MAKE: Mapping[str, Make] = {
    "submit.intended": lambda job, attempt, salt: SubmitIntended(
        job=job, attempt=attempt, after=AttemptId("x-1") if salt % 2 else None
    ),
    "submit.accepted": lambda job, attempt, salt: SubmitAccepted(
        job=job, attempt=attempt, task=TaskId(f"t{salt % 3}"), credits=salt
    ),
    "submit.refused": lambda job, attempt, salt: SubmitRefused(
        job=job, attempt=attempt, error_class="busy", code=str(salt)
    ),
    "submit.unknown": lambda job, attempt, salt: SubmitUnknown(
        job=job, attempt=attempt, why=f"why {salt}"
    ),
    "submit.settled:task": _settled("task"),
    "submit.settled:buy_again": _settled("buy_again"),
    "submit.settled:write_off": _settled("write_off"),
    "status.seen": lambda job, attempt, salt: StatusSeen(
        job=job,
        attempt=attempt,
        status=f"s{salt}",
        state="failed" if salt % 3 == 0 else "running",
        queued=salt % 3 == 1,
    ),
    "watch.ended": lambda job, attempt, salt: WatchEnded(
        job=job, attempt=attempt, watched_s=salt
    ),
    "results.seen": lambda job, attempt, salt: ResultsSeen(
        job=job, attempt=attempt, items=(ResultItem(f"https://cdn.example/{salt}"),)
    ),
    "artifact.stored": lambda job, attempt, salt: ArtifactStored(
        job=job,
        attempt=attempt,
        item=1 + salt % 2,
        path=f"é/{salt}",
        sha256=SHA256,
        bytes=salt,
        media=MediaFacts("unchecked"),
    ),
    "job.succeeded": lambda job, attempt, salt: JobSucceeded(
        job=job, attempt=attempt, credits=salt
    ),
    "job.failed": lambda job, attempt, salt: JobFailed(
        job=job, attempt=attempt, error_class=f"c{salt}"
    ),
}
"""How to make a fact for every step that a transition table can name."""


def make(step: str, attempt: AttemptId, salt: int = 1) -> Event:
    """Return an unstamped fact; an attempt always belongs to the same job."""
    job = JOBS[int(attempt[-1]) % 2]
    fact: Event = MAKE[step](job, attempt, salt)  # type: ignore[assignment]
    return fact


def _about_the_batch(salt: int) -> Event:
    job = JOBS[salt % 2]
    plan = msgspec.structs.replace(PLANNED, job=job, name=f"job {salt}")
    seen = msgspec.structs.replace(ACCOUNT, used=float(salt))
    return (STARTED, plan, HALTED, RunEnded(why=f"{salt}"), seen)[salt % 5]


@st.composite
def files(draw: st.DrawFn) -> list[tuple[Event, ...]]:
    """Return what up to three runs wrote, each file possible in itself.

    The clocks of the runs do not agree, and a later run may go on with the attempts
    of an earlier one.
    """
    written = []
    for place, run in enumerate(draw(st.permutations(RUNS))[: draw(st.integers(1, 3))]):
        start_s = draw(st.integers(-5, 5))
        attempts = [
            AttemptId(f"{one}-{n}") for one in RUNS[: place + 1] for n in (1, 2)
        ]
        attempts += [AttemptId(f"{run}-1"), AttemptId(f"{run}-2")]
        stages: dict[AttemptId, Stage] = {}
        facts: list[Event] = []
        choices = st.tuples(st.sampled_from(attempts), st.integers(0, 11))
        for attempt, choice in draw(st.lists(choices, max_size=15)):
            own = attempt.startswith(run)
            stage = stages.get(attempt, Stage.UNBORN if own else Stage.ELSEWHERE)
            steps = sorted(TRANSITIONS[stage])
            if steps:
                step = steps[choice % len(steps)]
                stages[attempt] = TRANSITIONS[stage][step]
                facts.append(make(step, attempt, choice))
            else:
                facts.append(_about_the_batch(choice))
        written.append(
            tuple(
                stamped(fact, run=run, seq=seq, at_s=start_s + seq // 2)
                for seq, fact in enumerate([STARTED, *facts], start=1)
            )
        )
    return written


@st.composite
def bags(draw: st.DrawFn) -> list[Event]:
    """Return facts of which each is possible, but hardly all of them together."""
    attempts = [AttemptId(f"{run}-{n}") for run in RUNS[:2] for n in (1, 2)]
    about_attempts = st.builds(
        make,
        st.sampled_from(sorted(MAKE)),
        st.sampled_from(attempts),
        st.integers(0, 11),
    )
    about_batch = st.builds(_about_the_batch, st.integers(0, 11))
    facts = draw(st.lists(st.one_of(about_attempts, about_batch), max_size=25))
    places = itertools.count(1)
    return [
        stamped(
            fact,
            run=draw(st.sampled_from(RUNS)),
            seq=next(places),  # unique in the whole bag, so (run, seq) is
            at_s=draw(st.integers(0, 4)),
        )
        for fact in facts
    ]
