"""All jobs of a manifest, in order."""

from __future__ import annotations

from collections.abc import Iterator

from foxbatch.manifest import Manifest
from foxbatch.matrix.checks import Checks
from foxbatch.matrix.duplicates import Identities
from foxbatch.matrix.expansion import (
    Expansion,
    fits,
    is_doubtful,
    prepare,
)
from foxbatch.matrix.job import Job
from foxbatch.matrix.reporting import Report, Tally, too_many_jobs
from foxbatch.matrix.requests import parameters
from foxbatch.matrix.variables import warn_of_unused
from foxbatch.matrix.work import Work
from foxbatch.provider import Provider
from foxbatch.yaml12 import Where


def expand(manifest: Manifest, provider: Provider, report: Report) -> Iterator[Job]:
    """Yield the valid jobs of *manifest* in expansion order, one at a time.

    Every problem goes to *report*. Those that jobs share are reported once, with their
    number, when the iterator ends. If one of them is an error, no job may be used.

    With `duplicates: merge` all are made before the first is yielded: what else asks
    for a job is known at the end.
    """
    variables, expansions = prepare(manifest, report)
    tally = Tally(report, _single(manifest, expansions))
    checks, identities = Checks(provider), Identities(tally, manifest.duplicates)
    works = [Work(one, checks, identities, tally) for one in expansions]
    known = {name for model in provider.models.values() for name in parameters(model)}
    warn_of_unused(variables, manifest, report, known)
    if fits(expansions, manifest, report):
        jobs = _jobs(works, manifest, report)
        if manifest.duplicates == "merge":
            jobs = map(identities.with_also, list(jobs))
        yield from jobs
        tally.flush()
        return
    for work in works:  # too many for all: what else is wrong shows in a few as well
        work.judge_some()
    tally.flush(counted=False)


def _jobs(works: list[Work], manifest: Manifest, report: Report) -> Iterator[Job]:
    index = 0
    for work in works:
        jobs = work.jobs(index, manifest.max_jobs, differ=len(works) == 1)
        for found in jobs:
            index += 1
            if found is not None:
                yield found
        if index > manifest.max_jobs:
            if not is_doubtful([work.expansion for work in works], manifest):
                wanted = f"more than {manifest.max_jobs:,} jobs"
                report(too_many_jobs(manifest, wanted, work.expansion.source))
            break


def _single(manifest: Manifest, expansions: list[Expansion]) -> Iterator[Where]:
    """Yield the places that make one job each: entries, or the whole manifest."""
    for one in expansions:
        if one.exact and one.least == 1:
            yield one.reading.spec.where if len(manifest.specs) > 1 else ()
