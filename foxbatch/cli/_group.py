"""The `foxbatch` command: what there is, each loaded only when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import click

import foxbatch
from foxbatch.errors import UsageError

SECTIONS: Mapping[str, Mapping[str, str]] = {
    "Prepare": {
        "init": "Write a first manifest and what belongs beside it.",
        "validate": "Check manifests and every job they expand to, offline.",
        "expand": "Print the jobs that a manifest expands to.",
        "plan": "Show what a run would do, and why.",
    },
    "Run": {
        "run": "Submit, wait and download; the same command goes on.",
        "collect": "Fetch what was bought; buys nothing.",
        "settle": "Decide about jobs that may have been bought.",
        "recover": "Write tasks down again that only a log still knows.",
    },
    "Look": {
        "status": "Show where every job stands.",
        "results": "Print one record per job.",
        "query": "Ask the records of one run or several, in SQL.",
        "export": "Put the files of runs where other tools look for them.",
        "report": "Write the gallery: one page that shows what came of the matrix.",
        "view": "Show the gallery, also while the run goes on.",
        "sheet": "Write the matrix as one picture, for a pull request or a chat.",
        "verify": "Check that a run directory is what was written.",
        "models": "Show the models of a provider and their parameters.",
        "schema": "Print a JSON Schema.",
    },
    "Help": {
        "sandbox": "Serve the pretend service by itself.",
        "doctor": "Check that everything is in place here.",
        "completion": "Print shell completion.",
    },
}
"""Commands by section, with the first line of their help, which the command shows."""

_HOME = {
    "init": "init",
    "validate": "prepare",
    "expand": "prepare",
    "plan": "prepare",
    "run": "run",
    "collect": "run",
    "settle": "settle",
    "recover": "recover",
    "status": "look",
    "results": "look",
    "query": "query",
    "export": "export",
    "report": "report",
    "view": "view",
    "sheet": "sheet",
    "verify": "verify",
    "models": "models",
    "schema": "models",
    "sandbox": "sandbox",
    "doctor": "doctor",
    "completion": "completion",
}
"""Module of `foxbatch.cli` that each command stands in."""

HELP_FLAGS = ["-h", "--help"]


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names, in the order of `SECTIONS`."""
        return list(_HOME)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None where there is none of that name."""
        if cmd_name not in _HOME:
            return None
        module = import_module(f"foxbatch.cli.{_HOME[cmd_name]}")
        found: click.Command = getattr(module, f"{cmd_name}_command")
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that *args* start with, or say which was meant."""
        name = args[0]
        if name not in _HOME and not name.startswith("-") and not ctx.resilient_parsing:
            import difflib

            close = difflib.get_close_matches(name, _HOME, n=1)
            raise UsageError(
                f"there is no command {name!r}",
                hint=f"Did you mean {close[0]}?"
                if close
                else "Type `foxbatch --help` to see what there is.",
            )
        return super().resolve_command(ctx, args)

    def format_commands(
        self, _ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List the commands by section, without importing any of them."""
        width = max(map(len, _HOME))
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(n.ljust(width), t) for n, t in commands.items()])


@click.command(
    "foxbatch",
    cls=LazyGroup,
    no_args_is_help=False,
    invoke_without_command=True,
    context_settings={"help_option_names": HELP_FLAGS, "max_content_width": 88},
    epilog=(
        "Start with: foxbatch init && foxbatch run manifests/first.yaml. What each"
        " exit code means: foxbatch run --help."
    ),
)
@click.version_option(
    foxbatch.__version__, "-V", "--version", message="%(prog)s %(version)s"
)
@click.pass_context
def foxbatch_command(ctx: click.Context) -> int:
    """Run batches of generative media jobs from a manifest.

    Nothing is paid for twice, and nothing that was paid for is lost.

    \b
    Example:
      foxbatch run manifests/quickstart.yaml
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
    return 0
