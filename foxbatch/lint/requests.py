"""Requests that cost more than they seem to, or are fewer than was meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

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
    manifest: Manifest, provider: Provider, jobs: Iterable[Job]
) -> Iterator[Problem]:
    """Yield what is odd about the requests of *jobs*, which are in expansion order.

    All of them are taken, one at a time; nothing is looked at that cannot be odd.
    """
    specs = {spec.id: spec for spec in manifest.specs}
    seeds, lists = _Seeds(manifest, specs), _Lists(manifest, provider, specs)
    looks = [each.look for each in (seeds, lists) if each.worthwhile]
    for job in jobs:
        for look in looks:
            look(job)
    yield from seeds.found
    yield from lists.found


class _Seeds:
    """Finds repeats with the same seed.

    Attributes:
        worthwhile: Whether there can be any.
        found: A problem for each place that gives such a seed.
    """

    def __init__(self, manifest: Manifest, specs: Mapping[str, Spec]) -> None:
        self._manifest, self._specs = manifest, specs
        self._told: set[Position] = set()
        self._before: Job | None = None
        self.worthwhile = any(
            entry.n > 1 for spec in specs.values() for entry in spec.repeat
        )
        self.found: list[Problem] = []

    def look(self, job: Job) -> None:
        """Compare a job with the one before it."""
        before, self._before = self._before, job
        if before is None or job.repeat != before.repeat + 1:
            return
        seed = job.request.get(_SEED)
        if seed is None or before.request != job.request:
            return  # it depends on the repeat
        spec = self._specs[job.spec]
        where = _source(spec, _SEED)
        at = self._manifest.document.position(where, key=where == spec.where)
        if at not in self._told:
            self._told.add(at)
            self.found.append(_same_seed(seed, where, at))


def _same_seed(seed: Json, where: Where, at: Position) -> Problem:
    return oddity(
        "W-SEED-REPEAT",
        f"the seed is {show(seed)} for every repeat: the same video may be bought "
        "again",
        at,
        "For different takes remove the seed, or make it an axis instead of using "
        "`repeat`.",
        where=where,
    )


def _source(spec: Spec, name: str) -> Where:
    """Return where a spec gives the parameter *name*, itself where that is unclear."""
    if name in spec.params:
        return (*spec.where, "params", name)
    if name in spec.axes:
        return (*spec.where, "matrix", "axes", name)
    return ("defaults", "params", name) if name in spec.default_params else spec.where


class _Lists:
    """Finds lists that would also be right value by value.

    Attributes:
        worthwhile: Whether there are lists at all.
        found: A note for each.
    """

    def __init__(
        self, manifest: Manifest, provider: Provider, specs: Mapping[str, Spec]
    ) -> None:
        self._manifest, self._specs = manifest, specs
        self._provider = provider
        self._lists = {spec.id: _lists_of(spec) for spec in specs.values()}
        self._told: set[tuple[Where, str]] = set()
        self.worthwhile = any(self._lists.values())
        self.found: list[Problem] = []

    def look(self, job: Job) -> None:
        """Try the values of each list of a job one by one."""
        for name, value in self._lists[job.spec].items():
            where = _source(self._specs[job.spec], name)
            if (where, job.model) in self._told or job.request.get(name) != value:
                continue
            self._told.add((where, job.model))
            checker = Checker(self._provider.models[job.model].schema)
            if _each_alone_is_valid(checker, job, name, value):
                at = self._manifest.document.position(where)
                self.found.append(_one_list(name, value, where, at))


def _one_list(name: str, value: list[Json], where: Where, at: Position) -> Problem:
    return oddity(
        "N-PARAM-LIST",
        f"{name} is one list of {len(value)} values in one request",
        at,
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
