"""The gallery of run directories, gathered and written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from foxbatch.api.asking import labels_of
from foxbatch.api.looking import live, read_ledger
from foxbatch.errors import RunDirError
from foxbatch.report import RunOf, gallery, write_page
from foxbatch.report.bundle import write_bundle
from foxbatch.report.curl import service_of
from foxbatch.report.posters import Posters, Watch, posters_of
from foxbatch.results import records


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A gallery that was written.

    Attributes:
        path: The page, or the bundle that it is in.
        jobs: How many jobs it shows.
        files: How many files of theirs.
        bytes: Size of the page, without the files beside it; of a bundle, with them.
        notes: What is not as somebody may expect, in words.
    """

    path: Path
    jobs: int
    files: int
    bytes: int
    notes: tuple[str, ...] = ()


def report(
    run_dirs: Sequence[Path],
    out: Path | None = None,
    *,
    title: str = "",
    posters: bool = True,
    watch: Watch | None = None,
) -> Reported:
    """Write the gallery of one or more run directories.

    Args:
        run_dirs: In the order in which they are compared.
        out: The page; None for `report.html` in the first directory.
        title: For people; empty for the names of the directories.
        posters: Whether pictures that stand for files are made, where they are missing.
        watch: Told how many of how many are made.

    Raises:
        LedgerError: A ledger cannot be trusted.
        RunDirError: The page cannot be written.
    """
    path = out or run_dirs[0] / "report.html"
    gathered = gather(run_dirs, posters=posters, watch=watch)
    headline = title or gathered.title
    try:
        shown = gallery(headline, gathered.runs, beside=path.parent)
    except ValueError as error:  # another drive cannot be named relatively
        raise RunDirError(
            f"{path} cannot name the files of the runs: {error}",
            hint="Write it on the drive where the runs are.",
        ) from error
    write_page(shown, path)
    return Reported(
        path=path,
        jobs=len(shown.cells),
        files=sum(len(cell.files) for cell in shown.cells),
        bytes=path.stat().st_size,
        notes=gathered.notes,
    )


def bundle(
    run_dirs: Sequence[Path],
    out: Path | None = None,
    *,
    title: str = "",
    posters: bool = True,
    proxy_lines: int = 0,
    watch: Watch | None = None,
) -> Reported:
    """Write the gallery with all its files as one ZIP, which opens anywhere.

    Args:
        run_dirs: In the order in which they are compared.
        out: The bundle; None for `report.zip` in the first directory.
        title: For people; empty for the names of the directories.
        posters: Whether pictures that stand for files are made, where they are missing.
        proxy_lines: The shorter side of films in it, in pixels, where that makes them
            smaller; 0 leaves them as they are.
        watch: Told how many of how many files are made.

    Raises:
        LedgerError: A ledger cannot be trusted.
        MissingExtraError: Films cannot be made smaller without the media extra.
        RunDirError: The bundle cannot be written.
    """
    path = out or run_dirs[0] / "report.zip"
    gathered = gather(run_dirs, posters=posters, watch=watch)
    headline = title or gathered.title
    done = write_bundle(
        headline, gathered.runs, path, proxy_lines=proxy_lines, watch=watch
    )
    return Reported(
        path=path,
        jobs=sum(len(run.records) for run in gathered.runs),
        files=done.files,
        bytes=path.stat().st_size,
        notes=(*gathered.notes, *done.notes),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Run directories with all that a page or a sheet shows of them."""

    title: str
    runs: tuple[RunOf, ...]
    notes: tuple[str, ...]


def gather(
    run_dirs: Sequence[Path], *, posters: bool = True, watch: Watch | None = None
) -> Gathered:
    """Read run directories, and make the posters that they lack.

    Raises:
        LedgerError: A ledger cannot be trusted.
        RunDirError: A folder of posters is a link.
    """
    labels = labels_of(run_dirs)
    runs: list[RunOf] = []
    made: list[Posters] = []
    for run_dir, label in zip(run_dirs, labels, strict=True):
        state = read_ledger(run_dir).state
        known = records(state, live=live(state, run_dir))
        found = posters_of(run_dir, known, make=posters, watch=watch)
        made.append(found)
        runs.append(
            RunOf(
                path=run_dir,
                label=label,
                records=known,
                posters=found.pictures,
                peaks=found.peaks,
                service=service_of(state, run_dir),
            )
        )
    notes = tuple(_notes(made))
    return Gathered(title=" and ".join(labels), runs=tuple(runs), notes=notes)


def _notes(made: Sequence[Posters]) -> Iterator[str]:
    unable = next((one.unable for one in made if one.unable), "")
    if unable:
        yield f"it has no new posters: {unable}"
    without = sum(one.without for one in made)
    if without == 1:
        yield "1 file has no poster: it cannot be read"
    elif without:
        yield f"{without:,} files have no poster: they cannot be read"
