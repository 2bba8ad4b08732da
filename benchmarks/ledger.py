"""How fast a ledger is read, beside nothing but the decoding of the same bytes."""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from foxbatch.api import results, status
from foxbatch.canonical import Digest, JobId
from foxbatch.events import (
    ArtifactStored,
    AttemptId,
    Event,
    JobPlanned,
    JobSucceeded,
    MediaFacts,
    Origin,
    ResultItem,
    ResultsSeen,
    RunEnded,
    RunId,
    RunStarted,
    StatusSeen,
    SubmitAccepted,
    SubmitIntended,
    TaskId,
    encode,
)
from foxbatch.ledger import read_folder

_RUN = RunId("aaaaaaaaaa")
_SHA256 = Digest("0123456789abcdef" * 4)
_FACTS_PER_JOB = 7


def facts_of(number: int) -> Iterator[Event]:
    """Yield what is written about one job that came out well."""
    job = JobId(f"{number:a>20}".replace("-", "a"))
    attempt, task = AttemptId(f"{_RUN}-{number + 1}"), TaskId(f"task-{number}")
    prompt = f"A fox runs over a dune and looks at the moon, take {number}"
    yield JobPlanned(
        job=job,
        digest=_SHA256,
        spec="clips",
        name=f"dune-{number}",
        cell={"seed": number},
        repeat=1,
        provider="foxapi",
        endpoint="/v1/videos/generations",
        model="veo-3.1",
        kind="video",
        request={"model": "veo-3.1", "prompt": prompt, "duration": 8},
        output=f"clips/dune-{number}",
    )
    yield SubmitIntended(job=job, attempt=attempt)
    yield SubmitAccepted(job=job, attempt=attempt, task=task, reply='{"id":"x"}')
    yield StatusSeen(job=job, attempt=attempt, status="completed", state="completed")
    item = ResultItem(f"https://files.example/{task}.mp4", "video/mp4")
    yield ResultsSeen(job=job, attempt=attempt, items=(item,))
    yield ArtifactStored(
        job=job,
        attempt=attempt,
        item=1,
        path=f"artifacts/clips/dune-{number}.mp4",
        sha256=_SHA256,
        bytes=4_096,
        media=MediaFacts("video", 8.0, 1280, 720, "h264", "aac"),
    )
    yield JobSucceeded(job=job, attempt=attempt, credits=2.0)


def write(run_dir: Path, jobs: int) -> int:
    """Write one run of so many *jobs* and return the number of its facts."""
    folder = run_dir / "ledger"
    folder.mkdir(parents=True)
    seq = 0
    with (folder / f"20260102T030405Z-{_RUN}.jsonl").open("wb") as file:

        def put(fact: Event) -> None:
            nonlocal seq
            seq += 1
            at = f"2026-01-02T03:04:05.{seq % 1000:03}Z"
            stamps = {"v": 1, "seq": seq, "at": at, "run": _RUN}
            file.write(encode(msgspec.structs.replace(fact, **stamps)))

        put(RunStarted(origin=Origin("foxapi", "https://api.example")))
        for number in range(jobs):
            for fact in facts_of(number):
                put(fact)
        put(RunEnded(why="done"))
    return seq


def decode_alone(run_dir: Path) -> None:
    """Decode each line as a fact, and keep nothing."""
    decoder = msgspec.json.Decoder(Event)
    for path in (run_dir / "ledger").iterdir():
        with path.open("rb") as file:
            for line in file:
                decoder.decode(line)


def cpu_s(work: Callable[[Path], object], run_dir: Path) -> float:
    """Return the CPU time of *work* in seconds."""
    began = time.process_time()
    work(run_dir)
    return time.process_time() - began


def main() -> None:
    """Print one line for each way to read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--facts", type=int, default=1_000_000)
    jobs = parser.parse_args().facts // _FACTS_PER_JOB
    with tempfile.TemporaryDirectory() as home:
        run_dir = Path(home)
        count = write(run_dir, jobs)
        print(f"{count:,} facts about {jobs:,} jobs")
        bare = cpu_s(decode_alone, run_dir)
        for name, work in (
            ("all that is known", lambda where: read_folder(where / "ledger")),
            ("status", status),
            ("results", results),
        ):
            took = cpu_s(work, run_dir)
            print(
                f"{name:18} {took / bare:5.1f} x decoding alone, "
                f"{took / count * 1e6:5.1f} us per fact"
            )
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    scale = 1 if sys.platform == "darwin" else 1024
    print(f"{'peak memory':18} {kib * scale / jobs / 1000:5.1f} KB per job")


if __name__ == "__main__":
    main()
