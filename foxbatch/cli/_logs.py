"""Logs: set up here and nowhere else, for who asks for them."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

import msgspec
import structlog

from foxbatch.cli._settings import redact, secrets_of
from foxbatch.errors import UsageError
from foxbatch.events import (
    AccountSeen,
    BatchHalted,
    Event,
    JobFailed,
    JobPlanned,
    SubmitIntended,
    SubmitRefused,
    SubmitUnknown,
    WatchEnded,
    word,
)

if TYPE_CHECKING:
    from structlog.typing import Processor, WrappedLogger

    from foxbatch.api import Beginning
    from foxbatch.pace import PaceChange

_NOTABLE = BatchHalted | JobFailed | SubmitRefused | SubmitUnknown | WatchEnded
# The manifest has the one, what came of the other says it too, and `settle` compares
# the third.
_DETAILS = JobPlanned | SubmitIntended | AccountSeen
_STAMPS = frozenset({"v", "seq", "at", "event"})
# What a prompt, a body or a header may be in is for those who debug.
_BODIES = frozenset(
    {"request", "prompt", "cell", "reply", "headers", "items", "extras", "policy"}
)


def configure(environ: Mapping[str, str], stream: TextIO, *, colour: bool) -> None:
    """Send logs to *stream*, as JSON with `FOXBATCH_LOG=json`.

    Args:
        environ: The process environment; no secret in it is ever written.
        stream: Standard error, or a file.
        colour: Whether the stream shows colours.
    """
    renderer: Processor = structlog.dev.ConsoleRenderer(colors=colour)
    if environ.get("FOXBATCH_LOG") == "json":
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _Redaction(secrets_of(environ)),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


def log_file(path: Path, complain: Callable[[str], None]) -> TextIO:
    """Open *path* to append a log to it.

    What cannot be written later is lost, which *complain* is told once: no run ends for
    its log.

    Raises:
        UsageError: It cannot be opened.
    """
    try:
        return cast("TextIO", _LogFile(path, complain))
    except OSError as error:
        raise UsageError(
            f"--log-file: {path} cannot be written: {error.strerror or error}",
            hint="Name a file in a folder that exists.",
        ) from None


class _LogFile(io.TextIOBase):
    """Each line is one write to the end of the file: several runs may share it."""

    def __init__(self, path: Path, complain: Callable[[str], None]) -> None:
        self._path, self._complain = path, complain
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._handle = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o644)
        self._full = False

    def write(self, text: str) -> int:
        if not self._full:
            try:
                os.write(self._handle, text.encode("utf-8", "backslashreplace"))
            except OSError as error:
                self._full = True
                why = error.strerror or error
                self._complain(
                    f"warning: the log {self._path} cannot be written: {why};"
                    " the run goes on without it"
                )
        return len(text)

    def close(self) -> None:
        if not self.closed:
            os.close(self._handle)
        super().close()


class FactLog:
    """Logs what happens in a run. An audience of `api.run`.

    Args:
        bodies: Whether plans, intents, requests and replies are logged too.
    """

    def __init__(self, *, bodies: bool = False) -> None:
        self._log = structlog.get_logger()
        self._details = bodies
        self._hidden = _STAMPS if bodies else _STAMPS | _BODIES

    def begins(self, beginning: Beginning) -> None:
        """Log what is to be done."""
        counts = {action: n for action, n in beginning.plan.counts.items() if n}
        self._log.info("run.planned", run_dir=str(beginning.run_dir), **counts)

    def happened(self, fact: Event) -> None:
        """Log *fact* under its own word."""
        if isinstance(fact, _DETAILS) and not self._details:
            return
        fields: dict[str, object] = msgspec.to_builtins(fact)
        said = {name: one for name, one in fields.items() if name not in self._hidden}
        log = self._log.warning if isinstance(fact, _NOTABLE) else self._log.info
        log(word(fact), **said)

    def paced(self, change: PaceChange) -> None:
        """Log that a limit adapts to what the service says."""
        log = self._log.warning if change.value < change.was else self._log.info
        event = "pace.lowered" if change.value < change.was else "pace.restored"
        log(event, **{name: one for name, one in asdict(change).items() if one != ""})


class _Redaction:
    """Replaces secrets in everything that is logged."""

    def __init__(self, secrets: list[str]) -> None:
        self._secrets = secrets

    def __call__(
        self, _logger: WrappedLogger, _method: str, event: MutableMapping[str, object]
    ) -> MutableMapping[str, object]:
        for key, value in event.items():
            if not isinstance(value, bool | int | float | None):
                event[key] = redact(str(value), self._secrets)
        return event
