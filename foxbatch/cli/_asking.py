"""Asks a person while the event loop goes on."""

from __future__ import annotations

import asyncio
import os
import sys
import threading

from foxbatch.cli._terminal import Terminal

_LONGEST = 4_096


async def confirmed(terminal: Terminal, question: str) -> bool:
    """Ask *question* on the terminal; nothing and the end of input mean no.

    Cancelling it leaves the question unanswered: nobody waits for the keyboard then.
    """
    while True:
        terminal.stderr.write(f"{question} [y/N]: ")
        terminal.stderr.flush()
        line = await _typed()
        match line.strip().lower():
            case "y" | "yes":
                return True
            case "" | "n" | "no":
                if not line:
                    terminal.say()
                return False
            case _:
                terminal.say("Type y or n.")


async def _typed() -> str:
    """Return the next line that is typed.

    In a thread that nobody waits for, as it cannot be woken up: a thread pool would
    keep the process from ending before somebody presses Enter. Not `input`, which holds
    a lock of Python's while it waits, so that Python could not end either.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def tell(line: str) -> None:
        if not answer.done():
            answer.set_result(line)

    def read() -> None:
        try:
            line = os.read(sys.stdin.fileno(), _LONGEST).decode(errors="replace")
        except (OSError, ValueError):  # the terminal is closed
            line = ""
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, line)

    threading.Thread(target=read, daemon=True, name="question").start()
    return await answer
