"""What can still be relied on in a manifest that has errors in it.

Further problems are looked for in the rest only, so that none of them merely follows
from one that was found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from foxbatch.canonical import Json
from foxbatch.errors import Problem, Severity
from foxbatch.manifest.reading import items, mapping, right_key
from foxbatch.schema import pointer
from foxbatch.yaml12 import Document, Where


class Faults:
    """The places of a manifest's errors, and what they make doubtful."""

    def __init__(self, document: Document, others: Sequence[Problem]) -> None:
        """Take the errors that reading YAML gave, and *others*, which have pointers."""
        self._root = mapping(document.value)
        unread = [_place_read(document, one) for one in _errors(document.problems)]
        # With an unreadable part at the top, anything may be missing.
        self._hopeless = () in unread
        read = (_place(document.value, one.pointer) for one in _errors(others))
        found = {*unread, *read} - {()}
        self._places = {meant for place in found for meant in self._meant(place)}

    def _meant(self, place: Where) -> Iterator[Where]:
        """Yield *place*, or what it is about where a key on its way is misspelt."""
        written, *rest = place
        top = right_key(self._root, str(written), "manifest")
        inside = mapping(self._root.get(str(written)))
        if top in {"defaults", "limits"} and rest:
            rest[0] = right_key(inside, str(rest[0]), top)
        if top == "vars" != written and inside:
            yield from ((top, name) for name in inside)
        else:
            yield (top, *rest)

    def cover(self, problem: Problem) -> bool:
        """Return whether *problem* is about a place where one was found before."""
        at = problem.pointer
        return any(f"{at}/".startswith(f"{pointer(one)}/") for one in self._places)

    @property
    def variables(self) -> frozenset[str]:
        """Names in `vars` whose values are doubtful."""
        named = [place[1:] for place in self._places if place[0] == "vars"]
        return frozenset(str(rest[0]) for rest in named if rest)

    def spoil(self, index: int) -> bool:
        """Return whether an entry of `jobs` is wrong, or inherits what is wrong."""
        if self._hopeless or self._places & {("vars",), ("jobs",)}:
            return True
        entry = items(self._root.get("jobs"))[index]
        own = mapping(entry)
        return own is not entry or any(
            place[:2] == ("jobs", index) or _inherited(place, own)
            for place in self._places
        )

    def without(self, value: Json, where: Where = ()) -> Json:
        """Return *value*, which stands at *where*, without the keys that are wrong."""
        if not isinstance(value, dict):
            return value
        return {
            key: self.without(inner, (*where, key))
            for key, inner in value.items()
            if (*where, key) not in self._places
        }


def _errors(problems: Sequence[Problem]) -> Iterator[Problem]:
    return (one for one in problems if one.severity is Severity.ERROR)


def _place_read(document: Document, problem: Problem) -> Where:
    # Of a key that is there twice, only the first one has a place.
    first = [related.position for related in problem.related]
    return document.around(first[0] if first else problem.position)


def _place(value: Json, at: str) -> Where:
    """Return the place that the JSON pointer *at* names."""
    where: Where = ()
    for text in at.split("/")[1:]:
        step = text.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list):
            where, value = (*where, int(step)), value[int(step)]
        else:
            where, value = (*where, step), mapping(value).get(step)
    return where


def _inherited(place: Where, job: dict[str, Json]) -> bool:
    """Return whether what is wrong at *place* reaches a job through `defaults`."""
    match place:
        case ("defaults", "params", name, *_):
            return name not in mapping(job.get("params"))
        case ("defaults", "model" | "repeat" | "output" as key, *_):
            return key not in job
        case ("defaults", *_):
            return True
        case _:
            return False
