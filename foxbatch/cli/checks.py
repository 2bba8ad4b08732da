"""What `doctor` looks at. Each check returns what it found; none raises for it."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, assert_never

import anyio

import foxbatch
from foxbatch import api
from foxbatch.api.provenance import ask_git
from foxbatch.canonical import Json
from foxbatch.cli._text import size
from foxbatch.client import (
    PollDenied,
    PollOutcome,
    PollTrouble,
    ServiceClient,
    TaskMissing,
    TaskSeen,
)
from foxbatch.clock import SystemClock
from foxbatch.errors import ExitCode, FoxbatchError
from foxbatch.events import TaskId
from foxbatch.provider import Provider
from foxbatch.sources import find_root

_PYTHON = (3, 11)
_LITTLE_BYTES = 2 * 10**9
_BUILT = datetime(2026, 1, 1, tzinfo=UTC)
_NO_SUCH_TASK = TaskId("foxbatch-doctor")
_EXTRAS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "media": (("av", "pillow"), "without it, downloads are not looked into"),
    "sandbox": (("aiohttp", "av", "pillow"), "without it, there is no rehearsal"),
    "analytics": (("duckdb",), "without it, there is no SQL and no Parquet"),
}


@dataclass(frozen=True, slots=True)
class Check:
    """What one look found.

    Attributes:
        name: Of what was looked at.
        state: `error` where a run would not work.
        message: What was found.
        hint: What to do about it.
        exit_code: What a run would have said.
    """

    name: str
    state: Literal["ok", "note", "warning", "error"]
    message: str
    hint: str = ""
    exit_code: ExitCode = ExitCode.DONE


def as_json(found: Sequence[Check]) -> dict[str, Json]:
    """Return the one object of `doctor --format json`."""
    checks: list[Json] = [
        {
            "name": check.name,
            "state": check.state,
            "message": check.message,
            "hint": check.hint,
        }
        for check in found
    ]
    return {"ok": all(check.state != "error" for check in found), "checks": checks}


def machine(folder: Path) -> Iterator[Check]:
    """Look at Python, the installation, the disk, the clock and git."""
    yield _python()
    for name, (packages, loss) in _EXTRAS.items():
        yield optional(name, packages, loss)
    yield disk(find_root(folder))
    yield clock(datetime.now(UTC))
    yield from _git(folder)


def _python() -> Check:
    where = f"{platform.python_version()}, foxbatch {foxbatch.__version__}"
    if sys.version_info < _PYTHON:
        return Check(
            "python", "error", where, "Use Python 3.11 or newer.", ExitCode.USAGE
        )
    return Check("python", "ok", where)


def optional(name: str, packages: tuple[str, ...], loss: str) -> Check:
    """Look whether what an extra brings is there; *loss* says what is not without."""
    try:
        versions = [f"{one} {importlib.metadata.version(one)}" for one in packages]
    except importlib.metadata.PackageNotFoundError:
        hint = f"Type: pip install 'foxbatch[{name}]'"
        return Check(name, "warning", f"not installed: {loss}", hint)
    return Check(name, "ok", ", ".join(versions))


def disk(root: Path) -> Check:
    """Look whether *root*, where run directories are made, takes files."""
    shown = api.show_path(root)
    try:
        free_bytes = shutil.disk_usage(root).free
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        message = f"{shown} cannot be written: {error.strerror}"
        hint = "Run directories are made there; or use --out DIR."
        return Check("disk", "error", message, hint, ExitCode.RUN_DIR)
    message = f"{size(free_bytes)} free, {shown} can be written"
    if free_bytes < _LITTLE_BYTES:
        hint = "A sweep of videos fills that soon."
        return Check("disk", "warning", message, hint)
    return Check("disk", "ok", message)


def clock(now: datetime) -> Check:
    """Look whether *now* can be the time."""
    said = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    if now < _BUILT:
        hint = "Set the clock: ledgers are combined by time, and certificates expire."
        return Check("clock", "error", f"{said} is in the past", hint, ExitCode.USAGE)
    return Check("clock", "ok", said)


def _git(folder: Path) -> Iterator[Check]:
    version = ask_git(folder, "--version")
    if version is None:
        hint = "It is not needed; with it a run records the commit it was made from."
        yield Check("git", "note", "not installed", hint)
        return
    top = ask_git(folder, "rev-parse", "--show-toplevel")
    where = f"{version}, no repository here" if top is None else f"{version}, in {top}"
    yield Check("git", "ok", where)
    if (folder / ".env").is_file() and top is not None:
        ignored = (
            ask_git(folder, "check-ignore", "-q", str(folder.resolve() / ".env"))
            is not None
        )
        hint = "Add .env to .gitignore, or the key will be committed one day."
        yield (
            Check(".env", "ok", "ignored by git")
            if ignored
            else Check(".env", "warning", "not ignored by git", hint)
        )


def service(provider: Provider, options: api.RunOptions) -> Iterator[Check]:
    """Look at the key and the address of *provider*; nothing is sent."""
    if provider.embedded:
        yield Check("key", "ok", f"{provider.title} needs none")
        return
    try:
        found = api.find_access(provider, options)
    except FoxbatchError as error:
        missing = provider.key_env is not None and "is not set" in str(error)
        state: Literal["note", "error"] = "note" if missing else "error"
        code = ExitCode.DONE if missing else error.exit_code
        yield Check("key", state, str(error), error.hint, code)
        return
    held = "none needed" if found.key is None else "present and well-formed"
    yield Check("key", "ok", f"{held}, for {provider.title}, account {found.account}")
    yield Check("address", "ok", found.base_url)


def reachable(provider: Provider, options: api.RunOptions) -> Check:
    """Ask the service for a task that does not exist."""
    if provider.embedded:
        return Check("service", "ok", "starts with each run")
    try:
        found = api.find_access(provider, options)
    except FoxbatchError:
        return Check("service", "note", "not asked, because there is no usable key")

    async def ask() -> PollOutcome:
        async with ServiceClient(provider, found, clock=SystemClock()) as client:
            return await client.poll(_NO_SUCH_TASK)

    return answered(anyio.run(ask), found.base_url)


def answered(outcome: PollOutcome, base_url: str) -> Check:
    """Return what the service's answer to a harmless question means."""
    match outcome:
        case TaskMissing() | TaskSeen():
            return Check("service", "ok", f"{base_url} answers and takes the key")
        case PollDenied():
            said = f"{base_url} refuses: {outcome.status} {outcome.message}".strip()
            hint = "Check the key, the account's credit, and the address."
            return Check("service", "error", said, hint, ExitCode.REFUSED)
        case PollTrouble(status=None):
            said = f"{base_url} cannot be reached: {outcome.reason}"
            hint = "Check the network, a proxy, and the address."
            return Check("service", "error", said, hint, ExitCode.UNREACHABLE)
        case PollTrouble():
            said = f"{base_url} answers, but {outcome.reason}"
            return Check("service", "warning", said, "Try again later.")
        case _:
            assert_never(outcome)
