"""What a contender's work came to, by the service's own count and by the files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set as AbstractSet
from dataclasses import asdict, dataclass, fields
from statistics import median

from benchmarks.comparison.service import Task
from benchmarks.comparison.work import Wanted


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The figures of one contender in one round; or of several rounds, their medians.

    Attributes:
        tasks: That the service made.
        twice: Tasks beyond one for each job, those not counted that failed: buying
            again what the service said has failed is a decision, not an accident.
        lost: Jobs with a task that did not fail, and without a whole file.
        missing: Jobs without either.
        wasted: Credits of tasks that did not fail and left no file of their own.
        asked: Jobs that a person was asked about.
        dishonest: 1 if the exit status said 0 without all files, or not 0 with them.
        seconds: Of all its processes, one after the other.
        settling: Seconds of it that went into writing down what a person decided.
        ratio: All seconds, as a multiple of foxbatch's in the same round.
    """

    tasks: float
    twice: float
    lost: float
    missing: float
    wasted: float
    asked: float
    dishonest: float
    seconds: float
    settling: float
    ratio: float = 1.0


def judge(  # every argument is a different thing that was seen
    jobs: Sequence[Wanted],
    tasks: Sequence[Task],
    whole: AbstractSet[str],
    *,
    exit_code: int,
    seconds: float,
    settling_s: float,
    asked: int,
) -> Verdict:
    """Compare what was wanted with what was made and what is there."""
    alive: defaultdict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        if task.status != "failed":
            alive[task.digest].append(task)
    lost = [job for job in jobs if alive[job.digest] and job.name not in whole]
    missing = [job for job in jobs if not alive[job.digest] and job.name not in whole]
    kept = {job.digest for job in jobs if job.name in whole}
    return Verdict(
        tasks=len(tasks),
        twice=sum(len(several) - 1 for several in alive.values() if several),
        lost=len(lost),
        missing=len(missing),
        wasted=sum(
            task.credits
            for digest, several in alive.items()
            for task in (several[1:] if digest in kept else several)
        ),
        asked=asked,
        dishonest=int((exit_code == 0) != (len(whole) == len(jobs))),
        seconds=round(seconds, 1),
        settling=round(settling_s, 1),
    )


def medians(rounds: Sequence[Verdict]) -> Verdict:
    """Return the median of each figure."""
    values = [asdict(verdict) for verdict in rounds]
    return Verdict(
        **{f.name: median(v[f.name] for v in values) for f in fields(Verdict)}
    )
