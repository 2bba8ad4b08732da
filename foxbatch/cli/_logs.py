"""Logs: configured here, written to stderr, and only when somebody asks for them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, TextIO

from foxbatch.cli._settings import redact, secrets_of

if TYPE_CHECKING:
    from structlog.typing import Processor, WrappedLogger


def configure(
    environ: Mapping[str, str], stream: TextIO, *, verbosity: int, colour: bool
) -> None:
    """Send what the modules log to *stream*, as JSON with `FOXBATCH_LOG=json`.

    Args:
        environ: The process environment.
        stream: Standard error.
        verbosity: 0 says nothing below a warning, 1 shows facts, 2 shows requests.
        colour: Whether stderr shows colours.
    """
    import structlog

    as_json = environ.get("FOXBATCH_LOG") == "json"
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)]
    renderer: Processor = structlog.dev.ConsoleRenderer(colors=colour)
    if as_json:
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _Redaction(secrets_of(environ)),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


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
