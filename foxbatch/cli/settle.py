"""The command by which a person decides about held jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foxbatch.cli import _options as options
from foxbatch.cli._settings import read_dotenv
from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import visible
from foxbatch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from foxbatch import api
    from foxbatch.events import Decision


@click.command()
@options.run_argument()
@click.argument(
    "jobs", metavar="[JOB]...", nargs=-1, shell_complete=options.complete_held
)
@click.option(
    "--task", metavar="ID", help="It became this task; it is looked at first."
)
@click.option("--buy-again", is_flag=True, help="Let the next run buy it again.")
@click.option("--write-off", is_flag=True, help="Give it up; it counts as failed.")
@click.option("--all", "every", is_flag=True, help="Decide so about all held jobs.")
@click.option("--why", default="", metavar="TEXT", help="Written down with it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--force", is_flag=True, help="Although another machine may still be waiting."
)
@click.option(
    "--trust-host", multiple=True, metavar="HOST", help="Let the key go there too."
)
@click.option(
    "--same-account",
    is_flag=True,
    help="The key is new, the account is the one this directory belongs to.",
)
@options.out_option()
@options.provider_option()
@click.pass_obj
def settle_command(
    terminal: Terminal,
    *,
    run: str,
    jobs: tuple[str, ...],
    task: str | None,
    buy_again: bool,
    write_off: bool,
    every: bool,
    why: str,
    yes: bool,
    force: bool,
    trust_host: tuple[str, ...],
    same_account: bool,
    out: Path | None,
    provider: str | None,
) -> int:
    """Decide about jobs that may have been bought.

    A held job was submitted and no answer came: it may exist, and may cost money. Look
    it up at the service, then say what became of it. JOB is an id, its beginning, or a
    name; without one, each held job is shown with what is known about it, and on a
    terminal one key decides.

    \b
    Example:
      foxbatch settle runs/film@foxapi
      foxbatch settle runs/film@foxapi qk3v7 --task task_abc123
      foxbatch settle runs/film@foxapi qk3v7 m2xab --buy-again --why "not found"
      foxbatch settle runs/film@foxapi --all --write-off
    """
    from foxbatch import api

    decision = _decision(task, buy_again=buy_again, write_off=write_off)
    run_dir = api.find_run_dir(run, out=out, provider=provider)
    chosen = api.RunOptions(
        environ=terminal.environ,
        dotenv=read_dotenv(),
        trust_hosts=frozenset(trust_host),
        same_account=same_account,
    )
    if decision is None:
        return _look(terminal, run_dir, jobs, chosen, why=why, force=force)
    named = _named(run_dir, jobs, decision, every=every)
    rulings = [api.Ruling(job=job, decision=decision, task=task) for job in named]
    ask = None if yes or not rulings else _asker(terminal)
    _settle(terminal, run_dir, rulings, chosen, ask=ask, why=why, force=force)
    return ExitCode.DONE


def _decision(task: str | None, *, buy_again: bool, write_off: bool) -> Decision | None:
    typed = (task is not None) + buy_again + write_off
    if typed > 1:
        raise UsageError(
            "only one thing can have become of the job",
            hint="Type exactly one of --task ID, --buy-again and --write-off.",
        )
    if buy_again:
        return "buy_again"
    if write_off:
        return "write_off"
    return "task" if task is not None else None


def _named(
    run_dir: Path, jobs: Sequence[str], decision: Decision, *, every: bool
) -> Sequence[str]:
    """Return the jobs that a decision on the command line is about."""
    from foxbatch import api

    if bool(jobs) is every:
        held = ", ".join(one.job for one in api.held(run_dir))
        raise UsageError(
            "name jobs, or type --all" if not jobs else "--all names every job already",
            hint=f"Held are {held}." if held else "Nothing is held here.",
        )
    names = [one.job for one in api.held(run_dir)] if every else jobs
    if decision == "task" and len(names) != 1:
        raise UsageError(
            f"one task cannot be {len(names)} jobs", hint="Name the job that it is."
        )
    return names


def _look(
    terminal: Terminal,
    run_dir: Path,
    jobs: Sequence[str],
    chosen: api.RunOptions,
    *,
    why: str,
    force: bool,
) -> int:
    """Show held jobs; on a terminal, ask what became of each of them."""
    import anyio

    from foxbatch import api
    from foxbatch.cli import deciding

    deciding.select(api.held(run_dir), jobs)  # before anybody is asked

    async def look() -> tuple[api.HeldJob, ...]:
        return await api.held_and_charged(run_dir, options=chosen)

    held = deciding.select(anyio.run(look), jobs)
    if not terminal.asks:
        if jobs:
            raise UsageError(
                "say what became of the job",
                hint="Type exactly one of --task ID, --buy-again and --write-off.",
            )
        deciding.show(terminal, held, run_dir)
        return ExitCode.HELD if held else ExitCode.DONE
    rulings = deciding.ask_about(terminal, run_dir, held, chosen)
    ask = _asker(terminal) if rulings else None
    _settle(terminal, run_dir, rulings, chosen, ask=ask, why=why, force=force)
    return ExitCode.HELD if api.held(run_dir) else ExitCode.DONE


def _settle(
    terminal: Terminal,
    run_dir: Path,
    rulings: Sequence[api.Ruling],
    chosen: api.RunOptions,
    *,
    ask: Callable[[str], bool] | None,
    why: str,
    force: bool,
) -> None:
    import anyio

    from foxbatch import api

    if not rulings:
        terminal.say("nothing is to be decided")
        return

    async def decide() -> tuple[api.Settled, ...]:
        return await api.settle_all(
            run_dir, rulings, options=chosen, why=why, force=force, ask=ask
        )

    for settled in anyio.run(decide):
        terminal.say(f"{visible(settled.job)}: {settled.consequence}")


def _asker(terminal: Terminal) -> Callable[[str], bool]:
    if not terminal.asks:
        raise UsageError(
            "nobody is there to confirm the decision", hint="Type --yes to confirm it."
        )

    def ask(question: str) -> bool:
        terminal.say(visible(question))
        return click.confirm("Write that down?", default=False, err=True)

    return ask
