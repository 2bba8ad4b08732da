"""The command that reads a log back into the ledger."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from foxbatch.cli import _options as options
from foxbatch.cli._loading import load
from foxbatch.cli._settings import read_dotenv
from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import amount, count, visible
from foxbatch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from foxbatch.api import LoggedTask, Recovery, Wanted

_MOST_SHOWN = 20
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@click.command()
@options.run_argument()
@click.option(
    "--from-log",
    "log",
    type=click.Path(allow_dash=True),
    required=True,
    metavar="FILE",
    help="What the lost run wrote on stderr; - is standard input.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.out_option()
@options.provider_option()
@options.set_option()
@click.pass_obj
def recover_command(
    terminal: Terminal,
    *,
    run: str,
    log: str,
    yes: bool,
    out: Path | None,
    provider: str | None,
    overrides: tuple[str, ...],
) -> int:
    """Write tasks down again that only a log still knows.

    Where a machine was lost with its disk, its log still has a line for every task:
    accepted job=… task=… credits=…. Time stamps and colours around it do not matter.
    RUN is the manifest that was run, or what is left of the run directory. Nothing is
    sent; foxbatch collect fetches the results afterwards.

    \b
    Example:
      foxbatch recover --from-log ci.log manifests/film.yaml --provider foxapi
    """
    from foxbatch import api

    wanted, run_dir = _place(terminal, run, out, provider, overrides)
    known = api.RunOptions(environ=terminal.environ, dotenv=read_dotenv())
    source = "standard input" if log == "-" else Path(log).name
    with _opened(log) as lines:
        found = api.recover(
            run_dir,
            lines,
            wanted=wanted,
            options=known,
            source=source,
            ask=None if yes else _asker(terminal),
        )
    _tell(terminal, found)
    return ExitCode.DONE


def _place(
    terminal: Terminal,
    run: str,
    out: Path | None,
    provider: str | None,
    overrides: tuple[str, ...],
) -> tuple[Wanted | None, Path]:
    """Return the manifest, if RUN is one, and the run directory."""
    from foxbatch import api

    if Path(run).is_dir():
        if not (Path(run) / "ledger").is_dir():
            raise UsageError(
                f"there is no ledger left in {run}",
                hint="Name the manifest that was run, and --out if that was typed.",
            )
        return None, Path(run)
    wanted = load(terminal, run, provider, overrides)
    return wanted, out or api.default_run_dir(wanted)


@contextmanager
def _opened(log: str) -> Iterator[TextIO]:
    """Open a log, whatever bytes are in it; PowerShell writes UTF-16."""
    if log == "-":
        yield sys.stdin
        return
    try:
        with Path(log).open("rb") as file:
            wide = file.read(2) in _WIDE
        encoding = "utf-16" if wide else "utf-8"
        with Path(log).open(encoding=encoding, errors="replace") as lines:
            yield lines
    except OSError as error:
        raise UsageError(
            f"{log} cannot be read: {error.strerror or error}",
            hint="Name the file that the log was saved in.",
        ) from error


def _asker(terminal: Terminal) -> Callable[[Recovery], bool]:
    def ask(found: Recovery) -> bool:
        for one in found.tasks[:_MOST_SHOWN]:
            terminal.say(_shown(one, found))
        if (more := len(found.tasks) - _MOST_SHOWN) > 0:
            terminal.say(f"and {more:,} more")
        if not terminal.asks:
            raise UsageError(
                f"nobody is there to confirm {count(len(found.tasks), 'task')}",
                hint="Type --yes to write them down.",
            )
        where = visible(str(found.run_dir))
        terminal.say(f"Each becomes a task of {where}, and is not bought again.")
        return click.confirm("Write that down?", default=False, err=True)

    return ask


def _shown(one: LoggedTask, found: Recovery) -> str:
    price = "" if one.credits is None else f", {amount(one.credits)} credits"
    return visible(f"{found.names[one.job]} ({one.job}): task {one.task}{price}")


def _tell(terminal: Terminal, found: Recovery) -> None:
    from foxbatch import api

    for one in found.strangers:
        terminal.say(
            f"line {one.line}: job {one.job} is none of this run's; nothing was written"
            f" down about its task {one.task}"
        )
    said = f"{count(len(found.tasks), 'task')} written down"
    if found.known:
        said += f", {found.known:,} known before"
    where = visible(api.show_path(found.run_dir))
    terminal.say(f"{said}; foxbatch collect {where} fetches the results")
