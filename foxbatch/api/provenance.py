"""Who runs what from where: recorded with each run, never part of an identity."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

from foxbatch import __version__
from foxbatch.canonical import Digest
from foxbatch.events import ManifestRef, Origin, RunStarted
from foxbatch.processes import this_process
from foxbatch.sources import find_root

_PATIENCE_S = 5
_HARMLESS = (
    "--no-optional-locks",
    *("-c", "safe.bareRepository=explicit"),
    *("-c", "core.fsmonitor=false"),
    *("-c", f"core.hooksPath={os.devnull}"),
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
    """Return the fact that this process begins to work on a run directory.

    Args:
        origin: Whose results those are.
        folder: In the checkout of the manifest, or the run directory itself.
        environ: The process environment.
        provider_sha256: Of the provider's file.
        manifests: What is run.
        policy: Its limits, retries and budget.
        overrides: What `--set` changed, by path.
    """
    me = this_process()
    return RunStarted(
        origin=origin,
        manifests=manifests,
        provider_sha256=provider_sha256,
        actor=_actor(folder, environ),
        commit=_git(folder, "rev-parse", "--verify", "HEAD"),
        dirty=bool(_git(folder, "status", "--porcelain", "--untracked-files=no")),
        host=me.host,
        pid=me.pid,
        machine=me.machine,
        boot=me.boot,
        pid_namespace=me.pid_namespace,
        process_began=me.process_began,
        versions={"foxbatch": __version__, "python": platform.python_version()},
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
    return ask_git(folder, *arguments) or ""


def ask_git(folder: Path, *arguments: str) -> str | None:
    """Return what git says; None where it is missing or says no.

    A checkout may hold a folder that looks like a bare repository, whose settings name
    programs to run. So git is asked at the top, where `.git` is, which no checkout can
    bring along, or else far away from it, and those settings are overruled.
    """
    top = find_root(folder)
    place = str(top) if (top / ".git").exists() else top.anchor
    try:
        done = subprocess.run(
            ["git", *_HARMLESS, "-C", place, *arguments],
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout.decode("utf-8", "replace").strip()
