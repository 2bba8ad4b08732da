"""One cell to one request body, and where each part of it was written."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from foxbatch import canonical
from foxbatch.canonical import Json
from foxbatch.errors import Position, Problem, Related
from foxbatch.matrix.axes import PROMPT, PROMPT_ID, UNSET, Choice, Reading
from foxbatch.matrix.cells import Cell, Product
from foxbatch.matrix.rendering import SAID, Frame, Renderer, Slot
from foxbatch.matrix.reporting import circle, meant_by, warning
from foxbatch.provider import Model, Provider
from foxbatch.schema import nearest
from foxbatch.sources import LocalFile
from foxbatch.template import TemplateError
from foxbatch.yaml12 import Where

MODEL = "model"
_MOST_MODELS = 2_000  # combinations tried to learn which models a template can name


def parameters(model: Model) -> list[str]:
    """Return the names of the parameters that a model's schema describes."""
    properties = model.schema.get("properties")
    return list(properties) if isinstance(properties, dict) else []


@dataclass(slots=True)
class Draft:
    """A request that was rendered and not checked yet.

    Attributes:
        cell: The combination it comes from.
        request: The body; what could not be rendered stands in it as written, and
            local files as `{path: …}`.
        sources: Where each of its keys comes from.
        prompt: The prompt's label, empty where it has none.
        problems: Why parts could not be rendered.
        broken: Keys of those parts.
        files: What is known of its local files, by path.
    """

    cell: Cell
    frame: Frame
    request: dict[str, Json] = field(default_factory=dict)
    sources: dict[str, Choice | Slot] = field(default_factory=dict)
    prompt: str = ""
    problems: list[Problem] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    files: dict[str, LocalFile] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Need:
    """What the value of one key of a request depends on.

    Attributes:
        axes: Names of axes; `prompt` also where only its label matters.
        direct: Whether it is the value of the one axis, as it is.
    """

    axes: frozenset[str]
    direct: bool = False


