"""How far the making of pictures is, on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from foxbatch.cli._terminal import Terminal


@contextmanager
def making(terminal: Terminal) -> Iterator[Callable[[int, int], None]]:
    """Give what is told how many of how many are made, and shows it."""
    if not terminal.err.is_terminal:
        yield lambda _done, _all: None
        return
    from rich.text import Text

    with terminal.err.status("") as status:

        def watch(done: int, of_all: int) -> None:
            said = f"making pictures: {done:,} of {of_all:,}"
            status.update(Text(said, "dim"))

        yield watch
