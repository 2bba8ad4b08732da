"""A run directory: where it is, what is in it, and whom it belongs to."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from foxbatch.api.wanted import Wanted, load_manifest
from foxbatch.canonical import Digest, sha256
from foxbatch.durable import make_folder, sync_file, sync_folder, write_whole
from foxbatch.errors import InvalidError, OriginError, RunDirError, UsageError
from foxbatch.events import Origin, RunStarted
from foxbatch.manifest import Manifest, parse_manifest
from foxbatch.provider import Provider, builtin_names, load_provider, parse_provider
from foxbatch.sources import find_root
from foxbatch.state import BatchState


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

    @property
    def posters(self) -> Path:
        """Pictures that stand for files, derived."""
        return self.path / ".posters"

    def check(self, *, home: Path | None = None) -> None:
        """Raise if anything that is written here would end up elsewhere.

        A checkout may bring links along that lead out of it. Nothing is changed.

        Args:
            home: Top of the project that the directory has to be in, if any.

        Raises:
            RunDirError: A link is in the way.
        """
        if home is not None and not self.path.resolve().is_relative_to(home.resolve()):
            raise RunDirError(
                f"{self.path} leads out of the project, to {self.path.resolve()}",
                hint=f"Type --out {self.path.resolve()} if that is meant.",
            )
        parts = (
            self.ledger,
            self.results,
            self.sandbox,
            self.sandbox / "tasks.jsonl",
            self.posters,
            self.path / "manifests",
            self.path / "ratings",
            self.path / ".lock",
        )
        for part in parts:
            if part.is_symlink():
                raise RunDirError(
                    f"{part} is a link to {part.readlink()}",
                    hint="Remove it: a run directory keeps its files to itself.",
                )

    def kept(self, digest: Digest) -> Path:
        """Where the exact bytes of a manifest or provider file are kept."""
        return self.path / "manifests" / f"{digest}.yaml"

    def read_kept(self, digest: Digest) -> bytes:
        """Return what was kept under *digest*.

        Raises:
            RunDirError: It is not there, or not what it was.
        """
        path = self.kept(digest)
        try:
            content = path.read_bytes() if digest.isalnum() else b""
        except OSError as error:
            raise RunDirError(
                f"{path}, which this run needs, cannot be read: {error.strerror}",
                hint="Copy the whole run directory, with its folder manifests/.",
            ) from error
        if sha256(content) != digest:
            raise RunDirError(
                f"{path} is not what was kept there",
                hint="Restore the file from git or a backup.",
            )
        return content

    def keep(self, digest: Digest, content: bytes) -> None:
        """Keep *content* under its digest; durable, whole or not at all."""
        path = self.kept(digest)
        try:
            make_folder(path.parent)
            if self._is_kept(digest):
                # By a run that may have ended before it was on the disk.
                sync_file(path)
                sync_folder(path.parent)
            else:
                write_whole(path, [content])
        except OSError as error:
            raise RunDirError(
                f"{path} cannot be written: {error.strerror}",
                hint="Mend that and type the same command again; nothing was sent.",
            ) from error

    def _is_kept(self, digest: Digest) -> bool:
        with suppress(RunDirError):
            self.read_kept(digest)
            return True
        return False


def default_run_dir(wanted: Wanted) -> Path:
    """Return the directory that belongs to a manifest and a provider.

    It hangs on the manifest's repository, never on the working directory, or the
    same command typed elsewhere would buy everything again. For the same reason one
    that was used before is used again, further down or up: it was made before there
    was a repository, or before `foxbatch init` was typed elsewhere.

    Raises:
        RunDirError: There are two of them.
    """
    folder = wanted.manifest.directory.resolve()
    relative = Path("runs") / f"{wanted.manifest.name}@{wanted.provider.id}"
    used = [
        place / relative
        for place in _places(folder)
        if any((place / relative / "ledger").glob("*.jsonl"))
    ]
    if len(used) > 1:
        raise RunDirError(
            f"what was bought is in {used[0]} or in {used[1]}",
            hint="Say which one is meant with --out, and move the other one away.",
        )
    return used[0] if used else find_root(folder) / relative


def _places(folder: Path) -> list[Path]:
    """Return *folder* and what is above it, up to the outermost top of its project."""
    places, top = [folder, *folder.parents], find_root(folder)
    if not (top / ".git").exists():
        marked = [place for place in places if (place / ".foxbatch").exists()]
        top = marked[-1] if marked else top
    return places[: places.index(top) + 1]


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
    content = place.read_kept(last.provider_sha256)
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
        content = place.read_kept(last.sha256)
        return parse_manifest(content, path=None, shown_as=last.path)
    except (RunDirError, InvalidError):
        return None
