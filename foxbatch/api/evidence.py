"""What is known about jobs that may have been bought: what a person decides by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from foxbatch import account, canonical
from foxbatch.account import Charge, Rise
from foxbatch.api.place import Place
from foxbatch.canonical import Digest, JobId, Json
from foxbatch.events import JobPlanned
from foxbatch.ledger import read_folder
from foxbatch.prices import estimate, prices
from foxbatch.processes import is_gone, this_process, under_one_kernel
from foxbatch.state import Attempt, BatchState, JobState, Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldJob:
    """One job that may have been bought, and all that can help to find out.

    Attributes:
        job: Its id.
        name: What people call it.
        attempt: The attempt that nobody knows the fate of.
        submitted: When it was about to leave (RFC 3339, UTC).
        why: What happened instead of an answer.
        reply: What there was of an answer.
        headers: The few of it that help a support request.
        model: As sent.
        prompt: As sent.
        request_sha256: Of the exact body that was sent.
        credits: What it is thought to have cost, from like ones; None if unknown.
        host: Machine that sent it.
        maybe_alive: Whether that machine may still be waiting for the answer.
        account: What the account used in that time, for people; empty where no run
            looked before and after it.
        charges: What the account was charged for in that time, for people; empty where
            nobody asked, or it tells nothing.
    """

    job: JobId
    name: str
    attempt: str
    submitted: str
    why: str
    reply: str
    headers: dict[str, str]
    model: str
    prompt: str
    request_sha256: Digest
    credits: float | None
    host: str
    maybe_alive: bool
    account: str = ""
    charges: str = ""


def held_attempts(state: BatchState) -> list[tuple[JobState, Attempt]]:
    """Return the held jobs, each with the attempt in doubt, the oldest first."""
    held = []
    for known in state.jobs.values():
        phase, attempt = known.leading()
        if phase is Phase.HELD and attempt is not None:
            held.append((known, attempt))
    return sorted(held, key=lambda pair: (pair[1].since, pair[1].id))


def maybe_alive(attempt: Attempt | None, state: BatchState) -> bool:
    """Return whether another machine may still be waiting for an answer.

    Only an intent without an outcome leaves that open, in a file whose run did not say
    goodbye and that comes from another kernel: here, the lock tells (`processes`).
    """
    if attempt is None or attempt.unknown is not None:
        return False
    run = state.runs.get(attempt.run)
    if run is None or run.started is None:
        return True
    here = this_process()
    ended = run.ended is not None or is_gone(run.started, here)
    return not ended and not under_one_kernel(run.started, here)


def held(run_dir: Path) -> tuple[HeldJob, ...]:
    """Return the held jobs of a run directory with their evidence, the oldest first.

    Raises:
        LedgerError: The ledger cannot be trusted.
    """
    return held_in(read_folder(Place(run_dir).ledger).state)


def held_in(
    state: BatchState, charges: Sequence[Charge] | None = None
) -> tuple[HeldJob, ...]:
    """Return the held jobs of *state* with their evidence, the oldest first.

    Args:
        state: What the ledger says.
        charges: What the account was charged for lately, where that is known.
    """
    found = held_attempts(state)
    used = {
        attempt: rise.in_words() for rise in rises(state) for attempt in rise.attempts
    }
    charged = {} if charges is None else account.tallies(state, charges)
    told = {attempt: tally.in_words() for attempt, tally in charged.items()}
    return tuple(
        replace(
            _evidence(state, known, attempt),
            account=used.get(attempt.id, ""),
            charges=told.get(attempt.id, ""),
        )
        for known, attempt in found
    )


def rises(state: BatchState) -> list[Rise]:
    """Return what the account did around the held jobs of *state*."""
    return account.rises(state, [attempt for _, attempt in held_attempts(state)])


def _evidence(state: BatchState, known: JobState, attempt: Attempt) -> HeldJob:
    unknown, planned = attempt.unknown, known.planned
    run = state.runs.get(attempt.run)
    started = run.started if run is not None else None
    return HeldJob(
        job=known.id,
        name=known.name,
        attempt=attempt.id,
        submitted=attempt.since,
        why=unknown.why if unknown else "the process ended before an answer came",
        reply=unknown.reply if unknown else "",
        headers=unknown.headers if unknown else {},
        model=planned.model if planned else "",
        prompt=planned.prompt.text if planned and planned.prompt else "",
        request_sha256=_digest(planned) if planned else Digest(""),
        credits=_price(planned, state) if planned else None,
        host=started.host if started else "",
        maybe_alive=maybe_alive(attempt, state),
    )


def _digest(planned: JobPlanned) -> Digest:
    body: Json = planned.request  # type: ignore[assignment]  # it was JSON
    return canonical.digest(body)


def _price(planned: JobPlanned, state: BatchState) -> float | None:
    thought = estimate([planned], prices(state))
    return None if thought.unpriced else thought.credits
