"""The command by which a person decides about a held job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foxbatch.cli import _options as options
from foxbatch.cli._settings import read_dotenv
from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import visible
from foxbatch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from foxbatch.events import Decision


@click.command()
@options.run_argument()
@click.argument("job")
@click.option(
    "--task", metavar="ID", help="It became this task; it is looked at first."
)
@click.option("--buy-again", is_flag=True, help="Let the next run buy it again.")
@click.option("--write-off", is_flag=True, help="Give it up; it counts as failed.")
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
    job: str,
    task: str | None,
    buy_again: bool,
    write_off: bool,
    why: str,
    yes: bool,
    force: bool,
    trust_host: tuple[str, ...],
    same_account: bool,
    out: Path | None,
    provider: str | None,
) -> int:
    """Decide about a job that may have been bought.

    A held job was submitted and no answer came: it may exist, and may cost money. Look
    it up at the service, then say what became of it. JOB is an id, its beginning, or a
    name; `foxbatch status` lists the held ones.

    \b
    Example:
      foxbatch settle runs/film@foxapi qk3v7 --task task_abc123
      foxbatch settle runs/film@foxapi qk3v7 --buy-again --why "support: not found"
    """
    import anyio

    from foxbatch import api

    decision = _decision(task, buy_again=buy_again, write_off=write_off)
    run_dir = api.find_run_dir(run, out=out, provider=provider)
    chosen = api.RunOptions(
        environ=terminal.environ,
        dotenv=read_dotenv(),
        trust_hosts=frozenset(trust_host),
        same_account=same_account,
    )

    async def decide() -> api.Settled:
        return await api.settle(
            run_dir,
            job,
            decision,
            options=chosen,
            task=task,
            why=why,
            force=force,
            ask=None if yes else _asker(terminal),
        )

    settled = anyio.run(decide)
    terminal.say(f"{visible(settled.job)}: {settled.consequence}")
    return ExitCode.DONE


def _decision(task: str | None, *, buy_again: bool, write_off: bool) -> Decision:
    if (task is not None) + buy_again + write_off != 1:
        raise UsageError(
            "say what became of the job",
            hint="Type exactly one of --task ID, --buy-again and --write-off.",
        )
    if buy_again:
        return "buy_again"
    return "write_off" if write_off else "task"


def _asker(terminal: Terminal) -> Callable[[str], bool]:
    if not terminal.asks:
        raise UsageError(
            "nobody is there to confirm the decision", hint="Type --yes to confirm it."
        )

    def ask(question: str) -> bool:
        terminal.say(visible(question))
        return click.confirm("Write that down?", default=False, err=True)

    return ask
