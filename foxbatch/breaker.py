"""Which slices of a sweep fail as a whole, so that the rest of them is not bought.

A *slice* is all jobs that share the model, one value of the matrix, or the prompt.
Where several of its jobs failed in one run and none gave a result, the others are
likely to fail as well, for money. They wait: for one that is still running to succeed,
or for the next run, in which a person may know better.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple, cast

from foxbatch import canonical
from foxbatch.canonical import JobId, Json
from foxbatch.events import EXPIRED, Event, JobFailed, JobPlanned, ResultsSeen


class Slice(NamedTuple):
    """All jobs with one value of one name."""

    name: str
    value: str

    def __str__(self) -> str:
        """Return it as `--only` takes it."""
        return f"{self.name}={self.value}"


def slices_of(job: JobPlanned) -> tuple[Slice, ...]:
    """Return the slices that *job* is in, the widest first."""
    found = {"model": job.model}
    # The ledger's decoder made the cell from JSON.
    for name, value in cast("dict[str, Json]", job.cell).items():
        if not isinstance(value, str):
            value = canonical.encode(value).decode()  # noqa: PLW2901
        found[name] = value
    if job.prompt is not None:
        found["prompt_id"] = job.prompt.id
    return tuple(Slice(name, value) for name, value in found.items())


class Breaker:
    """Counts failures of the jobs of each slice until one of them succeeds.

    Args:
        pause_after: Failed jobs, none of which succeeded, that pause a slice; 0 for
            never.
    """

    def __init__(self, pause_after: int) -> None:
        self._pause_after = pause_after
        self._failed: dict[Slice, set[JobId]] = defaultdict(set)
        self._proven: set[Slice] = set()

    def hear(self, event: Event, job: JobPlanned) -> None:
        """Take in a fact about *job*."""
        match event:
            case ResultsSeen():
                self._proven.update(slices_of(job))
            case JobFailed() if event.error_class != EXPIRED:
                for one in slices_of(job):
                    self._failed[one].add(job.job)
            case _:
                pass

    def failed(self, slice_: Slice) -> int:
        """Return how many jobs of a slice failed."""
        return len(self._failed.get(slice_, ()))

    def pauses(self, job: JobPlanned) -> Slice | None:
        """Return the slice for whose sake *job* must wait; None if it need not."""
        if not self._pause_after:
            return None
        for one in slices_of(job):
            if one not in self._proven and self.failed(one) >= self._pause_after:
                return one
        return None
