"""A job: a request that was checked, with its identity and names."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Protocol, TypeAlias

from foxbatch.canonical import Digest, JobId, Json
from foxbatch.matrix.expansion import Prompt
from foxbatch.provider import Model


@dataclass(frozen=True, slots=True)
class Origin:
    """Where in a manifest a job comes from: its prompt, its include, or its entry."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Also:
    """Another place that asks for a job, which is bought once: its job, merged."""

    spec: str
    name: str
    cell: dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One request to be made, checked, with its identity.

    Attributes:
        id: Short form of `digest`.
        digest: Of everything that makes it this job.
        spec: Id of the entry of `jobs` it comes from.
        name: For people, unique within the spec.
        index: From 0 over the whole manifest, in expansion order; part of no identity.
        cell: Axis values and include extras, without the prompt.
        prompt: The prompt, where there is one.
        repeat: From 1.
        provider: Id of the provider.
        endpoint: Path of the submit request.
        model: Name of the model.
        kind: What comes back, such as `video`.
        request: The exact body; a local file in it is its path and digest.
        output: Path of its files: relative, POSIX, without extension.
        origin: Where it comes from.
        also: Which further jobs it stands for, with `duplicates: merge`.
    """

    id: JobId
    digest: Digest
    spec: str
    name: str
    index: int
    cell: dict[str, Json]
    prompt: Prompt | None
    repeat: int
    provider: str
    endpoint: str
    model: str
    kind: str
    request: dict[str, Json]
    output: str
    origin: Origin
    also: tuple[Also, ...] = ()
    _pressed: Pressed | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def to_json(self) -> dict[str, Json]:
        """Return the fields of `expand --format jsonl`."""
        prompt: Json = None
        if self.prompt is not None:
            prompt = {"id": self.prompt.id, "text": self.prompt.text}
        return {
            "job": self.id,
            "spec": self.spec,
            "name": self.name,
            "index": self.index,
            "cell": self.cell,
            "prompt": prompt,
            "repeat": self.repeat,
            "provider": self.provider,
            "endpoint": self.endpoint,
            "request": self.request,
            "output": self.output,
            "origin": {"file": self.origin.file, "line": self.origin.line},
        }

    if not TYPE_CHECKING:  # or every attribute would seem to exist

        def __getattr__(self, name: str) -> object:
            """Make a field that nobody has asked for yet.

            All fields of a job take ten times as long as its identity, and whoever
            counts or validates jobs looks at none of them.
            """
            if name not in _FIELDS:
                raise AttributeError(name, name=name, obj=self)
            pressed = self._pressed
            value = pressed[0].field(name, pressed)
            object.__setattr__(self, name, value)
            return value

    def __reduce__(self) -> tuple[object, tuple[dict[str, object]]]:
        """Pickle what it says, and not what it was made from."""
        return _rebuilt, ({name: getattr(self, name) for name in _FIELDS},)


def _rebuilt(values: dict[str, object]) -> Job:
    return Job(**values)  # type: ignore[arg-type]  # as `__reduce__` named them


_FIELDS = frozenset(one.name for one in fields(Job) if one.init)


class Maker(Protocol):
    """Makes the fields of jobs when they are asked for."""

    def field(self, name: str, pressed: Pressed, /) -> object:
        """Return the field called *name*."""


Pressed: TypeAlias = "tuple[Maker, tuple[int, ...], Model, int, int, bytes]"
"""What a job is made from: rows, model, repeat, index, digest. A tuple, for speed."""

_set_pressed = Job.__dict__["_pressed"].__set__  # of a slot; the job is frozen
_new = object.__new__


def pressed_job(pressed: Pressed) -> Job:
    """Return a job whose fields are made when somebody asks for them."""
    job = _new(Job)
    _set_pressed(job, pressed)
    return job