class Recipe:
    """How the cells of one spec become requests.

    Attributes:
        renderer: Renders its templates.
        sources: Reads the files that they name.
        uses_repeat: Whether a request depends on its repeat.
        doubtful: Whether something is wrong, so that jobs may only seem equal.
        partial: Whether parts of its requests cannot be known.
    """

    def __init__(self, reading: Reading, product: Product, provider: Provider) -> None:
        self._reading, self._product, self._provider = reading, product, provider
        self.renderer = Renderer(reading)
        self.sources = reading.sources
        spec = reading.spec
        self.doubtful, self.partial = spec.doubtful, spec.partial
        self._params = self._slots(spec.params, (*spec.where, "params"))
        self._defaults = self._slots(spec.default_params, ("defaults", "params"))
        self._model = None
        if spec.model is not None:
            self._model = self._slot(spec.model, spec.model_where)
        self._prompts = {
            choice: self._prompt_slot(choice) for choice in self._all_prompts()
        }
        self._fed = self._feeding()
        self._own_model = spec.model_where[:1] == ("jobs",)
        self.uses_repeat = any(slot.repeat for slot in self._all_slots())

    def _slots(self, values: Mapping[str, Json], where: Where) -> dict[str, Slot]:
        return {
            name: self._slot(value, (*where, name)) for name, value in values.items()
        }

    @property
    def model_is_doubtful(self) -> bool:
        """Return whether the model may be named where something is wrong."""
        doubts, spec = self._reading.manifest.doubts, self._reading.spec
        own = doubts.touch((*spec.where, MODEL)) or not spec.names_known
        own = own or MODEL in {**spec.params, **spec.default_params}
        return own or doubts.touch(("defaults", MODEL))

    def _slot(self, value: Json, where: Where) -> Slot:
        if self._reading.manifest.doubts.touch(where):
            return Slot(where, None)
        return self.renderer.slot(value, where)

    def _all_prompts(self) -> Iterator[Choice]:
        if PROMPT in self._product.axes:
            yield from self._product.axes[PROMPT].choices
        for include in self._product.includes:
            for part in (include.given, include.extras):
                if PROMPT in part:
                    yield part[PROMPT]

    def _prompt_slot(self, prompt: Choice) -> Slot | None:
        """Return what renders a prompt; None for text that is taken as it is."""
        if not prompt.template:
            return None
        slot = self.renderer.slot(prompt.value, prompt.where, prompt.at)
        if not slot.refers_to(PROMPT):
            return slot
        by_way_of = [f"let.{name}" for name in self.renderer.leading_to(PROMPT, slot)]
        steps = ["matrix.prompt", *by_way_of, "matrix.prompt"]
        document = self._reading.manifest.document
        self._reading.report(
            circle("a prompt contains itself", steps, document, prompt.where)
        )
        return Slot(prompt.where, None)

    def _all_slots(self) -> Iterator[Slot]:
        yield from self._params.values()
        yield from self._defaults.values()
        if self._model is not None:
            yield self._model
        yield from filter(None, self._prompts.values())

    # ---- which axes feed which parameters

    def _extras(self) -> dict[str, list[Choice]]:
        """Return what includes say, by key, whether it is an axis or not."""
        found: dict[str, list[Choice]] = {}
        for include in self._product.includes:
            for part in (include.given, include.extras):
                for name, choice in part.items():
                    found.setdefault(name, []).append(choice)
        return found

    def _values(self) -> dict[str, list[Choice]]:
        found = {name: list(axis.choices) for name, axis in self._product.axes.items()}
        for name, choices in self._extras().items():
            found.setdefault(name, []).extend(choices)
        return found

    def _possible_models(self) -> Iterator[Json]:
        values = self._values()
        if MODEL in values and MODEL not in self._reading.spec.variables:
            yield from (choice.value for choice in values[MODEL])
        if self._model is None:
            return
        names = self._model.matrix
        columns = [values.get(name, []) for name in names]
        for row in itertools.islice(itertools.product(*columns), _MOST_MODELS):
            frame = Frame.of(Cell(dict(zip(names, row, strict=True)), {}), 1)
            try:
                yield self.renderer.render(self._model, frame)
            except TemplateError:
                continue  # reported where a job meets it

    def models(self) -> list[Model]:
        """Return the models that jobs may name; for an unknown one the nearest."""
        known = self._provider.models
        found: dict[str, Model] = {}
        for name in self._possible_models():
            meant = name if isinstance(name, str) and name in known else None
            if meant is None and isinstance(name, str):
                meant = nearest(name, known)
            if meant is not None:
                found[meant] = known[meant]
        return list(found.values())

    def _feeding(self) -> frozenset[str]:
        names = {name for model in self.models() for name in parameters(model)}
        return frozenset({*names, MODEL, PROMPT} - self._reading.spec.variables)

    def check(self, output: Slot) -> None:
        """Report conflicts between params and axes, and axes that nothing uses."""
        values = self._values()
        if MODEL in {**self._params, **self._defaults}:
            self._model_among_params()
        for name, slot in self._params.items():
            if name == MODEL:
                continue
            if name in values and name in self._fed:
                self._check_conflict(name, slot, values[name][0])
        if self._own_model and self._model and MODEL in values and MODEL in self._fed:
            self._check_conflict(MODEL, self._model, values[MODEL][0])
        slots = (*self._all_slots(), output)
        used = meant_by({name for slot in slots for name in slot.matrix}, values)
        models = self.models()
        unread = self.renderer.unread or bool(self._reading.variables.broken)
        if not models or unread or self._reading.spec.doubtful:
            return  # not known: the parameters, or what is referred to
        known = [name for model in models for name in parameters(model)]
        folded = Counter(name.casefold() for name in values)
        for name, choices in values.items():
            if folded[name.casefold()] > 1:
                continue  # which of them was meant is asked already
            if name not in {*used, *self._fed, "prompt_id"}:
                self._unused(name, choices[0], known)

    def _model_among_params(self) -> None:
        slot = self._params.get(MODEL) or self._defaults[MODEL]
        self._reading.error(
            "E-PARAM-CONFLICT",
            "the model stands among the parameters",
            self._reading.manifest.document.position(slot.where, key=True),
            "Move it out of `params`: write `model: …` beside them, not inside.",
        )

    def _check_conflict(self, name: str, slot: Slot, choice: Choice) -> None:
        if slot.refers_to(name) or slot.pattern is None:
            return
        self.doubtful = True
        document = self._reading.manifest.document
        what = "an axis" if name in self._product.axes else "an include"
        self._reading.report(
            Problem(
                "E-PARAM-CONFLICT",
                f"{name} is given here and by {what}",
                document.position(slot.where, key=True),
                f"Remove one, or refer to the other: ${{{{ matrix.{name} }}}}.",
                related=(Related(self._key_of(name, choice), f"{what} gives it here"),),
            )
        )

    def _key_of(self, name: str, choice: Choice) -> Position:
        axis = self._product.axes.get(name)
        where = axis.where if axis else choice.where
        return self._reading.manifest.document.position(where, key=True)

    def _unused(self, name: str, choice: Choice, known: list[str]) -> None:
        near = nearest(name, known)
        hint = f"Use it as ${{{{ matrix.{name} }}}}, or remove it."
        if near and name not in self._reading.spec.variables:
            hint = f"Did you mean {near}? " + hint
        what = "the axis" if name in self._product.axes else "the include's"
        said = f"{what} {name} is no parameter, and nothing refers to it"
        if name == PROMPT:
            said = "no prompt reaches a request: `prompt` is one of the variables"
        self._reading.report(
            warning(
                "W-AXIS-UNUSED",
                said,
                self._key_of(name, choice),
                hint,
            )
        )

    def inert_axes(self) -> list[str]:
        """Return the axes that change no request, in declared order."""
        used = {name for slot in self._all_slots() for name in slot.matrix}
        return [name for name in self._product.axes if name not in {*used, *self._fed}]

    # ---- what a request depends on

    def needs(self) -> dict[str, Need]:
        """Return what each key of a request depends on, in the order of a request.

        It holds for the cells of the product that no include adds anything to.
        """
        axes, found = self._product.axes, {MODEL: self._model_need()}
        if PROMPT in axes and PROMPT in self._fed:
            found[PROMPT] = self._prompt_need()
        for name in {PROMPT: None, **self._defaults, **self._params, **axes}:
            if name in self._params:
                found[name] = self.slot_need(self._params[name])
            elif name == PROMPT in axes or name == MODEL:
                continue
            elif name in axes and name in self._fed:
                found[name] = Need(frozenset({name}), direct=True)
            elif name in self._defaults:
                found[name] = self.slot_need(self._defaults[name])
        return found

    def slot_need(self, slot: Slot) -> Need:
        """Return what a slot depends on."""
        axes = {PROMPT if name == PROMPT_ID else name for name in slot.matrix}
        if slot.refers_to(PROMPT):
            axes |= self._prompt_need().axes
        return Need(frozenset(axes.intersection(self._product.axes)))

    def _prompt_need(self) -> Need:
        slots = [slot for slot in self._prompts.values() if slot is not None]
        names = {name for slot in slots for name in slot.matrix} - {PROMPT, PROMPT_ID}
        axes = {PROMPT, *names}.intersection(self._product.axes)
        return Need(frozenset(axes), direct=not slots)

    def _model_need(self) -> Need:
        an_axis = MODEL in self._product.axes
        if self._model is None or (
            an_axis and MODEL in self._fed and not self._own_model
        ):
            return Need(frozenset({MODEL} if an_axis else ()), direct=an_axis)
        return self.slot_need(self._model)

    # ---- one request

    def prompt(self, cell: Cell) -> str | None:
        """Return the text of a prompt that stands in requests as the cell gives it.

        None where that is not so, also where it cannot be rendered, or is no text.
        """
        choice = cell.get(PROMPT)
        if choice is None or choice.broken or PROMPT in self._params:
            return None
        slot, value = self._prompts.get(choice), choice.value
        try:
            if slot is not None:
                value = self.renderer.render(slot, Frame.of(cell, 1))
        except TemplateError:
            return None
        return value if isinstance(value, str) else None

    def draft(self, cell: Cell, repeat: int) -> Draft:
        """Return the request of one job; what cannot be rendered is noted in it."""
        draft = Draft(cell, Frame.of(cell, repeat))
        draft.request[MODEL] = None  # stands first, for people
        self._add_prompt(draft)
        self._add_model(draft)
        for name in self._names(cell):
            if name in self._params:
                self._add(draft, name, self._params[name])
            elif name in self._fed and (choice := cell.get(name)):
                self._put(draft, name, choice.value, choice)
            elif name in self._defaults:
                self._add(draft, name, self._defaults[name])
        return draft

    def _names(self, cell: Cell) -> dict[str, None]:
        names = {**self._defaults, **self._params, **cell.choices, **cell.extras}
        names.pop(MODEL, None)
        if PROMPT not in self._params:
            names.pop(PROMPT, None)  # it is there already
        return dict.fromkeys(names)

    def _add_prompt(self, draft: Draft) -> None:
        choice = draft.cell.get(PROMPT)
        if choice is None:
            if PROMPT in self._defaults and PROMPT not in self._params:
                self._add(draft, PROMPT, self._defaults[PROMPT])
            return
        draft.prompt = choice.label
        slot = self._prompts.get(choice)
        value = choice.value
        if slot is not None:
            try:
                value = self.renderer.render(slot, draft.frame)
            except TemplateError as error:
                self._fail(draft, PROMPT, error, choice.where, choice.at)
        if PROMPT in self._fed:
            self._put(draft, PROMPT, value, choice)
        elif choice.broken:
            draft.broken.add(PROMPT)
        draft.frame.matrix[PROMPT] = value

    def _add_model(self, draft: Draft) -> None:
        choice = draft.cell.get(MODEL)
        if choice and MODEL in self._fed and not self._own_model:
            self._put(draft, MODEL, choice.value, choice)
        elif self._model is not None:
            self._add(draft, MODEL, self._model)
        elif choice:
            self._put(draft, MODEL, choice.value, choice)

    def _add(self, draft: Draft, name: str, slot: Slot) -> None:
        try:
            value = self.renderer.render(slot, draft.frame)
        except TemplateError as error:
            self._fail(draft, name, error, slot.where)
            value = None
        self._put(draft, name, value, slot)

    def _fail(
        self,
        draft: Draft,
        name: str,
        error: TemplateError,
        where: Where,
        at: Position | None = None,
    ) -> None:
        draft.broken.add(name)
        if error.code != SAID:
            draft.problems += self.renderer.problems(error, where, at)

    def _put(self, draft: Draft, name: str, value: Json, source: Choice | Slot) -> None:
        if isinstance(source, Choice) and source.broken:
            draft.broken.add(name)
        if isinstance(value, dict) and canonical.equal(value, UNSET):
            draft.request.pop(name, None)
            return
        draft.request[name] = value
        draft.sources[name] = source

    # ---- where it was written

    def place(self, draft: Draft, inside: Where) -> Where:
        """Return where in the manifest the request's value at *inside* was written."""
        if not inside or inside[0] not in draft.sources:
            where, alone = self._reading.spec.where, draft.cell.alone
            return where if alone is None else (*where, "matrix", "include", alone)
        source, rest = draft.sources[str(inside[0])], inside[1:]
        if isinstance(source, Choice):
            return (*source.where, *rest)
        lone = source.pattern.lone if source.pattern else None
        if lone is not None and len(lone.path) > 1:
            origin, tail = str(lone.path[1]), (*lone.path[2:], *rest)
            if lone.namespace == "vars":
                return ("vars", origin, *tail)
            if lone.namespace == "matrix" and (choice := draft.cell.get(origin)):
                return (*choice.where, *tail)
        return (*source.where, *rest)

    def key_place(self, draft: Draft, name: str) -> Where:
        """Return where the key of a request is written: of an axis, its name."""
        source = draft.sources[name]
        axis = self._product.axes.get(name)
        if isinstance(source, Choice) and name in draft.cell.choices and axis:
            return axis.where
        return source.where

    def position(self, draft: Draft, inside: Where, *, key: bool) -> Position:
        """Return where that stands: its key, or its value, maybe in a text file."""
        document = self._reading.manifest.document
        if key and len(inside) == 1:
            return document.position(self.key_place(draft, str(inside[0])), key=True)
        where = self.place(draft, inside)
        for choice in self._choices(draft):
            if choice.made and where[: len(choice.where)] == choice.where:
                return choice.position  # a line of a file knows better
        return document.position(where, key=key)

    def _choices(self, draft: Draft) -> Iterator[Choice]:
        yield from draft.cell.choices.values()
        yield from draft.cell.extras.values()
