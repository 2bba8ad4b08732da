"""Run directories for tests of the gallery, made in a moment: no service, no waiting.

A manifest is expanded as ever, and the ledger is written by the real writer; only what
the service would have done is made up, seeded, and told by a clock that the test owns.
Films are real and small, and a few of them stand for all jobs.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

from foxbatch import api
from foxbatch.access import SANDBOX_ORIGIN
from foxbatch.artifacts import media_facts
from foxbatch.canonical import sha256
from foxbatch.errors import Problem
from foxbatch.events import (
    ArtifactStored,
    AttemptId,
    Event,
    JobFailed,
    JobPlanned,
    JobSucceeded,
    ManifestRef,
    MediaFacts,
    ResultItem,
    ResultsSeen,
    RunEnded,
    RunId,
    RunStarted,
    StatusSeen,
    SubmitAccepted,
    SubmitIntended,
    SubmitUnknown,
    TaskId,
)
from foxbatch.ledger import LedgerWriter
from foxbatch.manifest import parse_manifest
from foxbatch.matrix import expand
from foxbatch.planner import as_planned
from foxbatch.provider import load_provider
from foxbatch.results import write_jsonl
from foxbatch.sandbox.media import render
from foxbatch.sandbox.messages import Clip, Picture, Recipe, Sound

Fate: TypeAlias = Literal["done", "failed", "held", "running", "new"]
FateOf: TypeAlias = Callable[[JobPlanned], Fate]

IN_FLIGHT = 8

# 2 prompts × 2 shapes × 3 looks.
TWELVE = """\
foxbatch: 1
name: twelve
provider: sandbox
defaults:
  model: veo-3.1-fast
  params: {duration: 4, resolution: 720p, generate_audio: false}
jobs:
  - id: shot
    prompts:
      - {id: fox, text: "A fox in the ${{ matrix.look }}"}
      - {id: boat, text: "A boat in the ${{ matrix.look }}"}
    matrix:
      axes:
        aspect_ratio: [16:9, 9:16]
        look: [fog, rain, sun]
