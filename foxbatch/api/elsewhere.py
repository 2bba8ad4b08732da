"""What other run directories have bought already: it is taken over, not bought again.

A manifest that gets another name gets another run directory, and two manifests may ask
for the same job. So before anything is bought, the directories beside this one under
`runs/` are looked at, those of the same service and account. Only the first line of
each of their files is read to find that out; the others are never folded.

What is found there becomes an attempt *of this directory's own*, which begins with
`submit.settled` and names the directory that paid. Everything after that is ordinary:
the fold of this ledger needs no other folder, so it stays the same wherever the
directory is copied to, and a directory that is deleted takes nothing with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set as AbstractSet
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias, TypeVar

import anyio
import anyio.lowlevel
import msgspec

from foxbatch.access import SANDBOX_ORIGIN
from foxbatch.api.place import Place, starts
from foxbatch.api.service import RunOptions, known_access
from foxbatch.api.summary import show_path
from foxbatch.artifacts import Store, verify_stored
from foxbatch.canonical import JobId
from foxbatch.errors import LedgerError, UsageError
from foxbatch.events import (
    ArtifactStored,
    AttemptFact,
    AttemptId,
    Event,
    JobFailed,
    JobSucceeded,
    Origin,
    ResultsSeen,
    RunId,
    RunStarted,
    SubmitSettled,
    TaskId,
    decode,
)
from foxbatch.ledger import read_folder
from foxbatch.lock import live_runs
from foxbatch.planner import BUYS, Elsewhere, Plan, PlannedJob
from foxbatch.processes import this_process
from foxbatch.provider import Provider
from foxbatch.runner import Book, StopButton
from foxbatch.state import Attempt, BatchState, JobState, Phase, Submission

Ours: TypeAlias = Callable[[Origin], bool]
"""Says whether what belongs to an origin is ours too."""

_FactT = TypeVar("_FactT", bound=AttemptFact)

_ROOT = "runs"
_LONGEST_START = 1 << 20  # bytes of a first line
_BEST_FIRST = (
    Phase.DONE,
    Phase.DOWNLOADING,
    Phase.RUNNING,
    Phase.OVERDUE,
    Phase.SUBMITTING,
    Phase.HELD,
    Phase.FAILED,
)


def same_origin(origin: Origin, *, any_account: bool = False) -> Ours:
    """Return what recognises *origin*, with the accounts it had under other keys."""

    def ours(other: Origin) -> bool:
        service = (other.provider, other.base_url) == (origin.provider, origin.base_url)
        return other == origin or (any_account and service)

    return ours


def whose(provider: Provider, options: RunOptions, state: BatchState) -> Ours:
    """Return whose purchases count, as well as that can be known without a key.

    Args:
        provider: The service.
        options: Address and key, if there are any.
        state: What this directory's ledger says: it belongs to somebody already.
    """
    known = {started.origin for started in starts(state)}
    if known:
        return known.__contains__
    try:
        entry = known_access(provider, options)
    except UsageError:  # no key: a plan needs none, and then any account may be ours
        return lambda other: other.provider == provider.id
    return same_origin(SANDBOX_ORIGIN if entry is None else entry.origin)


def look_elsewhere(place: Place, plan: Plan, ours: Ours) -> dict[JobId, Elsewhere]:
    """Return what the directories beside *place* hold of the jobs *plan* would buy.

    Raises:
        LedgerError: One of them cannot be trusted.
    """
    wanted = {job.id for job in plan.jobs if job.action in BUYS}
    found: dict[JobId, Elsewhere] = {}
    for sibling in _siblings(place.path) if wanted else ():
        if not any(map(ours, _origins(sibling / "ledger"))):
            continue
        for job, there in _bought_in(sibling, wanted):
            known = found.get(job)
            if known is None or _rank(there) < _rank(known):
                found[job] = there
    return found


def owner_elsewhere(place: Place, ours: Ours, task: TaskId) -> str:
    """Return whose a task is by a directory beside *place*; empty for nobody's.

    A directory whose ledger cannot be trusted says nothing: this is about one task, and
    what is decided about it is decided by a person.
    """
    for sibling in _siblings(place.path):
        ledger = sibling / "ledger"
        if _names(ledger, task) and any(map(ours, _origins(ledger))):
            with suppress(LedgerError):
                state = read_folder(ledger).state
                for known in state.jobs.values():
                    if task in (attempt.task for attempt in known.attempts.values()):
                        return f"{known.name} ({known.id}) in {show_path(sibling)}"
    return ""


def _names(ledger: Path, task: TaskId) -> bool:
    """Return whether a file of *ledger* names a task: that is quickly seen."""
    with suppress(OSError):
        for path in ledger.glob("*.jsonl"):
            with path.open("rb") as file:
                if any(task.encode() in line for line in file):
                    return True
    return False


def _rank(there: Elsewhere) -> tuple[bool, int]:
    return not there.whole, _BEST_FIRST.index(there.phase)


def _siblings(run_dir: Path) -> list[Path]:
    """Return the other run directories of a project; none for a folder of its own."""
    here = run_dir.absolute()
    if here.parent.name != _ROOT or not here.parent.is_dir():
        return []
    return sorted(
        folder
        for folder in here.parent.iterdir()
        if folder != here and not folder.is_symlink() and (folder / "ledger").is_dir()
    )


def _origins(ledger: Path) -> Iterator[Origin]:
    """Yield whose the files of a folder are, from their first lines."""
    for path in sorted(ledger.glob("*.jsonl")):
        try:
            with path.open("rb") as file:
                first = decode(file.readline(_LONGEST_START))
        except (OSError, ValueError):  # another file says it, or nobody knows
            continue
        if isinstance(first, RunStarted):
            yield first.origin


def _bought_in(
    sibling: Path, wanted: AbstractSet[JobId]
) -> Iterator[tuple[JobId, Elsewhere]]:
    try:
        state = read_folder(sibling / "ledger").state
    except LedgerError as error:
        error.hint += " Or type --fresh to buy without looking there."
        raise
    live = live_runs(state, sibling, here=this_process())
    own_sandbox = any(s.origin == SANDBOX_ORIGIN for s in starts(state))
    for job in wanted & state.jobs.keys():
        there = _held_there(sibling, state.jobs[job], live, reachable=not own_sandbox)
        if there is not None:
            yield job, there


def _held_there(
    sibling: Path, known: JobState, live: Iterable[RunId], *, reachable: bool
) -> Elsewhere | None:
    """Return what *sibling* has of a job; None where that is nothing that counts."""
    phase, attempt = known.leading(frozenset(live))
    if attempt is None or phase is Phase.NEW:
        return None
    if attempt.submission is Submission.REFUSED:
        return None  # nothing was bought
    whole = phase is not Phase.DONE or _has_files(sibling, attempt)
    if not (whole or reachable):
        return None
    return Elsewhere(
        folder=sibling.name,
        shown=show_path(sibling),
        phase=phase,
        attempt=attempt,
        whole=whole,
        reachable=reachable,
    )


def _has_files(sibling: Path, attempt: Attempt) -> bool:
    """Return whether the files seem to be there. Their digests are checked later."""
    try:
        return all(
            (sibling / stored.path).stat().st_size == stored.bytes
            for stored in attempt.artifacts.values()
        )
    except OSError:
        return False


async def take_over(
    plan: Plan, book: Book, store: Store, run_dir: Path, *, who: str, stop: StopButton
) -> set[JobId]:
    """Record here what other directories have bought, with their files.

    On disk when it returns. Cancelled, or stopped by the button, it leaves some jobs
    where they are; the next run goes on.

    Returns:
        Jobs that turned out not to be there, and have to be bought after all.

    Raises:
        RunDirError: The disk does not take a file.
    """
    missing = set()
    for job in plan.jobs:
        if job.elsewhere is not None and job.elsewhere.comes_over:
            taking = _Taking(job, job.elsewhere, book.new_attempt(), who)
            facts = taking.facts(run_dir.parent / job.elsewhere.folder, store)
            if facts:
                book.record(*facts)
            else:
                missing.add(job.id)
            # Thousands of files take minutes, and Ctrl-C must be heard in between.
            await anyio.lowlevel.checkpoint()
            if stop.reason:
                break
    book.record(durable=True)
    return missing


class _Taking:
    """One job that comes over from another directory."""

    def __init__(
        self, job: PlannedJob, there: Elsewhere, attempt: AttemptId, who: str
    ) -> None:
        self._job, self._there, self._attempt = job, there, attempt
        known = there.attempt
        given_up = known.submission is Submission.WRITTEN_OFF
        self._settled = SubmitSettled(
            job=job.id,
            attempt=attempt,
            decision="write_off" if given_up else "task",
            # Embedded sandboxes give their tasks the same ids: it would not be unique.
            task=known.task if there.reachable else None,
            who=who,
            why=f"{there.phase} in {there.folder}",
            bought_in=known.bought_in or there.folder,
        )

    def facts(self, sibling: Path, store: Store) -> tuple[Event, ...]:
        """Return what to record; nothing where it is not there after all."""
        there, known = self._there, self._there.attempt
        if there.phase is Phase.DONE:
            stored = self._files(sibling, store)
            if stored is not None:
                return self._settled, self._results(), *stored, self._succeeded()
            return (self._settled,) if there.reachable else ()
        if there.phase is Phase.FAILED and known.failed is not None:
            return self._settled, self._ours(known.failed)
        return (self._settled,)

    def _files(self, sibling: Path, store: Store) -> list[ArtifactStored] | None:
        """Keep the files here too; None where one is not what it was."""
        known = self._there.attempt.artifacts
        found = []
        for number, stored in sorted(known.items()):
            fault = verify_stored(
                sibling, path=stored.path, sha256=stored.sha256, size_bytes=stored.bytes
            )
            if fault is not None:
                return None
            kept = store.take(
                sibling / stored.path,
                self._job.wanted.output,
                self._job.id,
                item=number if len(known) > 1 else None,
            )
            found.append(
                msgspec.structs.replace(
                    self._ours(stored),
                    path=kept.path,
                    sha256=kept.sha256,
                    bytes=kept.bytes,
                )
            )
        return found

    def _results(self) -> ResultsSeen:
        # The file that tells what they were may be missing there.
        seen = self._there.attempt.results
        bare = ResultsSeen(job=self._job.id, attempt=self._attempt, items=())
        return self._ours(seen or bare)

    def _succeeded(self) -> JobSucceeded:
        return JobSucceeded(job=self._job.id, attempt=self._attempt)

    def _ours(self, fact: _FactT) -> _FactT:
        """Return *fact* as one about this attempt, unstamped."""
        changes = {"credits": None} if isinstance(fact, JobFailed) else {}
        return msgspec.structs.replace(
            fact, v=0, seq=0, at="", run=RunId(""), attempt=self._attempt, **changes
        )
