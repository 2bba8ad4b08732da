"""One run as a person lives it: the display moves, Ctrl-C is heard, the end is told."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import TypeAlias

import anyio

from foxbatch.api import Audience, RunSummary
from foxbatch.cli import ending
from foxbatch.cli._terminal import Terminal
from foxbatch.cli.screen import FRAMES_PER_S, Screen
from foxbatch.runner import StopButton

Work: TypeAlias = Callable[
    [Sequence[Audience], Screen, StopButton], Awaitable[RunSummary]
]


def conduct(terminal: Terminal, work: Work, *, form: str, verbosity: int) -> int:
    """Do *work* with a display, tell what it came to, and return the exit code.

    Args:
        terminal: Where to show it.
        work: Starts the run, given its audience, the screen to ask on, and its stop
            button.
        form: `json` prints one summary object on stdout.
        verbosity: How often `-v` was given.
    """
    logged = verbosity > 0 or "FOXBATCH_LOG" in terminal.environ
    screen = Screen(terminal, moves=terminal.err.is_terminal and not logged)
    audience: list[Audience] = [screen]
    if logged:
        audience.append(_fact_log(terminal, bodies=verbosity > 1))
    try:
        summary = anyio.run(_attended, work, screen, audience)
    finally:
        screen.pause()
    if summary is None:
        terminal.say("stopped at once; the same command goes on")
        raise KeyboardInterrupt
    ending.show(terminal, summary, screen.progress)
    if form == "json":
        terminal.emit_json(summary.to_json())
    return summary.exit_code


def _fact_log(terminal: Terminal, *, bodies: bool) -> Audience:
    from foxbatch.cli import _logs

    coloured = terminal.err.is_terminal
    _logs.configure(terminal.environ, terminal.stderr, colour=coloured)
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
    # Windows has no receiver: there Ctrl-C cancels the run itself.
    with contextlib.suppress(NotImplementedError), _signals() as received:
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

    The event loop would leave SIGTERM to the system, which ends a process without a
    word and without its exit code.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        with anyio.open_signal_receiver(*numbers) as received:
            yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
