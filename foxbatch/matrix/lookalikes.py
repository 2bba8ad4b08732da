"""Values of one axis that a person would call the same, and a computer would not."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable

from foxbatch.errors import Problem, Related, Severity
from foxbatch.matrix.axes import PROMPT, Axis, Choice
from foxbatch.matrix.reporting import Report, warning
from foxbatch.schema import show


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _spaced(text: str) -> str:
    return " ".join(_composed(text).split())


def _folded(text: str) -> str:
    return _composed(_spaced(text).casefold())


# From the smallest difference to the largest; each sees through those before it.
_DIFFERENCES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("in how Unicode spells its letters", _composed),
    ("in white space", _spaced),
    ("in upper and lower case", _folded),
)


def warn_of_lookalikes(axes: Iterable[Axis], report: Report) -> None:
    """Report texts that are bought apart and look, or mean, the same.

    Case and white space may be the very question of a parameter's axis; in prompts
    they are a slip.
    """
    for axis in axes:
        differences = _DIFFERENCES if axis.name == PROMPT else _DIFFERENCES[:1]
        told: set[Choice] = set()
        for how, plain in differences:
            for choice, first in _pairs(axis.choices, plain):
                if choice not in told:
                    told.add(choice)
                    report(_lookalike(axis.name, how, choice, first))
        _warn_of_references(axis, report)


def _pairs(
    choices: Iterable[Choice], plain: Callable[[str], str]
) -> Iterable[tuple[Choice, Choice]]:
    """Yield each text that is plainly the same as an earlier one, with that one."""
    first: dict[str, Choice] = {}
    for choice in choices:
        if isinstance(choice.value, str):
            other = first.setdefault(plain(choice.value), choice)
            if other is not choice:
                yield choice, other


def _lookalike(axis: str, how: str, choice: Choice, first: Choice) -> Problem:
    what = "prompt" if axis == PROMPT else f"value of {axis}"
    return Problem(
        "W-VALUE-ALIKE",
        f"the {what} {show(choice.value)} differs from an earlier one only {how}",
        choice.position,
        "Remove one, or make the difference plain; each is bought for itself.",
        Severity.WARNING,
        related=(Related(first.position, "the earlier one"),),
    )


def _warn_of_references(axis: Axis, report: Report) -> None:
    """Report what looks like a reference in the text of a file, which is data."""
    for choice in axis.choices:
        from_file = axis.name == PROMPT and not choice.template
        if from_file and isinstance(choice.value, str) and "${{" in choice.value:
            report(
                warning(
                    "W-TEMPLATE",
                    "${{ … }} is sent as it stands here: text from a file is no "
                    "template",
                    choice.position,
                    "Write the prompt in the manifest if a value is meant.",
                )
            )
            return
