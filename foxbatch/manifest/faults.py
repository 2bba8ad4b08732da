"""What can still be relied on in a manifest that has errors in it.

Everything else is judged all the same, so that all problems are told at once; and none
of them merely follows from one that was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from foxbatch.canonical import Json
from foxbatch.errors import Position, Problem, Severity
from foxbatch.manifest.reading import items, known_keys, mapping, right_key
from foxbatch.schema import pointer
from foxbatch.yaml12 import Document, Where

# These are about a place that can be read and used all the same.
_HARMLESS = frozenset({"E-AXIS-CASE", "E-ID-DUP", "E-REPEAT-DEAD"})


class Doubts:
    """The places of a manifest that something is wrong with.

    Attributes:
        places: The innermost ones, or those that cannot be known for their sake.
        limited: Whether `limits.max_jobs` is what was meant.
    """

    def __init__(self, places: Iterable[Where] = (), *, limited: bool = True) -> None:
        self.places = frozenset(places)
        self.limited = limited
        self._around = {
            place[:length] for place in self.places for length in range(len(place) + 1)
        }
        self._pointers = [f"{pointer(place)}/" for place in self.places]

    def __bool__(self) -> bool:
        """Return whether there is any."""
        return bool(self.places)

    def cover(self, where: Where) -> bool:
        """Return whether the value at *where*, or one around it, is wrong."""
        if not self.places:
            return False
        return not self.places.isdisjoint(accumulate((step,) for step in where))

    def touch(self, where: Where) -> bool:
        """Return whether something at, in or around *where* is wrong."""
        return where in self._around or self.cover(where)

    def explain(self, problem: Problem) -> bool:
        """Return whether *problem* is about a place where one was found before."""
        at = f"{problem.pointer}/"
        return any(map(at.startswith, self._pointers))


def doubts(
    document: Document,
    problems: Iterable[Problem],
    guessed: Iterable[Where],
    strays: Iterable[Where] = (),
) -> Doubts:
    """Return what *problems* make doubtful.

    Args:
        document: As it was meant: with the keys right that are misspelt without doubt.
        problems: Those that reading YAML gave, and others, which have pointers.
        guessed: The keys that were put right.
        strays: Further places that nothing can be said about.
    """
    found: set[Where] = set(strays)
    unread = list(document.problems)
    for problem in problems:
        if problem.severity is Severity.ERROR and problem.code not in _HARMLESS:
            if problem in unread:
                found.add(_place_read(document, problem))
            else:
                found.update(_places(document, problem))
    if () in found:  # an unreadable part at the top: anything may be missing
        found |= {("vars",), ("defaults",)}
    found.discard(())
    limited = not any(place[0] == "limits" for place in (*found, *guessed))
    return Doubts(found, limited=limited)


def _place_read(document: Document, problem: Problem) -> Where:
    # Of a key that is there twice, only the first one has a place.
    first: list[Position] = [related.position for related in problem.related]
    return document.around(first[0] if first else problem.position)


def _places(document: Document, problem: Problem) -> Iterator[Where]:
    where = _place(document.value, problem.pointer)
    if problem.code == "E-KEY-MISSING" and (where == () or len(where) == 2):  # noqa: PLR2004  a job
        yield from ((*where, key) for key in ("id", "model") if where)
        return
    if problem.code == "E-KEY-UNKNOWN" and where:
        yield from _meant(mapping(document.value), where)
    yield where


def _meant(root: dict[str, Json], where: Where) -> Iterator[Where]:
    """Yield what an unknown key may have been meant to be."""
    *around, key = where
    match where:
        case (_,):
            yield (right_key(root, str(key), "manifest"),)
        case ("defaults", _):
            # One that makes no sense may be any of them.
            given = mapping(root.get("defaults"))
            yield from (
                ("defaults", k) for k in known_keys("defaults") if k not in given
            )
        case ("limits", _):
            yield where
        case ("jobs", int(index), _):
            job = mapping(items(root.get("jobs"))[index])
            yield (*around, right_key(job, str(key), "job"))
        case ("jobs", int(index), "matrix", _):
            job = mapping(items(root.get("jobs"))[index])
            matrix = mapping(job.get("matrix"))
            yield (*around, right_key(matrix, str(key), "matrix"))
        case _:
            pass


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
