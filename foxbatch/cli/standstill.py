"""What keeps submissions from being accepted, as facts tell it one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from foxbatch.events import (
    BatchHalted,
    Event,
    SubmitAccepted,
    SubmitRefused,
    SubmitUnknown,
)
from foxbatch.runner.gate import PROBES_AFTER_S, UNKNOWN_IN_A_ROW

_WORTH_SAYING_S = 3.0  # a "not now" that is over sooner is how pacing works


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why no submission is accepted at the moment.

    Attributes:
        word: `waiting` or `paused`.
        text: Why, for people; the service's own words may be in it.
    """

    word: Literal["waiting", "paused"]
    text: str


class Standstill:
    """Remembers the latest trouble since the last acceptance.

    It tells from facts what `runner.gate` decides from outcomes: nothing is recorded
    when submission pauses, and a person should not have to guess.
    """

    def __init__(self) -> None:
        self._latest: SubmitRefused | None = None
        self._since = 0.0
        self._tries = 0
        self._doubts = 0

    def take(self, fact: Event, now: float) -> None:
        """Take in one more fact that happened at *now*, in monotonic seconds."""
        match fact:
            case SubmitAccepted() | BatchHalted():
                self._latest, self._tries, self._doubts = None, 0, 0
            case SubmitUnknown():
                self._latest, self._tries = None, 0
                self._doubts += 1
            case SubmitRefused(retryable=True):
                self._since = now if self._latest is None else self._since
                self._latest = fact
                self._tries += 1
            case SubmitRefused():
                self._latest, self._tries = None, 0
                self._doubts = self._doubts if self._paused else 0
            case _:
                pass

    @property
    def _paused(self) -> bool:
        return self._doubts >= UNKNOWN_IN_A_ROW

    def obstacle(self, now: float) -> Obstacle | None:
        """Return what is in the way at *now*, once it is worth saying."""
        if self._latest is not None and now - self._since >= _WORTH_SAYING_S:
            return Obstacle("waiting", f"{_why(self._latest)}; {_times(self._tries)}")
        if self._paused:
            return Obstacle("paused", _pause(self._doubts))
        return None


def _why(refused: SubmitRefused) -> str:
    if refused.error_class == "not_sent":
        return f"cannot be reached: {refused.message or 'no reason was given'}"
    code = refused.code
    said = f"HTTP {code}" if code.isdecimal() else code or refused.error_class
    return f"{said}: {refused.message}" if refused.message else said


def _times(tries: int) -> str:
    return "tried once" if tries == 1 else f"tried {tries:,} times"


def _pause(doubts: int) -> str:
    *waits, last = (f"{wait_s / 60:.0f}" for wait_s in PROBES_AFTER_S)
    return (
        f"{doubts:,} submissions in a row without a known outcome; one more is tried"
        f" after {', '.join(waits)} and {last} minutes, then the run stops"
    )
