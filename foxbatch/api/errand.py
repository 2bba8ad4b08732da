"""What a run is for: a manifest's jobs, or whatever a run directory holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from foxbatch.api.place import Place, default_run_dir, last_manifest, provider_of
from foxbatch.api.service import RunOptions
from foxbatch.api.telling import command
from foxbatch.api.wanted import Wanted
from foxbatch.canonical import Digest
from foxbatch.events import JobPlanned, ManifestRef
from foxbatch.matrix import Job
from foxbatch.planner import as_planned
from foxbatch.policy import Accept, Budget, Limits, Order, PollPolicy, RetryPolicy
from foxbatch.provider import Provider
from foxbatch.state import BatchState


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What a run is for.

    Attributes:
        folder: Whose git commit is recorded.
        wanted: The manifest's jobs; None for whatever the directory holds.
        kept: Files that the run directory is to keep, by digest.
        command: What to type to go on; empty where nothing is bought.
    """

    place: Place
    folder: Path
    name: str
    provider: Provider
    wanted: tuple[JobPlanned, ...] | None
    manifests: tuple[ManifestRef, ...]
    kept: Mapping[Digest, bytes]
    limits: Limits
    retry: RetryPolicy
    poll: PollPolicy
    budget: Budget
    accept: Accept
    order: Order
    command: str
    overrides: tuple[str, ...] = ()


def to_run(wanted: Wanted, options: RunOptions, jobs: Iterable[Job]) -> Errand:
    """Return what a run of a manifest is for.

    Args:
        wanted: The manifest.
        options: Beyond it.
        jobs: What it unrolls to, checked.
    """
    manifest = wanted.manifest
    return Errand(
        place=Place(options.out or default_run_dir(wanted)),
        folder=manifest.directory,
        name=manifest.name,
        provider=wanted.provider,
        wanted=tuple(as_planned(job, manifest.sha256) for job in jobs),
        manifests=(
            ManifestRef(
                sha256=manifest.sha256,
                name=manifest.name,
                path=str(manifest.path or "-"),
            ),
        ),
        kept={manifest.sha256: manifest.content},
        limits=manifest.limits(wanted.provider.limits),
        retry=manifest.retry,
        poll=manifest.poll,
        budget=manifest.budget,
        accept=manifest.accept,
        order=manifest.order,
        command=command(wanted, options),
        overrides=manifest.overrides,
    )


def to_collect(place: Place, state: BatchState) -> Errand:
    """Return what it means to fetch what was bought in a run directory.

    Args:
        place: The directory. It is all that is needed.
        state: What its ledger says.
    """
    provider, last = provider_of(place, state), last_manifest(place, state)
    return Errand(
        place=place,
        folder=place.path,
        name=place.path.resolve().name,
        provider=provider,
        wanted=None,
        manifests=(),
        kept={},
        limits=last.limits(provider.limits) if last else provider.limits,
        # What failed is not bought again here, whatever the manifest says.
        retry=replace(last.retry, attempts=1) if last else RetryPolicy(),
        poll=last.poll if last else PollPolicy(),
        budget=Budget(jobs=0),
        accept=last.accept if last else Accept(),
        order="declared",
        command="",
    )
