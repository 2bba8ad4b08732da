"""Where a command writes: data to stdout, everything else to stderr."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

from foxbatch.canonical import Json
from foxbatch.cli._sources import Sources

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


class Terminal:
    """The two streams of this process, and what they can show.

    Attributes:
        environ: The process environment.
        sources: Lines of the files that problems are about.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.sources = Sources()

    def is_fancy(self, stream: TextIO) -> bool:
        """Return whether colour and moving displays are welcome on *stream*."""
        unwanted = self.environ.get("NO_COLOR") or self.environ.get("CI")
        return stream.isatty() and not unwanted and self.environ.get("TERM") != "dumb"

    @property
    def asks(self) -> bool:
        """Whether somebody is there to answer a question."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    @cached_property
    def out(self) -> Console:
        """The console for data."""
        return self._console(sys.stdout)

    @cached_property
    def err(self) -> Console:
        """The console for everything else."""
        return self._console(sys.stderr)

    def _console(self, stream: TextIO) -> Console:
        from rich.console import Console

        fancy = self.is_fancy(stream)
        return Console(
            file=stream,
            force_terminal=fancy,
            no_color=not fancy,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=not fancy,
        )

    def emit(self, text: str) -> None:
        """Write one line of data."""
        sys.stdout.write(f"{text}\n")

    def emit_json(self, value: Json, *, indent: int | None = None) -> None:
        """Write *value* as JSON, on one line unless *indent* is given."""
        self.emit(json.dumps(value, ensure_ascii=False, indent=indent))

    def say(self, text: str | Text = "") -> None:
        """Write one line for people."""
        if isinstance(text, str) and not self.is_fancy(sys.stderr):
            sys.stderr.write(f"{text}\n")
        else:
            self.err.print(text)


def prepare(*streams: TextIO) -> None:
    """Make *streams* take any text: UTF-8 in a pipe, and never an encoding error."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")
