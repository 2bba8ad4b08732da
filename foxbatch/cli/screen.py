"""What is seen while a run goes on: one live display, or plain lines in a pipe."""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import click
from rich.console import Group
from rich.live import Live
from rich.text import Text

from foxbatch.budget import Projection
from foxbatch.cli._asking import confirmed
from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import amount, cells, count, one_line
from foxbatch.cli.money import again, budgets_in_words, projected, question
from foxbatch.cli.progress import Progress, Remark
from foxbatch.cli.standstill import Obstacle
from foxbatch.clock import show_duration
from foxbatch.events import (
    ArtifactStored,
    BatchHalted,
    Event,
    JobFailed,
    StatusSeen,
    SubmitAccepted,
    SubmitUnknown,
    WatchEnded,
)
from foxbatch.pace import PaceChange
from foxbatch.planner import Action
from foxbatch.signals import stop_signals
from foxbatch.state import Phase

if TYPE_CHECKING:
    from foxbatch.api import Beginning

PHASE_COLOURS: Mapping[Phase, str] = {
    Phase.DONE: "green",
    Phase.DOWNLOADING: "bright_cyan",
    Phase.RUNNING: "blue",
    Phase.SUBMITTING: "bright_blue",
    Phase.OVERDUE: "yellow",
    Phase.HELD: "magenta",
    Phase.FAILED: "red",
    Phase.NEW: "bright_black",
    Phase.SKIPPED: "bright_black",
}
"""In the order in which they are shown; one colour per phase wherever one is seen."""

FRAMES_PER_S = 8
_SUMMARY_EVERY_S = 10.0
_REMARKS = 3
_LONGEST_REMARK = 300
_LONGEST_LABEL = 100
_WIDEST = 100


