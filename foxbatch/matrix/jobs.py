"""Jobs: requests that were checked, with their identity and names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from foxbatch import canonical
from foxbatch.canonical import Digest, JobId, Json
from foxbatch.errors import Position, Problem, Related
from foxbatch.manifest import Duplicates, Manifest
from foxbatch.matrix import sizes
from foxbatch.matrix.attachments import (
    as_checked,
    as_identified,
    as_shown,
    attach_files,
)
from foxbatch.matrix.axes import PROMPT, Choice, Reading
from foxbatch.matrix.cells import Cell
from foxbatch.matrix.expansion import (
    Expansion,
    Prompt,
    fits,
    is_doubtful,
    prepare,
    too_many,
)
from foxbatch.matrix.names import Names
from foxbatch.matrix.outputs import Output
from foxbatch.matrix.reporting import Report, Tally
from foxbatch.matrix.requests import MODEL, Draft, Recipe, parameters
from foxbatch.matrix.slugs import labels
from foxbatch.matrix.variables import warn_of_unused
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
from foxbatch.template import TemplateError
from foxbatch.yaml12 import Where

_MOST_JUDGED = 100


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


def expand(manifest: Manifest, provider: Provider, report: Report) -> Iterator[Job]:
    """Yield the valid jobs of *manifest* in expansion order, one at a time.

    Every problem goes to *report*. Those that jobs share are reported once, with their
    number, when the iterator ends. If one of them is an error, no job may be used.

    With `duplicates: merge` all are made before the first is yielded: what else asks
    for a job is known at the end.
    """
    variables, expansions = prepare(manifest, report)
    tally = Tally(report, _single(manifest, expansions))
    checks = _Checks(provider, tally, manifest.duplicates)
    works = [_Work(one, provider, checks, tally) for one in expansions]
    known = {name for model in provider.models.values() for name in parameters(model)}
    warn_of_unused(variables, manifest, report, known)
    if fits(expansions, manifest, report):
        jobs = _jobs(works, manifest, report)
        if manifest.duplicates == "merge":
            jobs = map(checks.with_also, list(jobs))
        yield from jobs
        tally.flush()
        return
    for work in works:  # too many for all: what else is wrong shows in a few as well
        work.judge_some()
    tally.flush(counted=False)


def _jobs(works: list[_Work], manifest: Manifest, report: Report) -> Iterator[Job]:
    index = 0
    for work in works:
        for found in work.jobs(index, manifest.max_jobs):
            index += 1
            if found is not None:
                yield found
        if index > manifest.max_jobs:
            if not is_doubtful([work.expansion for work in works], manifest):
                wanted = f"more than {manifest.max_jobs:,} jobs"
                report(too_many(manifest, wanted, work.expansion))
            break


def _single(manifest: Manifest, expansions: list[Expansion]) -> Iterator[Where]:
    """Yield the places that make one job each: entries, or the whole manifest."""
    for one in expansions:
        if one.exact and one.least == 1:
            yield one.reading.spec.where if len(manifest.specs) > 1 else ()


_Parts: TypeAlias = Literal["all", "named", "given"]
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
_LEFT_OUT: dict[_Parts, tuple[str, ...]] = {
    "all": (),
    "named": _RULES,
    "given": (*_RULES, "required"),
}


class _Checks:
    """What is checked of one request, and between all of them."""

    def __init__(
        self, provider: Provider, tally: Tally, duplicates: Duplicates
    ) -> None:
        self._provider, self._tally = provider, tally
        self._duplicates = duplicates
        self._also: dict[Digest, list[Also]] = {}
        self._absent: dict[tuple[str, str], Problem] = {}
        self._checkers: dict[tuple[str, _Parts], Checker] = {}
        self.first: dict[Digest, _First] = {}

    def model(self, draft: Draft, recipe: Recipe) -> tuple[Model | None, list[Problem]]:
        """Return the model of a valid request, and what is wrong or odd about it."""
        known = self._provider.models
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
        checker, request = self._checker(known[asked]), as_checked(draft)
        if recipe.partial or draft.broken - {PROMPT}:
            parts: _Parts = "given" if recipe.partial else "named"
            checker = self._checker(known[asked], parts=parts)
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

    def _checker(self, model: Model, *, parts: _Parts = "all") -> Checker:
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
        known = self._provider.models
        word = asked if isinstance(asked, str) else show(asked)
        yield Problem(
            "E-MODEL-UNKNOWN",
            f"{self._provider.id} has no model {show(asked)}",
            recipe.position(draft, (MODEL,), key=False),
            suggest(word, known, "Models"),
            pointer=pointer(recipe.place(draft, (MODEL,))),
        )
        near = nearest(word, known)
        if near is not None:
            # Names are probably right or wrong for the model that was meant.
            meant = replace(draft, request={**draft.request, MODEL: near})
            checker = self._checker(known[near], parts="given")
            sure = only_near(word, known) is not None
            if not checker.is_valid(meant.request):
                for problem in self._explain(checker, meant, recipe):
                    if sure or problem.code == "E-KEY-UNKNOWN":
                        yield problem

    def is_first(self, job: Job, work: _Work, cell: Cell) -> bool:
        """Return whether no job before had this identity.

        A second one is counted as wrong, or remembered where duplicates are merged.
        """
        mine = _First(job.name, cell, work, work.place(cell))
        first = self.first.setdefault(job.digest, mine)
        if first is mine:
            return True
        if self._duplicates == "merge":
            also = Also(job.spec, job.name, job.cell)
            self._also.setdefault(job.digest, []).append(also)
        else:
            self._tally.add(_duplicate(mine, first), job.name)
        return False

    def with_also(self, job: Job) -> Job:
        """Return *job* with the jobs that were merged into it."""
        also = self._also.get(job.digest)
        return replace(job, also=tuple(also)) if also else job


@dataclass(frozen=True, slots=True, eq=False)
class _First:
    name: str
    cell: Cell
    work: _Work = field(repr=False)
    position: Position


def _duplicate(second: _First, first: _First) -> Problem:
    axis = second.work.inert_difference(second.cell, first.cell)
    if axis is not None and first.work is second.work:
        name, position = axis
        near = only_near(name, second.work.parameters)
        hint = f"Use ${{{{ matrix.{name} }}}} in a parameter or a prompt, or remove it."
        return Problem(
            "E-DUPLICATE-JOB",
            f"the values of {name} change no request: jobs would be bought twice",
            position,
            f"Did you mean {near}? {hint}" if near else hint,
        )
    return Problem(
        "E-DUPLICATE-JOB",
        f"this asks for the same as {first.work.spec}/{first.name}",
        second.position,
        "Remove one of them; to buy the same thing several times, use `repeat`; to buy "
        "it once for both, `duplicates: merge`.",
        related=(Related(first.position, f"{first.work.spec}/{first.name}"),),
    )


class _Work:
    """One spec on its way to jobs."""

    def __init__(
        self, expansion: Expansion, provider: Provider, checks: _Checks, tally: Tally
    ) -> None:
        self.expansion, self._provider = expansion, provider
        self._checks, self._tally = checks, tally
        product = expansion.product
        self._reading: Reading = expansion.reading
        self.spec = self._reading.spec.id
        self._recipe = Recipe(self._reading, product, provider)
        self._output = Output(self._reading, self._recipe.renderer)
        self._recipe.check(self._output.slot)
        self._recipe.renderer.warn_of_unused_lets()
        self._inert = self._recipe.inert_axes()
        self._names = Names(self.spec, product)
        self._origins: dict[Choice, Origin] = {}

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

    def _origin(self, cell: Cell) -> Origin:
        prompt = cell.get(PROMPT)
        if prompt is None:
            position = self.position(cell)
            return Origin(position.file, position.line)
        if prompt not in self._origins:
            document = self._reading.manifest.document
            line = document.position(prompt.where).line
            self._origins[prompt] = Origin(document.file, line)
        return self._origins[prompt]

    @property
    def parameters(self) -> list[str]:
        """Return the names that an axis may be meant to feed."""
        return [name for model in self._recipe.models() for name in parameters(model)]

    def inert_difference(self, one: Cell, other: Cell) -> tuple[str, Position] | None:
        """Return the axis that tells two cells apart and changes no request."""
        for name in self._inert:
            if one.get(name) is not other.get(name):
                where = self.expansion.product.axes[name].where
                return name, self._reading.manifest.document.position(where, key=True)
        return None

    def jobs(self, index: int, most: int) -> Iterator[Job | None]:
        """Yield the jobs from number *index* on, None for one that is not valid.

        One more than *most* is counted, and not made.
        """
        for cell in self.expansion.walk():
            made: tuple[Draft, Model | None] | None = None
            count = self.expansion.repeats.of(cell)
            for repeat in range(1, count + 1):
                if index >= most:
                    yield None
                    return
                if made is None or self._recipe.uses_repeat:
                    shared = 1 if self._recipe.uses_repeat else count
                    made = self._checked(cell, repeat, shared)
                yield self._job(made[0], made[1], index, repeat)
                index += 1

    def judge_some(self) -> None:
        """Check a few jobs that, together, have every value."""
        for cell in self.expansion.product.some(_MOST_JUDGED):
            self._checked(cell, 1, 1)

    def _checked(
        self, cell: Cell, repeat: int, jobs: int
    ) -> tuple[Draft, Model | None]:
        draft = self._recipe.draft(cell, repeat)
        model, problems = self._checks.model(draft, self._recipe)
        for problem in problems:
            self._tally.add(problem, self._names.plain(cell, repeat), jobs)
        return draft, model

    def _check_output(self, draft: Draft, repeat: int) -> None:
        """Count a job that has no valid request, if it had no output path either."""
        name = self._names.plain(draft.cell, repeat)
        try:
            self._output.render(draft.frame, name=name, job=JobId("a" * 20))
        except TemplateError as error:
            self._output.count(error, self._tally, name)

    def _job(
        self, draft: Draft, model: Model | None, index: int, repeat: int
    ) -> Job | None:
        if model is None:
            self._check_output(draft, repeat)
            return None
        digest = canonical.job_digest(
            provider=self._provider.id,
            endpoint=model.endpoint,
            request=as_identified(draft),
            repeat=repeat,
        )
        job = canonical.job_id(digest)
        name = self._names.of(draft.cell, repeat, job)
        frame = draft.frame.again(repeat)
        try:
            output = self._output.render(frame, name=name, job=job)
        except TemplateError as error:
            self._output.count(error, self._tally, name)
            return None
        made = Job(
            id=job,
            digest=digest,
            spec=self.spec,
            name=name,
            index=index,
            cell=draft.cell.values(),
            prompt=_prompt(draft),
            repeat=repeat,
            provider=self._provider.id,
            endpoint=model.endpoint,
            model=model.name,
            kind=model.kind,
            request=as_shown(draft),
            output=output,
            origin=self._origin(draft.cell),
        )
        alone = self._recipe.doubtful or self._checks.is_first(made, self, draft.cell)
        return made if alone else None


def _prompt(draft: Draft) -> Prompt | None:
    text = draft.request.get(PROMPT)
    if not isinstance(text, str):
        return None
    return Prompt(draft.prompt or labels([text], [""])[0], text)
