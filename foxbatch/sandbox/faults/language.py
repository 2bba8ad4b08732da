"""Fault plans as files: read, checked as a manifest is, and made into values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias, TypeVar, cast, get_args

import msgspec

from foxbatch.canonical import Json
from foxbatch.errors import InvalidError
from foxbatch.sandbox.faults.checks import problems_of, seconds
from foxbatch.sandbox.faults.plan import (
    Answer,
    Break,
    Burst,
    Close,
    Form,
    Instead,
    Manner,
    Per,
    Plan,
    Redirect,
    Refuse,
    Route,
    Rule,
    Spoil,
    Spoilt,
    When,
)
from foxbatch.yaml12 import scan

ROUTES: frozenset[Route] = frozenset(get_args(Route))
ANY = ROUTES - {"page"}

_T = TypeVar("_T")

_Time: TypeAlias = float | str
_Share: TypeAlias = float | str


class _Burst(msgspec.Struct, frozen=True):
    every: _Time
    lasts: _Time


class _When(msgspec.Struct, frozen=True):
    chance: _Share | None = None
    nth: int | list[int] = []
    every: int | None = None
    from_: int = msgspec.field(name="from", default=1)
    first: int | None = None
    times: int | None = None
    after: _Time = 0.0
    until: _Time | None = None
    burst: _Burst | None = None
    per: Per = "rule"


class _Answer(msgspec.Struct):
    status: int
    form: Form = "documented"
    type: str = ""
    code: str = ""
    message: str = ""
    fields: dict[str, object] = {}
    retry_after: float | str | None = None
    headers: dict[str, str] = {}
    done: bool = False


class _Redirect(msgspec.Struct):
    status: int = 302
    to: str = "{base}{path}"


class _Stall(msgspec.Struct):
    for_: _Time = msgspec.field(name="for")
    at: _Share | None = None
    done: bool = True


class _Do(msgspec.Struct):
    refuse: bool | _Time | None = None
    close: bool = False
    drop: bool = False
    cut: _Share | None = None
    stall: _Time | _Stall | None = None
    answer: _Answer | None = None
    redirect: _Redirect | None = None
    body: Spoilt | None = None
    delay: _Time | tuple[_Time, _Time] | None = None
    drip: float | None = None
    claims: int | None = None
    type: str | None = None
    headers: dict[str, str | None] = {}
    task: dict[str, object] = {}


class _Rule(msgspec.Struct):
    name: str
    do: _Do
    on: str | list[str] = "any"
    model: str | list[str] = []
    when: _When = _When()


class _File(msgspec.Struct):
    """A fault plan as it is written; the schema has checked it already."""

    rules: list[_Rule]
    title: str = ""
    behaviour: int | list[int] = []


def read_plan(content: bytes | str, *, shown_as: str, name: str = "") -> Plan:
    """Return the plan that the content of a file describes.

    Args:
        content: As it is.
        shown_as: Name of the file in messages.
        name: Of the plan; that of the file where it is left out.

    Raises:
        InvalidError: With every problem of the file.
    """
    document = scan(content, file=shown_as)
    problems = [*document.problems, *problems_of(document)]
    if problems:
        raise InvalidError(tuple(sorted(problems, key=lambda one: one.position)))
    file = msgspec.convert(document.value, _File)
    return Plan(
        name=name or shown_as,
        title=file.title,
        behaviours=tuple(_listed(file.behaviour)),
        rules=tuple(map(_rule, file.rules)),
    )


# ---- Making


def _rule(written: _Rule) -> Rule:
    return Rule(
        name=written.name,
        on=_routes(_listed(written.on)),
        models=tuple(_listed(written.model)),
        when=_when(written.when),
        instead=_instead(written.do),
        breaks=_breaks(written.do),
        manner=_manner(written.do),
        twist=dict(_twist(written.do.task)),
    )


def _routes(words: Iterable[str]) -> frozenset[Route]:
    sets = [ANY if word == "any" else {cast("Route", word)} for word in words]
    return frozenset[Route]().union(*sets)


def _when(written: _When) -> When:
    burst = written.burst
    return When(
        chance=None if written.chance is None else _fraction(written.chance),
        nth=frozenset(_listed(written.nth)),
        every=written.every,
        from_=written.from_,
        first=written.first,
        times=written.times,
        after_s=seconds(written.after),
        until_s=None if written.until is None else seconds(written.until),
        burst=Burst(seconds(burst.every), seconds(burst.lasts)) if burst else None,
        per=written.per,
    )


def _instead(do: _Do) -> Instead | None:
    match do:
        case _Do(refuse=True):
            return Refuse()
        case _Do(refuse=float() | str() as lasts):
            return Refuse(seconds(lasts))
        case _Do(close=True):
            return Close()
        case _Do(answer=_Answer() as answer):
            return _answer(answer)
        case _Do(redirect=_Redirect() as redirect):
            return Redirect(status=redirect.status, to=redirect.to)
        case _Do(body=str() as body):
            return Spoil(body)
        case _:
            return None


def _answer(written: _Answer) -> Answer:
    return Answer(
        status=written.status,
        form=written.form,
        kind=written.type,
        code=written.code,
        message=written.message,
        fields=cast("dict[str, Json]", written.fields),
        retry_after=written.retry_after,
        headers=written.headers,
        done=written.done,
    )


def _breaks(do: _Do) -> Break | None:
    match do:
        case _Do(drop=True):
            return Break(ends="dropped")
        case _Do(cut=float() | str() as cut):
            return Break(ends="dropped", sent=_fraction(cut))
        case _Do(stall=_Stall() as stall):
            sent = None if stall.at is None else _fraction(stall.at)
            stalls_s = seconds(stall.for_)
            return Break(ends="stalled", sent=sent, stalls_s=stalls_s, done=stall.done)
        case _Do(stall=float() | str() as lasts):
            return Break(ends="stalled", stalls_s=seconds(lasts))
        case _:
            return None


def _manner(do: _Do) -> Manner:
    waits_s: tuple[float, float] | None = None
    if do.delay is not None:
        ends = do.delay if isinstance(do.delay, tuple) else (do.delay, do.delay)
        waits_s = (seconds(ends[0]), seconds(ends[1]))
    return Manner(
        waits_s=waits_s,
        bytes_per_s=do.drip,
        claims_bytes=do.claims,
        content_type=do.type,
        headers=do.headers,
    )


# Keys of the language by fields of `Twist`, where they differ: a time says its unit.
_TIMES: Mapping[str, str] = {
    "hidden": "hidden_s",
    "takes": "takes_s",
    "estimated": "estimated_s",
    "links_last": "links_last_s",
}


def _twist(written: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for key, value in written.items():
        if key == "estimated":
            yield _TIMES[key], round(seconds(cast("_Time", value)))
        elif key in _TIMES:
            yield _TIMES[key], seconds(cast("_Time", value))
        elif key in {"error_form", "empty_as"} and value == "none":
            yield key, "null"  # which without quotes would be no word in YAML
        else:
            yield key, value


def _fraction(value: _Share) -> float:
    if isinstance(value, str):
        return float(value.removesuffix("%")) / 100
    return value


def _listed(value: _T | list[_T]) -> list[_T]:
    return value if isinstance(value, list) else [value]
