"""Arguments and options that several commands share."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from click.shell_completion import CompletionItem

from foxbatch.errors import FoxbatchError, UsageError

if TYPE_CHECKING:
    from foxbatch.provider import Provider

CommandT = TypeVar("CommandT", bound=Callable[..., object])

# Beyond these the sandbox's own arithmetic ends: waits of no time, or of years.
_SLOWEST, _FASTEST = 0.001, 1_000_000


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
            seconds = float(value) if value.isdecimal() else parse_duration(value)
        except (ValueError, OverflowError) as error:
            self.fail(str(error), param, ctx)
        if not 0 < seconds < math.inf:
            self.fail(f"{value!r} is no time to wait; write such as 50m", param, ctx)
        return seconds


class Speed(click.ParamType[float]):
    """How many times faster than real."""

    name = "factor"

    def convert(
        self,
        value: str | float,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Return the factor."""
        try:
            factor = float(value)
        except ValueError:
            factor = math.nan
        if not _SLOWEST <= factor <= _FASTEST:
            self.fail(
                f"{value!r} is no speed; write a number such as 20"
                f" ({_SLOWEST:g} to {_FASTEST:,.0f})",
                param,
                ctx,
            )
        return factor


class Amount(click.ParamType[float]):
    """An amount of credits, more than none."""

    name = "credits"

    def convert(
        self,
        value: str | float,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """Return the amount."""
        try:
            amount = float(value)
        except ValueError:
            amount = math.nan
        if not 0 < amount < math.inf:
            self.fail(
                f"{value!r} is no amount of credits; write such as 500", param, ctx
            )
        return amount


class Whole(click.ParamType[int]):
    """A whole number.

    Args:
        least: The smallest that makes sense.
    """

    name = "integer"

    def __init__(self, least: int = 0) -> None:
        self._least = least

    def convert(
        self,
        value: str | int,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        """Return the number."""
        try:
            number = int(value)
        except ValueError:
            self.fail(f"{value!r} is no whole number; write such as 10", param, ctx)
        if number < self._least:
            self.fail(f"{number} is too small; the least is {self._least}", param, ctx)
        return number


class Folder(click.Path):
    """A folder, which may not exist yet. An empty text is not the working directory."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, file_okay=False)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | bytes | os.PathLike[str]:
        """Return the path."""
        if not str(value).strip():
            self.fail("an empty text names no folder; write . for this one", param, ctx)
        return super().convert(value, param, ctx)


class FaultPlan(click.ParamType[str]):
    """The name of a fault plan, or the file that one is in."""

    name = "plan"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the plans that come with foxbatch, then files."""
        del ctx, param
        from foxbatch.sandbox.faults import listing

        found = [one for one in listing() if one.name.startswith(incomplete)]
        if not found:
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(one.name, help=one.title) for one in found]


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


def runs_argument() -> Callable[[CommandT], CommandT]:
    """Return the argument for one RUN or more."""
    return click.argument(
        "runs", metavar="RUN...", nargs=-1, required=True, type=click.Path()
    )


def out_option() -> Callable[[CommandT], CommandT]:
    """Return the option that names the run directory."""
    return click.option(
        "--out",
        type=Folder(),
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
        metavar="WHICH",
        callback=_no_empty_glob,
        help="Only jobs that this names: a glob of their spec, name or id, the first 4"
        " or more characters of their id, or NAME=VALUE of a parameter or axis;"
        " given several times, each adds some.",
    )


def fresh_option() -> Callable[[CommandT], CommandT]:
    """Return the option that ignores what other run directories have bought."""
    return click.option(
        "--fresh",
        is_flag=True,
        help="Buy also what another run directory beside this one has bought.",
    )


def set_option() -> Callable[[CommandT], CommandT]:
    """Return the option that puts values before those of the manifest."""
    return click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="PATH=VALUE",
        help="Take this value instead of the manifest's, such as vars.film=Kodak or"
        " jobs.beach.repeat=3; may be given several times.",
    )


def _no_empty_glob(
    ctx: click.Context, param: click.Parameter, globs: tuple[str, ...]
) -> tuple[str, ...]:
    if not all(map(str.strip, globs)):
        raise click.BadParameter(
            "an empty text names no job; write a name, or a glob such as 'beach/*'",
            ctx,
            param,
        )
    return globs


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


def complete_held(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the held jobs of the run that was named before."""
    from foxbatch import api

    try:
        run_dir = api.find_run_dir(str(ctx.params["run"]))
        held = api.held(run_dir)
    except FoxbatchError:  # the command itself will say what is wrong
        return []
    return [
        CompletionItem(one.job, help=one.name)
        for one in held
        if one.job.startswith(incomplete)
    ]


def complete_schema(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the names of the schemas."""
    from foxbatch.schema import schema_names

    return _starting(schema_names(), incomplete)


def _starting(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


_EVERY_CLASS = "*"


class RetryCommand(click.Command):
    """Lets `--retry-failed` stand alone and never eat what follows it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give a lone `--retry-failed` the value that means every class."""
        lone = "--retry-failed"
        spelt = [f"{lone}={_EVERY_CLASS}" if arg == lone else arg for arg in args]
        return super().parse_args(ctx, spelt)


def retry_option() -> Callable[[CommandT], CommandT]:
    """Add `--retry-failed`; the command is a `RetryCommand`."""
    return click.option(
        "--retry-failed",
        multiple=True,
        metavar="[=CLASS]",
        help="Buy failed jobs again: all, or those of these classes"
        " (=content,timeout).",
    )


def failure_classes(typed: Sequence[str], provider: Provider) -> frozenset[str]:
    """Return the classes that `--retry-failed` names, each of them one that exists.

    Raises:
        UsageError: No job of that provider can fail in such a way.
    """
    from foxbatch.events import EXPIRED, WRITTEN_OFF
    from foxbatch.schema import suggest

    known = {"unknown", EXPIRED, WRITTEN_OFF, *provider.failure_classes.values()}
    known |= {r.error_class for r in provider.submit_rules if r.means == "input"}
    classes = [word.strip() for text in typed for word in text.split(",")]
    for name in classes:
        if name not in (_EVERY_CLASS, *known):
            raise UsageError(
                f"--retry-failed: there is no failure class {name!r}",
                hint=suggest(name, sorted(known), "Classes"),
            )
    return frozenset(classes)
