"""Limits, retries, patience and budget: frozen values with their own arithmetic."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

_SECONDS = re.compile("[0-9]+")
_TIME = "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_HTTP_DATE = re.compile(
    rf"""(?x)
    [A-Z][a-z]{{2}},\ [0-9]{{2}}\ [A-Z][a-z]{{2}}\ [0-9]{{4}}\ {_TIME}\ GMT
    | [A-Z][a-z]{{5,8}},\ [0-9]{{2}}-[A-Z][a-z]{{2}}-[0-9]{{2}}\ {_TIME}\ GMT
    | [A-Z][a-z]{{2}}\ [A-Z][a-z]{{2}}\ [ 0-9][0-9]\ {_TIME}\ [0-9]{{4}}
    """
)
"""RFC 9110, section 5.6.7: the form of today, and two that must still be read."""

Order = Literal["interleaved", "declared"]
"""In which order jobs are submitted. Not part of any identity."""

Per = Literal["directory", "run", "day", "week", "month"]
"""What a budget is for: all that a run directory ever buys, or some of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that may happen at once. A manifest overrides what it names.

    Attributes:
        in_flight: Remote tasks at once (submitting and running).
        requests_per_second: Starts of submits and polls in any second.
        submits_per_minute: Starts of submits in any minute; None means no bound.
        downloads: Files being fetched at once.
        max_jobs: Jobs that one manifest may expand to.
    """

    in_flight: int = 8
    requests_per_second: float = 5.0
    submits_per_minute: int | None = None
    downloads: int = 4
    max_jobs: int = 1_000

    def __post_init__(self) -> None:
        """Refuse limits under which nothing could ever happen."""
        submits = 1 if self.submits_per_minute is None else self.submits_per_minute
        least = min(self.in_flight, self.downloads, self.max_jobs, submits)
        if least < 1 or self.requests_per_second <= 0:
            raise ValueError(f"every limit must be positive: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """What is tried again, how often and how patiently.

    Attributes:
        attempts: Accepted submissions per job in total, the first included (>= 1).
        classes: Failure classes of the provider that are worth another one.
        unreachable_s: Seconds without one answer before the run halts.
        busy_s: Seconds of nothing but "not now" before the run halts.
        retry_after_cap_s: Longest wait a service may ask for, in seconds.
        pause_after: Failed jobs that share a value, with none that succeeded, after
            which the rest of that slice waits; 0 means never.
        first_delay_s: Longest wait before the first repeat of one request.
        max_delay_s: Longest wait before any repeat of one request.
    """

    attempts: int = 1
    classes: frozenset[str] = frozenset()
    unreachable_s: float = 300.0
    busy_s: float = 1_800.0
    retry_after_cap_s: float = 120.0
    pause_after: int = 5
    first_delay_s: float = 1.0
    max_delay_s: float = 60.0

    def __post_init__(self) -> None:
        """Refuse a policy that never submits."""
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1, not {self.attempts}")

    def allows(self, failure_class: str, *, accepted: int) -> bool:
        """Return whether a job with *accepted* attempts may be bought once more."""
        return failure_class in self.classes and accepted < self.attempts

    def delay_s(self, repeat: int, rng: random.Random) -> float:
        """Return the wait before the *repeat*-th repeat (from 1), in seconds.

        Half is fixed and half is jitter: requests that failed together must not
        come back together, and none may come back at once.
        """
        doublings = min(repeat - 1, 60)  # 2.0 ** 1100 would overflow
        bound_s = min(self.max_delay_s, self.first_delay_s * 2.0**doublings)
        return bound_s / 2 + rng.uniform(0, bound_s / 2)

    def retry_after_s(self, header: str | None, now: datetime) -> float | None:
        """Return the wait that a `Retry-After` *header* asks for, in seconds, capped.

        Both spellings of RFC 9110 are read and no others. None where the header is
        absent, in the past, or not to be understood.
        """
        text = (header or "").strip(" \t")
        if _SECONDS.fullmatch(text):
            return min(float(text), self.retry_after_cap_s)  # inf if it never ends
        if not _HTTP_DATE.fullmatch(text):
            return None
        # It brings socket along: 9 ms, and no manifest that is checked needs it.
        from email.utils import parsedate_to_datetime

        try:
            date = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError):
            return None
        # One of the three forms names no zone; all three mean UTC.
        wait_s = (date.replace(tzinfo=UTC) - now).total_seconds()
        return min(wait_s, self.retry_after_cap_s) if wait_s >= 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PollPolicy:
    """How long a run watches each task.

    Attributes:
        wait_s: Seconds from the start of watching, anew in each run; then the job
            is overdue, never failed.
    """

    wait_s: float = 1_800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """Failures that do not make a run fail.

    Attributes:
        failed: Share of all jobs, 0 to 1.
        classes: Failure classes it is about; empty means every class.
    """

    failed: float = 0.0
    classes: frozenset[str] = frozenset()

    def tolerates(self, classes: Sequence[str], *, jobs: int) -> bool:
        """Return whether failures of these *classes* among *jobs* may stand."""
        if not classes:
            return True
        if self.classes and not self.classes.issuperset(classes):
            return False
        # Not a product: 29 of 100 would be more than 0.29 * 100 = 28.999….
        return len(classes) / jobs <= self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most that may be bought. `foxbatch.budget` keeps to it.

    Attributes:
        jobs: Attempts that were accepted or may have been; None means no bound.
        credits: What is reserved for them, in the service's unit; None means no bound.
        per: What it is for. Days, weeks (from Monday) and months are those of UTC.
    """

    jobs: int | None = None
    credits: float | None = None
    per: Per = "directory"

    @property
    def bounds(self) -> bool:
        """Whether it bounds anything."""
        return self.jobs is not None or self.credits is not None

    def __str__(self) -> str:
        """Return it for people, such as `5,000 credits per day`."""
        parts = []
        if self.jobs is not None:
            parts.append(f"{self.jobs:,} job{'' if self.jobs == 1 else 's'}")
        if self.credits is not None:
            parts.append(f"{self.credits:,.12g} credits")
        period = "" if self.per == "directory" else f" per {self.per}"
        return (" and ".join(parts) or "no budget") + period


_UNITS_S = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


def parse_duration(text: str) -> float:
    """Return the seconds that `90s`, `20m`, `1h30m` or `2d` mean.

    Raises:
        ValueError: Anything else.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a duration such as 90s, 20m or 1h30m")
    amounts = zip(found.groups(), _UNITS_S.values(), strict=True)
    return sum(float(amount) * unit for amount, unit in amounts if amount)
