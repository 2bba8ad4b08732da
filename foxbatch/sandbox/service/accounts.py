"""What each key may do and has spent: credits, tasks at once, requests in a second."""

from __future__ import annotations

import hashlib
import heapq
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Literal

from foxbatch.sandbox.messages import Request, Task
from foxbatch.sandbox.options import SandboxOptions

GROUP = "default"
_HUGE_S = "86400"
_REMEMBERED = 1000


@dataclass(slots=True)
class Account:
    """What the service keeps of one key. Time only goes forward.

    Attributes:
        name: Digest of the key, "" for requests without one.
        reserved: Credits of unfinished tasks.
        used: Credits of tasks that have ended.
        tasks: How many were ever made.
        newest: The last ones, oldest first.
    """

    name: str
    granted: int | None
    reserved: int = 0
    used: int = 0
    tasks: int = 0
    newest: deque[Task] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    _open: list[tuple[float, int, bool]] = field(default_factory=list)  # a heap
    _recent: deque[float] = field(default_factory=deque)  # requests of this second

    def add(self, task: Task, *, refunded: bool) -> None:
        """Reserve the credits of *task*; *refunded* says whether its end frees them."""
        self.tasks += 1
        self.newest.append(task)
        self.reserved += task.credits
        heapq.heappush(self._open, (task.ends_at, task.credits, refunded))

    def settle(self, now: float) -> None:
        """Turn into used, or give back, what was reserved for tasks that have ended."""
        while self._open and self._open[0][0] <= now:
            _, price, refunded = heapq.heappop(self._open)
            self.reserved -= price
            self.used += 0 if refunded else price

    def in_flight(self, now: float) -> int:
        """Return how many tasks are unfinished at *now*."""
        self.settle(now)
        return len(self._open)

    def left(self, now: float) -> int | None:
        """Return how many credits may still be reserved; None for no end."""
        self.settle(now)
        return (
            None if self.granted is None else self.granted - self.reserved - self.used
        )

    def is_too_fast(self, now: float, limit: int | None) -> bool:
        """Return whether one more request is over the rate; if not, count it."""
        if limit is None:
            return False
        while self._recent and self._recent[0] <= now - 1:
            self._recent.popleft()
        if len(self._recent) >= limit:
            return True
        self._recent.append(now)
        return False


def key_of(request: Request) -> str:
    """Return the key that *request* carries, "" for none."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def owner_of(request: Request) -> str:
    """Return a name for the key of *request* that gives nothing away, "" for none."""
    key = key_of(request)
    if not key:
        return ""
    raw = key.encode("utf-8", "surrogatepass")  # headers may hold any bytes
    return hashlib.sha256(raw).hexdigest()[:12]


def is_known(request: Request, options: SandboxOptions) -> bool:
    """Return whether the key of *request*, or its absence, is accepted."""
    key = key_of(request)
    if options.keys is not None:
        return key in options.keys
    return bool(key) or (options.keyless and "authorization" not in request.headers)


def granted_to(request: Request, options: SandboxOptions) -> int | None:
    """Return how many credits the key of *request* may reserve in total."""
    own = None if options.keys is None else options.keys.get(key_of(request))
    return options.credits if own is None else own


def retry_after(
    form: Literal["seconds", "none", "huge", "date", "garbage"], now: float
) -> Mapping[str, str]:
    """Return the header of a 429, in one of the forms that were seen."""
    match form:
        case "none":
            return {}
        case "seconds":
            return {"Retry-After": "1"}
        case "huge":
            return {"Retry-After": _HUGE_S}
        case "date":
            return {"Retry-After": formatdate(now + 1, usegmt=True)}
        case "garbage":
            return {"Retry-After": "soon"}
