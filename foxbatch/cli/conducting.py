"""One run as a person lives it: the display moves, Ctrl-C is heard, the end is told."""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import anyio

from foxbatch.api import Audience, PosterAudience, RunSummary
from foxbatch.cli import ending
from foxbatch.cli._terminal import NobodyReadsError, Terminal
from foxbatch.cli.screen import FRAMES_PER_S, Screen
from foxbatch.runner import StopButton
from foxbatch.signals import stop_signals

Work: TypeAlias = Callable[
    [Sequence[Audience], Screen, StopButton], Awaitable[RunSummary]
]


def conduct(
    terminal: Terminal, work: Work, *, form: str, verbosity: int, log_file: Path | None
) -> int:
    """Do *work* with a display, tell what it came to, and return the exit code.

    Args:
        terminal: Where to show it.
        work: Starts the run, given its audience, the screen to ask on, and its stop
            button.
        form: `json` prints one summary object on stdout.
        verbosity: How often `-v` was given.
        log_file: Where the log goes instead of stderr.
    """
    logged = verbosity > 0 or "FOXBATCH_LOG" in terminal.environ
    moves = terminal.err.is_terminal and not (logged and log_file is None)
    screen = Screen(terminal, moves=moves)
    posters = PosterAudience()
    audience: list[Audience] = [screen, posters]
    if log_file is not None or logged:
        log = _fact_log(terminal, log_file, screen.note, bodies=verbosity > 1)
        audience.append(log)
    try:
        summary = anyio.run(_attended, work, screen, audience)
    finally:
        screen.pause()
        posters.close()
    if summary is None:
        terminal.say("stopped at once; the same command goes on")
        raise KeyboardInterrupt
    ending.show(terminal, summary, screen.progress)
    if form == "json":
        # What came of the run is its exit code, also if nobody reads the rest.
        with contextlib.suppress(NobodyReadsError):
            terminal.emit_json(summary.to_json())
            terminal.stdout.flush()
    return summary.exit_code


def _fact_log(
    terminal: Terminal,
    path: Path | None,
    complain: Callable[[str], None],
    *,
    bodies: bool,
) -> Audience:
    from foxbatch.cli import _logs

    stream, colour = terminal.stderr, terminal.err.is_terminal
    if path is not None:
        stream, colour = _logs.log_file(path, complain), False
    _logs.configure(terminal.environ, stream, colour=colour)
    return _logs.FactLog(bodies=bodies)


async def _attended(
    work: Work, screen: Screen, audience: Sequence[Audience]
) -> RunSummary | None:
    """Return the summary; None where a second signal cut it short."""
    stop = StopButton()
    summary = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_hear_signals, stop, tasks.cancel_scope, screen)
        tasks.start_soon(_keep_moving, screen)
        summary = await work(audience, screen, stop)
        tasks.cancel_scope.cancel()
    return summary


async def _keep_moving(screen: Screen) -> None:
    while True:
        screen.tick()
        await anyio.sleep(1 / FRAMES_PER_S)


async def _hear_signals(
    stop: StopButton, scope: anyio.CancelScope, screen: Screen
) -> None:
    """Stop in an orderly way at the first signal, at once at the second."""
    with _signals() as received:
        await anext(received)
        stop.press("interrupted")
        screen.note(
            "interrupted: no further submission begins; remote tasks go on"
            " (Ctrl-C again stops at once)"
        )
        await anext(received)
        scope.cancel()


@contextlib.contextmanager
def _signals() -> Iterator[AsyncIterator[int]]:
    """Give what is heard; what listened before listens again afterwards.

    Not the event loop's own receiver: there is none on Windows, where a signal would
    cancel everything at once, and it leaves SIGTERM to the system afterwards, which
    ends a process without a word and without its exit code.
    """
    loop = asyncio.get_running_loop()
    send, received = anyio.create_memory_object_stream[int](math.inf)

    def hear(number: int, _frame: object) -> None:
        # Python calls this between any two instructions: the loop does the rest.
        loop.call_soon_threadsafe(send.send_nowait, number)

    before = {number: signal.signal(number, hear) for number in stop_signals()}
    try:
        with send, received:
            yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
