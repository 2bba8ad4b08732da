"""The command that puts files where other tools look for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from foxbatch.cli import _options as options
from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import count, one_line
from foxbatch.errors import ExitCode

if TYPE_CHECKING:
    from foxbatch.api import Exported
    from foxbatch.results.export import Layout

_LAYOUTS = ("plain", "hf", "vbench")


@click.command()
@options.runs_argument()
@click.argument("folder", metavar="DIR", type=options.Folder())
@click.option(
    "--layout",
    type=click.Choice(_LAYOUTS),
    default=_LAYOUTS[0],
    show_default=True,
    help="plain: files alone. hf: with the metadata.jsonl of Hugging Face's"
    " ImageFolder and VideoFolder. vbench: flat, as PROMPT-INDEX.mp4.",
)
@click.option("--picked", is_flag=True, help="Only files that somebody picked.")
@click.option(
    "--names",
    default="",
    metavar="TEMPLATE",
    help="Name files so, such as '{prompt_id}/{sky}-{repeat}'. A name in braces is a"
    " column of the records, an axis, a parameter, or index.",
)
@click.option(
    "--copy", "copies", is_flag=True, help="Copy files, where links are possible too."
)
@click.option(
    "--replace", "replaces", is_flag=True, help="Replace other files that are there."
)
@click.pass_obj
def export_command(
    terminal: Terminal,
    *,
    runs: tuple[str, ...],
    folder: Path,
    layout: str,
    picked: bool,
    names: str,
    copies: bool,
    replaces: bool,
) -> int:
    """Put the files of runs where other tools look for them.

    Files are hard links where the disk can do that: they take no room, and whoever
    edits one edits the run's too (--copy keeps them apart). Nothing else in DIR is
    touched. A file that is not what was downloaded is left out, and the exit code
    is then 5. RUN is a run directory, or the manifest that it belongs to.

    \b
    Example:
      foxbatch export runs/film@foxapi picked/ --picked
      foxbatch export runs/film@foxapi dataset/ --layout hf
    """
    from foxbatch import api

    done = api.export(
        api.distinct(runs),
        folder,
        layout=cast("Layout", layout),
        names=names,
        picked=picked,
        copies=copies,
        replaces=replaces,
    )
    terminal.emit(str(done.path))
    _tell(terminal, done)
    return ExitCode.WRONG if done.wrong else ExitCode.DONE


def _tell(terminal: Terminal, done: Exported) -> None:
    parts = [
        (done.linked, "linked"),
        (done.copied, "copied"),
        (done.there, "there already"),
    ]
    said = ", ".join(f"{number} {what}" for number, what in parts if number)
    total = done.linked + done.copied + done.there
    terminal.say(f"✓ {count(total, 'file')}{f': {said}' if said else ''}")
    if done.unfit:
        terminal.say(f"  {count(done.unfit, 'file')} left out: no place in this layout")
    if done.changed:
        terminal.say(
            f"  {count(done.changed, 'prompt')} changed to be a file name: VBench will"
            " read them so"
        )
    for fault in done.wrong:
        terminal.say(f"✗ left out: {one_line(fault)}")
