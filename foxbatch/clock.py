"""Time, asked of one object.

Theory of operation
-------------------

There are two clocks, and a machine that sleeps, is suspended, or has its time set lets
them disagree by hours.

* The *wall* clock (`now`) stamps facts, says when results vanish, and which day's
  budget a purchase belongs to: what other machines and people have to agree about. It
  may jump either way. A writer's stamps never go back: a day that is over stays over.
* The *monotonic* clock paces: rates, waits between attempts, how long a run watches a
  task (`poll.wait`), how long it may take (`--stop-after`). It never goes back. On
  Linux and macOS it stands still while the machine sleeps, so a night is no time; on
  Windows, and while a process is suspended anywhere, it goes on, so that all deadlines
  pass at once.

A deadline that passed while nobody could act proves nothing. So a task is asked once
more before patience ends, judged by when the question was due; and the time that a
submission may take is counted in steps, of which a night is one (`client.http`).
Nor does trouble before a night say anything about the morning (`runner.gate`).
Durations of tasks are learned from monotonic time within a run, and from the stamps of
earlier ones: a length that a sleep made wrong is one among many.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

import anyio


class Clock(Protocol):
    """Time as foxbatch sees it. Tests pass one whose hours take no time."""

    def now(self) -> datetime:
        """Return the wall clock, aware, in UTC: for records that people read."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back: for rates and deadlines."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait. Cancelling it leaves nothing behind."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the wall clock, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait *seconds*; zero or less still lets other tasks run."""
        await anyio.sleep(max(0.0, seconds))


def to_text(moment: datetime) -> str:
    """Return *moment* as RFC 3339 in UTC with milliseconds, ending in `Z`."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """Return the moment that *text* names; `ValueError` where it names none."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} does not say its time zone")
    return moment


def show_duration(seconds: float) -> str:
    """Return *seconds* for people: `4s`, `3m 20s`, `1h 05m`."""
    whole = max(0, round(seconds))
    if whole < 60:  # noqa: PLR2004
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes}m {rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m"
