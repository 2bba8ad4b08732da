"""Requests against the schema of their model, in the words of the manifest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, TypeAlias

from foxbatch.errors import Problem
from foxbatch.matrix import sizes
from foxbatch.matrix.attachments import as_checked, attach_files
from foxbatch.matrix.axes import PROMPT
from foxbatch.matrix.requests import MODEL, Draft, Recipe
from foxbatch.matrix.verdicts import (
    Locator,
    hinted,
    no_model,
    parameter_of,
    placed,
    too_large,
)
from foxbatch.provider import Model, Provider
from foxbatch.schema import Checker, nearest, only_near, pointer, show, suggest

Parts: TypeAlias = Literal["all", "named", "given"]
"""What of a request is judged: all, each value and which are there, or each value."""

_RULES: tuple[str, ...] = (
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
)
_RULES += ("dependencies", "dependentSchemas")
_LEFT_OUT: dict[Parts, tuple[str, ...]] = {
    "all": (),
    "named": _RULES,
    "given": (*_RULES, "required"),
}


class Checks:
    """Checks one request at a time.

    Attributes:
        provider: The service that they are for.
    """

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._checkers: dict[tuple[str, Parts], Checker] = {}
        self._absent: dict[tuple[str, str], Problem] = {}

    def model(self, draft: Draft, recipe: Recipe) -> tuple[Model | None, list[Problem]]:
        """Return the model of a valid request, and what is wrong or odd about it."""
        known = self.provider.models
        if MODEL in draft.broken or not known:
            return None, draft.problems
        if MODEL not in draft.sources:
            absent = [] if recipe.model_is_doubtful else [no_model(draft, recipe)]
            return None, [*draft.problems, *absent]
        asked = draft.request.get(MODEL)
        if not isinstance(asked, str) or asked not in known:
            return None, [*draft.problems, *self._unknown_model(draft, recipe)]
        if why := sizes.excess(draft.request):
            return None, [*draft.problems, too_large(why, draft, recipe)]
        attach_files(draft, recipe, known[asked])
        checker, request = self.checker(known[asked]), as_checked(draft)
        if recipe.partial or draft.broken - {PROMPT}:
            parts: Parts = "given" if recipe.partial else "named"
            checker = self.checker(known[asked], parts=parts)
        if not checker.is_valid(request):
            found = self._explain(checker, replace(draft, request=request), recipe)
            return None, [*draft.problems, *found]
        if recipe.partial:
            return None, draft.problems
        notes = checker.notes(request, Locator(draft, recipe))
        shown = [self._once(placed(note, draft, recipe), note, draft) for note in notes]
        return None if draft.broken else known[asked], [*draft.problems, *shown]

    def _once(self, problem: Problem, note: Problem, draft: Draft) -> Problem:
        """Return *problem*, at its first place where it is about what is not there."""
        if parameter_of(note) in draft.sources:
            return problem
        return self._absent.setdefault((problem.code, problem.message), problem)

    def checker(self, model: Model, *, parts: Parts = "all") -> Checker:
        """Return what checks requests of *model*, or *parts* of them."""
        key = (model.name, parts)
        if key not in self._checkers:
            left = {k: v for k, v in model.schema.items() if k not in _LEFT_OUT[parts]}
            self._checkers[key] = Checker(left)
        return self._checkers[key]

    def _explain(self, checker: Checker, draft: Draft, recipe: Recipe) -> list[Problem]:
        """Return what is wrong with a request, apart from its broken parts."""
        locate = Locator(draft, recipe)
        found = checker.problems(draft.request, locate, subject="the request")
        if not found:
            # The validator that explains is the more lenient one here. What the
            # strict one refuses is not sent, and never dropped without a word.
            message = f"the request does not fit the schema of {draft.request[MODEL]}"
            found = [Problem("E-SCHEMA", message, locate((), False))]  # noqa: FBT003
        return [
            placed(hinted(problem, draft), draft, recipe)
            for problem in found
            if parameter_of(problem) not in draft.broken
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
            checker = self.checker(known[near], parts="given")
            sure = only_near(word, known) is not None
            if not checker.is_valid(meant.request):
                for problem in self._explain(checker, meant, recipe):
                    if sure or problem.code == "E-KEY-UNKNOWN":
                        yield problem
