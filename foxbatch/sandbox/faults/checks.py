"""What is wrong in a fault plan: what its schema says, and what no schema can say."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import cast

from foxbatch.canonical import Json
from foxbatch.errors import Position, Problem, Related
from foxbatch.policy import parse_duration
from foxbatch.schema import Checker, load_schema, place, pointer, show
from foxbatch.yaml12 import Document, Where


@functools.cache
def _checker() -> Checker:
    return Checker(load_schema("faults"))


def problems_of(document: Document) -> list[Problem]:
    """Return what is wrong in the fault plan that *document* holds."""

    def locate(where: Where, key: bool) -> Position:  # noqa: FBT001  schema.Locate
        return document.position(where, key=key)

    found = _checker().problems(document.value, locate)
    wrong = {problem.pointer for problem in found}
    rules = _mapping(document.value).get("rules")
    firsts: dict[str, int] = {}
    for index, rule in enumerate(rules if isinstance(rules, list) else []):
        where: Where = ("rules", index)
        here = pointer(where)
        # What the schema refuses is not judged again, but the other rules are.
        if not any(each == here or each.startswith(f"{here}/") for each in wrong):
            written = _mapping(rule)
            found += _rule_problems(document, where, written)
            found += _same_name(document, where, str(written["name"]), firsts)
    return found


def _rule_problems(
    document: Document, where: Where, written: Mapping[str, Json]
) -> Iterator[Problem]:
    do, when = _mapping(written["do"]), _mapping(written.get("when"))
    yield from _both(document, (*where, "do"), do)
    yield from _times(document, (*where, "when"), when)
    if do.get("refuse") is True:
        yield from _window(document, where, written, when)
    if "task" in do:
        yield from _about_task(document, where, written, do)
    delay = do.get("delay")
    if isinstance(delay, list) and seconds(delay[0]) > seconds(delay[1]):
        yield _at(
            document,
            (*where, "do", "delay"),
            "E-FAULT-TIME",
            f"{place((*where, 'do', 'delay'))} begins with more than it ends with",
            hint="Write the shorter time first.",
        )


_EXCLUSIVE: tuple[tuple[str, ...], ...] = (
    ("refuse", "close", "drop", "cut", "stall"),  # how the connection ends
    ("refuse", "close", "drop", "answer", "redirect", "body"),  # what arrives
)


def _both(
    document: Document, where: Where, do: Mapping[str, Json]
) -> Iterator[Problem]:
    pairs = dict.fromkeys(
        pair
        for group in _EXCLUSIVE
        for pair in itertools.combinations([key for key in group if key in do], 2)
    )
    for first, second in pairs:
        yield _at(
            document,
            (*where, second),
            "E-FAULT-BOTH",
            f"{place(where)} has {first} and {second}, and only one of them can happen",
            hint="Make two rules of it, each with a chance or a count of its own.",
            key=True,
        )


def _times(
    document: Document, where: Where, when: Mapping[str, Json]
) -> Iterator[Problem]:
    until = when.get("until")
    if until is not None and seconds(until) <= seconds(when.get("after", 0)):
        yield _at(
            document,
            (*where, "until"),
            "E-FAULT-TIME",
            f"{place(where)} ends before it begins",
            hint="Both count from the start of the sandbox: make until the larger one.",
        )
    burst = _mapping(when.get("burst"))
    if burst and not 0 < seconds(burst["lasts"]) < seconds(burst["every"]):
        yield _at(
            document,
            (*where, "burst", "lasts"),
            "E-FAULT-TIME",
            f"{place((*where, 'burst'))} leaves no time with it, or none without",
            hint="Write a time for lasts that is more than 0 and less than every.",
        )


def _window(
    document: Document,
    where: Where,
    written: Mapping[str, Json],
    when: Mapping[str, Json],
) -> Iterator[Problem]:
    """Yield what asks about a request where no request is looked at."""
    beside: list[Where] = [(key,) for key in ("on", "model") if key in written]
    beside += [("when", k) for k in when if k not in {"after", "until", "burst"}]
    for key in beside:
        if key == ("on",) and written["on"] == "any":
            continue
        yield _at(
            document,
            (*where, *key),
            "E-FAULT-REFUSE",
            f"{place((*where, *key))} asks about requests, and refuse: true has none",
            hint="Write a time, such as refuse: 10s, for an outage that a request "
            "begins.",
            key=True,
        )


def _about_task(
    document: Document,
    where: Where,
    written: Mapping[str, Json],
    do: Mapping[str, Json],
) -> Iterator[Problem]:
    at: Where = (*where, "do", "task")
    if written.get("on") not in ("submit", ["submit"]):
        yield _at(
            document,
            at,
            "E-FAULT-TASK",
            f"{place(at)} is only for rules on submit",
            hint="Write on: submit. It changes the whole story of the task, also what "
            "queries show.",
            key=True,
        )
    undone = _carries_nothing_out(do)
    if undone:
        yield _at(
            document,
            at,
            "E-FAULT-TASK",
            f"{place(at)} is about a task, and {undone} keeps it from being made",
            hint="Remove one of them, or write done: true where that is possible.",
            key=True,
        )


def _carries_nothing_out(do: Mapping[str, Json]) -> str:
    """Return the key that keeps a request from the service, "" if none does."""
    for key in ("refuse", "close", "redirect"):
        if key in do:
            return key
    if "answer" in do:
        return "" if _mapping(do["answer"]).get("done") is True else "answer"
    return "stall" if _mapping(do.get("stall")).get("done") is False else ""


def _same_name(
    document: Document, where: Where, name: str, firsts: dict[str, int]
) -> Iterator[Problem]:
    first = firsts.setdefault(name, cast("int", where[-1]))
    if first != where[-1]:
        at: Where = (*where, "name")
        there = document.position(("rules", first, "name"))
        yield Problem(
            code="E-FAULT-NAME",
            message=f"{place(at)} is {show(name)}, as an earlier rule is called",
            position=document.position(at),
            hint="Give it another name: rules are counted by it.",
            pointer=pointer(at),
            related=(Related(there, "the earlier rule"),),
        )


def _at(
    document: Document,
    where: Where,
    code: str,
    message: str,
    *,
    hint: str,
    key: bool = False,
) -> Problem:
    position = document.position(where, key=key)
    return Problem(code, message, position, hint=hint, pointer=pointer(where))


def seconds(value: Json) -> float:
    """Return the seconds that a duration means: `90s`, `1h30m`, or a number."""
    return parse_duration(value) if isinstance(value, str) else _number(value)


def _number(value: Json) -> float:
    return float(cast("float", value))


def _mapping(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}
