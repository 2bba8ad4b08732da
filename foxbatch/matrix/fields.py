"""The fields of pressed jobs, each made when somebody asks for it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

from foxbatch import canonical
from foxbatch.canonical import Digest, JobId, Json
from foxbatch.errors import Position
from foxbatch.matrix.attachments import as_shown
from foxbatch.matrix.axes import PROMPT, Choice, Reading
from foxbatch.matrix.cells import Cell, Combination, Product
from foxbatch.matrix.checks import Checks
from foxbatch.matrix.expansion import Prompt
from foxbatch.matrix.job import Origin, Pressed
from foxbatch.matrix.moulds import Mould
from foxbatch.matrix.names import Names
from foxbatch.matrix.outputs import Output
from foxbatch.matrix.rendering import Frame
from foxbatch.matrix.requests import Recipe
from foxbatch.matrix.slugs import labels
from foxbatch.provider import Model


class _Made(NamedTuple):
    """What a job was pressed from, with names."""

    at: Combination
    model: Model
    repeat: int
    number: int
    digest: bytes


class Fields:
    """Says of the jobs of one spec what people, files and services are told."""

    def __init__(
        self,
        reading: Reading,
        product: Product,
        recipe: Recipe,
        checks: Checks,
        output: Output,
    ) -> None:
        self._reading, self._product = reading, product
        self._recipe, self._checks, self._output = recipe, checks, output
        self._origins: dict[Choice, Origin] = {}
        self._last: tuple[Combination, Cell] | None = None

    @functools.cached_property
    def names(self) -> Names:
        """What gives the jobs their names."""
        # Forms of a million values take seconds, and no job may be wanted.
        return Names(self._reading.spec.id, self._product)

    @functools.cached_property
    def mould(self) -> Mould | None:
        """What presses jobs; None where each has to be made for itself."""
        spec = self._reading.spec
        if spec.doubtful or spec.partial:
            return None  # something is wrong: no job will be used
        if self._recipe.uses_repeat or not self._output.always_fits:
            return None
        also = self._recipe.slot_need(self._output.slot)
        return Mould(self._recipe, self._product, self._checks, also)

    def position(self, cell: Cell) -> Position:
        """Return where the jobs of *cell* come from, maybe in a text file."""
        if prompt := cell.get(PROMPT):
            return prompt.position
        if cell.alone is not None:
            return self._reading.position("matrix", "include", cell.alone)
        return self._reading.position()

    def place(self, cell: Cell) -> Position:
        """Return what somebody would remove who does not want the jobs of *cell*."""
        if cell.alone is not None:
            return self._reading.position("matrix", "include", cell.alone)
        return self.position(cell)

    def origin(self, cell: Cell) -> Origin:
        """Return where in the manifest the jobs of *cell* come from."""
        prompt = cell.get(PROMPT)
        if prompt is None:
            position = self.position(cell)
            return Origin(position.file, position.line)
        if prompt not in self._origins:
            document = self._reading.manifest.document
            line = document.position(prompt.where).line
            self._origins[prompt] = Origin(document.file, line)
        return self._origins[prompt]

    # ---- one field

    def field(self, name: str, pressed: Pressed) -> object:
        """Return the field of a pressed job that is called *name*."""
        return _MAKERS[name](self, _Made(*pressed[1:]))

    def _cell(self, made: _Made) -> Cell:
        # Whoever looks at one field of a job mostly looks at the others as well.
        if self._last is None or self._last[0] != made.at:
            self._last = made.at, self._product.cell(made.at)
        return self._last[1]

    def _name(self, made: _Made) -> str:
        return self.names.of(self._cell(made), made.repeat, job_id(made.digest))

    def _request(self, made: _Made) -> dict[str, Json]:
        known = self.mould.request(made.at) if self.mould is not None else None
        if known is None:
            draft = self._recipe.draft(self._cell(made), made.repeat)
            self._checks.model(draft, self._recipe)  # which reads its files
            known = as_shown(draft)
        return known

    def _prompt(self, made: _Made) -> Prompt | None:
        asked = self._cell(made).get(PROMPT)
        label = asked.label if asked is not None else ""
        return prompt_of(self._request(made), label)

    def _path(self, made: _Made) -> str:
        cell = self._cell(made)
        frame = Frame.of(cell, made.repeat)
        if self._output.slot.refers_to(PROMPT):
            frame = self._recipe.draft(cell, made.repeat).frame
        name, job = self._name(made), job_id(made.digest)
        return self._output.render(frame, name=name, job=job)

    def _spec(self, _made: _Made) -> str:
        return self._reading.spec.id

    def _provider(self, _made: _Made) -> str:
        return self._checks.provider.id

    def _cell_values(self, made: _Made) -> dict[str, Json]:
        return self._cell(made).values()

    def _origin(self, made: _Made) -> Origin:
        return self.origin(self._cell(made))

    MAKERS: Mapping[str, Callable[[Fields, _Made], object]] = {
        "id": lambda _fields, made: job_id(made.digest),
        "digest": lambda _fields, made: Digest(made.digest.hex()),
        "spec": _spec,
        "name": _name,
        "index": lambda _fields, made: made.number,
        "cell": _cell_values,
        "prompt": _prompt,
        "repeat": lambda _fields, made: made.repeat,
        "provider": _provider,
        "endpoint": lambda _fields, made: made.model.endpoint,
        "model": lambda _fields, made: made.model.name,
        "kind": lambda _fields, made: made.model.kind,
        "request": _request,
        "output": _path,
        "origin": _origin,
        "also": lambda _fields, _made: (),
    }


_MAKERS = Fields.MAKERS


def job_id(digest: bytes) -> JobId:
    """Return the id of the job with this SHA-256."""
    return canonical.job_id(Digest(digest.hex()))


def prompt_of(request: Mapping[str, Json], label: str) -> Prompt | None:
    """Return the prompt of a request, if it has one; its label may be empty."""
    text = request.get(PROMPT)
    if not isinstance(text, str):
        return None
    return Prompt(label or labels([text], [""])[0], text)
