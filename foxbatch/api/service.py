"""Which service a command talks to, as whom, and how it is reached."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from foxbatch import access
from foxbatch.access import Access
from foxbatch.api.place import Place
from foxbatch.errors import KeyUnusableError, UsageError
from foxbatch.planner import Choice
from foxbatch.provider import Provider

if TYPE_CHECKING:
    from foxbatch.sandbox.faults import Plan

SANDBOX_SPEED = 20.0
"""How much faster than real the embedded sandbox is unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the person who starts a run decides, beyond the manifest.

    Attributes:
        out: Run directory; None for the default one.
        choice: Which jobs, and which failures again.
        max_new: How many jobs may be bought; None means all.
        max_credits: What this run may spend, in the service's unit; None means no
            bound beside the manifest's.
        canary: Whether one job of each price shape is bought first, and the rest only
            where it fits and somebody agrees.
        allow_unpriced: Whether jobs without a known price may be bought although a
            budget in credits is set.
        fail_fast: Whether the first failed job ends submitting.
        yes: Whether a paid run needs no question.
        stop_after_s: Stop after so many seconds and leave the rest running.
        detach: Leave as soon as everything is submitted.
        same_account: Whether another key may stand for the same account.
        trust_hosts: Hosts that the key may go to.
        base_url: Address of the service, above all other sources.
        environ: The process environment.
        dotenv: Values of `.env` in the working directory.
        speed: How much faster than real the embedded sandbox is.
        seed: Seed of the embedded sandbox.
        faults: What it does wrong: the name of a fault plan, or the path of one.
    """

    out: Path | None = None
    choice: Choice = field(default_factory=Choice)
    max_new: int | None = None
    max_credits: float | None = None
    canary: bool = False
    allow_unpriced: bool = False
    fail_fast: bool = False
    yes: bool = False
    stop_after_s: float | None = None
    detach: bool = False
    same_account: bool = False
    trust_hosts: frozenset[str] = frozenset()
    base_url: str | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    dotenv: Mapping[str, str | None] = field(default_factory=dict)
    speed: float = SANDBOX_SPEED
    seed: int = 0
    faults: str | None = None


def find_access(
    provider: Provider, options: RunOptions, base_url: str | None = None
) -> Access:
    """Return where to ask and with which key, reading the key's file if one is named.

    Raises:
        UsageError: The address cannot be used.
        KeyUnusableError: The key is missing, malformed, or must not go there.
    """
    path = access.key_file(provider, options.environ)
    text = None
    if path is not None:
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise KeyUnusableError(
                f"{provider.key_env}_FILE names a file that cannot be read: {path}",
                hint="Name a text file that holds the key and nothing else.",
            ) from error
    return access.decide(
        provider,
        environ=options.environ,
        dotenv=options.dotenv,
        base_url=base_url or options.base_url,
        trusted=options.trust_hosts,
        key_text=text,
    )


def known_access(provider: Provider, options: RunOptions) -> Access | None:
    """Return where to ask; None for a sandbox that has to be started first.

    Raises:
        UsageError: There is no such fault plan, or it is meant for another service.
        InvalidError: The fault plan is wrong.
    """
    if provider.embedded and not options.base_url:
        _fault_plan(options)  # before anything begins
        return None
    if options.faults is not None:
        raise UsageError(
            f"{provider.title} cannot be told what to do wrong",
            hint="Rehearse with --provider sandbox, or start `foxbatch sandbox` with "
            "--faults and name its address.",
        )
    return find_access(provider, options)


def _fault_plan(options: RunOptions) -> Plan | None:
    if options.faults is None:
        return None
    from foxbatch.sandbox.faults import choose

    return choose(options.faults)


@contextmanager
def reached(
    provider: Provider, options: RunOptions, place: Place, entry: Access | None
) -> Iterator[Access]:
    """Give *entry*, or start the embedded sandbox and say where it is.

    Raises:
        MissingExtraError: The sandbox is not installed.
    """
    if entry is not None:
        yield entry
        return
    from foxbatch.sandbox import EmbeddedSandbox, SandboxOptions

    pretended = SandboxOptions(
        seed=options.seed, speed=options.speed, plan=_fault_plan(options)
    )
    with EmbeddedSandbox(pretended, state_dir=place.sandbox) as sandbox:
        yield find_access(provider, options, sandbox.url)
