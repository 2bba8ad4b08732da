"""The commands that show what is known: status, results."""

from __future__ import annotations

from pathlib import Path

import click

from foxbatch.cli import _options as options
from foxbatch.cli._terminal import Terminal
from foxbatch.errors import ExitCode


@click.command()
@options.run_argument()
@options.out_option()
@options.provider_option()
@options.formats("table", "json")
@click.option("--watch", is_flag=True, help="Look again every 2 s until nothing runs.")
@click.pass_obj
def status_command(
    terminal: Terminal,
    *,
    run: str,
    out: Path | None,
    provider: str | None,
    form: str,
    watch: bool,
) -> int:
    """Show where every job stands.

    From the ledger alone: nothing is asked and nothing is changed. RUN is a run
    directory, or the manifest that it belongs to.

    \b
    Example:
      foxbatch status manifests/quickstart.yaml --watch
    """
    from foxbatch import api
    from foxbatch.cli import standing

    run_dir = api.find_run_dir(run, out=out, provider=provider)
    if watch and form == "table":
        standing.watch(terminal, run_dir)
    elif form == "json":
        terminal.emit_json(api.status(run_dir).to_json(), indent=2)
    else:
        standing.show(terminal, api.status(run_dir))
    return ExitCode.DONE


@click.command()
@options.run_argument()
@options.out_option()
@options.provider_option()
@options.formats("table", "jsonl", "csv")
@click.pass_obj
def results_command(
    terminal: Terminal, *, run: str, out: Path | None, provider: str | None, form: str
) -> int:
    """Print one record per job.

    RUN is a run directory, or the manifest that it belongs to.

    \b
    Example:
      foxbatch results runs/quickstart@sandbox --format csv > clips.csv
    """
    import msgspec

    from foxbatch import api
    from foxbatch.cli import standing
    from foxbatch.results import write_csv

    run_dir = api.find_run_dir(run, out=out, provider=provider)
    records = api.results(run_dir)
    if not records:
        standing.say_empty(terminal, run_dir)
    if form == "table":
        standing.show_records(terminal, records)
    elif form == "csv":
        write_csv(records, terminal.stdout)
    else:
        for record in records:
            terminal.emit(msgspec.json.encode(record).decode())
    return ExitCode.DONE
