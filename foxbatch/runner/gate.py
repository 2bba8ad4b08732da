"""Whether a POST may begin now: what outcomes teach about the service.

Two worries. One wrong address must not ruin a sweep, so the first POST goes alone, and
the next ones too until one has a clear outcome. One outage must not either, so a row of
unknown outcomes pauses submission and then probes it, one POST at a time. Where nobody
is reached, one POST at a time finds out as well as all of them would. Plain arithmetic
on the times it is given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from foxbatch.clock import show_duration
from foxbatch.errors import ExitCode
from foxbatch.pace import Complaint
from foxbatch.policy import RetryPolicy

UNKNOWN_IN_A_ROW = 5
"""Unknown outcomes in a row that pause submission."""

PROBES_AFTER_S = (60.0, 120.0, 240.0, 480.0)
"""Seconds before each probe of a paused service; when all fail the batch halts."""

UNREACHED_S = (0.25, 16.0)
"""Seconds without a POST after one that reached nobody; doubles up to the second."""

UNTRIED_S = 900.0
"""Seconds between two troubles after which the first proves nothing: what fails is
tried again in minutes, so nobody has tried in between."""


class Answer(StrEnum):
    """What one request taught about the service."""

    GOOD = "good"  # it did what it is for
    NO = "no"  # it refused this one request: it works
    BUSY = "busy"  # not now
    UNREACHED = "unreached"  # nothing was sent
    UNKNOWN = "unknown"  # anything may have happened
    NO_ID = "no_id"  # "accepted", without an id


_TOO_MANY_REQUESTS = 429


def complaint_of(status: int | None, error_class: str) -> Complaint:
    """Return what a refusal that is only for the moment is about.

    The provider file tells by its names `rate` and `concurrency`; what it does not name
    is about the rate where HTTP says so.
    """
    if error_class == "concurrency":
        return "tasks"
    if error_class == "rate" or status == _TOO_MANY_REQUESTS:
        return "rate"
    return "other"


@dataclass(frozen=True, slots=True)
class Halt:
    """Why no further POST may be sent in this run."""

    why: str
    exit_code: ExitCode


Verdict: TypeAlias = Halt | None


class Gate:
    """Opens for one POST at a time at first, then for all; closes in bad weather.

    Attributes:
        not_before: Monotonic time before which no POST begins.
        paused: Whether a row of unknown outcomes closed it.
    """

    def __init__(self, retry: RetryPolicy) -> None:
        self._retry = retry
        self._alone = True
        self._proven = False
        self._unknown_in_a_row = 0
        self._unreached_in_a_row = 0
        self._failed_probes = 0
        self._trouble_since: float | None = None
        self._unreached_since: float | None = None
        self._trouble_at = -math.inf
        self.not_before = -math.inf
        self.paused = False

    def opens(self, now: float, *, under_way: int) -> bool:
        """Return whether another POST may begin beside *under_way* others."""
        return now >= self.not_before and not (self._alone and under_way)

    def learn(self, answer: Answer, now: float, *, began: float) -> Verdict:
        """Take in the outcome of one POST; return why the batch halts, if it does.

        Args:
            answer: What it taught.
            now: When it ended.
            began: When it began: what was under way before a pause is no probe.
        """
        match answer:
            case Answer.GOOD | Answer.NO:
                self._trust(resume=answer is Answer.GOOD)
            case Answer.BUSY:
                return self.trouble(now, busy=True)
            case Answer.UNREACHED:
                self._grope(now)
                return self.trouble(now, busy=False)
            case Answer.NO_ID if not self._proven:
                return Halt(
                    "the first submission was answered without a task id of its own, "
                    "so the address is probably not the API",
                    ExitCode.REFUSED,
                )
            case Answer.UNKNOWN | Answer.NO_ID:
                return self._doubt(now, began)
        return None

    def reached(self) -> None:
        """Note that the service answered something sensible, if only to a poll.

        Then nobody waits for the one POST that was to find out: it may hang for long.
        """
        self._trouble_since = self._unreached_since = None
        if self._unreached_in_a_row and not self.paused:
            self._unreached_in_a_row = 0
            self._alone = not self._proven
            self.not_before = -math.inf

    def trouble(self, now: float, *, busy: bool) -> Verdict:
        """Note that a request came to nothing; halt when that lasts too long.

        Without any answer patience is short. "Not now" is an answer, so a service
        that says it gets more patience, and one that then falls silent starts anew.
        """
        if now - self._trouble_at > UNTRIED_S:  # suspended, perhaps for hours
            self._trouble_since = self._unreached_since = None
        self._trouble_at = now
        self._trouble_since = (
            now if self._trouble_since is None else self._trouble_since
        )
        if busy:
            self._unreached_since = None
        elif self._unreached_since is None:
            self._unreached_since = now
        retry = self._retry
        if _lasted(self._unreached_since, now, retry.unreachable_s):
            return _too_long("could not be reached", retry.unreachable_s)
        if _lasted(self._trouble_since, now, retry.busy_s):
            return _too_long("stayed busy", retry.busy_s)
        return None

    def _grope(self, now: float) -> None:
        """Let the next POST go alone, and after a while."""
        first_s, longest_s = UNREACHED_S
        wait_s = min(longest_s, first_s * 2**self._unreached_in_a_row)
        self._unreached_in_a_row += 1
        self._alone = True
        self.not_before = max(self.not_before, now + wait_s)

    def _trust(self, *, resume: bool) -> None:
        self._proven = True
        self.reached()
        self._unreached_in_a_row = 0
        if resume or not self.paused:
            self._unknown_in_a_row = self._failed_probes = 0
            self._alone = self.paused = False
            self.not_before = -math.inf

    def _doubt(self, now: float, began: float) -> Verdict:
        self._proven = True  # an answer of a kind: the address may well be right
        self._unknown_in_a_row += 1
        if self._unknown_in_a_row < UNKNOWN_IN_A_ROW:
            return None
        if self.paused:
            if began < self.not_before:
                return None
            self._failed_probes += 1
        if self._failed_probes == len(PROBES_AFTER_S):
            return Halt(
                f"the fate of {self._unknown_in_a_row} submissions in a row is "
                "unknown, also after pauses",
                ExitCode.UNREACHABLE,
            )
        self.paused = self._alone = True
        self.not_before = now + PROBES_AFTER_S[self._failed_probes]
        return None


def _lasted(since: float | None, now: float, patience_s: float) -> bool:
    return since is not None and now - since >= patience_s


def _too_long(what: str, patience_s: float) -> Halt:
    why = f"the service {what} for {show_duration(patience_s)}"
    return Halt(why, ExitCode.UNREACHABLE)
