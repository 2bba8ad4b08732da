"""How long tasks took in earlier runs, read off the ledger: nothing is forgotten."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from foxbatch.forecast import Kind, kind_of
from foxbatch.state import Attempt, BatchState

MOST = 20
"""Tasks of a kind that are remembered, the latest: fewer than a run soon learns."""

_SOONER = 0.967
"""An end is noticed at the next look, on average by so much too late."""


def durations(state: BatchState) -> Mapping[Kind, Sequence[float]]:
    """Return how long tasks of each kind took, in seconds, the oldest first.

    Only of tasks that one run both bought and saw end: otherwise nobody looked for
    hours, and two machines' clocks may differ.
    """
    found: dict[Kind, list[tuple[str, float]]] = defaultdict(list)
    for known in state.jobs.values():
        if known.planned is None:
            continue
        for attempt in known.attempts.values():
            took_s = _took_s(attempt)
            if took_s > 0:
                found[kind_of(known.planned.request)].append((attempt.since, took_s))
    return {
        kind: [took_s for _, took_s in sorted(timed)[-MOST:]]
        for kind, timed in found.items()
    }


def _took_s(attempt: Attempt) -> float:
    accepted, results = attempt.accepted, attempt.results
    if accepted is None or results is None or accepted.run != results.run:
        return 0.0
    try:
        took = datetime.fromisoformat(results.at) - datetime.fromisoformat(accepted.at)
    except (ValueError, TypeError):  # a stamp that names no moment teaches nothing
        return 0.0
    return took.total_seconds() * _SOONER
