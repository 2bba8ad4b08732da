"""The outermost edge: every ending of a command becomes an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from foxbatch.cli._group import foxbatch_command
from foxbatch.cli._settings import redact, secrets_of
from foxbatch.cli._terminal import (
    NobodyReadsError,
    Terminal,
    prepare,
)
from foxbatch.cli._text import visible
from foxbatch.errors import ExitCode, FoxbatchError, InvalidError, most_urgent

_LAST_FRAMES = 3
_LONGEST_MESSAGE = 500


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that *argv* names and return the exit code of the process.

    Args:
        argv: What follows the program's name; that of this process by default.
    """
    prepare(sys.stdout, sys.stderr)
    terminal = Terminal(os.environ)
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        # What click itself writes (help, versions, completions) is data as well.
        with contextlib.redirect_stdout(terminal.stdout):
            code = foxbatch_command.main(
                words, prog_name="foxbatch", standalone_mode=False, obj=terminal
            )
        terminal.stdout.flush()
    except (Exception, KeyboardInterrupt, BaseExceptionGroup) as error:  # noqa: BLE001  the outermost edge
        return _end(_cause(error), terminal)
    return code if isinstance(code, int) else ExitCode.DONE


def _cause(error: BaseException) -> BaseException:
    """Return what really happened, where task groups wrapped it."""
    leaves = list(_leaves(error))
    intended = [leaf for leaf in leaves if isinstance(leaf, FoxbatchError)]
    if len(intended) < len(leaves):
        return next(leaf for leaf in leaves if not isinstance(leaf, FoxbatchError))
    first = most_urgent(*(leaf.exit_code for leaf in intended))
    return next(leaf for leaf in intended if leaf.exit_code is first)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _end(error: BaseException, terminal: Terminal) -> ExitCode:
    """Say what ended the command, and return what that means for the shell."""
    code = ExitCode.BUG
    match error:
        case NobodyReadsError():
            return ExitCode.DONE
        case KeyboardInterrupt() | click.exceptions.Abort():
            terminal.say("interrupted")
            return ExitCode.INTERRUPTED
        case click.ClickException():
            code = ExitCode.USAGE
            _tell(terminal, error.format_message().rstrip("."), _usage_hint(error))
        case InvalidError():
            from foxbatch.cli.problems import show

            code = error.exit_code
            show(terminal, terminal.err, error.problems)
        case FoxbatchError():
            code = error.exit_code
            _tell(terminal, str(error), error.hint)
        case _:
            _confess(error, terminal)
    if os.environ.get("FOXBATCH_DEBUG"):
        import traceback

        told = "".join(traceback.format_exception(error))
        terminal.say(redact(told, secrets_of(os.environ)))
    return code


def _usage_hint(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context is not None else "foxbatch"
    return f"Type `{path} --help` to see how it is used."


def _tell(terminal: Terminal, message: str, hint: str) -> None:
    from rich.text import Text

    told = Text.assemble(("error: ", "bold red"), (visible(message), "bold"))
    terminal.err.print(told)
    if hint:
        terminal.err.print(Text.assemble(("  try: ", "bold green"), visible(hint)))


def _confess(error: BaseException, terminal: Terminal) -> None:
    """Say that it is our fault, and where."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)[-_LAST_FRAMES:]
    places = [f"{Path(f.filename).name}:{f.lineno} in {f.name}" for f in frames]
    what = redact(str(error), secrets_of(os.environ))[:_LONGEST_MESSAGE]
    _tell(
        terminal,
        f"this is a bug in foxbatch: {type(error).__name__}: {what}"
        + "".join(f"\n  at {place}" for place in reversed(places)),
        "Report it with these lines. What was paid for is in the ledger: the same"
        " command goes on. FOXBATCH_DEBUG=1 shows everything.",
    )
