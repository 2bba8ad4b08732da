"""The commands that look at a manifest: validate, expand, plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foxbatch.cli import _options as options
from foxbatch.cli._loading import STDIN, load
from foxbatch.cli._settings import read_dotenv
from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import visible
from foxbatch.cli.noticing import teller
from foxbatch.errors import ExitCode, InvalidError, UsageError

if TYPE_CHECKING:
    from foxbatch.api import Instead, Notice, Wanted
    from foxbatch.cli.validation import Checked
    from foxbatch.events import JobPlanned
    from foxbatch.matrix import Job
    from foxbatch.planner import Choice

_MANIFESTS = click.argument(
    "manifests", nargs=-1, required=True, type=click.Path(allow_dash=True)
)


# ---- validate


@click.command()
@_MANIFESTS
@options.provider_option()
@options.set_option()
@click.option("--strict", is_flag=True, help="Warnings and notes count as errors.")
@click.option(
    "--fix", is_flag=True, help="Mend in the files what needs nobody to decide."
)
@options.formats("text", "json", "github", "sarif")
@click.pass_obj
def validate_command(
    terminal: Terminal,
    *,
    manifests: Sequence[str],
    provider: str | None,
    overrides: tuple[str, ...],
    strict: bool,
    fix: bool,
    form: str,
) -> int:
    """Check manifests and every job they expand to, offline.

    All problems are shown at once; exit code 3 means that there are errors. With --fix,
    what is said and decided is about what is left.

    \b
    Example:
      foxbatch validate manifests/*.yaml
      foxbatch validate --fix manifests/film.yaml
    """
    from foxbatch.api import Instead
    from foxbatch.cli import validation

    instead = Instead(provider, overrides)
    if fix:
        _fix(terminal, manifests, instead)
    checked = [_check(terminal, path, instead, strict=strict) for path in manifests]
    validation.show(terminal, checked, form)
    valid = all(one.valid for one in checked)
    return ExitCode.DONE if valid else ExitCode.INVALID


def _fix(terminal: Terminal, manifests: Sequence[str], instead: Instead) -> None:
    from foxbatch import api
    from foxbatch.cli import validation

    if STDIN in manifests:
        raise UsageError(
            "--fix changes files, and standard input is none",
            hint="Name the file, or leave --fix out.",
        )
    for path in manifests:
        try:
            validation.tell_fixed(terminal, api.fix_manifest(Path(path), instead))
        except InvalidError:  # it cannot be read, which checking it will say
            continue


def _check(terminal: Terminal, path: str, instead: Instead, *, strict: bool) -> Checked:
    from foxbatch import api
    from foxbatch.cli import validation

    shown = "<stdin>" if path == STDIN else path
    try:
        wanted = load(terminal, path, instead.provider, instead.overrides)
        checked = api.check(wanted)
    except InvalidError as error:
        return validation.Checked(shown, None, error.problems, strict)
    return validation.Checked(shown, checked.jobs, checked.problems, strict)


# ---- expand


@click.command()
@_MANIFESTS
@options.provider_option()
@options.set_option()
@options.only_option()
@click.option(
    "--cells", is_flag=True, help="Print the cells of the matrix, nothing rendered."
)
@options.formats("table", "jsonl")
@click.pass_obj
def expand_command(
    terminal: Terminal,
    *,
    manifests: Sequence[str],
    provider: str | None,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    cells: bool,
    form: str,
) -> int:
    """Print the jobs that a manifest expands to.

    The same manifest gives the same jobs with the same ids on every machine.

    \b
    Example:
      foxbatch expand manifests/quickstart.yaml --format jsonl
    """
    from foxbatch import api
    from foxbatch.cli import listing

    wanted = [load(terminal, path, provider, overrides) for path in manifests]
    tellers = [teller(terminal, path) for path in manifests]
    jobs = _jobs(terminal, wanted, only, tellers)
    parts = (
        cell
        for one, notice in zip(wanted, tellers, strict=True)
        for cell in api.expand_cells(one, notice=notice)
    )
    if form == "jsonl":
        for thing in parts if cells else jobs:
            terminal.emit_json(thing.to_json())
    elif cells:
        listing.show_cells(terminal, list(parts))
    else:
        listing.show_jobs(terminal, list(jobs))
    return ExitCode.DONE


def _jobs(
    terminal: Terminal,
    wanted: Sequence[Wanted],
    only: tuple[str, ...],
    tellers: Sequence[Notice],
) -> Iterator[Job]:
    from foxbatch import api

    if not only:  # and then no job has to be kept to tell what was meant
        for one, notice in zip(wanted, tellers, strict=True):
            yield from api.expand(one, notice=notice)
        return
    from foxbatch.planner import Choice, as_planned

    choice, seen = Choice(only=only), []
    for one, notice in zip(wanted, tellers, strict=True):
        for job in api.expand(one, notice=notice):
            planned = as_planned(job, one.manifest.sha256)
            seen.append(planned)
            if choice.selects(planned):
                yield job
    _tell_unmatched(terminal, choice, seen)


def _tell_unmatched(
    terminal: Terminal, choice: Choice, jobs: Sequence[JobPlanned]
) -> None:
    """Say on stderr which part of `--only` names no job."""
    from foxbatch import api

    for error in api.unmatched(choice, jobs):
        terminal.say(visible(f"{error}. {error.hint}"))


# ---- plan


@click.command(cls=options.RetryCommand)
@options.manifest_argument()
@options.out_option()
@options.provider_option()
@options.set_option()
@options.only_option()
@options.retry_option()
@options.fresh_option()
@options.formats("table", "json", "jsonl")
@click.option(
    "--exit-code", is_flag=True, help="Exit 20 if there is anything to submit."
)
@click.pass_obj
def plan_command(
    terminal: Terminal,
    *,
    manifest: str,
    out: Path | None,
    provider: str | None,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    retry_failed: tuple[str, ...],
    fresh: bool,
    form: str,
    exit_code: bool,
) -> int:
    """Show what a run would do, and why.

    Nothing is sent. What was never bought here has no known price, which is not zero.
    What another run directory beside this one has bought is taken from there.

    \b
    Example:
      foxbatch plan manifests/quickstart.yaml --exit-code
      foxbatch plan manifests/film.yaml --retry-failed=content
    """
    from foxbatch import api, planner
    from foxbatch.cli import planning

    wanted = load(terminal, manifest, provider, overrides)
    classes = options.failure_classes(retry_failed, wanted.provider)
    choice = planner.Choice(only=only, retry_failed=classes, fresh=fresh)
    notice = teller(terminal, manifest)
    known = api.RunOptions(environ=terminal.environ, dotenv=read_dotenv())
    plan = api.plan(wanted, out=out, choice=choice, notice=notice, options=known)
    _tell_unmatched(terminal, choice, [job.wanted for job in plan.jobs])
    if form == "table":
        planning.show(terminal, plan, wanted, out or api.default_run_dir(wanted))
    elif form == "json":
        terminal.emit_json(planning.as_json(plan), indent=2)
    else:
        for job in plan.jobs:
            terminal.emit_json(planning.job_as_json(job))
    changes = bool(plan.with_action(*planner.BUYS))
    return ExitCode.CHANGES if exit_code and changes else ExitCode.DONE
