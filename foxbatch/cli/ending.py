"""What is said when a run has ended."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from foxbatch.api import RunSummary
from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import amount, count, one_line, size, visible
from foxbatch.cli.progress import Progress
from foxbatch.cli.screen import legend, remark_lines
from foxbatch.clock import show_duration
from foxbatch.errors import ExitCode
from foxbatch.state import Phase

_MOST_REMARKS = 10
_LONGEST = 300
_PAYMENT_REQUIRED = "402"
_MARKS = {ExitCode.DONE: ("✓", "bold green"), ExitCode.REMOTE: ("…", "bold yellow")}
_TROUBLE = ("✗", "bold red")


def show(terminal: Terminal, summary: RunSummary, progress: Progress | None) -> None:
    """Tell what a run came to: the outcome, the troubles, the files, the next steps."""
    terminal.say()
    for line in _told(summary, progress, terminal.program):
        terminal.err.print(line, soft_wrap=True)


def _told(
    summary: RunSummary, progress: Progress | None, program: str
) -> Iterator[Text]:
    mark, colour = _MARKS.get(summary.exit_code, _TROUBLE)
    yield Text.assemble((f"{mark} ", colour), (headline(summary), "bold"))
    yield _counted(summary)
    if progress is not None:
        yield from _remarks(progress)
    for problem in summary.problems:
        said = one_line(problem, _LONGEST)
        yield Text.assemble(("  ! ", "bold yellow"), said)
    if advice := _advice(summary, progress):
        yield Text.assemble(("  do       ", "bold yellow"), advice)
    yield Text()
    yield from _files(summary, progress)
    if summary.next:
        yield Text()
        for number, command in enumerate(summary.next):
            label = "next" if number == 0 else ""
            typed = program + command.removeprefix("foxbatch")
            yield Text.assemble((f"  {label:<9}", "dim"), (visible(typed), "cyan"))


def headline(summary: RunSummary) -> str:
    """Return the outcome in one sentence."""
    total = sum(summary.counts.values())
    jobs = count(total, "job")
    match summary.exit_code:
        case ExitCode.DONE if not total:
            said = "there are no jobs here"
        case ExitCode.DONE if summary.counts.get(Phase.DONE, 0) < total:
            said = summary.reason
        case ExitCode.DONE:
            said = f"all {jobs} are done" if total > 1 else "the one job is done"
            nothing = not summary.submitted and summary.reused == total
            said = f"nothing to submit: {said}" if nothing else said
        case ExitCode.FAILED_JOBS:
            said = f"{summary.counts.get(Phase.FAILED, 0):,} of {jobs} failed"
            if summary.reason.startswith(("stopped: ", "paused: ")):
                said += f"; {summary.reason}"
        case ExitCode.HELD if held := summary.counts.get(Phase.HELD, 0):
            said = f"{held:,} of {jobs} may have been bought: a person must decide"
        case ExitCode.HELD:
            said = "a person must decide about jobs of another run directory"
        case _:
            said = summary.reason
    return one_line(said[:1].upper() + said[1:], _LONGEST)


def _advice(summary: RunSummary, progress: Progress | None) -> str:
    """Return what to mend where the service refused the whole batch."""
    if summary.exit_code is not ExitCode.REFUSED:
        return ""
    refused = progress.refused if progress is not None else None
    if refused is not None and (
        refused.error_class == "credit" or refused.code == _PAYMENT_REQUIRED
    ):
        return "The balance is too low: top it up at the service."
    if "address" in summary.reason:
        at = progress.beginning.base_url if progress is not None else ""
        return f"Check the address{f' {one_line(at)}' if at else ''} and the provider."
    return "Check the key and its account: foxbatch doctor --online asks the service."


def _counted(summary: RunSummary) -> Text:
    line = Text("  ").append(legend(summary.counts)).append("   ")
    figures = [f"{summary.submitted:,} submitted"]
    if summary.reused:
        figures.append(f"{summary.reused:,} done before")
    if summary.credits is not None:
        figures.append(f"{amount(summary.credits)} credits")
    figures.append(f"in {show_duration(summary.duration_s)}")
    return line.append(" · ".join(figures), "dim")


def _remarks(progress: Progress) -> Iterator[Text]:
    remarks = [
        *(("failed", "red", remark) for remark in progress.failures.values()),
        *(("held", "magenta", remark) for remark in progress.held.values()),
    ]
    if remarks:
        yield Text()
    yield from remark_lines(remarks[:_MOST_REMARKS])
    if (more := len(remarks) - _MOST_REMARKS) > 0:
        yield Text(f"  {'':<9}and {more:,} more: foxbatch status", "dim")


def _files(summary: RunSummary, progress: Progress | None) -> Iterator[Text]:
    from foxbatch.api import show_path

    stored = "what was downloaded" if summary.counts.get(Phase.DONE) else "empty yet"
    if progress is not None and progress.files:
        stored = f"{count(progress.files, 'new file')}, {size(progress.bytes)}"
    rows = [("files", visible(show_path(summary.run_dir)) + "/", "")]
    rows += [("", "  artifacts/", stored)]
    rows += [("", "  results.jsonl", "one record per job")]
    rows += [("", "  ledger/", "all that happened: keep it")]
    for label, path, meaning in rows:
        line = Text.assemble((f"  {label:<9}", "dim"), f"{path:<18}", (meaning, "dim"))
        line.rstrip()
        yield line
