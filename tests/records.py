"""Records as a test wants them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from foxbatch.api.beginning import Beginning
from foxbatch.canonical import Digest, JobId
from foxbatch.planner import Plan
from foxbatch.policy import Limits
from foxbatch.prices import Estimate
from foxbatch.results import Record, Source, Times
from foxbatch.state import Phase

_PLAIN = Record(
    job=JobId("job"),
    spec="sea",
    name="calm",
    phase=Phase.DONE,
    model="veo",
    kind="video",
    cell={},
    prompt=None,
    repeat=1,
    endpoint="/v1/videos",
    request={},
    task=None,
    attempts=1,
    times=Times(),
    latency_s=None,
    credits=None,
    reported_model=None,
    request_id=None,
    seed=None,
    degraded=(),
    reported_at=None,
    reported={},
    flags=(),
    also=(),
    artifacts=(),
    error=None,
    manifest=Source(Digest("0" * 64), 1),
)


def record(**changes: object) -> Record:
    """Return a record of a job that is done, with *changes*."""
    return msgspec.structs.replace(_PLAIN, **changes)


def a_beginning(run_dir: Path) -> Beginning:
    """Return what is told of a run in *run_dir* before it begins."""
    return Beginning(
        run_dir=run_dir,
        name="sea",
        provider="sandbox",
        base_url="",
        paid=False,
        plan=Plan((), Estimate()),
        limits=Limits(in_flight=8),
        phases={},
    )
