"""The outermost edge: every ending of a command becomes an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from foxbatch.cli._group import foxbatch_command
from foxbatch.cli._terminal import Terminal, prepare
from foxbatch.cli._text import visible
from foxbatch.errors import ExitCode, FoxbatchError, InvalidError

_LAST_FRAMES = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that *argv* names and return the exit code of the process.

    Args:
        argv: What follows the program's name; that of this process by default.
    """
    prepare(sys.stdout, sys.stderr)
    terminal = Terminal(os.environ)
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv), terminal)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has seen enough
        _hush()
        return ExitCode.DONE
    except KeyboardInterrupt:
        terminal.say("interrupted")
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001  the outermost edge
        return _explain(_cause(error), terminal)
    return code


def _run(argv: list[str], terminal: Terminal) -> int:
    try:
        code = foxbatch_command.main(
            argv, prog_name="foxbatch", standalone_mode=False, obj=terminal
        )
    except click.exceptions.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        _tell(terminal, error.format_message().rstrip("."), _usage_hint(error))
        return ExitCode.USAGE
    return code if isinstance(code, int) else ExitCode.DONE


def _usage_hint(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context is not None else "foxbatch"
    return f"Type `{path} --help` to see how it is used."


def _cause(error: Exception) -> Exception:
    """Return what really happened, where task groups wrapped it."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _explain(error: Exception, terminal: Terminal) -> int:
    match error:
        case InvalidError():
            from foxbatch.cli.problems import show

            show(terminal, terminal.err, error.problems)
        case FoxbatchError():
            _tell(terminal, str(error), error.hint)
        case _:
            _confess(error, terminal)
    if os.environ.get("FOXBATCH_DEBUG"):
        traceback.print_exception(error)
    return error.exit_code if isinstance(error, FoxbatchError) else ExitCode.BUG


def _tell(terminal: Terminal, message: str, hint: str) -> None:
    from rich.text import Text

    told = Text.assemble(("error: ", "bold red"), (visible(message), "bold"))
    terminal.err.print(told)
    if hint:
        terminal.err.print(Text.assemble(("  try: ", "bold green"), visible(hint)))


def _confess(error: Exception, terminal: Terminal) -> None:
    """Say that it is our fault, and where; never with a value that could be a key."""
    frames = traceback.extract_tb(error.__traceback__)[-_LAST_FRAMES:]
    places = [f"{Path(f.filename).name}:{f.lineno} in {f.name}" for f in frames]
    _tell(
        terminal,
        f"this is a bug in foxbatch: {type(error).__name__}"
        + "".join(f"\n  at {place}" for place in reversed(places)),
        "Report it with these lines. What was paid for is in the ledger: the same"
        " command goes on. FOXBATCH_DEBUG=1 shows everything.",
    )


def _hush() -> None:
    """Let the interpreter flush stdout into nothing when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
