"""What is wrong with one request, told where it was written."""

from __future__ import annotations

from dataclasses import replace

from foxbatch.errors import Position, Problem
from foxbatch.matrix import sizes
from foxbatch.matrix.rendering import Slot
from foxbatch.matrix.requests import MODEL, Draft, Recipe
from foxbatch.schema import pointer
from foxbatch.yaml12 import Where


def no_model(draft: Draft, recipe: Recipe) -> Problem:
    """Return the problem of a request without a model."""
    return Problem(
        "E-KEY-MISSING",
        "this job names no model",
        recipe.position(draft, (), key=False),
        "Add `model: …`; `foxbatch models` lists them.",
        pointer=pointer(recipe.place(draft, ())),
    )


def too_large(why: str, draft: Draft, recipe: Recipe) -> Problem:
    """Return the problem of a request that is too large to be sent."""
    largest = max(draft.request, key=lambda name: sizes.size(draft.request[name]))
    place = recipe.place(draft, (largest,))
    return Problem(
        "E-REQUEST-SIZE",
        why,
        recipe.position(draft, (largest,), key=False),
        f"{largest} is the largest part of it: shorten that.",
        pointer=pointer(place),
    )


class Locator:
    """Tells where a part of one request was written."""

    def __init__(self, draft: Draft, recipe: Recipe) -> None:
        self._draft, self._recipe = draft, recipe

    def __call__(self, where: Where, key: bool, /) -> Position:  # noqa: FBT001  schema.Locate
        """Return the place of a value, or of its key."""
        return self._recipe.position(self._draft, where, key=key)


def parameter_of(problem: Problem) -> str:
    """Return the key of the request that a problem is about; empty for the whole."""
    name = problem.pointer.removeprefix("/").partition("/")[0]
    return name.replace("~1", "/").replace("~0", "~")


def hinted(problem: Problem, draft: Draft) -> Problem:
    """Return *problem*, with a hint for those who expect a list to multiply jobs."""
    value = draft.request.get(parameter_of(problem))
    whole = problem.pointer.count("/") == 1
    many = isinstance(value, list) and value and whole
    if problem.hint or problem.code != "E-TYPE" or not many:
        return problem
    hint = "To make a job for each of these values, put the list in `matrix.axes`."
    return replace(problem, hint=hint)


def placed(problem: Problem, draft: Draft, recipe: Recipe) -> Problem:
    """Return *problem* with a pointer into the manifest instead of the request."""
    name, rest = parameter_of(problem), problem.pointer.split("/", 2)[2:]
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
