"""Time, asked of one object."""

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
