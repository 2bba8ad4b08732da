"""Why something written gives no values: raised where that is found, told elsewhere."""

from __future__ import annotations

from foxbatch.yaml12 import Where

MAX_VALUES = 1_000_000
"""The most values that one axis may have where nobody writes them out."""


class FormError(ValueError):
    """A form that gives no values, or a record of a file that gives none.

    Attributes:
        code: As in `Problem`.
        hint: What to write instead.
        inside: Which part of the form it is about.
        line: Of the file it is about, from 1; 0 where it is about the form.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str = "",
        inside: Where = (),
        line: int = 0,
    ) -> None:
        super().__init__(message)
        self.code, self.hint, self.inside, self.line = code, hint, inside, line


def too_many(count: int, what: str = "values") -> FormError:
    """Return the refusal of *count* values, which may be counted only in part."""
    return FormError(
        "E-MATRIX-HUGE",
        f"this is {count:,} {what}, and {MAX_VALUES:,} is the most of one axis",
        hint="Use fewer values, or split the job.",
    )
