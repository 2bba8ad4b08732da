"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import click
from click.shell_completion import CompletionItem

from foxbatch.errors import FoxbatchError

CommandT = TypeVar("CommandT", bound=Callable[..., object])


class Duration(click.ParamType[float]):
    """A stretch of time such as `90s`, `20m` or `1h30m`, or a number of seconds."""

    name = "duration"

    def convert(
        self,
        value: str | float,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Return seconds."""
        from foxbatch.policy import parse_duration

        if not isinstance(value, str):
            return value
        try:
            return float(value) if value.isdecimal() else parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def formats(*names: str, default: str | None = None) -> Callable[[CommandT], CommandT]:
    """Return the `--format` option of a command; its first choice is the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(names),
        default=default or names[0],
        show_default=True,
        help="How to print it.",
    )


def manifest_argument() -> Callable[[CommandT], CommandT]:
    """Return the MANIFEST argument; `-` is standard input."""
    return click.argument("manifest", type=click.Path(allow_dash=True))


def run_argument() -> Callable[[CommandT], CommandT]:
    """Return the RUN argument: a run directory, or the manifest that it belongs to."""
    return click.argument("run", type=click.Path())


def out_option() -> Callable[[CommandT], CommandT]:
    """Return the option that names the run directory."""
    return click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        help="Run directory, instead of runs/NAME@PROVIDER.",
    )


def provider_option() -> Callable[[CommandT], CommandT]:
    """Return the option that replaces the manifest's provider."""
    return click.option(
        "--provider",
        metavar="NAME|FILE",
        shell_complete=complete_provider,
        help="Use this provider instead of the manifest's.",
    )


def only_option() -> Callable[[CommandT], CommandT]:
    """Return the option that selects jobs."""
    return click.option(
        "--only",
        multiple=True,
        metavar="GLOB",
        help="Only jobs whose spec, name or id matches; may be given several times.",
    )


def complete_provider(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the built-in providers, then files."""
    from foxbatch.provider import builtin_names

    names = _starting(builtin_names(), incomplete)
    return names or [CompletionItem(incomplete, type="file")]


def complete_model(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the models of the provider that was named before."""
    from foxbatch.provider import load_provider

    try:
        named = ctx.params.get("provider") or "foxapi"
        provider = load_provider(str(named), base=Path.cwd())
    except FoxbatchError:  # the command itself will say what is wrong
        return []
    return _starting(provider.models, incomplete)


def complete_schema(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the names of the schemas."""
    from foxbatch.schema import schema_names

    return _starting(schema_names(), incomplete)


def _starting(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
