"""The command that writes the matrix as one picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from foxbatch.cli import _options as options
from foxbatch.cli._making import making
from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import count, size
from foxbatch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from foxbatch.report.sheet_drawing import Scheme

_NARROWEST = 300


@click.command()
@options.runs_argument()
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where it is written, instead of sheet.png in the (first) RUN. Its ending says"
    " what it becomes: .png, .jpg, .webp, or .mp4.",
)
@click.option("--rows", default="", metavar="AXIS", help="What goes down.")
@click.option("--cols", default="", metavar="AXIS", help="What goes across.")
@click.option(
    "--where",
    multiple=True,
    metavar="AXIS=VALUE",
    help="Only jobs that have this value; may be given several times.",
)
@click.option(
    "--width", type=options.Whole(_NARROWEST), metavar="PX", help="How wide it is."
)
@click.option(
    "--scheme",
    type=click.Choice(["light", "dark"]),
    default="light",
    show_default=True,
    help="Which colours it has.",
)
@click.option("--title", default="", metavar="TEXT", help="Headline of the sheet.")
@click.pass_obj
def sheet_command(
    terminal: Terminal,
    *,
    runs: tuple[str, ...],
    output: Path | None,
    rows: str,
    cols: str,
    where: tuple[str, ...],
    width: int | None,
    scheme: str,
    title: str,
) -> int:
    """Write the matrix as one picture, for a pull request or a chat.

    Rows and columns are those that the gallery shows first, unless they are named. An
    .mp4, and a .webp of films, plays all of them in step, for 8 seconds at most. RUN is
    a run directory, or the manifest that it belongs to.

    \b
    Examples:
      foxbatch sheet runs/film@foxapi -o sheet.png
      foxbatch sheet runs/film@foxapi --rows prompt --cols model --where duration=8
      foxbatch sheet runs/film@foxapi -o sheet.mp4 --scheme dark
    """
    from foxbatch import api
    from foxbatch.report.sheet import Wish

    wish = Wish(rows=rows, cols=cols, where=_pairs(where), width=width or 0)
    run_dirs = [api.find_run_dir(run) for run in runs]
    with making(terminal) as watch:
        done = api.sheet(
            run_dirs,
            output,
            title=title,
            wish=wish,
            scheme=cast("Scheme", scheme),
            watch=watch,
        )
    terminal.emit(str(done.path))
    what = f"{count(done.jobs, 'job')}, {done.width}×{done.height}, {size(done.bytes)}"
    terminal.say(f"✓ the sheet is written: {what}")
    for note in done.notes:
        terminal.say(f"  ! {note}")
    return ExitCode.DONE


def _pairs(where: tuple[str, ...]) -> list[tuple[str, str]]:
    pairs = []
    for text in where:
        axis, equals, value = text.partition("=")
        if not (axis and equals):
            raise UsageError(
                f"--where: {text!r} is no AXIS=VALUE",
                hint="Write such as duration=8, or prompt=dawn.",
            )
        pairs.append((axis, value))
    return pairs
