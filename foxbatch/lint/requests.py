"""Requests that cost more than they seem to, or are fewer than was meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from foxbatch.canonical import Json
from foxbatch.errors import Position, Problem
from foxbatch.lint.reporting import oddity
from foxbatch.manifest import Manifest, Spec
from foxbatch.matrix import Job
from foxbatch.provider import Provider
from foxbatch.schema import Checker, show
from foxbatch.template import Pattern, TemplateError
from foxbatch.yaml12 import Where

_SEED = "seed"


def odd_requests(
    manifest: Manifest, provider: Provider, jobs: Sequence[Job]
) -> Iterator[Problem]:
    """Yield what is odd about the requests of *jobs*, which are in expansion order."""
    specs = {spec.id: spec for spec in manifest.specs}
    yield from _same_seed_again(manifest, specs, jobs)
    yield from _lists(manifest, provider, specs, jobs)


def _same_seed_again(
    manifest: Manifest, specs: dict[str, Spec], jobs: Sequence[Job]
) -> Iterator[Problem]:
    told: set[Position] = set()
    for first, second in pairwise(jobs):
        seed = second.request.get(_SEED)
        if second.repeat != first.repeat + 1 or seed is None:
            continue
        if first.request != second.request:
            continue  # it depends on the repeat
        spec = specs[second.spec]
        where = _source(spec, _SEED)
        at = manifest.document.position(where, key=where == spec.where)
        if at not in told:
            told.add(at)
            yield oddity(
                "W-SEED-REPEAT",
                f"the seed is {show(seed)} for every repeat: the same video may be "
                "bought again",
                at,
                "For different takes remove the seed, or make it an axis instead of "
                "using `repeat`.",
                where=where,
            )


def _source(spec: Spec, name: str) -> Where:
    """Return where a spec gives the parameter *name*, itself where that is unclear."""
    if name in spec.params:
        return (*spec.where, "params", name)
    if name in spec.axes:
        return (*spec.where, "matrix", "axes", name)
    return ("defaults", "params", name) if name in spec.default_params else spec.where


def _lists(
    manifest: Manifest,
    provider: Provider,
    specs: dict[str, Spec],
    jobs: Sequence[Job],
) -> Iterator[Problem]:
    """Yield a note for each list that would also be right value by value."""
    lists = {spec.id: _lists_of(spec) for spec in specs.values()}
    told: set[tuple[Where, str]] = set()
    for job in jobs:
        for name, value in lists[job.spec].items():
            where = _source(specs[job.spec], name)
            if (where, job.model) in told or job.request.get(name) != value:
                continue
            told.add((where, job.model))
            checker = Checker(provider.models[job.model].schema)
            if _each_alone_is_valid(checker, job, name, value):
                yield oddity(
                    "N-PARAM-LIST",
                    f"{name} is one list of {len(value)} values in one request",
                    manifest.document.position(where),
                    "For a job with each of them, make it an axis of lists: "
                    f"{name}: [[…], […]] in `matrix.axes`.",
                    where=where,
                )


def _lists_of(spec: Spec) -> dict[str, list[Json]]:
    """Return the parameters that are written as lists of several values."""
    written = {**spec.default_params, **spec.params}
    return {
        name: value
        for name, value in written.items()
        if isinstance(value, list) and len(value) > 1 and not _refers(value)
    }


def _refers(value: Json) -> bool:
    try:
        return bool(list(Pattern.parse(value).names))
    except TemplateError:
        return True


def _each_alone_is_valid(
    checker: Checker, job: Job, name: str, values: list[Json]
) -> bool:
    return all(checker.is_valid({**job.request, name: [one]}) for one in values)
