"""Facts to test with: one of every kind, and files of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

from foxbatch.canonical import Digest, JobId
from foxbatch.clock import to_text
from foxbatch.events import (
    AccountSeen,
    AlsoWanted,
    ArtifactStored,
    AttemptId,
    BatchHalted,
    Event,
    JobFailed,
    JobPlanned,
    JobSucceeded,
    ManifestRef,
    MediaFacts,
    Origin,
    PromptText,
    ResultItem,
    ResultsSeen,
    RunEnded,
    RunId,
    RunStarted,
    StatusSeen,
    SubmitAccepted,
    SubmitIntended,
    SubmitRefused,
    SubmitSettled,
    SubmitUnknown,
    TaskId,
    WatchEnded,
)

EventT = TypeVar("EventT", bound=Event)

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN = RunId("aaaaaaaaaa")
LATER_RUN = RunId("bbbbbbbbbb")
JOB = JobId("k2anpmevwnfbwmgffdxy")
FIRST = AttemptId(f"{RUN}-1")
SECOND = AttemptId(f"{RUN}-2")
TASK = TaskId("task-1")
SHA256 = Digest("0123456789abcdef" * 4)

ORIGIN = Origin("foxapi", "https://api.example", "a1b2c3")
STARTED = RunStarted(
    origin=ORIGIN,
    manifests=(ManifestRef(SHA256, "quickstart", "quickstart.yaml"),),
    provider_sha256=SHA256,
    actor="Ada <ada@example.org>",
    commit="d560a74",
    dirty=True,
    host="workstation",
    pid=4711,
    versions={"foxbatch": "0.1.0"},
    overrides=("vars.film=Kodak",),
    policy={"retry": {"attempts": 1}},
)
PLANNED = JobPlanned(
    job=JOB,
    digest=SHA256,
    spec="clips",
    name="a dune at night",
    cell={"seed": 1},
    repeat=1,
    provider="foxapi",
    endpoint="/v1/videos/generations",
    model="veo-3.1",
    kind="video",
    request={"model": "veo-3.1", "prompt": "A dune — at night", "nested": [1, None]},
    output="clips/a-dune-at-night",
    prompt=PromptText("dune", "A dune — at night"),
    manifest=SHA256,
    line=12,
    also=(AlsoWanted("more", "a dune", {"seed": 1}),),
)
INTENDED = SubmitIntended(job=JOB, attempt=FIRST, after=SECOND, why="retry")
ACCEPTED = SubmitAccepted(
    job=JOB, attempt=FIRST, task=TASK, credits=2.5, reply="{}", headers={"cf-ray": "1"}
)
REFUSED = SubmitRefused(
    job=JOB,
    attempt=FIRST,
    error_class="busy",
    code="429",
    message="slow down",
    retryable=True,
    reply="{}",
    headers={"x-request-id": "r"},
)
UNKNOWN = SubmitUnknown(
    job=JOB, attempt=FIRST, why="no answer", reply="<html>", headers={"cf-ray": "2"}
)
BUY_AGAIN = SubmitSettled(job=JOB, attempt=FIRST, decision="buy_again")
WRITE_OFF = SubmitSettled(job=JOB, attempt=FIRST, decision="write_off")
SETTLED = SubmitSettled(
    job=JOB, attempt=FIRST, decision="task", task=TASK, who="Ada", why="seen there"
)
STATUS = StatusSeen(
    job=JOB,
    attempt=FIRST,
    status="queued",
    state="running",
    progress=12.5,
    credits=2.5,
    reply="{}",
)
RESULTS = ResultsSeen(
    job=JOB,
    attempt=FIRST,
    items=(ResultItem("https://cdn.example/1", "video/mp4", {"seed": 7}),),
    valid_until="2026-01-03T03:04:05.000Z",
    reported_model="veo-3.1-fast",
    extras={"seed": 7},
)
WATCH_ENDED = WatchEnded(job=JOB, attempt=FIRST, watched_s=1_800.0, why="not_found")
ARTIFACT = ArtifactStored(
    job=JOB,
    attempt=FIRST,
    item=1,
    path="artifacts/clips/a-dune-at-night-k2anpm.mp4",
    sha256=SHA256,
    bytes=4_096,
    media=MediaFacts("video", 8.0, 1280, 720, "h264", "aac"),
    mismatch=("duration is 8 s, not 10 s",),
)
SUCCEEDED = JobSucceeded(job=JOB, attempt=FIRST, credits=2.0)
FAILED = JobFailed(
    job=JOB,
    attempt=FIRST,
    error_class="content",
    code="policy",
    message="not this",
    retryable=True,
    credits=2.5,
)
HALTED = BatchHalted(why="payment required", exit_code=6)
ACCOUNT = AccountSeen(
    used=250_000.0, available=7_500.0, unlimited=True, unit="quota", per_credit=5_000.0
)
ENDED = RunEnded(why="done", counts={"done": 1})

EVERY_KIND: tuple[Event, ...] = (
    STARTED,
    PLANNED,
    INTENDED,
    ACCEPTED,
    REFUSED,
    UNKNOWN,
    SETTLED,
    STATUS,
    RESULTS,
    WATCH_ENDED,
    ARTIFACT,
    SUCCEEDED,
    FAILED,
    HALTED,
    ACCOUNT,
    ENDED,
)
"""One fact of every kind, every field filled, without stamps."""


def at(second: float) -> str:
    return to_text(START + timedelta(seconds=second))


def stamped(
    event: EventT, *, run: RunId = RUN, seq: int = 1, at_s: float = 0
) -> EventT:
    return msgspec.structs.replace(event, v=1, seq=seq, at=at(at_s), run=run)


def file_of(
    run: RunId, events: Iterable[Event], *, start_s: float = 0
) -> tuple[Event, ...]:
    """Return what one run wrote: a fact per second, numbered from 1."""
    return tuple(
        stamped(event, run=run, seq=seq, at_s=start_s + seq)
        for seq, event in enumerate(events, start=1)
    )


class SteppingClock:
    """A clock on which every look is a second later than the one before."""

    def __init__(self, start: datetime = START) -> None:
        self._next = start

    def now(self) -> datetime:
        moment, self._next = self._next, self._next + timedelta(seconds=1)
        return moment

    def jump(self, hours: float) -> None:
        self._next += timedelta(hours=hours)

    def monotonic(self) -> float:
        return (self._next - START).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self._next += timedelta(seconds=seconds)
