"""The commands that show what is known: status, results."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foxbatch.cli import _options as options
from foxbatch.cli._output import check_binary, deliver, format_for, output_option
from foxbatch.cli._terminal import Terminal
from foxbatch.errors import ExitCode

if TYPE_CHECKING:
    from foxbatch.api import Results


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
@options.formats("table", "jsonl", "csv", "parquet")
@output_option()
@click.option("--picked", is_flag=True, help="Only jobs of which a file was picked.")
@click.pass_obj
def results_command(
    terminal: Terminal,
    *,
    run: str,
    out: Path | None,
    provider: str | None,
    form: str,
    output: Path | None,
    picked: bool,
) -> int:
    """Print one record per job.

    CSV and Parquet have one row per file, or per job without one. RUN is a run
    directory, or the manifest that it belongs to.

    \b
    Example:
      foxbatch results runs/quickstart@sandbox --format csv > clips.csv
      foxbatch results runs/quickstart@sandbox -o clips.parquet
    """
    from foxbatch import api
    from foxbatch.cli import standing

    form = format_for(form, output)
    check_binary(terminal, form, output)
    run_dir = api.find_run_dir(run, out=out, provider=provider)
    records = (api.picked_results if picked else api.load_results)(run_dir)
    if not records and picked:
        terminal.say("nothing is picked: foxbatch report writes a page to do that")
    elif not records:
        standing.say_empty(terminal, run_dir)
    if form == "table":
        standing.show_records(terminal, records)
    else:
        deliver(terminal, _as_file(records, form), output)
    return ExitCode.DONE


def _as_file(records: Results, form: str) -> str | bytes:
    import msgspec

    from foxbatch.results import flatten, write_csv

    if form == "jsonl":
        return "".join(f"{msgspec.json.encode(one).decode()}\n" for one in records)
    table = flatten(records.runs).results
    if form == "csv":
        stream = io.StringIO()
        write_csv(table, stream)
        return stream.getvalue()
    from foxbatch.results.sql import parquet

    return parquet(table)
