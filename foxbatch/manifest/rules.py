"""Rules that need more than one place of the manifest, and nothing but the manifest."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from foxbatch.canonical import Json
from foxbatch.errors import Problem, Related
from foxbatch.manifest.operators import (
    misused_as_key,
    misused_in_extra,
    misused_in_filter,
)
from foxbatch.manifest.reading import (
    items,
    known_keys,
    mapping,
    misspelt,
    written_jobs,
)
from foxbatch.schema import place, pointer, show, suggest
from foxbatch.yaml12 import Document, Where

_RESERVED_AXIS = "prompt_id"


def rules(document: Document) -> Iterator[Problem]:
    """Yield what breaks a rule; wrong shapes are passed over."""
    jobs = list(written_jobs(document))
    yield from _same_ids(document, [((*where, "id"), job) for where, job in jobs])
    has_default = _may_name_a_model(mapping(document.value))
    for where, job in jobs:
        prompts = [
            ((*where, "prompts", index, "id"), prompt)
            for index, prompt in enumerate(items(job.get("prompts")))
            if isinstance(prompt, dict)
        ]
        yield from _same_ids(document, prompts)
        rules = _JobRules(document, where, job)
        if not has_default:
            yield from rules.model_missing()
        yield from rules.axes()
        yield from rules.zips()
        yield from rules.excludes()
        yield from rules.includes()
        yield from rules.variables()
        yield from rules.repeats()
    yield from _default_repeats(document, [_JobRules(document, *job) for job in jobs])


def _may_name_a_model(root: Mapping[str, Json]) -> bool:
    """Return whether `defaults` name a model, or would if they were not wrong."""
    wrong = misspelt(root, "defaults", "manifest")
    defaults = root.get(wrong or "defaults", {})
    if not isinstance(defaults, dict) or "model" in defaults:
        return True
    return not set(defaults) <= set(known_keys("defaults"))


def _same_ids(
    document: Document, owners: list[tuple[Where, dict[str, Json]]]
) -> Iterator[Problem]:
    first: dict[str, Where] = {}
    for where, owner in owners:
        name = owner.get("id")
        if not isinstance(name, str):
            continue
        if name in first:
            yield Problem(
                "E-ID-DUP",
                f"the id {show(name)} is given twice",
                document.position(where),
                "Give each its own; ids name files and folders.",
                pointer=pointer(where),
                related=(Related(document.position(first[name]), "first given here"),),
            )
        first.setdefault(name, where)


def _unreached(
    document: Document, owner: Mapping[str, Json], where: Where
) -> Iterator[Problem]:
    """Yield each entry of a `repeat` that comes after one that takes everything."""
    entries = list(map(mapping, items(owner.get("repeat"))))
    everything = ["n" in entry and "where" not in entry for entry in entries]
    if any(everything[:-1]):
        at = (*where, "repeat", everything.index(True) + 1)
        yield Problem(
            "E-REPEAT-DEAD",
            "the entry before this one has no `where` and takes every combination",
            document.position(at),
            "The first entry that fits counts: put the one without `where` last.",
            pointer=pointer(at),
        )


def _default_repeats(document: Document, jobs: list[_JobRules]) -> Iterator[Problem]:
    """Yield what is wrong with `defaults.repeat`: a name that no job knows, too."""
    defaults = mapping(mapping(document.value).get("defaults"))
    yield from _unreached(document, defaults, ("defaults",))
    known = list(dict.fromkeys(name for job in jobs for name in job.repeatable))
    open_ended = not all(job.names_are_known for job in jobs)
    for index, entry in enumerate(items(defaults.get("repeat"))):
        for name, value in mapping(mapping(entry).get("where")).items():
            where = ("defaults", "repeat", index, "where", name)
            if name.startswith("$"):
                yield from misused_as_key(document, value, where)
            elif name not in known and not open_ended:
                yield Problem(
                    "E-REPEAT-KEY",
                    f"repeat names {show(name)}, which is an axis of no job",
                    document.position(where, key=True),
                    suggest(name, known, "Axes are") or "There are no axes.",
                    pointer=pointer(where),
                )
            else:
                yield from misused_in_filter(document, value, where)


class _JobRules:
    """What one entry of `jobs` must fulfil beyond its shape."""

    def __init__(
        self, document: Document, where: Where, job: Mapping[str, Json]
    ) -> None:
        self._document, self._where, self._job = document, where, job
        self._matrix = mapping(job.get("matrix"))
        self._axes = mapping(self._matrix.get("axes"))
        self._has_prompts = "prompts" in job
        prompt = ["prompt"] if self._has_prompts and "prompt" not in self._axes else []
        self._names = [*prompt, *self._axes]
        # Where what names the axes is wrong itself, no name can be called unknown.
        self.names_are_known = not (
            misspelt(self._matrix, "axes", "matrix")
            or misspelt(job, "prompts", "job")
            or ("axes" in self._matrix and not self._axes)
        )

    def _problem(
        self,
        code: str,
        message: str,
        where: Where,
        hint: str,
        *related: Related,
        key: bool = True,
    ) -> Problem:
        at = (*self._where, *where)
        position = self._document.position(at, key=key)
        return Problem(
            code, message, position, hint, pointer=pointer(at), related=related
        )

    def _first(self, where: Where) -> Related:
        position = self._document.position((*self._where, *where), key=True)
        return Related(position, "first given here")

    def model_missing(self) -> Iterator[Problem]:
        included = any(
            "model" in mapping(entry) for entry in items(self._matrix.get("include"))
        )
        if "model" in self._job or "model" in self._axes or included:
            return
        if misspelt(self._job, "model", "job"):
            return  # was reported
        root = mapping(mapping(self._document.value).get("defaults"))
        if any("model" in mapping(one.get("params")) for one in (self._job, root)):
            return  # it is said that it stands there
        name = self._job.get("id")
        yield self._problem(
            "E-KEY-MISSING",
            f"{f'job {show(name)}' if name else place(self._where)} names no model",
            (),
            "Add `model: …` to it or to `defaults`; `foxbatch models` lists them.",
        )

    def axes(self) -> Iterator[Problem]:
        folded: dict[str, str] = {}
        for name in self._axes:
            where = ("matrix", "axes", name)
            same = folded.setdefault(name.casefold(), name)
            if same != name:
                yield self._problem(
                    "E-AXIS-CASE",
                    f"the axes {show(same)} and {show(name)} differ only by case",
                    where,
                    "Rename one of them, or put their values in one list.",
                    self._first((*where[:-1], same)),
                )
            if name == _RESERVED_AXIS:
                yield self._problem(
                    "E-AXIS-RESERVED",
                    f"{_RESERVED_AXIS} is made by foxbatch, and cannot be an axis",
                    where,
                    "Write labels beside the prompts: {id: …, text: …}.",
                )
            if name == "prompt" and self._has_prompts:
                yield self._problem(
                    "E-PROMPT-TWICE",
                    "prompts are given here and in `prompts`",
                    where,
                    "Keep one of the two.",
                    self._first(("prompts",)),
                )

    def zips(self) -> Iterator[Problem]:
        groups = items(self._matrix.get("zip"))
        seen: dict[str, Where] = {}
        for index, group in enumerate(groups):
            for member, name in enumerate(items(group)):
                where = ("matrix", "zip", index, member)
                if not isinstance(name, str):
                    continue
                if name not in self._names:
                    yield from self._unknown_axis("zip", name, where, key=False)
                elif name in seen:
                    yield self._problem(
                        "E-ZIP-TWICE",
                        f"the axis {show(name)} is in zip twice",
                        where,
                        "An axis can be walked together with one group only.",
                        self._first(seen[name]),
                        key=False,
                    )
                seen.setdefault(name, where)

    def excludes(self) -> Iterator[Problem]:
        for index, entry in enumerate(items(self._matrix.get("exclude"))):
            where = ("matrix", "exclude", index)
            yield from self._filter("exclude", mapping(entry), where, self._filterable)

    def includes(self) -> Iterator[Problem]:
        for index, entry in enumerate(items(self._matrix.get("include"))):
            for name, value in mapping(entry).items():
                where = (*self._where, "matrix", "include", index, name)
                if name in self._filterable:
                    yield from misused_in_filter(self._document, value, where)
                elif name.startswith("$"):
                    yield from misused_as_key(self._document, value, where)
                elif self.names_are_known:
                    yield from misused_in_extra(
                        self._document, value, where, self._names
                    )

    def repeats(self) -> Iterator[Problem]:
        yield from _unreached(self._document, self._job, self._where)
        for index, entry in enumerate(items(self._job.get("repeat"))):
            wanted = mapping(mapping(entry).get("where"))
            where = ("repeat", index, "where")
            yield from self._filter("repeat", wanted, where, self.repeatable)

    def _filter(
        self,
        owner: str,
        wanted: Mapping[str, Json],
        where: Where,
        known: Container[str],
    ) -> Iterator[Problem]:
        """Yield what is wrong with keys and operators of what *owner* asks for."""
        for name, value in wanted.items():
            here = (*where, name)
            at = (*self._where, *here)
            if name.startswith("$"):
                yield from misused_as_key(self._document, value, at)
            elif name not in known:
                yield from self._unknown_axis(owner, name, here)
            else:
                yield from misused_in_filter(self._document, value, at)

    @property
    def _filterable(self) -> list[str]:
        """The names that a filter may ask for."""
        return [*self._names, *[_RESERVED_AXIS] * ("prompt" in self._names)]

    @property
    def repeatable(self) -> list[str]:
        """The names that a `where` of `repeat` may ask for."""
        return [*self._filterable, *self._extras]

    @property
    def _extras(self) -> list[str]:
        """The names that includes use."""
        entries = map(mapping, items(self._matrix.get("include")))
        return list(dict.fromkeys(name for entry in entries for name in entry))

    def variables(self) -> Iterator[Problem]:
        for index, name in enumerate(items(self._matrix.get("variables"))):
            if isinstance(name, str) and name not in {*self._names, *self._extras}:
                where = ("matrix", "variables", index)
                yield from self._unknown_axis("variables", name, where, key=False)

    def _unknown_axis(
        self, owner: str, name: str, where: Where, *, key: bool = True
    ) -> Iterator[Problem]:
        if self.names_are_known:
            message = f"{owner} names {show(name)}, which is no axis"
            hint = suggest(name, self._names, "Axes are") or "There are no axes."
            code = f"E-{owner.upper()}-KEY"
            yield self._problem(code, message, where, hint, key=key)
