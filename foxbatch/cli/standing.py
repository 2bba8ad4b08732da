"""Where jobs stand and what came of them, as tables."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.text import Text

from foxbatch import api
from foxbatch.account import NOT_PROOF
from foxbatch.cli._tables import Cell, Column, show_table
from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import amount, count, one_line, size
from foxbatch.cli.money import budgets_in_words
from foxbatch.cli.screen import PHASE_COLOURS, legend
from foxbatch.clock import show_duration
from foxbatch.events import MediaFacts
from foxbatch.results import Failure, Record
from foxbatch.state import Phase

_LOOK_AGAIN_S = 2.0
_SLOWED = {"rate": "too many requests", "concurrency": "too many tasks"}
_KINDS = 5
_LONGEST_ERROR = 160
_LONGEST_PROBLEM = 300


def show(terminal: Terminal, status: api.Status) -> None:
    """Print one line per job, then the sums and what needs a person."""
    columns = [
        Column("JOB", style="cyan", whole=True),
        Column("NAME", style="bold", cut=True, whole=True),
        Column("PHASE"),
        Column("TASK", whole=True, rank=2),
        Column("SINCE", style="dim", rank=1),
        Column("ERROR", wraps=True),
    ]
    rows: list[list[Cell]] = [
        [
            job.job,
            job.name,
            Text(job.phase, PHASE_COLOURS[job.phase]),
            job.task or "-",
            _moment(job.since),
            in_words(job.error),
        ]
        for job in status.jobs
    ]
    if rows:
        show_table(terminal, columns, rows)
        terminal.emit("")
    for line in summary(status):
        terminal.out.print(line, soft_wrap=True)


def summary(status: api.Status) -> Iterator[Text]:
    """Yield the sums of *status*, and what needs a person."""
    line = legend(status.phases) if status.jobs else Text("no job was planned yet")
    line.append("   ")
    yield line.append(one_line(api.show_path(status.run_dir)), "dim")
    if status.running_pid is not None:
        yield Text(f"process {status.running_pid} is working on it", "bold")
    for job in status.at_risk:
        yield Text(
            f"at risk: {one_line(job.name)} is kept by the service until "
            f"{_moment(job.valid_until)}; type foxbatch collect",
            "bold red",
        )
    yield from _held(status)
    yield from _money(status)
    for one in status.lengths[:_KINDS]:
        what = one_line(", ".join(one.kind))
        said = f"{show_duration(one.usual_s)}, from {one.tasks:,} seen to end"
        yield Text(f"tasks take: {what}: about {said}", "dim")
    if (more := len(status.lengths) - _KINDS) > 0:
        yield Text(f"and {count(more, 'more kind')} of tasks", "dim")
    if status.slowed:
        times = ", ".join(f"{_SLOWED[word]} {n}" for word, n in status.slowed.items())
        yield Text(f"slowed down by the service: {times}", "dim")
    for problem in status.problems:
        yield Text(f"! {one_line(problem, _LONGEST_PROBLEM)}", "yellow")


def _held(status: api.Status) -> Iterator[Text]:
    """Yield what may have been bought, and what the account did meanwhile."""
    for job in status.jobs:
        if job.phase is Phase.HELD:
            alive = " (its run may still be alive elsewhere)" if job.maybe_alive else ""
            yield Text(
                f"held: {one_line(job.name)} may have been bought{alive}; type foxbatch"
                f" settle {api.show_path(status.run_dir)} {job.job}",
                "magenta",
            )
    for rise in status.account:
        yield Text(f"account: {one_line(rise.in_words())}", "magenta")
    if status.account:
        yield Text(NOT_PROOF, "dim")


def _money(status: api.Status) -> Iterator[Text]:
    """Yield what was bought, and what is left of each budget."""
    spent = status.spent
    if not spent.spending.jobs:
        return
    said = f"{count(spent.spending.jobs, 'purchase')}, {_credits(spent)}"
    yield Text(f"spent: {said}", "dim")
    for one in status.budgets:
        for words in budgets_in_words([one.spending]):
            bound = one.spending.budget.credits is not None
            shown = bound and one.reserved
            open_ = f" ({amount(one.reserved)} not over yet)" if shown else ""
            yield Text(f"budget: {words}{open_}", "dim")


def _credits(spent: api.Spent) -> str:
    said = f"{amount(spent.spending.credits)} credits"
    if spent.reserved:
        said += f", {amount(spent.reserved)} of them for what is not over yet"
    if spent.spending.unpriced:
        said += f", and {count(spent.spending.unpriced, 'purchase')} of unknown price"
    return said


def watch(terminal: Terminal, run_dir: Path) -> None:
    """Show *run_dir* until no process works on it; in a pipe, one line per change."""
    said = ""
    while True:
        status = api.status(run_dir)
        line = next(summary(status)).plain
        if terminal.out.is_terminal:
            terminal.out.clear()
            show(terminal, status)
        elif line != said:
            terminal.emit(line)
            terminal.stdout.flush()
        said = line
        if status.running_pid is None:
            return
        time.sleep(_LOOK_AGAIN_S)


def say_empty(terminal: Terminal, run_dir: Path) -> None:
    """Say that no job was ever planned in *run_dir*."""
    where = one_line(api.show_path(run_dir))
    terminal.say(f"{where} holds no job yet: type foxbatch run MANIFEST")


def show_records(terminal: Terminal, records: Sequence[Record]) -> None:
    """Print one line per job with its files."""
    columns = [
        Column("JOB", style="cyan", whole=True),
        Column("NAME", style="bold", cut=True, whole=True, rank=4),
        Column("PHASE"),
        Column("CREDITS", right=True, rank=1),
        Column("SECONDS", right=True, rank=5),
        Column("FILE", whole=True),
        Column("SIZE", right=True, rank=2),
        Column("MEDIA", style="dim", rank=3),
    ]
    rows = [row for record in records for row in _rows(record)]
    if rows:
        show_table(terminal, columns, rows)
        terminal.say(count(len(records), "record"))
    for line in flags_in_words(records):
        terminal.err.print(line, soft_wrap=True)


def flags_in_words(records: Sequence[Record]) -> Iterator[Text]:
    """Yield where what came is not as asked: in what, and in how many jobs."""
    flagged = [record for record in records if record.flags]
    if not flagged:
        return
    are = "is" if len(flagged) == 1 else "are"
    yield Text(f"! {count(len(flagged), 'job')} {are} not as asked:", "yellow")
    having: dict[str, list[Record]] = {}
    for record in flagged:
        for flag in record.flags:
            having.setdefault(flag, []).append(record)
    usual = sorted(having.items(), key=lambda item: -len(item[1]))
    for flag, jobs in usual[:_KINDS]:
        first = f"{jobs[0].spec}/{jobs[0].name}"
        more = f" and {count(len(jobs) - 1, 'more job')}" if len(jobs) > 1 else ""
        said = f"  {one_line(flag, _LONGEST_ERROR)}: {one_line(first)}{more}"
        yield Text(said, "yellow")
    if (more_kinds := len(usual) - _KINDS) > 0:
        yield Text(f"  and {count(more_kinds, 'more difference')}", "yellow")


def _rows(record: Record) -> Iterator[list[Cell]]:
    start: list[Cell] = [
        record.job,
        f"{record.spec}/{record.name}",
        _phase(record),
        "-" if record.credits is None else amount(record.credits),
        "-" if record.latency_s is None else f"{record.latency_s:.1f}",
    ]
    for file in record.artifacts:
        wrong = [f"! {'; '.join(file.mismatch)}"] if file.mismatch else []
        media = " ".join([*_media(file.media), *wrong])
        yield [*start, file.path, size(file.bytes), media]
    if not record.artifacts:
        yield [*start, in_words(record.error) or "-", "", ""]


def _phase(record: Record) -> Text:
    text = Text(record.phase, PHASE_COLOURS[record.phase])
    return text.append(" !", "yellow") if record.flags else text


def _media(media: MediaFacts) -> Iterator[str]:
    if media.width is not None and media.height is not None:
        yield f"{media.width}×{media.height}"
    if media.duration_s is not None:
        yield f"{media.duration_s:g} s"
    if media.video_codec is not None:
        yield media.video_codec
        yield media.audio_codec or "silent"
    elif media.audio_codec is not None:
        yield media.audio_codec
    if media.kind == "unchecked":
        yield "unchecked"


def in_words(error: Failure | None) -> str:
    """Return why a job is not done, in one line; empty where nothing is wrong."""
    if error is None:
        return ""
    code = error.code if error.code != error.error_class else ""
    said = " ".join(filter(None, (code, error.message)))
    text = f"{error.error_class}: {said}" if said else error.error_class
    return one_line(text, _LONGEST_ERROR)


def _moment(text: str | None) -> str:
    """Return a moment of the ledger without its milliseconds."""
    return "-" if not text else f"{text[:10]} {text[11:19]}Z"
