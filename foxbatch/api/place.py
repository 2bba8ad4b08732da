"""A run directory: where it is, what is in it, and whom it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from foxbatch.api.wanted import Wanted, load_manifest
from foxbatch.canonical import Digest
from foxbatch.durable import make_folder, write_whole
from foxbatch.errors import InvalidError, OriginError, RunDirError, UsageError
from foxbatch.events import Origin, RunStarted
from foxbatch.lifecycle import BatchState
from foxbatch.manifest import Manifest, parse_manifest
from foxbatch.provider import Provider, builtin_names, load_provider, parse_provider
from foxbatch.sources import find_root


@dataclass(frozen=True, slots=True)
class Place:
    """The parts of one run directory."""

    path: Path

    @property
    def ledger(self) -> Path:
        """Folder of the ledger files: the truth."""
        return self.path / "ledger"

    @property
    def results(self) -> Path:
        """One record per job, derived."""
        return self.path / "results.jsonl"

    @property
    def sandbox(self) -> Path:
        """State of the embedded sandbox."""
        return self.path / ".sandbox"

    def kept(self, digest: Digest) -> Path:
        """Where the exact bytes of a manifest or provider file are kept."""
        return self.path / "manifests" / f"{digest}.yaml"

    def keep(self, digest: Digest, content: bytes) -> None:
        """Keep *content* under its digest; durable, whole or not at all."""
        path = self.kept(digest)
        if path.exists():
            return
        try:
            make_folder(path.parent)
            write_whole(path, [content])
        except OSError as error:
            raise RunDirError(
                f"{path} cannot be written: {error.strerror}",
                hint="Mend that and type the same command again; nothing was sent.",
            ) from error


def default_run_dir(wanted: Wanted) -> Path:
    """Return the directory that belongs to a manifest and a provider.

    It hangs on the manifest's repository, never on the working directory, or the
    same command typed elsewhere would buy everything again. For the same reason one
    that exists further down is used: it was made before there was a repository.
    """
    folder = wanted.manifest.directory.resolve()
    root = find_root(folder)
    relative = Path("runs") / f"{wanted.manifest.name}@{wanted.provider.id}"
    while folder != root:
        if (folder / relative / "ledger").is_dir():
            return folder / relative
        folder = folder.parent
    return root / relative


def find_run_dir(
    run: str | Path, *, out: Path | None = None, provider: str | None = None
) -> Path:
    """Return the run directory that a RUN argument means.

    Args:
        run: A run directory, or a manifest whose run directory is meant.
        out: As for `run`, where *run* is a manifest.
        provider: As for `run`, where *run* is a manifest.

    Raises:
        UsageError: There is no such directory yet.
        InvalidError: It is a manifest that is wrong.
    """
    path = Path(run)
    if not path.is_dir():
        path = out or default_run_dir(load_manifest(path, provider=provider))
    if not (path / "ledger").is_dir():
        raise UsageError(
            f"{path} is not a run directory: nothing was run there yet",
            hint="Name a folder below runs/, or type `foxbatch run MANIFEST` first.",
        )
    return path


def starts(state: BatchState) -> list[RunStarted]:
    """Return the starts of all runs, oldest first."""
    found = (run.started for run in state.runs.values() if run.started is not None)
    return sorted(found, key=lambda started: (started.at, started.run))


def check_origin(
    place: Place, state: BatchState, origin: Origin, *, same_account: bool
) -> None:
    """Refuse to mix what different services or accounts were asked for.

    Raises:
        OriginError: The directory belongs to another origin.
    """
    known = [started.origin for started in starts(state)]
    if not known or origin in known:
        return
    mine = known[-1]
    same_service = (mine.provider, mine.base_url) == (origin.provider, origin.base_url)
    if same_service and same_account:
        return
    hint = f"Type --out {place.path}-2 (or another folder) to keep them apart."
    if same_service:
        hint += " If it is the same account with a new key, type --same-account."
    raise OriginError(
        f"{place.path} belongs to {show_origin(mine)}, not to {show_origin(origin)}",
        hint=hint,
    )


def show_origin(origin: Origin) -> str:
    """Return *origin* for people."""
    if origin.base_url == origin.provider:  # the embedded sandbox
        return f"the embedded {origin.provider}"
    account = f", account {origin.account}" if origin.account else ""
    return f"{origin.provider} at {origin.base_url}{account}"


def provider_of(place: Place, state: BatchState) -> Provider:
    """Return the provider that a run directory was made with.

    One that comes with foxbatch is taken as it is now; another one as it was kept.

    Raises:
        RunDirError: Its file was not kept.
        InvalidError: The kept file is wrong.
    """
    known = starts(state)
    if not known:
        raise RunDirError(
            f"{place.path} holds no run yet", hint="Type `foxbatch run MANIFEST` first."
        )
    last = known[-1]
    if last.origin.provider in builtin_names():
        return load_provider(last.origin.provider, base=place.path)
    path = place.kept(last.provider_sha256)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunDirError(
            f"{path}, the provider file of this run, cannot be read: {error.strerror}",
            hint="Copy the whole run directory, with its folder manifests/.",
        ) from error
    return parse_provider(content, shown_as=str(path), folder=None)


def last_manifest(place: Place, state: BatchState) -> Manifest | None:
    """Return the manifest that was run here last, None where that cannot be read.

    Its file was kept; a newer foxbatch may understand other manifests.
    """
    named = [ref for started in starts(state) for ref in started.manifests]
    if not named:
        return None
    last = named[-1]
    try:
        content = place.kept(last.sha256).read_bytes()
        return parse_manifest(content, path=None, shown_as=last.path)
    except (OSError, InvalidError):
        return None
