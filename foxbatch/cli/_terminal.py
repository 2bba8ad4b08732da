"""Where a command writes: data to stdout, everything else to stderr."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

from foxbatch.canonical import Json
from foxbatch.cli._sources import Sources
from foxbatch.errors import ExitCode, FoxbatchError

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
    def program(self) -> str:
        """What to type for this program: its name where the shell would find it."""
        mine, found = Path(sys.argv[0]), shutil.which("foxbatch")
        # Launchers on Windows are called foxbatch.exe and say foxbatch.
        same = found and Path(found).with_suffix("").resolve() == mine.resolve()
        if mine.stem != "foxbatch" or same:
            return "foxbatch"
        with contextlib.suppress(ValueError):
            mine = mine.absolute().relative_to(Path.cwd())
        return shlex.quote(str(mine))

    @cached_property
    def out(self) -> Console:
        """The console for data."""
        return self._console(self.stdout)

    @cached_property
    def stdout(self) -> TextIO:
        """The stream for data; writing ends the command when nobody reads it."""
        return cast("TextIO", _Watched(sys.stdout, needed=True))

    @cached_property
    def err(self) -> Console:
        """The console for everything else."""
        return self._console(self.stderr)

    @cached_property
    def stderr(self) -> TextIO:
        """The stream for everything else; a run outlives whoever reads it."""
        return cast("TextIO", _Watched(sys.stderr, needed=False))

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
        self.stdout.write(f"{text}\n")

    def emit_bytes(self, content: bytes) -> None:
        """Write data that is no text."""
        cast("_Watched", self.stdout).write_bytes(content)

    def emit_json(self, value: Json, *, indent: int | None = None) -> None:
        """Write *value* as JSON, on one line unless *indent* is given."""
        self.emit(json.dumps(value, ensure_ascii=False, indent=indent))

    def say(self, text: str | Text = "") -> None:
        """Write one line for people."""
        if isinstance(text, str) and not self.is_fancy(sys.stderr):
            self.stderr.write(f"{text}\n")
        else:
            self.err.print(text)


class NobodyReadsError(Exception):
    """Whoever read our data has seen enough; there is no need to go on."""


class OutputError(FoxbatchError):
    """Data could not be written to standard output: the disk behind it is full."""

    exit_code = ExitCode.RUN_DIR

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"standard output cannot be written: {error.strerror or error}",
            hint="Make room there, or send it elsewhere, and type the command again.",
        )


class _Watched(io.TextIOBase):
    """A stream whose reader may go away, or whose disk may be full.

    Args:
        stream: Where text goes.
        needed: Whether it is pointless to go on without a reader. A run goes on when
            nobody listens to what it says.
    """

    def __init__(self, stream: TextIO, *, needed: bool) -> None:
        self._stream = stream
        self._needed = needed

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has an attribute
        return self._stream.encoding

    @property
    def buffer(self) -> BinaryIO:
        """Where click writes what shells ask for to complete a command."""
        return self._stream.buffer

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        if text == "":
            return 0  # click writes that to look what the stream is, and hears no error
        with self._pipe():
            self._stream.write(text)
        return len(text)

    def write_bytes(self, content: bytes) -> None:
        with self._pipe():
            self._stream.flush()
            self._stream.buffer.write(content)

    def flush(self) -> None:
        with self._pipe():
            self._stream.flush()

    @contextlib.contextmanager
    def _pipe(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            hush(self._stream)
            if self._needed and isinstance(error, BrokenPipeError):
                raise NobodyReadsError from None
            if self._needed:
                raise OutputError(error) from None


def hush(stream: TextIO) -> None:
    """Let what is still written to *stream* go nowhere, also when Python ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def prepare(*streams: TextIO) -> None:
    """Make *streams* take any text: UTF-8 in a pipe, and never an encoding error."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")
