"""Files of runs, put where another tool looks for them."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foxbatch.api.asking import labels_of
from foxbatch.api.looking import results
from foxbatch.artifacts import verify_stored
from foxbatch.canonical import Digest
from foxbatch.durable import write_whole
from foxbatch.errors import RunDirError, UsageError
from foxbatch.report.ratings import picks, read_ratings
from foxbatch.results import Row, flatten
from foxbatch.results.export import ExportPlan, Layout, plan_export


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was put where.

    Attributes:
        path: The folder.
        linked: Files that share their content with the run's.
        copied: Files where that was not possible, or not wanted.
        there: Files that were there already.
        wrong: Files that are not what was downloaded, in words; they are left out.
        unfit: Files that the layout has no place for.
        changed: Prompts that had to be changed to be a name.
    """

    path: Path
    linked: int
    copied: int
    there: int
    wrong: tuple[str, ...]
    unfit: int
    changed: int


def export(
    run_dirs: Sequence[Path],
    folder: Path,
    *,
    layout: Layout = "plain",
    names: str = "",
    picked: bool = False,
    copies: bool = False,
    replaces: bool = False,
) -> Exported:
    """Put the files of runs into *folder*, under names that another tool reads.

    Files are linked where that is possible: it takes no room, and what changes one
    changes the other. Nothing is written before it is clear that nothing is in the
    way.

    Args:
        run_dirs: Whose files.
        folder: Where to; it may exist.
        layout: Whom the folder is for.
        names: Template of the names; empty for the layout's.
        picked: Only files that somebody picked.
        copies: Copy instead of linking.
        replaces: Replace what is in the way.

    Raises:
        UsageError: The folder is in a run directory, another file is in the way, or
            the template names what there is not.
        RunDirError: The disk does not take it.
        LedgerError: A ledger cannot be trusted.
    """
    for run_dir in run_dirs:
        if folder.resolve().is_relative_to(run_dir.resolve()):
            raise UsageError(
                f"{folder} is in the run directory {run_dir}",
                hint="Name a folder outside: in it, verify would call them strangers.",
            )
    places = dict(zip(labels_of(run_dirs), run_dirs, strict=True))
    rows, wrong = _rows(places, picked=picked)
    plan = plan_export(rows, layout, names)
    sources = [
        (places[str(file.row["run"])] / str(file.row["artifact.path"])).resolve()
        for file in plan.files
    ]
    todo = _todo(folder, plan, sources, replaces=replaces)
    try:
        how = [_put(*each, folder, copies=copies) for each in todo]
        for name, text in plan.texts.items():
            write_whole(_inside(folder, folder / name), [text])
    except OSError as error:
        raise RunDirError(
            f"{folder} cannot be written: {error.strerror or error}",
            hint="What is there already stays; type the same command again.",
        ) from error
    return Exported(
        path=folder,
        linked=how.count("linked"),
        copied=how.count("copied"),
        there=len(plan.files) - len(todo),
        wrong=tuple(wrong),
        unfit=plan.unfit,
        changed=plan.changed,
    )


def _rows(places: dict[str, Path], *, picked: bool) -> tuple[list[Row], list[str]]:
    """Return the rows of the files that are whole, and what is wrong with others."""
    flat = flatten((label, results(run_dir)) for label, run_dir in places.items())
    wanted = {
        label: picks(read_ratings(run_dir))
        for label, run_dir in places.items()
        if picked
    }
    good: list[Row] = []
    wrong: list[str] = []
    for row in flat.results.rows:
        path, size = row["artifact.path"], row["artifact.bytes"]
        if not isinstance(path, str) or not isinstance(size, int):
            continue
        run, digest = str(row["run"]), Digest(str(row["artifact.sha256"]))
        if picked and (str(row["job"]), digest) not in wanted[run]:
            continue
        fault = verify_stored(places[run], path=path, sha256=digest, size_bytes=size)
        if fault is None:
            good.append(row)
        else:
            wrong.append(fault)
    return good, wrong


def _todo(
    folder: Path, plan: ExportPlan, sources: Sequence[Path], *, replaces: bool
) -> list[tuple[Path, Path]]:
    """Return what is to be put where, or raise when something is in the way."""
    todo, other = [], []
    for file, source in zip(plan.files, sources, strict=True):
        place = folder / file.name
        if _is_same(place, source):
            continue
        todo.append((source, place))
        if os.path.lexists(place):
            other.append(place)
    for name, text in plan.texts.items():
        place = folder / name
        if os.path.lexists(place) and _content(place) != text:
            other.append(place)
    if other and not replaces:
        more = f" and {len(other) - 1} more" if len(other) > 1 else ""
        raise UsageError(
            f"{other[0]}{more} would be replaced, and nothing was written",
            hint="Name another folder, or add --replace if that is meant.",
        )
    return todo


def _is_same(place: Path, source: Path) -> bool:
    if place.is_symlink() or not place.is_file():
        return False
    return place.samefile(source) or filecmp.cmp(place, source, shallow=False)


def _content(place: Path) -> bytes | None:
    try:
        return place.read_bytes()
    except OSError:
        return None


def _put(source: Path, place: Path, folder: Path, *, copies: bool) -> str:
    """Put *source* at *place*, whole or not at all, and return how."""
    place = _inside(folder, place)
    temporary = place.with_name(".foxbatch-export.new")
    temporary.unlink(missing_ok=True)
    how = "copied"
    if not copies:
        try:
            os.link(source, temporary)
            how = "linked"
        except OSError:  # another disk, or one that has no links
            copies = True
    if copies:
        shutil.copyfile(source, temporary)
    temporary.replace(place)
    return how


def _inside(folder: Path, place: Path) -> Path:
    """Return *place* with its folder made; links that are there must not lead out.

    Raises:
        UsageError: They do.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.parent.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            f"{place.parent} leads out of {folder}, through a link",
            hint="Remove the link, or name another folder.",
        )
    return place
