"""What is wrong with a document as a manifest: its shape, its rules, eaten text."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence

from foxbatch.errors import Problem
from foxbatch.manifest.cut import Cut, cut_by_commas, split_by_quotes
from foxbatch.manifest.faults import Doubts, doubts
from foxbatch.manifest.misplaced import as_placed
from foxbatch.manifest.operators import MISUSED
from foxbatch.manifest.rules import rules
from foxbatch.manifest.texts import eaten_text, with_quotes
from foxbatch.schema import Checker, load_schema, pointer
from foxbatch.yaml12 import Document, Where

_MOST_ROUNDS = 20


def judged(document: Document) -> tuple[Document, list[Problem], Doubts]:
    """Return *document* as it was meant, all that is wrong with it, and what is unsure.

    A key that is misspelt without doubt is told, and what stands under it is judged as
    if it were right.
    """
    told: list[Problem] = []
    guessed: list[Where] = []
    for _ in range(_MOST_ROUNDS):
        names = _checker().misspelt(document.value)
        if not names:
            break
        places = {pointer(where) for where in names}
        told += [
            problem
            for problem in _of_shape(document)
            if problem.code == "E-KEY-UNKNOWN" and problem.pointer in places
        ]
        document = document.renamed(names)
        guessed += [(*where[:-1], right) for where, right in names.items()]
    # A value that does not fit may be under a key that was meant otherwise after all.
    unsure = {pointer(where) for where in guessed}
    cuts = list(cut_by_commas(document))
    found = list(_problems(document, cuts))
    strays = [where for cut in cuts for where in cut.strays]
    doubtful = doubts(document, [*document.problems, *found], guessed, strays)
    kept = [problem for problem in found if problem.pointer not in unsure]
    every = [*document.problems, *told, *kept]
    return document, list(with_quotes(every, document)), doubtful


def _problems(document: Document, cuts: Sequence[Cut]) -> Iterator[Problem]:
    eaten = [cut.problem for cut in cuts]
    eaten += [*split_by_quotes(document), *eaten_text(document)]
    broken = list(rules(document))
    # What follows from a text that was not read as meant is not said as well, nor that
    # a zip group is too small for an axis that does not belong there.
    misused = [problem for problem in broken if problem.code == MISUSED]
    covered = {problem.pointer for problem in (*eaten, *misused)}
    covered |= {pointer(where) for cut in cuts for where in cut.strays}
    twice = {
        problem.pointer.rpartition("/")[0]
        for problem in broken
        if problem.code == "E-ZIP-TWICE"
    }
    places = {problem.position for problem in document.problems}
    for problem in _of_shape(document):
        around = itertools.accumulate(problem.pointer.split("/"), "{}/{}".format)
        told = not covered.isdisjoint(around) or problem.position in places
        if not told and not (problem.code == "E-COUNT" and problem.pointer in twice):
            yield problem
    yield from eaten
    yield from broken


def _of_shape(document: Document) -> list[Problem]:
    found = _checker().problems(
        document.value,
        lambda where, key: document.position(where, key=key),
        subject="the manifest",
    )
    return list(as_placed(found, document))


@functools.cache
def _checker() -> Checker:
    return Checker(load_schema("manifest"))