"""


def manifest_of(count: int, *, name: str = "many") -> str:
    """Return a manifest of about *count* videos: prompts × 2 shapes × 5 looks."""
    prompts = [
        f'{{id: p{number:03d}, text: "Story {number} in the ${{{{ matrix.look }}}}"}}'
        for number in range(max(1, count // 10))
    ]
    looks = "look: [fog, rain, sun, snow, night]"
    head = TWELVE.replace("name: twelve", f"name: {name}").split("    prompts:")[0]
    limits = f"limits: {{max_jobs: {count + 10}}}\njobs:\n"
    axes = f"        aspect_ratio: [16:9, 9:16]\n        {looks}\n"
    return (
        head.replace("jobs:\n", limits)
        + f"    prompts: [{', '.join(prompts)}]\n    matrix:\n      axes:\n{axes}"
    )


def all_done(_job: JobPlanned) -> Fate:
    return "done"


def some_fail(job: JobPlanned) -> Fate:
    """Give most jobs a film, and some each of the other fates."""
    fates: dict[int, Fate] = {0: "failed", 1: "held", 2: "running", 3: "new"}
    return fates.get(int(job.digest[:6], 16) % 17, "done")


def make_run(
    folder: Path,
    manifest: str = TWELVE,
    *,
    fate: FateOf = all_done,
    seed: int = 7,
    run: str = "testrunaaa",
    start: datetime = datetime(2026, 1, 1, 9, tzinfo=UTC),
) -> Path:
    """Return a run directory below *folder* in which *manifest* was run.

    Args:
        folder: Where `runs/` is made.
        manifest: Text of a manifest of the sandbox.
        fate: What becomes of each job.
        seed: Of how long things took.
        run: Id of the run that did it.
        start: When it began.
    """
    read = parse_manifest(manifest.encode(), path=None, shown_as="manifest.yaml")
    provider = load_provider("sandbox", base=Path())
    problems: list[Problem] = []
    jobs = [
        as_planned(job, read.sha256) for job in expand(read, provider, problems.append)
    ]
    assert jobs, problems
    path = folder / "runs" / f"{read.name}@sandbox"
    (path / "manifests").mkdir(parents=True, exist_ok=True)
    (path / "manifests" / f"{read.sha256}.yaml").write_bytes(manifest.encode())
    clock = _Clock(start)
    writer = LedgerWriter(path / "ledger", RunId(run), clock, fsync=lambda _: None)
    named = ManifestRef(sha256=read.sha256, name=read.name, path="manifest.yaml")
    writer.append(RunStarted(origin=SANDBOX_ORIGIN, manifests=(named,), pid=0), *jobs)
    for at_s, facts in _told(_Story(path, RunId(run), random.Random(seed), fate), jobs):
        clock.moment = start + timedelta(seconds=at_s)
        writer.append(*facts)
    writer.append(RunEnded(why="done"))
    writer.close()
    write_jsonl(api.results(path), path / "results.jsonl")
    return path


@dataclass
class _Clock:
    """A clock that stands until it is set."""

    moment: datetime

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


@dataclass
class _Story:
    path: Path
    run: RunId
    draw: random.Random
    fate: FateOf
    count: Iterator[int] = field(default_factory=lambda: itertools.count(1))


_Moment: TypeAlias = tuple[float, tuple[Event, ...]]


def _told(story: _Story, jobs: list[JobPlanned]) -> list[_Moment]:
    """Return what happened and when, in seconds: at most so many jobs at once."""
    free = [0.5] * IN_FLIGHT
    told: list[_Moment] = []
    for job in jobs:
        fate = story.fate(job)
        if fate == "new":
            continue
        begins = heapq.heappop(free)
        moments = list(_moments(story, job, fate, begins))
        heapq.heappush(free, moments[-1][0])
        told += moments
    return sorted(told, key=lambda moment: moment[0])


def _moments(
    story: _Story, job: JobPlanned, fate: Fate, at_s: float
) -> Iterator[_Moment]:
    draw, one, two = story.draw, job.job, AttemptId(f"{story.run}-{next(story.count)}")
    price = 20.0 if job.request.get("aspect_ratio") == "9:16" else 28.0
    yield at_s, (SubmitIntended(job=one, attempt=two),)
    at_s += draw.uniform(0.1, 0.4)
    if fate == "held":
        why = "the connection was aborted"
        yield at_s, (SubmitUnknown(job=one, attempt=two, why=why),)
        return
    task = TaskId(f"task-{two}")
    yield at_s, (SubmitAccepted(job=one, attempt=two, task=task, credits=price),)
    at_s += draw.uniform(0.5, 6)
    seen = StatusSeen(job=one, attempt=two, status="processing", state="running")
    yield at_s, (seen,)
    if fate == "running":
        return
    at_s += draw.lognormvariate(3, 0.5) * (2 if job.cell.get("look") == "rain" else 1)
    if fate == "failed":
        yield at_s, (_failed(job, two),)
        return
    items = (ResultItem(url="http://127.0.0.1/0"),)
    yield at_s, (ResultsSeen(job=one, attempt=two, items=items),)
    at_s += draw.uniform(0.3, 2)
    stored = _stored(story.path, job, two)
    yield at_s, (stored, JobSucceeded(job=one, attempt=two, credits=price))


def _failed(job: JobPlanned, attempt: AttemptId) -> JobFailed:
    return JobFailed(
        job=job.job,
        attempt=attempt,
        error_class="content",
        code="policy",
        message="The prompt is not allowed.",
    )


# ---- Files


def _stored(run_dir: Path, job: JobPlanned, attempt: AttemptId) -> ArtifactStored:
    """Put a film, picture or sound where the job's file is to be."""
    wide = job.request.get("aspect_ratio") != "9:16"
    media = _media(job.kind, wide=wide, look=int(job.digest[:4], 16) % 3)
    path = f"artifacts/{job.output}-{job.job[:6]}{media.suffix}"
    where = run_dir / path
    where.parent.mkdir(parents=True, exist_ok=True)
    # A box that players skip: no two jobs or runs have the same file.
    content = media.content + b"\0\0\0\x26free" + f"{job.job}{attempt[:10]}".encode()
    where.write_bytes(content)
    return ArtifactStored(
        job=job.job,
        attempt=attempt,
        item=1,
        path=path,
        sha256=sha256(content),
        bytes=len(content),
        media=media.facts,
    )


@dataclass(frozen=True)
class _Media:
    content: bytes
    suffix: str
    facts: MediaFacts


@cache
def _media(kind: str, *, wide: bool, look: int) -> _Media:
    recipe, suffix = _recipe(kind, wide=wide, look=look)
    content = render(recipe)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        path.write_bytes(content)
        facts = media_facts(path, kind)
    return _Media(content, suffix, facts)


def _recipe(kind: str, *, wide: bool, look: int) -> tuple[Recipe, str]:
    drawn = hashlib.sha256(f"{look}{wide}".encode()).hexdigest()
    width, height = (160, 90) if wide else (90, 160)
    if kind == "audio":
        sound = Sound(duration_s=2, form="mp3", title="", prompt="", look=drawn)
        return sound, ".mp3"
    clip = Clip(
        width=width,
        height=height,
        duration_s=2,
        audio=look == 1,
        title="",
        prompt="",
        facts=(),
        look=drawn,
    )
    if kind == "image":
        return _still(clip), ".jpg"
    return clip, ".mp4"


def _still(clip: Clip) -> Picture:
    return Picture(
        width=clip.width,
        height=clip.height,
        form="jpeg",
        title="",
        prompt="",
        facts=(),
        look=clip.look,
    )
