"""The commands that talk to the service: run, collect."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foxbatch.cli import _options as options
from foxbatch.cli._loading import load
from foxbatch.cli._settings import read_dotenv
from foxbatch.cli._terminal import Terminal
from foxbatch.cli.noticing import teller
from foxbatch.cli.view import viewed
from foxbatch.errors import UsageError

if TYPE_CHECKING:
    from foxbatch.api import Audience, RunOptions, RunSummary
    from foxbatch.cli.conducting import Work
    from foxbatch.cli.screen import Screen
    from foxbatch.runner import StopButton


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """What run and collect can both be told."""

    stop_after: float | None
    trust_host: tuple[str, ...]
    same_account: bool
    form: str
    verbose: int
    log_file: Path | None

    def options(self, terminal: Terminal) -> RunOptions:
        from foxbatch import api

        return api.RunOptions(
            stop_after_s=self.stop_after,
            trust_hosts=frozenset(self.trust_host),
            same_account=self.same_account,
            environ=terminal.environ,
            dotenv=read_dotenv(),
        )


_SHARED = (
    click.option(
        "--stop-after",
        type=options.Duration(),
        help="Stop after so long, such as 50m; what runs remotely goes on.",
    ),
    click.option(
        "--trust-host",
        multiple=True,
        metavar="HOST",
        help="Let the key go to this host too; may be given several times.",
    ),
    click.option(
        "--same-account",
        is_flag=True,
        help="The key is new, the account is the one this directory belongs to.",
    ),
    options.formats("text", "json"),
    click.option(
        "-v", "--verbose", count=True, help="Log facts to stderr; -vv logs more."
    ),
    click.option(
        "--log-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Log facts to the end of this file instead.",
    ),
)


def _shared(function: Callable[..., int]) -> Callable[..., int]:
    """Add the options that run and collect have in common, as one argument."""

    @functools.wraps(function)
    def gathered(
        *args: object,
        stop_after: float | None,
        trust_host: tuple[str, ...],
        same_account: bool,
        form: str,
        verbose: int,
        log_file: Path | None,
        **rest: object,
    ) -> int:
        shared = _Shared(
            stop_after=stop_after,
            trust_host=trust_host,
            same_account=same_account,
            form=form,
            verbose=verbose,
            log_file=log_file,
        )
        return function(*args, shared=shared, **rest)

    for decorate in reversed(_SHARED):
        gathered = decorate(gathered)
    return gathered


@click.command(cls=options.RetryCommand)
@options.manifest_argument()
@options.out_option()
@options.provider_option()
@options.set_option()
@options.only_option()
@click.option(
    "--max-new", type=options.Whole(), metavar="N", help="Buy at most N jobs."
)
@click.option(
    "--max-credits",
    type=options.Amount(),
    metavar="N",
    help="Spend at most N credits of the service in this run.",
)
@click.option(
    "--canary",
    is_flag=True,
    help="Buy one job of each price first, show what the rest would cost, and go on"
    " only if that fits and somebody agrees.",
)
@click.option(
    "--allow-unpriced",
    is_flag=True,
    help="With a budget in credits, buy also what has no known price.",
)
@options.retry_option()
@options.fresh_option()
@click.option(
    "--fail-fast", is_flag=True, help="Submit nothing after the first failed job."
)
@click.option("--yes", is_flag=True, help="Agree to what the run costs.")
@click.option(
    "--detach", is_flag=True, help="Leave when all is submitted; collect later."
)
@click.option(
    "--view", "views", is_flag=True, help="Show the gallery while the run goes on."
)
@click.option(
    "--speed",
    type=options.Speed(),
    default=20.0,
    show_default=True,
    help="How much faster than real the embedded sandbox is.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Of the embedded sandbox."
)
@click.option(
    "--faults",
    type=options.FaultPlan(),
    help="What the embedded sandbox does wrong: calm, flaky, storm, or a plan's file.",
)
@_shared
@click.pass_obj
def run_command(
    terminal: Terminal,
    *,
    manifest: str,
    out: Path | None,
    provider: str | None,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    max_new: int | None,
    max_credits: float | None,
    canary: bool,
    allow_unpriced: bool,
    retry_failed: tuple[str, ...],
    fresh: bool,
    fail_fast: bool,
    yes: bool,
    detach: bool,
    views: bool,
    speed: float,
    seed: int,
    faults: str | None,
    shared: _Shared,
) -> int:
    """Submit, wait and download; the same command goes on.

    Every job is checked before anything is sent. What is done, running or in doubt is
    not bought again, also where another run directory has it. Ctrl-C stops submitting
    and leaves remote tasks running.

    \b
    Example:
      foxbatch run manifests/quickstart.yaml
      foxbatch run manifests/film.yaml --provider sandbox --faults flaky --view
      foxbatch run manifests/film.yaml --provider foxapi --only 'beach/*' --max-new 4
      foxbatch run manifests/film.yaml --only model=veo-3.1 --set jobs.beach.repeat=3
      foxbatch run manifests/film.yaml --provider foxapi --canary --max-credits 500

    \b
    Exit codes:
      0    all that was asked for is done
      2    wrong usage                     3    a manifest is not valid
      4    the run directory is unusable   6    key, account or address refused
      7    the budget is reached           8    the service is out of reach
      10   jobs failed                     11   held jobs need a decision
      12   work still runs remotely        130  interrupted
      70   a bug in foxbatch
    """
    from foxbatch import api
    from foxbatch.planner import Choice

    _refuse_no_purchase(max_new)
    wanted = load(terminal, manifest, provider, overrides)
    classes = options.failure_classes(retry_failed, wanted.provider)
    chosen = dataclasses.replace(
        shared.options(terminal),
        out=out,
        choice=Choice(only=only, retry_failed=classes, fresh=fresh),
        max_new=max_new,
        max_credits=max_credits,
        canary=canary,
        allow_unpriced=allow_unpriced,
        fail_fast=fail_fast,
        yes=yes,
        detach=detach,
        speed=speed,
        seed=seed,
        faults=faults,
    )

    def work(
        audience: Sequence[Audience], screen: Screen, stop: StopButton
    ) -> Awaitable[RunSummary]:
        asks = terminal.asks and not yes
        return api.run(
            wanted,
            chosen,
            audience=audience,
            confirm=screen.ask if asks else None,
            go_on=screen.asker(yes=yes, asks=asks),
            stop=stop,
            notice=teller(terminal, manifest),
        )

    if not views:
        return _conduct(terminal, shared, work)
    with viewed(terminal, out or api.default_run_dir(wanted)):
        return _conduct(terminal, shared, work)


def _refuse_no_purchase(max_new: int | None) -> None:
    if max_new == 0:
        raise UsageError(
            "--max-new 0 would buy nothing",
            hint="Type `foxbatch collect` to fetch what was bought before, or"
            " `foxbatch plan` to see what a run would do.",
        )


@click.command()
@options.run_argument()
@options.out_option()
@options.provider_option()
@_shared
@click.pass_obj
def collect_command(
    terminal: Terminal,
    *,
    run: str,
    out: Path | None,
    provider: str | None,
    shared: _Shared,
) -> int:
    """Fetch what was bought; buys nothing.

    RUN is a run directory, or the manifest that it belongs to.

    \b
    Example:
      foxbatch collect runs/film@foxapi
    """
    from foxbatch import api

    run_dir = api.find_run_dir(run, out=out, provider=provider)
    chosen = shared.options(terminal)

    def work(
        audience: Sequence[Audience], _screen: Screen, stop: StopButton
    ) -> Awaitable[RunSummary]:
        return api.collect(run_dir, chosen, audience=audience, stop=stop)

    return _conduct(terminal, shared, work)


def _conduct(terminal: Terminal, shared: _Shared, work: Work) -> int:
    from foxbatch.cli import conducting

    return conducting.conduct(
        terminal,
        work,
        form=shared.form,
        verbosity=shared.verbose,
        log_file=shared.log_file,
    )
