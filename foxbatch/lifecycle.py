"""What may happen to a job, and in which order: one table.

Theory of operation
-------------------

A *job* is a request that is wanted. An *attempt* is one decision to send it. Nearly
everything happens to attempts, so the table below is about them; what is known of a job
all in all is read off its attempts (`state`).

Within the file of one run, facts come in the order in which that process lived them, so
they must walk through `TRANSITIONS`. A step that is not in the table is a bug of the
writer or damage to the file. An attempt that an earlier run made enters a later run's
file in the middle of its life (`ELSEWHERE`).

The one dangerous state is *submitting*: the intent is on disk and no outcome is. As
long as the process lives, the request is under way. When it is gone, nobody knows
whether a task exists; that is *held*, and only a person may decide about it.

An attempt that was never intended here may begin with what became of it: a task that
the log of a lost machine names, or one that another run directory bought. Both are
settled like a held one, so nothing else has to know where a task came from.

    UNBORN ──intended──▶ SUBMITTING ──accepted──▶ RUNNING ◀──status── OVERDUE
                          │      │                │  │ └──watch.ended──▶ │
                       refused  unknown     results  └───job.failed──────┤
                          ▼      ▼                ▼                      ▼
                     REFUSED    HELD       DOWNLOADING ──job.failed──▶ FAILED
                          │      │                │                      ▲
                          │   settled:        succeeded                  │
                          │    task ▶ RUNNING     ▼                      │
                          │    else ▶ CLOSED     DONE                    │
                          └──────────────────────────────────────────────┘
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TypeAlias

from foxbatch.errors import TransitionError
from foxbatch.events import (
    AttemptFact,
    AttemptId,
    Event,
    RunId,
    SubmitSettled,
    word,
)


class Stage(StrEnum):
    """Where one attempt stands within one file."""

    UNBORN = "unborn"
    ELSEWHERE = "elsewhere"
    SUBMITTING = "submitting"
    REFUSED = "refused"
    HELD = "held"
    RUNNING = "running"
    OVERDUE = "overdue"
    DOWNLOADING = "downloading"
    CLOSED = "closed"
    DONE = "done"
    FAILED = "failed"


_SETTLED: Mapping[str, Stage] = {
    "submit.settled:task": Stage.RUNNING,
    "submit.settled:buy_again": Stage.CLOSED,
    "submit.settled:write_off": Stage.CLOSED,
}
_WATCHED: Mapping[str, Stage] = {
    "status.seen": Stage.RUNNING,
    "watch.ended": Stage.OVERDUE,
    "results.seen": Stage.DOWNLOADING,
    "job.failed": Stage.FAILED,
}

TRANSITIONS: Mapping[Stage, Mapping[str, Stage]] = {
    Stage.UNBORN: {
        "submit.intended": Stage.SUBMITTING,
        "submit.settled:task": Stage.RUNNING,  # bought, but not by a run here
        "submit.settled:write_off": Stage.CLOSED,
    },
    Stage.SUBMITTING: {
        "submit.accepted": Stage.RUNNING,
        "submit.refused": Stage.REFUSED,
        "submit.unknown": Stage.HELD,  # it may exist and be paid for: never resend
    },
    Stage.REFUSED: {"job.failed": Stage.FAILED},
    Stage.HELD: _SETTLED,
    Stage.RUNNING: _WATCHED,
    Stage.OVERDUE: _WATCHED,
    Stage.DOWNLOADING: {
        "status.seen": Stage.DOWNLOADING,
        "results.seen": Stage.DOWNLOADING,  # asked again: fresh addresses
        "artifact.stored": Stage.DOWNLOADING,
        "watch.ended": Stage.DOWNLOADING,
        "job.succeeded": Stage.DONE,
        "job.failed": Stage.FAILED,  # the results are gone for good
    },
    Stage.CLOSED: {},
    Stage.DONE: {},
    Stage.FAILED: {},
    # An attempt of an earlier run. What an attempt of this run can only do after it
    # was accepted, this one may do at once; it can no longer be submitted.
    Stage.ELSEWHERE: {**_WATCHED, **_SETTLED},
}


def _step(event: Event) -> str:
    said = word(event)
    return f"{said}:{event.decision}" if isinstance(event, SubmitSettled) else said


def next_stage(stage: Stage, event: Event) -> Stage:
    """Return where an attempt stands after *event*.

    Raises:
        TransitionError: The event cannot happen to an attempt at that stage.
    """
    try:
        return TRANSITIONS[stage][_step(event)]
    except KeyError:
        raise TransitionError(
            f"{_step(event)} cannot happen to an attempt that is {stage}"
        ) from None


Recall: TypeAlias = Callable[[], Iterable[Event]]

_LAST_FACTS = 3


class Lane:
    """Checks that the facts of one file, in their order, make sense.

    Memory: one stage per attempt that the file names.

    Args:
        run: Whose file it is.
        recall: Returns the facts of the file once more. It is called only where one is
            impossible, to tell what came before it.
    """

    def __init__(self, run: RunId, recall: Recall = tuple) -> None:
        self.run = run
        self._recall = recall
        self._own = f"{run}-"
        self._stages: dict[AttemptId, Stage] = {}

    def admit(self, *events: Event) -> None:
        """Take the file's next facts; `TransitionError` leaves all as it was."""
        stages: dict[AttemptId, Stage] = {}
        for number, event in enumerate(events):
            if isinstance(event, AttemptFact):
                before = stages.get(event.attempt) or self._stage(event.attempt)
                try:
                    stages[event.attempt] = next_stage(before, event)
                except TransitionError as error:
                    told = self._story(event, events[:number])
                    raise TransitionError(f"{error}; {told}") from None
        self._stages.update(stages)

    def _story(self, event: AttemptFact, beside: Sequence[Event]) -> str:
        """Return the last facts of the job before *event*, for people."""
        facts = [fact for fact in self._recall() if fact.seq < event.seq]
        facts += [fact for fact in beside if fact not in facts]
        about = [
            f"{fact.seq} {_step(fact)} of {fact.attempt} at {fact.at}"
            for fact in facts
            if isinstance(fact, AttemptFact) and fact.job == event.job
        ]
        if not about:
            return f"nothing before it is about job {event.job}"
        return f"last of job {event.job}: {', '.join(about[-_LAST_FACTS:])}"

    def _stage(self, attempt: AttemptId) -> Stage:
        known = self._stages.get(attempt)
        if known is not None:
            return known
        return Stage.UNBORN if attempt.startswith(self._own) else Stage.ELSEWHERE
