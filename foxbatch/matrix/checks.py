"""Requests against the schema of their model, in the words of the manifest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from foxbatch.errors import Position, Problem
from foxbatch.matrix import sizes
from foxbatch.matrix.attachments import as_checked, attach_files
from foxbatch.matrix.rendering import Slot
from foxbatch.matrix.requests import MODEL, Draft, Recipe
from foxbatch.provider import Model, Provider
from foxbatch.schema import Checker, nearest, pointer, show, suggest
from foxbatch.yaml12 import Where


class Checks:
    """Checks one request at a time.

    Attributes:
        provider: The service that they are for.
    """

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._checkers: dict[str, Checker] = {}

    def model(self, draft: Draft, recipe: Recipe) -> tuple[Model | None, list[Problem]]:
        """Return the model of a valid request, and what is wrong or odd about it."""
        known = self.provider.models
        if MODEL in draft.broken:
            return None, draft.problems
        if MODEL not in draft.sources:
            return None, [*draft.problems, _no_model(draft, recipe)]
        asked = draft.request.get(MODEL)
        if not isinstance(asked, str) or asked not in known:
            return None, [*draft.problems, *self._unknown_model(draft, recipe)]
        if why := sizes.excess(draft.request):
            return None, [*draft.problems, _too_large(why, draft, recipe)]
        attach_files(draft, recipe, known[asked])
        checker, request = self.checker(known[asked]), as_checked(draft)
        if not checker.is_valid(request):
            found = self._explain(checker, replace(draft, request=request), recipe)
            return None, [*draft.problems, *found]
        notes = checker.notes(request, _Locator(draft, recipe))
        placed = [_placed(note, draft, recipe) for note in notes]
        return None if draft.broken else known[asked], [*draft.problems, *placed]

    def checker(self, model: Model) -> Checker:
        """Return what checks the requests of *model*."""
        if model.name not in self._checkers:
            self._checkers[model.name] = Checker(model.schema)
        return self._checkers[model.name]

    def _explain(self, checker: Checker, draft: Draft, recipe: Recipe) -> list[Problem]:
        """Return what is wrong with a request, apart from its broken parts."""
        locate = _Locator(draft, recipe)
        found = checker.problems(draft.request, locate, subject="the request")
        if not found:
            # The validator that explains is the more lenient one here. What the
            # strict one refuses is not sent, and never dropped without a word.
            message = f"the request does not fit the schema of {draft.request[MODEL]}"
            found = [Problem("E-SCHEMA", message, locate((), False))]  # noqa: FBT003
        return [
            _placed(_hinted(problem, draft), draft, recipe)
            for problem in found
            if _parameter(problem) not in draft.broken
        ]

    def _unknown_model(self, draft: Draft, recipe: Recipe) -> Iterator[Problem]:
        asked = draft.request.get(MODEL)
        known = self.provider.models
        word = asked if isinstance(asked, str) else show(asked)
        yield Problem(
            "E-MODEL-UNKNOWN",
            f"{self.provider.id} has no model {show(asked)}",
            recipe.position(draft, (MODEL,), key=False),
            suggest(word, known, "Models"),
            pointer=pointer(recipe.place(draft, (MODEL,))),
        )
        near = nearest(word, known)
        if near is not None:
            # Names are probably right or wrong for the model that was meant.
            meant = replace(draft, request={**draft.request, MODEL: near})
            checker = self.checker(known[near])
            if not checker.is_valid(meant.request):
                for problem in self._explain(checker, meant, recipe):
                    if problem.code == "E-KEY-UNKNOWN":
                        yield problem


def _no_model(draft: Draft, recipe: Recipe) -> Problem:
    return Problem(
        "E-KEY-MISSING",
        "this job names no model",
        recipe.position(draft, (), key=False),
        "Add `model: …`; `foxbatch models` lists them.",
        pointer=pointer(recipe.place(draft, ())),
    )


def _too_large(why: str, draft: Draft, recipe: Recipe) -> Problem:
    largest = max(draft.request, key=lambda name: sizes.size(draft.request[name]))
    place = recipe.place(draft, (largest,))
    return Problem(
        "E-REQUEST-SIZE",
        why,
        recipe.position(draft, (largest,), key=False),
        f"{largest} is the largest part of it: shorten that.",
        pointer=pointer(place),
    )


class _Locator:
    def __init__(self, draft: Draft, recipe: Recipe) -> None:
        self._draft, self._recipe = draft, recipe

    def __call__(self, where: Where, key: bool, /) -> Position:  # noqa: FBT001  schema.Locate
        return self._recipe.position(self._draft, where, key=key)


def _parameter(problem: Problem) -> str:
    """Return the key of the request that a problem is about; empty for the whole."""
    name = problem.pointer.removeprefix("/").partition("/")[0]
    return name.replace("~1", "/").replace("~0", "~")


def _hinted(problem: Problem, draft: Draft) -> Problem:
    """Return *problem*, with a hint for those who expect a list to multiply jobs."""
    value = draft.request.get(_parameter(problem))
    whole = problem.pointer.count("/") == 1
    many = isinstance(value, list) and value and whole
    if problem.hint or problem.code != "E-TYPE" or not many:
        return problem
    hint = "To make a job for each of these values, put the list in `matrix.axes`."
    return replace(problem, hint=hint)


def _placed(problem: Problem, draft: Draft, recipe: Recipe) -> Problem:
    """Return *problem* with a pointer into the manifest instead of the request."""
    name, rest = _parameter(problem), problem.pointer.split("/", 2)[2:]
    inside: Where = (name,) if name else ()
    unknown = problem.code == "E-KEY-UNKNOWN"
    place = recipe.key_place(draft, name) if unknown else recipe.place(draft, inside)
    at = pointer(place)
    match place:
        case (*_, "axes", _, "csv", str(column)) if "the quotes" in problem.hint:
            hint = f"Every value of a csv is text: write `types: {{{column}: int}}` "
            problem = replace(problem, hint=f"{hint}(or float) beside it.")
        case _:
            pass
    # What one model calls unknown may be right for another: no machine renames it.
    model = draft.sources.get(MODEL)
    one_model = isinstance(model, Slot) and not model.matrix
    own = one_model and place[:1] == ("jobs",) and place[2:3] == ("params",)
    fix = problem.fix if own else ()
    return replace(problem, pointer="/".join([at, *rest]), fix=fix)
