"""Jobs pressed from parts of requests that were checked and encoded once.

The first job with a new value is made the plain way: rendered, checked against its
model's schema, encoded. What that showed is kept: each part of the request as canonical
JSON, by the rows of the axes that it depends on, and that the values are valid. A new
prompt or plain value that is judged by itself is checked beside those. A job all of
whose parts are known is a few look-ups and one digest, and as it would have been
made the plain way, to the byte (tests/property/test_mould_laws.py).

Its parts being valid is enough where the schema judges them each by itself. Values that
it judges together (`schema.entangled`), and that decide which notes there are, were
checked together: for each combination of those there is a `Verdict`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from operator import itemgetter
from typing import TypeAlias, cast

from foxbatch import canonical
from foxbatch.canonical import Json
from foxbatch.matrix import sizes
from foxbatch.matrix.attachments import as_checked, as_identified, as_shown
from foxbatch.matrix.axes import PROMPT, UNSET
from foxbatch.matrix.cells import Combination, Product
from foxbatch.matrix.checks import Checks
from foxbatch.matrix.reporting import Seen
from foxbatch.matrix.requests import MODEL, Draft, Need, Recipe
from foxbatch.provider import Model
from foxbatch.schema import Checker, entangled

_REMEMBERED = 1 << 16  # entries of one table; what was forgotten is made anew
_RENDERED = 1 << 13  # and of one whose values may be long texts of their own
_VERDICTS = 1 << 12
_JOINED = 1 << 10
_FAST = 16  # cells between two changes of what is joined, or more
_SURELY_SMALL = sizes.MAX_VALUE // 8  # bytes of a body that need not be measured

Key: TypeAlias = "int | Combination"

Picker: TypeAlias = Callable[[Combination], Key]
"""Takes the rows out of a combination that something depends on."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Keys of requests, next to each other in canonical order, with the same needs.

    Attributes:
        names: The keys.
        dimensions: What they depend on.
        pick: Takes the rows that they depend on from a combination.
        alone: The one key, where its value is that of an axis and judged by itself.
        judged: Whether values are judged together with others.
    """

    names: tuple[str, ...]
    dimensions: frozenset[int]
    pick: Picker
    alone: str = ""
    judged: bool = False


@dataclass(slots=True)
class Table:
    """What a column holds in valid requests of one model, by rows.

    Attributes:
        fragments: Members of a canonical JSON object, without braces.
        shown: The same values, as people see them.
        present: Which of its keys there are, the same for all rows.
    """

    column: Column
    fragments: dict[Key, bytes] = field(default_factory=dict)
    shown: dict[Key, Mapping[str, Json]] = field(default_factory=dict)
    present: frozenset[str] | None = None

    def accepts(self, names: Sequence[str]) -> bool:
        """Return whether these are the keys that are there in all rows."""
        if self.present is None:
            self.present = frozenset(names)
        return self.column.judged or self.present == frozenset(names)

    def put(self, key: Key, members: Mapping[str, Json]) -> None:
        """Remember the values for some rows."""
        most = _REMEMBERED if self.column.alone else _RENDERED
        if len(self.fragments) >= most:
            self.fragments.clear()
            self.shown.clear()
        self.fragments[key] = canonical.encode(dict(members))[1:-1]


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Neighbouring columns that seldom change, joined once for many jobs.

    Attributes:
        pick: Takes the rows that any of them depends on.
        fragments: What they hold together, by these rows.
        tables: Of these columns.
    """

    pick: Picker
    fragments: dict[Key, bytes]
    tables: tuple[Table, ...]

    def join(self, at: Combination) -> None:
        """Remember what the columns, all of them known, hold together."""
        if len(self.tables) > 1:
            if len(self.fragments) >= _JOINED:
                self.fragments.clear()
            parts = [table.fragments[table.column.pick(at)] for table in self.tables]
            self.fragments[self.pick(at)] = b",".join(parts)


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What holds for all jobs whose values that are judged together are the same.

    Attributes:
        model: Their model.
        seen: Notes that each of them has.
        sample: A valid request, as its schema sees it.
        checker: Of the model.
        head: Canonical JSON before the number of the repeat.
        size: How many keys these requests have.
        tables: Of those columns that have keys in these requests.
        stretches: The same tables, joined.
        parts: The same stretches, as it takes least time to use them.
    """

    model: Model
    seen: tuple[Seen, ...]
    sample: Mapping[str, Json]
    checker: Checker
    head: bytes
    size: int
    tables: tuple[Table, ...]
    stretches: tuple[Stretch, ...]
    parts: tuple[tuple[Picker, Mapping[Key, bytes]], ...]


class Mould:
    """Presses the jobs of one product."""

    def __init__(
        self, recipe: Recipe, product: Product, checks: Checks, also: Need
    ) -> None:
        self._recipe, self._product, self._checks = recipe, product, checks
        self._provider = checks.provider
        self._needs = recipe.needs()
        self._models = {model.name for model in recipe.models()}
        self._adding = [one for one in product.includes if one.extras]
        judged = self._judged()
        self._broken = judged is None
        self._columns = self._make_columns(judged or set())
        axes = {axis for name in judged or () for axis in self._needs[name].axes}
        self._judged_by = _picker(self._dimensions({*axes, *also.axes}))
        self._slow = self._slow_dimensions()
        self._tables: dict[str, list[Table]] = {}
        self._verdicts: dict[Key, Verdict] = {}

    def _judged(self) -> set[str] | None:
        """Return the keys that are judged together; None where nobody can tell."""
        found = {MODEL}
        for name in self._models:
            together = entangled(dict(self._provider.models[name].schema))
            if together is None:
                return None
            found |= together
        axes = self._product.axes.items()
        gaps = {n for n, axis in axes for one in axis.choices if one.value == UNSET}
        found |= {name for name, need in self._needs.items() if need.axes & gaps}
        return found.intersection(self._needs)

    def _make_columns(self, judged: set[str]) -> list[Column]:
        def kind(name: str) -> tuple[frozenset[int], bool]:
            return self._dimensions(self._needs[name].axes), name in judged

        found: list[Column] = []
        names = canonical.in_order(self._needs)
        for (dimensions, together), group in itertools.groupby(names, kind):
            keys = tuple(group)
            single = len(keys) == 1 and self._needs[keys[0]].direct and not together
            alone = keys[0] if single else ""
            pick = _picker(dimensions)
            found.append(Column(keys, dimensions, pick, alone, together))
        return found

    def _dimensions(self, axes: Iterable[str]) -> frozenset[int]:
        return frozenset(self._product.dimension_of(axis) for axis in axes)

    def _slow_dimensions(self) -> frozenset[int]:
        """Return the dimensions that stay in one row for many cells."""
        fast, cells = len(self._product.dimensions), 1
        while fast and cells < _FAST:
            fast -= 1
            cells *= len(self._product.dimensions[fast].rows)
        return frozenset(range(fast))

    def _stretches(self, tables: Iterable[Table]) -> Iterator[Stretch]:
        def is_slow(table: Table) -> bool:
            return table.column.dimensions <= self._slow

        for slow, group in itertools.groupby(tables, is_slow):
            several = list(group)
            for together in [several] if slow else [[one] for one in several]:
                own = together[0].fragments if len(together) == 1 else {}
                needed = frozenset[int]().union(
                    *(one.column.dimensions for one in together)
                )
                yield Stretch(_picker(needed), own, tuple(together))

    # ---- what is known

    def find(self, at: Combination) -> tuple[Verdict, bytes] | None:
        """Return the verdict and the members of a request; None if it is all new."""
        verdict = self._verdicts.get(self._judged_by(at))
        if verdict is None:
            return None
        for include in self._adding:
            if include.filter.matches(at):
                return None
        try:
            members = b",".join([known[pick(at)] for pick, known in verdict.parts])
        except KeyError:
            if not self._add(verdict, at):
                return None
            members = b",".join([known[pick(at)] for pick, known in verdict.parts])
        return (verdict, members) if len(members) < _SURELY_SMALL else None

    def _add(self, verdict: Verdict, at: Combination) -> bool:
        """Complete what is known of a cell; return whether that was possible."""
        for table in verdict.tables:
            known = table.column.pick(at) in table.fragments
            if not known and not self._add_value(table, verdict, at):
                return False
        for stretch in verdict.stretches:
            stretch.join(at)
        return True

    def _add_value(self, table: Table, verdict: Verdict, at: Combination) -> bool:
        """Check a plain value, or a prompt, beside others that were found valid."""
        name, value = table.column.alone, cast("Json", [])
        if name:
            value = self._product.choice(name, at).value
        elif table.column.names == (PROMPT,) and not table.column.judged:
            name, value = PROMPT, self._recipe.prompt(self._product.cell(at)) or []
        if isinstance(value, list | dict):
            return False  # it may hold files, or have to be rendered
        valid = verdict.checker.is_valid({**verdict.sample, name: value})
        if valid:
            key = table.column.pick(at)
            table.put(key, {name: value})
            if not table.column.alone:  # or it stands in the axis
                table.shown[key] = {name: value}
        return valid

    def request(self, at: Combination) -> dict[str, Json] | None:
        """Return a request as people see it; None where that was forgotten."""
        verdict = self._verdicts.get(self._judged_by(at))
        found: dict[str, Json] = {}
        for table in verdict.tables if verdict is not None else ():
            key, name = table.column.pick(at), table.column.alone
            if key in table.shown:
                found.update(table.shown[key])
            elif key in table.fragments:
                found[name] = self._product.choice(name, at).value
        if verdict is None or len(found) < verdict.size:
            return None
        return {name: _own(found[name]) for name in self._needs if name in found}

    # ---- what is learned

    def learn(
        self, at: Combination, draft: Draft, model: Model, seen: Sequence[Seen]
    ) -> None:
        """Remember the parts of a valid request, and where its notes are counted."""
        if self._broken or draft.cell.extras or model.name not in self._models:
            return
        identified, shown = as_identified(draft), as_shown(draft)
        known = self._tables.setdefault(
            model.name, [Table(column) for column in self._columns]
        )
        used: list[Table] = []
        for table in known:
            names = [name for name in table.column.names if name in identified]
            if not table.accepts(names):
                self._broken = True
                self._verdicts.clear()
                return
            key = table.column.pick(at)
            table.put(key, {name: identified[name] for name in names})
            table.shown[key] = {name: shown[name] for name in names}
            used += [table] * bool(names)
        size = sum(len(table.shown[table.column.pick(at)]) for table in used)
        assert size == len(identified)  # noqa: S101  or two jobs would seem equal
        key = self._judged_by(at)
        if key not in self._verdicts:
            if len(self._verdicts) >= _VERDICTS:
                self._verdicts.clear()
            self._verdicts[key] = self._verdict(draft, model, seen, used)

    def _verdict(
        self, draft: Draft, model: Model, seen: Sequence[Seen], used: Sequence[Table]
    ) -> Verdict:
        stretches = tuple(self._stretches(used))
        return Verdict(
            model=model,
            seen=tuple(seen),
            sample=as_checked(draft),
            checker=self._checks.checker(model),
            head=self._head(model),
            size=sum(name in draft.request for name in self._needs),
            tables=tuple(used),
            stretches=stretches,
            parts=tuple((one.pick, one.fragments) for one in stretches),
        )

    def _head(self, model: Model) -> bytes:
        provider, endpoint = self._provider.id, model.endpoint
        known = canonical.encode({"provider": provider, "endpoint": endpoint})[1:-1]
        return b'{%b,"repeat":' % known


def _picker(dimensions: Iterable[int]) -> Picker:
    # A slice gives an empty tuple for what depends on nothing.
    return cast("Picker", itemgetter(*sorted(dimensions) or (_NOTHING,)))


_NOTHING = cast("int", slice(0))


def _own(value: Json) -> Json:
    """Return *value* for one job: a list that it may change without another's."""
    return [_own(one) for one in value] if isinstance(value, list) else value


def digest_of(verdict: Verdict, members: bytes, repeat: int) -> bytes:
    """Return the SHA-256 that `canonical.job_digest` spells, of a pressed job."""
    return sha256(
        b'%b%d,"request":{%b},"v":1}' % (verdict.head, repeat, members)
    ).digest()
