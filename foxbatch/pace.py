"""How fast a service may be used now: ceilings, and what its refusals teach.

Below the ceilings everything adapts: what is refused for its rate halves the rate, what
is refused because too many tasks run lowers how many may, each once per episode; while
all is well both grow again by equal steps. Plain arithmetic on the times it is given,
which never go back.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Literal, TypeAlias

from foxbatch.policy import Limits

Ceiling: TypeAlias = Literal["in_flight", "requests_per_second"]
Complaint: TypeAlias = Literal["rate", "tasks", "other"]
"""What a service refuses for the moment: so many requests, so many tasks, or neither
of these (no capacity, say), which only calls for a rest."""

_MARGIN = 0.05
_LEAST_RATE = 0.1  # requests per second; slower than that tells nothing any more
_RECENT_S = 2.0
_REGAIN_S = 20.0  # seconds to regain what was lost, up to near where it was refused
_EXPLORE_S = 60.0  # seconds for as much again beyond that
_NEAR = 0.9
_IDLE_S = 1.0  # longer silence between two answers is no sign that all is well
_REST_S = 1.0  # where the service does not say how long
_LATEST = 20  # answers by which a lower rate is judged
_HELPS = 1.25  # by this factor more of them are no refusals, or it was in vain
_BORNE_S = (60.0, 960.0)  # then refusals are borne; doubles with each lowering in vain
_WORSE = 0.25  # unless that share of the answers more than before is refused
_MOST = 4  # refusals, if they are most of the answers, are never borne
_MORE_TASKS_AFTER_S = (10.0, 320.0)  # between two steps; doubles when one is refused
_STEPS = 20


@dataclass(frozen=True, slots=True)
class PaceChange:
    """A limit that is lower than before, or back at its ceiling.

    Attributes:
        limit: Its name in a manifest.
        was: Its value until now.
        value: From now on.
        ceiling: What the manifest or the provider allows.
        reason: What the service said, for people; empty where all is well.
    """

    limit: Ceiling
    was: float
    value: float
    ceiling: float
    reason: str = ""


class Pacer:
    """Spaces starts so that no half-open second holds more than *per_second*.

    They are spread evenly over each second, and a little further apart than they need
    to be: what starts here may reach the service later than its neighbours. A rate that
    is no whole number is kept by the next lower number of starts per second, or by
    longer gaps below one.
    """

    def __init__(self, per_second: float) -> None:
        starts = max(1, math.floor(per_second))
        self.gap_s = (1 + _MARGIN) * max(1.0, 1.0 / per_second) / starts
        self.opens_at = -math.inf

    def started(self, now: float, at_most: float = math.inf) -> None:
        """Note a start: the next one may happen at `opens_at`.

        Args:
            now: When it was.
            at_most: A lower rate that is to be kept for the moment, per second.
        """
        self.opens_at = now + max(self.gap_s, (1 + _MARGIN) / at_most)


class Window:
    """Lets no half-open minute hold more than *per_minute* starts.

    They need not be spread: ten may start at once and the eleventh a minute later.
    """

    def __init__(self, per_minute: int) -> None:
        self._starts: deque[float] = deque(maxlen=per_minute)

    @property
    def opens_at(self) -> float:
        """When the next one may start."""
        if len(self._starts) < (self._starts.maxlen or 1):
            return -math.inf
        return self._starts[0] + 60.0 * (1 + _MARGIN / 5)

    def started(self, now: float) -> None:
        """Note a start."""
        self._starts.append(now)


@dataclass(frozen=True, slots=True)
class _Trial:
    """What there was before the rate was lowered: it has to get better by that."""

    rate: float
    good: float  # share of the answers that were no refusals


class Rate:
    """Requests per second: halved by an episode of refusals, then regained.

    A rate that is too high is refused more the higher it is. A service that refuses
    now and then, whatever the rate, must not bring a run to a standstill. So lowering
    the rate is a trial: where hardly more of the requests come through, it is put back,
    and refusals are borne for a while unless they become many more.

    Attributes:
        value: What is allowed now.
    """

    def __init__(self, ceiling: float) -> None:
        self.ceiling = self.value = ceiling
        self._least = min(ceiling, _LEAST_RATE)
        self._knee = ceiling  # where it was refused
        self._starts: deque[float] = deque()
        self._latest: deque[bool] = deque(maxlen=_LATEST)  # which were refused
        self._trial: _Trial | None = None
        self._borne_s = _BORNE_S[0]
        self._borne_until = -math.inf
        self._borne = 0.0  # share of the answers
        self._lowered_at = -math.inf
        self._well_at = -math.inf

    def started(self, now: float) -> None:
        """Note a start, to know how fast requests really are."""
        self._starts.append(now)
        while self._starts[0] <= now - _RECENT_S:
            self._starts.popleft()

    @property
    def mostly_refused(self) -> bool:
        """Whether most of the latest answers were refusals."""
        refused = sum(self._latest)
        return refused >= _MOST and refused > len(self._latest) / 2

    def refused(self, now: float, *, began: float) -> bool:
        """Lower the rate; False where that refusal does not call for it.

        Requests that had begun before the rate was lowered say nothing about it.
        """
        if began <= self._lowered_at:
            return False
        self._latest.append(True)
        if not (self.mostly_refused or self._calls_for_a_trial(now)):
            return False
        good, answers = self._latest.count(False), len(self._latest)
        if good or self._trial is None:  # else it was lowered too little before
            recent = sum(start > now - _RECENT_S for start in self._starts) / _RECENT_S
            # A ceiling far above what is done must not take many episodes to come down.
            self._knee = min(self.value, max(recent, self.value / 4))
        self._trial = self._trial or _Trial(self.value, (good + 1) / (answers + 1))
        self.value = max(self._least, min(self.value, self._knee) / 2)
        self._lowered_at = self._well_at = now
        self._latest.clear()
        return True

    def _calls_for_a_trial(self, now: float) -> bool:
        if self._trial is not None:
            return False
        share = sum(self._latest) / len(self._latest)
        return now >= self._borne_until or share > self._borne + _WORSE

    def answered(self, now: float, *, began: float) -> bool:
        """Grow by what time since the last good answer is worth.

        Returns:
            Whether the ceiling is reached by that.
        """
        if began <= self._lowered_at:
            return False
        self._latest.append(False)
        if self._trial is not None and len(self._latest) == _LATEST:
            self._judge(self._trial, now)
        elif self.value < self.ceiling:
            well_s = min(now - self._well_at, _IDLE_S)
            lasts_s = _REGAIN_S if self.value < _NEAR * self._knee else _EXPLORE_S
            self.value = min(self.ceiling, self.value + well_s * self._knee / lasts_s)
        else:
            return False
        self._well_at = now
        self._knee = max(self._knee, self.value)
        return self.value >= self.ceiling

    def _judge(self, trial: _Trial, now: float) -> None:
        """Put the rate back that was lowered in vain."""
        good = self._latest.count(False) / len(self._latest)
        self._trial = None
        if good >= _HELPS * trial.good:
            self._borne_s = _BORNE_S[0]
            return
        self.value = max(self.value, trial.rate)
        self._borne, self._borne_until = 1 - good, now + self._borne_s
        self._borne_s = min(_BORNE_S[1], 2 * self._borne_s)


class Tasks:
    """How many tasks may be in flight: lowered to what was running, then regained.

    Attributes:
        value: What is allowed now.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = self.value = ceiling
        self._step = max(1, ceiling // _STEPS)
        self._pause_s = _MORE_TASKS_AFTER_S[0]
        self._lowered_at = -math.inf
        self._raised_at = -math.inf
        self._next_at = math.inf

    def refused(self, now: float, *, began: float, running: int) -> bool:
        """Allow no more than what is *running*; False for an earlier episode."""
        if began <= self._lowered_at:
            return False
        shortest, longest = _MORE_TASKS_AFTER_S
        soon = now - self._raised_at < self._pause_s
        self._pause_s = min(longest, 2 * self._pause_s) if soon else shortest
        lowered = max(1, min(self.value, running))
        changed, self.value = lowered < self.value, lowered
        self._lowered_at = now
        self._next_at = now + self._pause_s
        return changed

    def answered(self, now: float, *, began: float) -> bool:
        """Allow a few more, if it is time; return whether the ceiling is reached."""
        if self.value >= self.ceiling or began <= self._lowered_at:
            return False
        if now < self._next_at:
            return False
        self.value = min(self.ceiling, self.value + self._step)
        self._raised_at = now
        self._next_at = now + self._pause_s
        return self.value == self.ceiling


class Pace:
    """When submissions and polls may start, and how many tasks may be in flight.

    Attributes:
        rate: Of submissions and polls together.
        tasks: In flight.
    """

    def __init__(self, limits: Limits) -> None:
        self.rate = Rate(limits.requests_per_second)
        self.tasks = Tasks(limits.in_flight)
        self._pacer = Pacer(limits.requests_per_second)
        minute = limits.submits_per_minute
        self._submits = Window(minute) if minute is not None else None
        self._rests_until = -math.inf
        self._submits_rest_until = -math.inf

    @property
    def opens_at(self) -> float:
        """When the next request of any kind may start."""
        return max(self._pacer.opens_at, self._rests_until)

    @property
    def submits_open_at(self) -> float:
        """When the next submission may start, as far as it is not for every request."""
        minute = -math.inf if self._submits is None else self._submits.opens_at
        return max(minute, self._submits_rest_until)

    def started(self, now: float, *, submit: bool) -> None:
        """Note that a request starts."""
        self._pacer.started(now, self.rate.value)
        self.rate.started(now)
        if submit and self._submits is not None:
            self._submits.started(now)

    def rest(self, now: float, wait_s: float) -> None:
        """Let nothing start for so long. Never shortens a rest."""
        self._rests_until = max(self._rests_until, now + wait_s)

    def answered(self, now: float, *, began: float) -> list[PaceChange]:
        """Take in an answer that was no refusal, to a request that began at *began*."""
        rate, tasks = self.rate, self.tasks
        was = (rate.value, tasks.value)
        changes = []
        if rate.answered(now, began=began):
            changes.append(self._change("requests_per_second", was[0]))
        if tasks.answered(now, began=began):
            changes.append(self._change("in_flight", was[1]))
        return changes

    def refused(
        self,
        complaint: Complaint,
        now: float,
        *,
        began: float,
        asked_s: float | None = None,
        running: int,
    ) -> list[PaceChange]:
        """Take in a refusal that is only for the moment.

        Args:
            complaint: What it is about.
            now: When it came.
            began: When the request began.
            asked_s: How long to rest, where the service says so.
            running: Tasks in flight, without what was refused.
        """
        rest_s = asked_s or _REST_S
        if complaint == "rate":
            speed = self.rate.value
            lowered = self.rate.refused(now, began=began)
            # One request that is refused now and then waits alone.
            if lowered or asked_s or self.rate.mostly_refused:
                self.rest(now, rest_s)
            return (
                [self._change("requests_per_second", speed, "rate")] if lowered else []
            )
        # Only submissions rest: polls find out when there are fewer tasks.
        self._submits_rest_until = max(self._submits_rest_until, now + rest_s)
        if complaint == "other":
            return []
        was = self.tasks.value
        lowered = self.tasks.refused(now, began=began, running=running)
        return [self._change("in_flight", was, "tasks")] if lowered else []

    def _change(
        self, limit: Ceiling, was: float, complaint: Complaint | None = None
    ) -> PaceChange:
        part = self.rate if limit == "requests_per_second" else self.tasks
        reason = "" if complaint is None else _REASONS[complaint]
        return PaceChange(limit, was, part.value, part.ceiling, reason)


_REASONS = {
    "rate": "too many requests",
    "tasks": "too many tasks at once",
}
