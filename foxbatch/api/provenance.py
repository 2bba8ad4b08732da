"""Who runs what from where: recorded with each run, never part of an identity."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from foxbatch import __version__
from foxbatch.canonical import Digest
from foxbatch.events import ManifestRef, Origin, RunStarted

_PATIENCE_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a run comes from.

    Attributes:
        actor: `FOXBATCH_ACTOR`, a CI run's address, or git's user.
        commit: Commit of the manifest's checkout, if it is one.
        dirty: Whether that checkout had changes that are not committed.
        host: This machine.
        versions: Of foxbatch and Python.
    """

    actor: str
    commit: str
    dirty: bool
    host: str
    versions: dict[str, str]


def gather(folder: Path, environ: Mapping[str, str]) -> Provenance:
    """Return where a run of a manifest in *folder* comes from."""
    return Provenance(
        actor=_actor(folder, environ),
        commit=_git(folder, "rev-parse", "--verify", "HEAD"),
        dirty=bool(_git(folder, "status", "--porcelain", "--untracked-files=no")),
        host=socket.gethostname(),
        versions={"foxbatch": __version__, "python": platform.python_version()},
    )


def start_fact(
    origin: Origin,
    *,
    folder: Path,
    environ: Mapping[str, str],
    provider_sha256: Digest,
    manifests: tuple[ManifestRef, ...] = (),
    policy: Mapping[str, object] | None = None,
    overrides: tuple[str, ...] = (),
) -> RunStarted:
    """Return the fact that this process begins to work on a run directory."""
    come_from = gather(folder, environ)
    return RunStarted(
        origin=origin,
        manifests=manifests,
        provider_sha256=provider_sha256,
        actor=come_from.actor,
        commit=come_from.commit,
        dirty=come_from.dirty,
        host=come_from.host,
        pid=os.getpid(),
        versions=come_from.versions,
        policy=dict(policy or {}),
        overrides=overrides,
    )


def _actor(folder: Path, environ: Mapping[str, str]) -> str:
    if environ.get("FOXBATCH_ACTOR"):
        return environ["FOXBATCH_ACTOR"]
    if environ.get("GITHUB_RUN_ID"):
        server, repository = (
            environ.get("GITHUB_SERVER_URL"),
            environ.get("GITHUB_REPOSITORY"),
        )
        return f"{server}/{repository}/actions/runs/{environ['GITHUB_RUN_ID']}"
    return environ.get("CI_JOB_URL") or _git(folder, "config", "user.name")


def _git(folder: Path, *arguments: str) -> str:
    """Return what git says, nothing where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    if done.returncode:
        return ""
    return done.stdout.decode("utf-8", "replace").strip()
