"""The command that serves the gallery while a run goes on."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import click

from foxbatch.cli import _options as options
from foxbatch.cli._terminal import Terminal
from foxbatch.errors import ExitCode


@click.command()
@options.runs_argument()
@click.option("--open", "opens", is_flag=True, help="Open it in the browser.")
@click.option("--title", default="", metavar="TEXT", help="Headline of the page.")
@click.option(
    "--as",
    "who",
    default="",
    metavar="NAME",
    help="Whose ratings are kept, instead of this user's.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="0 takes a free one.",
)
@click.pass_obj
def view_command(
    terminal: Terminal,
    *,
    runs: tuple[str, ...],
    opens: bool,
    title: str,
    who: str,
    port: int,
) -> int:
    """Show the gallery, also while the run goes on.

    The page is served to this machine alone, and changes as facts arrive. Only ratings
    can be changed in it: they are kept in `ratings/` of the run directory. Several RUNs
    are compared on the same cells. RUN is a run directory, or the manifest that it
    belongs to. The address that opens the page goes to stdout; Ctrl-C ends it.

    \b
    Examples:
      foxbatch view runs/film@foxapi --open
      foxbatch view manifests/film.yaml --as ada
    """
    from foxbatch import api

    def ready(url: str) -> None:
        terminal.emit(url)
        terminal.stdout.flush()
        terminal.say("The gallery is ready (Ctrl-C ends it).")
        if opens:
            click.launch(url)

    run_dirs = [api.find_run_dir(run) for run in runs]
    api.view(run_dirs, on_ready=ready, title=title, who=who, port=port)
    return ExitCode.DONE


@contextlib.contextmanager
def viewed(terminal: Terminal, run_dir: Path) -> Iterator[None]:
    """Show the gallery of *run_dir* in the browser while the block runs.

    Where somebody is there to see it, it stays until Ctrl-C when the block is done.
    """
    from foxbatch import api

    with api.view_beside(run_dir) as showing:
        terminal.say(f"the gallery: {showing.url}")
        click.launch(showing.url)
        yield
        if terminal.asks:
            terminal.say("The gallery stays open (Ctrl-C ends it).")
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()
