"""Names of jobs, for people. Never part of an identity.

A name comes from what it names, never from a position: inserting a prompt or an axis
value renames nothing.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from foxbatch import canonical
from foxbatch.canonical import JobId, Json
from foxbatch.matrix.axes import PROMPT, UNSET, Axis, Choice
from foxbatch.matrix.cells import Cell, Product
from foxbatch.matrix.slugs import MAX_FORM, fingerprint, safe_step, slug

MAX_NAME = 100

_TIME = re.compile(r"(?:^|[_.-])(?:duration|seconds|secs?)$")


class Names:
    """Gives the jobs of one spec their names.

    Two cells of the product never get one name: the short forms of an axis differ,
    and joined by `-` they can be told apart again. Jobs that do not come from the
    product carry a piece of their id instead.
    """

    def __init__(self, spec: str, product: Product) -> None:
        self._spec = spec
        self._order = sorted(product.axes, key=lambda name: name != PROMPT)
        forms = [_distinct_forms(product.axes[name]) for name in self._order]
        if not _separable([list(form.values()) for form in forms]):
            forms = [_prefix_free(form) for form in forms]
        self._forms = {choice: text for form in forms for choice, text in form.items()}
        alone = () if product.axes else product.alone(product.includes)
        taken = Counter(self._stem(cell) for cell in alone)
        self._taken = {stem for stem, count in taken.items() if count > 1}

    def plain(self, cell: Cell, repeat: int) -> str:
        """Return the name of a job that has no id, for messages."""
        return f"{self._stem(cell)[:MAX_NAME]}-r{repeat}"

    def of(self, cell: Cell, repeat: int, job: JobId) -> str:
        """Return the name of the job with the id *job*, unique within the spec."""
        stem = self._stem(cell)
        tail = f"-r{repeat}"
        needs_id = stem in self._taken or (cell.alone is not None and self._order)
        if needs_id or len(stem) + len(tail) > MAX_NAME:
            tail = f"-{job[:6]}{tail}"
        name = stem[: MAX_NAME - len(tail)].rstrip("-._") + tail
        return safe_step(name)

    def _stem(self, cell: Cell) -> str:
        parts = [
            self._forms.get(choice) or _form(name, choice)
            for name in self._order
            if (choice := cell.choices.get(name))
        ]
        if cell.alone is not None:
            parts += [
                _form(name, choice)
                for name, choice in cell.extras.items()
                if name not in self._order
            ]
        return "-".join(parts) or slug(self._spec, MAX_FORM).lower()


def _form(axis: str, choice: Choice) -> str:
    """Return the short form of one value: `8s`, `16x9`, `seed7`, `no-audio`."""
    if choice.label:
        return _lower(choice.label) or fingerprint(choice.label)
    name = _axis_form(axis)
    match choice.value:
        case bool():
            return name if choice.value else f"no-{name}"
        case None:
            return f"{name}-null"
        case int() | float():
            number = canonical.number(choice.value)
            return f"{number}s" if _TIME.search(axis) else f"{name}{number}"
        case str():
            short = _lower(choice.value)
            whole = len(short) == len(slug(choice.value, len(choice.value)))
            return short if short and whole else _marked(short, choice)
        case dict() if choice.value == UNSET:
            return f"{name}-unset"
        case _:
            return _own_name(choice.value) or _marked(name, choice)


def _own_name(value: Json) -> str:
    """Return what a mapping calls itself, or a file is called; may be empty."""
    match value:
        case {"path": str(path), **rest} | [{"path": str(path), **rest}] if not rest:
            return _lower(PurePosixPath(path).stem)
        case dict():
            given = (value.get(key) for key in ("id", "name", "label"))
            found = (_lower(one) for one in given if isinstance(one, str))
            return next(filter(None, found), "")
        case _:
            return ""


def _lower(text: str) -> str:
    return slug(text, MAX_FORM).lower()


@functools.lru_cache(maxsize=256)
def _axis_form(axis: str) -> str:
    return _lower(axis)


def _marked(form: str, choice: Choice) -> str:
    return f"{form}-{fingerprint(choice.value)}".lstrip("-")


def _distinct_forms(axis: Axis) -> dict[Choice, str]:
    forms = {choice: _form(axis.name, choice) for choice in axis.choices}
    count = Counter(forms.values())
    return {
        choice: form if count[form] == 1 else _marked(form, choice)
        for choice, form in forms.items()
    }


def _separable(axes: Sequence[Sequence[str]]) -> bool:
    """Return whether a joined name tells every form apart again.

    It does when, up to some axis, no form begins another (read from the left), and
    after that axis none ends another (read from the right).
    """
    left = 0
    while left < len(axes) and not _beginnings(axes[left]):
        left += 1
    return not any(
        _beginnings([form[::-1] for form in forms]) for forms in axes[left + 1 :]
    )


def _beginnings(forms: Iterable[str]) -> set[str]:
    """Return the forms that another one begins with, whole words only."""
    known = set(forms)
    return {
        form[:index]
        for form in known
        for index, char in enumerate(form)
        if char == "-" and form[:index] in known
    }


def _prefix_free(forms: Mapping[Choice, str]) -> dict[Choice, str]:
    short = _beginnings(forms.values())
    return {
        choice: _marked(form, choice) if form in short else form
        for choice, form in forms.items()
    }
