"""Values rendered per cell, at most once for each distinct value of what they name."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from foxbatch import canonical
from foxbatch.canonical import Json
from foxbatch.errors import Position, Problem
from foxbatch.manifest import Spec
from foxbatch.matrix import sizes
from foxbatch.matrix.axes import PROMPT, PROMPT_ID, Reading
from foxbatch.matrix.cells import Cell
from foxbatch.matrix.reporting import circle, meant_by, template_problems, warning
from foxbatch.matrix.variables import in_order
from foxbatch.template import Pattern, Reference, TemplateError
from foxbatch.yaml12 import Where

SAID = ""
"""Code of a `TemplateError` whose cause was reported elsewhere."""

_REMEMBERED = 4096

_Outcome: TypeAlias = "tuple[Json, TemplateError | None]"


@dataclass(slots=True)
class Frame:
    """What the templates of one job see.

    Attributes:
        cell: The combination.
        repeat: From 1.
        matrix: `matrix.*`; the prompt joins when it is rendered.
    """

    cell: Cell
    repeat: int
    matrix: dict[str, Json]

    @classmethod
    def of(cls, cell: Cell, repeat: int) -> Frame:
        """Return the frame of one job, without its prompt."""
        matrix = cell.values()
        if prompt := cell.get(PROMPT):
            matrix[PROMPT_ID] = prompt.label
        return cls(cell, repeat, matrix)

    def again(self, repeat: int) -> Frame:
        """Return the same frame for another repeat."""
        return Frame(self.cell, repeat, self.matrix)

    def value(self, name: str) -> object:
        """Return what stands for `matrix.<name>` when results are remembered."""
        if name != PROMPT:
            return self.cell.get(name)
        prompt = self.matrix.get(PROMPT)  # rendered, and then maybe no text
        return prompt if isinstance(prompt, str) else canonical.encode(prompt)


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """One value of the manifest that holds templates.

    Attributes:
        where: Its place.
        pattern: What it says; None where it cannot be rendered, which was reported.
        lets: The `let` values it refers to, itself.
        matrix: Every `matrix.<name>` it depends on, also through `let`.
        repeat: Whether it depends on the repeat.
    """

    where: Where
    pattern: Pattern | None
    lets: tuple[str, ...] = ()
    matrix: tuple[str, ...] = ()
    repeat: bool = False
    _known: dict[tuple[object, ...], _Outcome] = field(default_factory=dict)

    def refers_to(self, name: str) -> bool:
        """Return whether `matrix.<name>` is used."""
        return name in self.matrix

    def recall(self, frame: Frame, make: Callable[[], _Outcome]) -> _Outcome:
        """Return what *make* gave for the same values before, or let it give it now."""
        names = (frame.value(name) for name in self.matrix)
        key = (*names, frame.repeat if self.repeat else 0)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[key] = make()
        return known


class Renderer:
    """Makes and renders the slots of one spec.

    Attributes:
        unread: Whether a template has wrong syntax, so that it may use anything.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._vars = reading.variables.values
        self._lets: dict[str, Slot] = {}
        self._used_lets: set[str] = set()
        self._unknown_lets: set[str] = set()
        self.unread = False
        self._read_lets(reading.spec)

    def slot(self, value: Json, where: Where, at: Position | None = None) -> Slot:
        """Return the slot for a value; what is wrong with its templates is reported.

        *at* is where the value was written, if that is not at *where*.
        """
        slot = self._slot(value, where, at)
        self._use(slot.lets)
        return slot

    def _use(self, names: tuple[str, ...]) -> None:
        for name in names:
            if name not in self._used_lets:
                self._used_lets.add(name)
                self._use(self._lets[name].lets)

    def _slot(self, value: Json, where: Where, at: Position | None = None) -> Slot:
        try:
            pattern = Pattern.parse(value)
        except TemplateError as error:
            self._report(error, where, at)
            self.unread = self._reading.variables.unread = True
            return Slot(where, None)
        whole = self._reading.variables.note_uses(pattern)
        whole = self._lets_exist(pattern) and whole
        references = [reference for _, reference in pattern.names]
        used = dict.fromkeys(_second(references, "let"))
        lets = tuple(name for name in used if name in self._lets)
        whole = whole and all(self._lets[name].pattern for name in lets)
        if not whole:  # it is never rendered, which would tell
            self._report_unknown(pattern, where, at)
        matrix = dict.fromkeys(_second(references, "matrix"))
        for name in lets:
            matrix.update(dict.fromkeys(self._lets[name].matrix))
        repeat = any(one.namespace == "repeat" for one in references)
        repeat = repeat or any(self._lets[name].repeat for name in lets)
        return Slot(where, pattern if whole else None, lets, tuple(matrix), repeat)

    def _lets_exist(self, pattern: Pattern) -> bool:
        """Return whether all `let` values that *pattern* names are there."""
        names = {
            reference.path[1:2]
            for _, reference in pattern.names
            if reference.namespace == "let"
        }
        known = {(name,) for name in self._reading.spec.let}
        self._unknown_lets.update(str(name[0]) for name in names - known if name)
        return names <= known

    def _report_unknown(
        self, pattern: Pattern, where: Where, at: Position | None = None
    ) -> None:
        """Report each name in *pattern* that nothing gives, whatever the cell."""
        scope, errors = self._names_of_all(where), list[TemplateError]()
        for place, reference in pattern.names:
            if self._may_be(reference):
                continue
            try:
                replace(reference, path=reference.path[:2]).look_up(scope)
            except TemplateError as error:
                error.where = place
                errors.append(error)
        if errors:
            self._report(TemplateError.of(errors), where, at)

    def _may_be(self, reference: Reference) -> bool:
        """Return whether what is named may stand where something is wrong."""
        spec, variables = self._reading.spec, self._reading.variables
        match reference.namespace:
            case "vars":
                return not variables.are_sound(map(str, reference.path[1:2]))
            case "matrix":
                return not spec.names_known
            case "let":
                return self._reading.doubts("let")
            case _:
                return False

    def _names_of_all(self, where: Where) -> dict[str, Json]:
        """Return every name that the template at *where* may use, without values."""
        spec = self._reading.spec
        matrix = [*spec.axes, *(name for entry in spec.include for name in entry)]
        if spec.prompts is not None or PROMPT in matrix:
            matrix += [PROMPT, PROMPT_ID]
        scope: dict[str, Json] = {
            "vars": dict.fromkeys(self._vars),
            "matrix": dict.fromkeys(matrix),
            "let": dict.fromkeys(spec.let),
            "repeat": 1,
        }
        if where[-1] == "output":
            scope["job"] = dict.fromkeys(("spec", "name", "id"))
        return scope

    def _read_lets(self, spec: Spec) -> None:
        edges: dict[str, list[str]] = {}
        for name, value in spec.let.items():
            try:
                names = [reference for _, reference in Pattern.parse(value).names]
            except TemplateError:
                names = []  # reported when its slot is made
            edges[name] = [
                other for other in _second(names, "let") if other in spec.let
            ]
        order, circles = in_order(edges)
        for loop in circles:
            where = (*spec.where, "let", loop[0])
            said, steps = "let values refer to each other", [*loop, loop[0]]
            self._reading.report(
                circle(said, steps, self._reading.manifest.document, where)
            )
            for name in loop:
                self._lets[name] = Slot(where, None)
        for name in order:
            where = (*spec.where, "let", name)
            if self._reading.doubts("let", name):
                self._lets[name] = Slot(where, None)
            if name not in self._lets:
                self._lets[name] = self._slot(spec.let[name], where)

    def warn_of_unused_lets(self) -> None:
        """Report each `let` value that nothing refers to, and what is wrong in it."""
        used = meant_by(self._used_lets | self._unknown_lets, self._lets)
        for name, slot in self._lets.items():
            if name in used or slot.pattern is None:
                continue
            # Nothing renders it, so nothing else tells what is wrong with it.
            self._report_unknown(slot.pattern, slot.where)
            if not (self.unread or self._reading.spec.doubtful):
                self._reading.report(
                    warning(
                        "W-LET-UNUSED",
                        f"nothing refers to let.{name}",
                        self._reading.position("let", name, key=True),
                        f"Use it as ${{{{ let.{name} }}}}, or remove it.",
                    )
                )

    def leading_to(self, name: str, slot: Slot) -> list[str]:
        """Return `let` names by way of which *slot* refers to `matrix.<name>`."""
        for let in slot.lets:
            if name in self._lets[let].matrix:
                return [let, *self.leading_to(name, self._lets[let])]
        return []

    def render(self, slot: Slot, frame: Frame) -> Json:
        """Return the value of *slot* for one job.

        Raises:
            TemplateError: It cannot be rendered; `code` is `SAID` where the reason
                was reported already.
        """
        if slot.pattern is None:
            raise TemplateError(SAID, "reported")
        if not slot.pattern.names:
            return slot.pattern.render({})
        if self._reading.spec.doubtful and self._is_doubtful(slot, frame):
            raise TemplateError(SAID, "depends on what was reported")
        pattern = slot.pattern
        value, error = slot.recall(frame, lambda: self._outcome(slot, pattern, frame))
        if error is not None:
            raise error
        return value

    def _is_doubtful(self, slot: Slot, frame: Frame) -> bool:
        """Return whether *slot* depends on what cannot be known in this cell."""
        for name in slot.matrix:
            choice = frame.cell.get(PROMPT if name == PROMPT_ID else name)
            if choice is None and not self._reading.spec.names_known:
                return True
            if choice is not None and choice.broken:
                return True
        return False

    def _outcome(self, slot: Slot, pattern: Pattern, frame: Frame) -> _Outcome:
        try:
            value = pattern.render(self.scope(slot.lets, frame))
            # What is made for one job is not remembered, or it would never be freed.
            sizes.check(value, ChainMap({}, self._reading.variables.measured))
            return value, None
        except TemplateError as error:
            return None, error

    def scope(self, lets: tuple[str, ...], frame: Frame) -> dict[str, Json]:
        """Return what templates that use *lets* may refer to.

        Raises:
            TemplateError: One of them cannot be rendered: reported by this call.
        """
        values: dict[str, Json] = {}
        for name in lets:
            let = self._lets[name]
            try:
                values[name] = self.render(let, frame)
            except TemplateError as error:
                raise LetError(let, error) from None
        return {
            "vars": self._vars,
            "matrix": frame.matrix,
            "let": values,
            "repeat": frame.repeat,
        }

    def problems(
        self, error: TemplateError, where: Where, at: Position | None = None
    ) -> Iterator[Problem]:
        """Return *error*, met while rendering the value at *where*, as problems.

        *at* is where that value was written, if that is not at *where*.
        """
        while isinstance(error, LetError):
            where, error, at = error.slot.where, error.error, None
        return template_problems(error, self._reading.manifest.document, where, at)

    def _report(
        self, error: TemplateError, where: Where, at: Position | None = None
    ) -> None:
        for problem in self.problems(error, where, at):
            self._reading.report(problem)


class LetError(TemplateError):
    """A `let` value that a template uses cannot be rendered."""

    def __init__(self, slot: Slot, error: TemplateError) -> None:
        super().__init__(error.code, str(error))
        self.slot, self.error = slot, error


def _second(references: list[Reference], namespace: str) -> Iterator[str]:
    for reference in references:
        if reference.namespace == namespace and len(reference.path) > 1:
            yield str(reference.path[1])
