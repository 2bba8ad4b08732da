"""The command that writes the gallery."""

from __future__ import annotations

from pathlib import Path

import click

from foxbatch.cli import _options as options
from foxbatch.cli._making import making
from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import count, size
from foxbatch.errors import ExitCode, UsageError

_PROXIES = {"360p": 360, "480p": 480, "720p": 720}


@click.command()
@options.runs_argument()
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where it is written, instead of report.html (or .zip) in the (first) RUN.",
)
@click.option("--title", default="", metavar="TEXT", help="Headline of the page.")
@click.option(
    "--bundle",
    "bundled",
    is_flag=True,
    help="Write a ZIP of the page with all its files, which opens anywhere.",
)
@click.option(
    "--proxy",
    type=click.Choice(list(_PROXIES)),
    help="With --bundle: make films so small in it, so that it can be sent.",
)
@click.option(
    "--no-posters", is_flag=True, help="Make no posters; use those that are there."
)
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@click.pass_obj
def report_command(
    terminal: Terminal,
    *,
    runs: tuple[str, ...],
    output: Path | None,
    title: str,
    bundled: bool,
    proxy: str | None,
    no_posters: bool,
    opens: bool,
) -> int:
    """Write the gallery: one page that shows what came of the matrix.

    The page needs no network; it names the files of the run beside it. Several RUNs are
    compared on the same cells. RUN is a run directory, or the manifest that it belongs
    to.

    \b
    Examples:
      foxbatch report runs/film@foxapi --open
      foxbatch report runs/before@foxapi runs/after@foxapi -o compared.html
      foxbatch report runs/film@foxapi --bundle --proxy 480p -o film.zip
    """
    from foxbatch import api

    _refuse(bundled=bundled, proxy=proxy, opens=opens)
    run_dirs = [api.find_run_dir(run) for run in runs]
    with making(terminal) as watch:
        if bundled:
            done = api.bundle(
                run_dirs,
                output,
                title=title,
                posters=not no_posters,
                proxy_lines=_PROXIES[proxy] if proxy else 0,
                watch=watch,
            )
        else:
            done = api.report(
                run_dirs, output, title=title, posters=not no_posters, watch=watch
            )
    terminal.emit(str(done.path))
    what = f"{count(done.jobs, 'job')}, {count(done.files, 'file')}, {size(done.bytes)}"
    form = "bundle" if bundled else "gallery"
    terminal.say(f"✓ the {form} is written: {what}")
    for note in done.notes:
        terminal.say(f"  ! {note}")
    if opens:
        click.launch(done.path.resolve().as_uri())
    return ExitCode.DONE


def _refuse(*, bundled: bool, proxy: str | None, opens: bool) -> None:
    if proxy and not bundled:
        raise UsageError(
            "--proxy belongs to --bundle: the page shows the files of the run",
            hint="Type --bundle too.",
        )
    if opens and bundled:
        raise UsageError(
            "a bundle has to be unpacked before it is opened",
            hint="Leave --open out, or leave --bundle out.",
        )
