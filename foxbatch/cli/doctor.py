"""The command that checks what is in place on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from foxbatch.cli import _options as options
from foxbatch.cli._settings import read_dotenv
from foxbatch.cli._terminal import Terminal
from foxbatch.errors import ExitCode, most_urgent

if TYPE_CHECKING:
    from foxbatch.cli.checks import Check

_MARKS = {
    "ok": ("✓", "green"),
    "note": ("·", "dim"),
    "warning": ("!", "bold yellow"),
    "error": ("✗", "bold red"),
}


@click.command()
@click.option(
    "--provider",
    metavar="NAME|FILE",
    default="foxapi",
    show_default=True,
    shell_complete=options.complete_provider,
    help="Whose key and address to check.",
)
@click.option(
    "--online",
    is_flag=True,
    help="Ask the service too. One harmless GET, with the key.",
)
@click.option(
    "--trust-host", multiple=True, metavar="HOST", help="Let the key go there too."
)
@options.formats("text", "json")
@click.pass_obj
def doctor_command(
    terminal: Terminal,
    *,
    provider: str,
    online: bool,
    trust_host: tuple[str, ...],
    form: str,
) -> int:
    """Check that everything is in place here.

    Python, optional parts, key, disk, clock and git; nothing is sent unless --online
    is given, and the key is never shown.

    \b
    Example:
      foxbatch doctor --online
    """
    from foxbatch import api
    from foxbatch.cli import checks
    from foxbatch.provider import load_provider

    asked = api.RunOptions(
        environ=terminal.environ,
        dotenv=read_dotenv(),
        trust_hosts=frozenset(trust_host),
    )
    service = load_provider(provider, base=Path.cwd())
    found = [*checks.machine(Path.cwd()), *checks.service(service, asked)]
    if online:
        found.append(checks.reachable(service, asked))
    if form == "json":
        terminal.emit_json(checks.as_json(found), indent=2)
    else:
        _show(terminal, found)
    return most_urgent(*(check.exit_code for check in found))


def _show(terminal: Terminal, found: list[Check]) -> None:
    from rich.text import Text

    for check in found:
        mark, colour = _MARKS[check.state]
        line = Text.assemble((f"{mark} ", colour), (f"{check.name:<9}", "bold"))
        terminal.out.print(line.append(check.message), soft_wrap=True)
        if check.hint:
            terminal.out.print(Text(f"{'':<11}{check.hint}", "dim"), soft_wrap=True)
    wrong = sum(check.exit_code is not ExitCode.DONE for check in found)
    terminal.say("all is well" if not wrong else f"{wrong} to be mended")
