"""The matrix of run directories as one picture, or as a film of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from foxbatch.api.reporting import gather
from foxbatch.canonical import Digest
from foxbatch.errors import MissingExtraError, RunDirError, UsageError
from foxbatch.report import RunOf, gallery
from foxbatch.report.posters import Watch, whole
from foxbatch.report.sheet import Sheet, Wish, plan_sheet

if TYPE_CHECKING:
    from foxbatch.report.sheet_drawing import Found, Scheme

STILL = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
"""Forms of pictures, by the ending of the file."""

MOVING = {".mp4": "mp4", ".webp": "webp"}
"""Forms of films, likewise; a WebP plays where there is something to play."""

_SETTINGS: Mapping[str, Mapping[str, int]] = {
    "PNG": {"compress_level": 6},
    "JPEG": {"quality": 88},
    "WEBP": {"quality": 86, "method": 2},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheeted:
    """A contact sheet that was written.

    Attributes:
        width: In pixels, as `height`.
        plays: Whether it is a film.
        notes: What is not as somebody may expect, in words.
    """

    path: Path
    width: int
    height: int
    bytes: int
    jobs: int
    plays: bool
    notes: tuple[str, ...] = ()


def sheet(
    run_dirs: Sequence[Path],
    out: Path | None = None,
    *,
    title: str = "",
    wish: Wish | None = None,
    scheme: Scheme = "light",
    watch: Watch | None = None,
) -> Sheeted:
    """Write the matrix of one or more run directories as one picture.

    Args:
        run_dirs: In the order in which they are compared.
        out: The picture; its ending says which form, and whether it plays. None for
            `sheet.png` in the first directory.
        title: For people; empty for the names of the directories.
        wish: Which axes go where, which jobs are shown, and how wide it is.
        scheme: Which colours.
        watch: Told how many of how many files are read.

    Raises:
        LedgerError: A ledger cannot be trusted.
        MissingExtraError: Nothing can be drawn without the media extra.
        RunDirError: It cannot be written. What was there is as it was.
        UsageError: There is no such axis, value or form, or nothing is left to show.
    """
    path, wish = out or run_dirs[0] / "sheet.png", wish or Wish()
    ending = path.suffix.lower()
    if ending not in STILL and ending not in MOVING:
        raise UsageError(
            f"{path} does not end like a picture",
            hint="Let it end in .png, .jpg or .webp, or in .mp4 for a film.",
        )
    if find_spec("av") is None or find_spec("PIL") is None:
        raise MissingExtraError("the contact sheet", "media")
    from foxbatch.report.sheet_drawing import Found
    from foxbatch.report.sheet_film import MOST_PX, WIDEST_PX, films_on

    gathered = gather(run_dirs, watch=watch)
    # No address is written, so it does not matter where a page would be.
    runs = [msgspec.structs.replace(run, base="-") for run in gathered.runs]
    shown = gallery(title or gathered.title, runs, beside=Path())
    found = [Found(files=_files(run), posters=run.posters) for run in runs]
    planned = plan_sheet(shown, wish)
    plays = ending in MOVING and bool(films_on(planned))
    if ending == ".mp4" and not plays:
        raise UsageError(
            "there is no film to play", hint="Let the file end in .png instead."
        )
    if plays:
        wish = replace(wish, width=min(wish.width, WIDEST_PX))
        planned = plan_sheet(shown, wish, widest_px=WIDEST_PX, most_px=MOST_PX)
    form = MOVING[ending] if plays else STILL[ending]
    try:
        _write(planned, found, scheme, path, form=form, watch=watch)
    except OSError as error:
        raise RunDirError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="Mend that, or name another place with -o.",
        ) from error
    notes = (*gathered.notes, *([planned.left_out] if planned.left_out else []))
    return Sheeted(
        path=path,
        width=planned.width,
        height=planned.height,
        bytes=path.stat().st_size,
        jobs=sum(tile.cell is not None for tile in planned.tiles),
        plays=plays,
        notes=notes,
    )


def _files(run: RunOf) -> dict[Digest, Path]:
    found: dict[Digest, Path] = {}
    for record in run.records:
        for file in record.artifacts:
            path = whole(run.path, file)
            if path is not None:
                found.setdefault(file.sha256, path)
    return found


def _write(
    planned: Sheet,
    found: Sequence[Found],
    scheme: Scheme,
    path: Path,
    *,
    form: str,
    watch: Watch | None,
) -> None:
    """Draw a sheet into another file, which then gets the name: whole or not at all."""
    from foxbatch.report.sheet_drawing import draw_sheet
    from foxbatch.report.sheet_film import write_film

    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    try:
        if form in MOVING.values():
            write_film(planned, found, scheme, new, form=form, watch=watch)
        else:
            picture = draw_sheet(planned, found, scheme)
            with new.open("xb") as file:
                picture.save(file, form, **_SETTINGS[form])
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