class Screen:
    """Shows one run on stderr. An audience of `api.run`.

    Args:
        terminal: Where to show it.
        moves: Whether it moves, or says in lines how it goes.
        monotonic: Seconds that never go back.
    """

    def __init__(
        self,
        terminal: Terminal,
        *,
        moves: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._terminal = terminal
        self._moves = moves
        self._monotonic = monotonic
        self._live: Live | None = None
        self._said_at = monotonic()
        self._obstacle = ""  # the word for it, once it has been said
        self._asking = False
        self._unsaid: list[Text] = []  # while a question is asked
        self.progress: Progress | None = None

    # ---- The audience

    def begins(self, beginning: Beginning) -> None:
        """Say what this run is about to do."""
        self.progress = Progress(beginning, self._monotonic())
        for line in opening(beginning):
            self._terminal.say(line)
        self._said_at = self._monotonic()

    def happened(self, fact: Event) -> None:
        """Count *fact*, and say it where a person should know."""
        if self.progress is None:
            return
        self.progress.take(fact, self._monotonic())
        if isinstance(fact, SubmitAccepted):
            # At once, also in the middle of a question: a log must not lack it.
            self._print(Text(accepted_line(fact), "dim"), waits=False)
        elif self._moves and isinstance(fact, JobFailed | SubmitUnknown):
            return  # the display shows them, and the end repeats them
        elif said := remarkable(fact, self.progress):
            self._print(said)

    def paced(self, change: PaceChange) -> None:
        """Show the limit that holds now."""
        if self.progress is not None:
            self.progress.pace[change.limit] = change

    def note(self, text: str) -> None:
        """Say something beside the facts."""
        self._print(Text(text, "bold yellow"))

    def ask(self, beginning: Beginning) -> bool:
        """Ask whether the run may cost what it will cost. The default is no."""
        self.pause()
        for line in question(beginning):
            self._terminal.say(line)
        with _interruptible():
            return click.confirm("Submit them?", default=False, err=True)

    def asker(
        self, *, yes: bool, asks: bool
    ) -> Callable[[Projection], Awaitable[bool]]:
        """Return what shows the price of the rest after canaries, and asks for it.

        The run goes on meanwhile; what there is to say waits for the answer.

        Args:
            yes: Whether it is answered already.
            asks: Whether there is somebody to ask.
        """

        async def go_on(projection: Projection) -> bool:
            self.pause()
            for line in projected(projection):
                self._terminal.say(line)
            if yes or not asks or projection.shortage or projection.unknown:
                return yes
            self._asking = True
            try:
                return await confirmed(self._terminal, "Submit the rest?")
            finally:
                self._asking = False
                for text in self._unsaid:
                    self._print(text)
                self._unsaid.clear()

        return go_on

    # ---- Moving

    def tick(self) -> None:
        """Draw the next frame; in a pipe, say every now and then how it goes."""
        if self.progress is None or self._asking:
            return
        now = self._monotonic()
        self._say_obstacle(self.progress.obstacle(now))
        if self._moves:
            if self._live is None:
                self._live = Live(
                    console=self._terminal.err, auto_refresh=False, transient=True
                )
                self._live.start()
            self._live.update(self.frame(now), refresh=True)
        elif now - self._said_at >= _SUMMARY_EVERY_S:
            self._said_at = now
            self._terminal.say(pulse(self.progress, now))

    def _say_obstacle(self, obstacle: Obstacle | None) -> None:
        """Say once that nothing is accepted any more, and why."""
        word = obstacle.word if obstacle is not None else ""
        if obstacle is not None and word != self._obstacle:
            self._print(_blocked(obstacle))
        self._obstacle = word

    def pause(self) -> None:
        """Take the display away; the next `tick` brings it back."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _print(self, text: Text, *, waits: bool = True) -> None:
        if self._asking and waits:
            self._unsaid.append(text)
            return
        self._terminal.err.print(text, soft_wrap=True)

    def frame(self, now: float) -> Group:
        """Return the display as it is at *now*."""
        assert self.progress is not None  # noqa: S101  tick draws after the beginning
        progress = self.progress
        width = min(self._terminal.err.width, _WIDEST) - 1
        lines = [
            Text(),
            _title(progress, width, now),
            _bar(progress, width),
            Text("  ").append(legend(progress.tally)),
            Text(f"  {'  ·  '.join(_figures(progress, now))}", "dim"),
        ]
        if obstacle := progress.obstacle(now):
            lines.append(Text("  ").append_text(_blocked(obstacle)))
            lines[-1].truncate(width, overflow="ellipsis")
        trouble = [
            *(("held", "magenta", remark) for remark in progress.held.values()),
            *(("failed", "red", remark) for remark in progress.failures.values()),
        ]
        for line in remark_lines(trouble[-_REMARKS:]):
            line.truncate(width, overflow="ellipsis")
            lines.append(line)
        return Group(*lines, Text())


# ---- Sentences


def opening(beginning: Beginning) -> Iterator[Text]:
    """Yield what is said before the first request."""
    plan = beginning.plan
    buys = plan.with_action(Action.SUBMIT, Action.RETRY)
    goes_on = plan.with_action(Action.ADOPT, Action.DOWNLOAD)
    done = [job for job in plan.jobs if job.phase is Phase.DONE]
    parts = [f"{len(buys):,} to submit"]
    parts += [f"{len(goes_on):,} to go on with"] if goes_on else []
    parts += [f"{len(done):,} done before"] if done else []
    yield Text.assemble(
        (one_line(beginning.name), "bold"),
        f": {count(len(plan.jobs), 'job')}, {', '.join(parts)}",
        (f" · {_where(beginning)}", "dim"),
    )
    if failed := again(plan):
        yield Text(f"  again    {failed}", "yellow")
    if buys:
        for said in budgets_in_words(beginning.spending):
            yield Text(f"  budget   {said}", "dim")
    if beginning.network:
        yield Text(
            f"warning: {beginning.run_dir} is on a network file system "
            f"({beginning.network}): the lock may not keep other machines out",
            "yellow",
        )
    for name in beginning.torn:
        yield Text(
            f"warning: ledger/{name} ends in an unfinished line, which was ignored",
            "yellow",
        )


def _where(beginning: Beginning) -> str:
    if not beginning.base_url:
        return f"the embedded {beginning.provider}"
    return f"{beginning.provider} at {one_line(beginning.base_url)}"


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let signals end a question: the event loop, which took them, does not run now."""
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in stop_signals()
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def accepted_line(fact: SubmitAccepted) -> str:
    """Return the stable line that a log keeps where a disk does not."""
    reserved = "unknown" if fact.credits is None else f"{fact.credits:.12g}"
    return f"accepted job={fact.job} task={fact.task} credits={reserved}"


def _blocked(obstacle: Obstacle) -> Text:
    said = one_line(obstacle.text, _LONGEST_REMARK)
    return Text.assemble((f"{obstacle.word:<9}", "bold yellow"), said)


_WHY_ENDED = {"patience": "not finished yet", "not_found": "not found"}


def remarkable(fact: Event, progress: Progress) -> Text | None:
    """Return what a person should know of *fact*, if anything."""
    match fact:
        case JobFailed():
            return _said("failed", "red", progress.failures[fact.job])
        case SubmitUnknown():
            return _said("held", "magenta", progress.held[fact.job])
        case WatchEnded(why="download"):
            text = f"not downloaded yet: {fact.message or 'no reason was given'}"
            return _said("waiting", "yellow", Remark(progress.label(fact.job), text))
        case WatchEnded():
            why = _WHY_ENDED.get(fact.why, fact.why)
            after = f"{why} after {show_duration(fact.watched_s)}"
            return _said("overdue", "yellow", Remark(progress.label(fact.job), after))
        case StatusSeen() if not fact.known:
            odd = f"the service says {fact.status!r}, which is taken for running"
            return _said("unknown", "yellow", Remark(progress.label(fact.job), odd))
        case ArtifactStored() if fact.mismatch:
            remark = Remark(progress.label(fact.job), "; ".join(fact.mismatch))
            return _said("mismatch", "yellow", remark)
        case BatchHalted():
            word = "paused " if fact.slice else "halted "
            return Text.assemble(
                (word, "bold red"), one_line(fact.why, _LONGEST_REMARK)
            )
        case _:
            return None


def _said(word: str, colour: str, remark: Remark) -> Text:
    return Text.assemble(
        (f"{word} ", colour),
        f"{one_line(remark.label, _LONGEST_LABEL)}: ",
        one_line(remark.text, _LONGEST_REMARK),
    )


def pulse(progress: Progress, now: float) -> str:
    """Return how it goes, in one line for a log."""
    counts = progress.counts
    parts = [f"{counts[phase]:,} {phase}" for phase in PHASE_COLOURS if counts[phase]]
    clock = show_duration(progress.elapsed_s(now))
    said = f"[{clock}] {', '.join(parts)}; {', '.join(_figures(progress, now))}"
    if obstacle := progress.obstacle(now):
        said += f"; {obstacle.word}: {one_line(obstacle.text, _LONGEST_REMARK)}"
    return said


def _figures(progress: Progress, now: float) -> Iterator[str]:
    rate, left_s = progress.per_minute(now), progress.left_s(now)
    if rate is not None:
        yield f"{rate:,.1f} jobs/min"
    if left_s is not None:
        yield f"about {show_duration(left_s)} left"
    tasks = progress.pace.get("in_flight")
    allowed = tasks.value if tasks else progress.beginning.limits.in_flight
    yield f"{progress.in_flight} of {allowed} in flight"
    if tasks and tasks.value < tasks.ceiling:
        yield f"{tasks.ceiling} were too many"
    speed = progress.pace.get("requests_per_second")
    if speed and speed.value < speed.ceiling:
        yield f"slowed down from {speed.ceiling:g} to {speed.value:.2g} requests/s"
    if progress.credits is not None:
        yield f"{amount(progress.credits)} credits"


# ---- The live display


def _title(progress: Progress, width: int, now: float) -> Text:
    name = one_line(progress.beginning.name)
    left = Text.assemble("  ", (name, "bold"))
    right = f"{progress.settled:,}/{progress.total:,}   "
    right += show_duration(progress.elapsed_s(now))
    gap = max(1, width - 2 - cells(name) - cells(right))
    return left.append(" " * gap).append(right)


def _bar(progress: Progress, width: int) -> Text:
    """Return one line in which every phase has its share."""
    bar = Text("  ")
    for phase, length in shares(progress.counts, width - 2).items():
        bar.append("━" * length, PHASE_COLOURS[phase])
    return bar


def shares(counts: Counter[Phase], width: int) -> dict[Phase, int]:
    """Share *width* columns out in proportion to *counts*, in the order of colours.

    Nothing that exists is invisible: each phase gets a column before any gets two.
    """
    present = [phase for phase in PHASE_COLOURS if counts[phase]]
    total = sum(counts[phase] for phase in present)
    exact = {phase: counts[phase] * width / total for phase in present}
    lengths = {phase: max(1, math.floor(share)) for phase, share in exact.items()}
    while sum(lengths.values()) < width and present:
        most = max(present, key=lambda phase: exact[phase] - lengths[phase])
        lengths[most] += 1
    while sum(lengths.values()) > max(width, len(present)):
        most = max(present, key=lambda phase: lengths[phase] - exact[phase])
        lengths[most] -= 1
    return lengths


def legend(counts: Mapping[str, int]) -> Text:
    """Return the jobs by phase, each with the colour that it has everywhere."""
    parts = [
        Text.assemble(("● ", colour), f"{counts[phase]:,} {phase}")
        for phase, colour in PHASE_COLOURS.items()
        if counts.get(phase)
    ]
    return Text("   ").join(parts)


def remark_lines(remarks: Sequence[tuple[str, str, Remark]]) -> Iterator[Text]:
    """Yield one aligned line for each word, its colour, and what there is to say."""
    labels = [one_line(remark.label, _LONGEST_LABEL) for _, _, remark in remarks]
    width = max(map(cells, labels), default=0)
    for (word, colour, remark), label in zip(remarks, labels, strict=True):
        line = Text.assemble((f"  {word:<9}", colour), (label, "bold"), no_wrap=True)
        gap = " " * (width - cells(label) + 2)
        yield line.append(gap + one_line(remark.text, _LONGEST_REMARK))
