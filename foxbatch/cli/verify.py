"""The command that re-checks a run directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from foxbatch.cli import _options as options
from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import count, one_line, size
from foxbatch.errors import ExitCode

if TYPE_CHECKING:
    from foxbatch.api import Verified


@click.command()
@options.run_argument()
@options.out_option()
@options.provider_option()
@options.formats("text", "json")
@click.pass_obj
def verify_command(
    terminal: Terminal, *, run: str, out: Path | None, provider: str | None, form: str
) -> int:
    """Check that a run directory is what was written.

    Every line of the ledger, the kept manifests, size, digest and contents of every
    file, results.jsonl, and files that nobody knows. Nothing is asked and nothing is
    changed. RUN is a run directory, or the manifest that it belongs to. Exits 5 when
    something is wrong.

    \b
    Example:
      foxbatch verify runs/film@foxapi
    """
    from foxbatch import api

    run_dir = api.find_run_dir(run, out=out, provider=provider)
    verified = _verify(terminal, run_dir)
    if form == "json":
        terminal.emit_json(verified.to_json(), indent=2)
    else:
        _show(terminal, verified)
    return ExitCode.DONE if verified.valid else ExitCode.WRONG


def _verify(terminal: Terminal, run_dir: Path) -> Verified:
    from foxbatch import api

    if not terminal.err.is_terminal:
        return api.verify(run_dir)
    with terminal.err.status("") as status:
        return api.verify(
            run_dir, watch=lambda path: status.update(Text(one_line(path, 60), "dim"))
        )


def _show(terminal: Terminal, verified: Verified) -> None:
    for one in verified.findings:
        mark = ("✗ ", "bold red") if one.wrong else ("· ", "dim")
        path = (one_line(one.path), "bold" if one.wrong else "")
        line = Text.assemble(mark, path, f": {one_line(one.message)}")
        terminal.out.print(line, soft_wrap=True)
    if verified.changed:
        line = Text.assemble(("✗ ", "bold red"), f"since the run: {verified.changed}")
        terminal.out.print(line, soft_wrap=True)
    seen = (
        f"{count(verified.ledger_files, 'ledger file')},"
        f" {count(verified.facts, 'fact')}, {count(verified.artifacts, 'whole file')}"
        f" ({size(verified.bytes)})"
    )
    wrong = sum(one.wrong for one in verified.findings)
    said = (
        Text.assemble(("✗ ", "bold red"), f"{count(wrong, 'thing')} wrong: {seen}")
        if wrong
        else Text.assemble(("✓ ", "bold green"), f"as it was written: {seen}")
    )
    terminal.out.print(said, soft_wrap=True)
    if verified.unchecked:
        terminal.say(
            f"what is in {count(verified.unchecked, 'file')} was not checked: type"
            " pip install 'foxbatch[media]'"
        )
