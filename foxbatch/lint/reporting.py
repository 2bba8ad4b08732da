"""Warnings and notes as problems."""

from __future__ import annotations

from foxbatch.errors import Edit, Position, Problem, Severity
from foxbatch.schema import pointer
from foxbatch.yaml12 import Where


def oddity(
    code: str,
    message: str,
    at: Position,
    hint: str,
    *,
    where: Where = (),
    fix: tuple[Edit, ...] = (),
) -> Problem:
    """Return a warning, or for a code that begins with N a note."""
    severity = Severity.NOTE if code.startswith("N") else Severity.WARNING
    return Problem(code, message, at, hint, severity, pointer(where), fix=fix)
