"""The `vars` of a manifest: a graph of values, resolved once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from foxbatch.canonical import Json
from foxbatch.manifest import Manifest
from foxbatch.matrix import sizes
from foxbatch.matrix.reporting import (
    Report,
    circle,
    meant_by,
    template_problems,
    warning,
)
from foxbatch.schema import nearest
from foxbatch.template import Pattern, TemplateError

_NAMESPACES = frozenset({"matrix", "let", "job", "repeat"})
"""Any other may be `vars`, misspelt."""


class Variables:
    """Values of `vars`, and which of them were used.

    Attributes:
        values: By name; those that cannot be resolved are missing.
        broken: Names whose problem was reported: what needs them is not reported.
        unread: Whether a template has wrong syntax, so that it may use anything.
        measured: Sizes of what is in them.
        known: All names, where any other may be one that cannot be read.
    """

    def __init__(self) -> None:
        self.values: dict[str, Json] = {}
        self.measured: sizes.Known = {}
        self.broken: set[str] = set()
        self.unread = False
        self.known: set[str] | None = None
        self._used: set[str] = set()

    def note_uses(self, pattern: Pattern) -> bool:
        """Remember what *pattern* uses; return whether all of it has a value."""
        names = set(_names(pattern))
        self._used |= names
        self._used |= {
            str(reference.path[1])
            for _, reference in pattern.names
            if reference.namespace not in _NAMESPACES and len(reference.path) > 1
        }
        return self.are_sound(names)

    def are_sound(self, names: Iterable[str]) -> bool:
        """Return whether no problem was reported for the sake of any of *names*."""
        return not any(
            name in self.broken or (self.known is not None and name not in self.known)
            for name in names
        )

    def render(self, value: Json) -> tuple[bool, Json]:
        """Return whether all that *value* uses has a value, and the rendered value.

        Raises:
            TemplateError: It refers to anything but a known variable, or becomes
                too large.
        """
        pattern = Pattern.parse(value)
        if not self.note_uses(pattern):
            return False, None
        return True, self._rendered(pattern)

    def add(self, name: str, pattern: Pattern) -> None:
        """Give a variable its value.

        Raises:
            TemplateError: It cannot be rendered, or becomes too large.
        """
        self.values[name] = self._rendered(pattern)

    def _rendered(self, pattern: Pattern) -> Json:
        value = pattern.render({"vars": self.values})
        sizes.check(value, self.measured)
        return value

    def used_of(self, known: Iterable[str]) -> set[str]:
        """Return those of *known* that anything refers to, or seems to mean."""
        return meant_by(self._used, known)


def resolve(manifest: Manifest, report: Report) -> Variables:
    """Return the variables of *manifest*; what is wrong with them is reported."""
    variables = Variables()
    variables.broken.update(manifest.doubtful_vars)
    if manifest.doubts.cover(("vars",)):
        variables.known = set(manifest.vars)
    patterns: dict[str, Pattern] = {}
    for name, value in manifest.vars.items():
        try:
            patterns[name] = Pattern.parse(value)
        except TemplateError as error:
            _report(error, name, manifest, report)
            variables.broken.add(name)
            variables.unread = True
    order, circles = in_order({name: list(_names(patterns[name])) for name in patterns})
    for names in circles:
        variables.broken.update(names)
        said, where = "vars refer to each other", ("vars", names[0])
        report(circle(said, [*names, names[0]], manifest.document, where))
    for name in order:
        pattern = patterns[name]
        if not variables.note_uses(pattern) or name in variables.broken:
            variables.broken.add(name)
            continue
        try:
            variables.add(name, pattern)
        except TemplateError as error:
            _report(error, name, manifest, report)
            variables.broken.add(name)
    return variables


def _report(
    error: TemplateError, name: str, manifest: Manifest, report: Report
) -> None:
    for problem in template_problems(error, manifest.document, ("vars", name)):
        report(problem)


def warn_of_unused(
    variables: Variables, manifest: Manifest, report: Report, parameters: set[str]
) -> None:
    """Report each variable that nothing refers to, not even misspelt."""
    if variables.unread or manifest.doubts:
        return  # what was not read may refer to it
    used = variables.used_of(manifest.vars)
    for name in manifest.vars:
        if name in used:
            continue
        near = nearest(name, parameters)
        meant = f" The parameter {near} is written under params." if near else ""
        report(
            warning(
                "W-VAR-UNUSED",
                f"nothing refers to vars.{name}",
                manifest.document.position(("vars", name), key=True),
                f"Use it as ${{{{ vars.{name} }}}}, or remove it.{meant}",
            )
        )


def _names(pattern: Pattern) -> Iterator[str]:
    for _, reference in pattern.names:
        if reference.namespace == "vars" and len(reference.path) > 1:
            yield str(reference.path[1])


def in_order(edges: Mapping[str, list[str]]) -> tuple[list[str], list[list[str]]]:
    """Return names after those they refer to, and the circles among them.

    A circle begins with its first declared name and follows the references.
    """
    known = {
        name: [to for to in targets if to in edges] for name, targets in edges.items()
    }
    circles: list[list[str]] = []
    while True:
        try:
            return list(TopologicalSorter(known).static_order()), circles
        except CycleError as error:
            # The sorter lists what is referred to before what refers to it.
            names: list[str] = error.args[1][:0:-1]
            start = names.index(min(names, key=list(edges).index))
            circles.append(names[start:] + names[:start])
            for name in names:
                known[name] = []
