"""Bad days for the pretend service, drawn at random and written as fault plans.

No rule makes a task and then answers with a refusal that the provider file takes for
proof that there is none: no client could know better.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from foxbatch.sandbox.faults import Plan, named, read_plan

Rule: TypeAlias = dict[str, Any]

SURVIVABLE = (
    "storm",
    "storm",
    "flaky",
    "calm",
    "crash",
    "outage",
    "lost-reply",
    "error-after-all",
    "hanging-reply",
    "empty-reply",
    "no-id-reply",
    "late-task",
    "born-final",
    "busy-storm",
    "closed-early",
    "cut-download",
    "stalled-download",
    "html-download",
    "file-errors",
    "failures",
    "key-expires",
    "balance-ends",
    "links-expire",
    "query-errors",
    "query-lost",
    "several-results",
    "slow",
    "slow-service",
    "unknown-status",
    "empty-when-synced",
    "wrong-estimate",
    "no-channel-503",
    "astray",
)
"""Plans that come with foxbatch. Not `wrong-length`: it truncates files in a way that
nobody can tell from shorter files."""

_FAILURES = (
    "service_error",
    "content_policy_violation",
    "generation_timeout",
    "resource_exhausted",
    "unknown_error",
    "invalid_parameters",
)
# A task exists after these; the provider file has to call them unknown.
_AFTER_ALL = (500, 502, 503, 504, 408, 409, 520)


def _share(rng: random.Random, most: float = 0.4) -> float:
    return round(rng.uniform(0.03, most), 2)


def _times(rng: random.Random) -> dict[str, Any]:
    """Return when a rule does something, in one of the ways of the language."""
    match rng.randrange(6):
        case 0:
            return {"nth": sorted(rng.sample(range(1, 9), 2))}
        case 1:
            return {"every": rng.randint(2, 5)}
        case 2:
            return {"from": rng.randint(1, 6), "times": rng.randint(1, 8)}
        case 3:
            every = rng.choice((30, 120, 600))
            lasts = round(every * _share(rng, 0.6), 1)
            return {"burst": {"every": f"{every}s", "lasts": f"{lasts}s"}}
        case _:
            return {"chance": _share(rng)}


def _twist(rng: random.Random) -> dict[str, Any]:
    """Return how a task departs from the ordinary."""
    choices: Sequence[Callable[[], dict[str, Any]]] = (
        lambda: {"fails": rng.choice(_FAILURES)},
        lambda: {"fails": rng.choice(_FAILURES), "error_form": "text"},
        lambda: {"hidden": f"{rng.choice((3, 25, 90))}s"},
        lambda: {"empty_looks": rng.randint(1, 4), "empty_as": "none"},
        lambda: {"empty_looks": 2, "empty_when": "synced"},
        lambda: {"born": rng.choice(("completed", "failed", "processing"))},
        lambda: {"reply": rng.choice(("lean", "task-id", "documented"))},
        lambda: {"slower": rng.choice((5, 40))},
        lambda: {"takes": f"{rng.choice((0, 1, 900))}s"},
        lambda: {"unending": True},
        lambda: {"items": rng.randint(1, 3)},
        lambda: {"links": rng.choice(("bare", "redirected", "elsewhere", "looping"))},
        lambda: {"links_last": f"{rng.choice((5, 60, 1800))}s"},
        lambda: {"form": rng.choice(("strings", "outputs"))},
        lambda: {"word": rng.choice(("cancelled", "archived"))},
        lambda: {"progress": rng.choice(("missing", "back", "stuck"))},
    )
    return rng.choice(choices)()


def _busy(rng: random.Random) -> dict[str, Any]:
    told = rng.choice((None, 1, 7, "date", "past", "huge", "garbage"))
    answer: dict[str, Any] = {"status": 429}
    return answer if told is None else answer | {"retry_after": told}


def _on_submit(rng: random.Random) -> dict[str, Any]:
    after_all = {"status": rng.choice(_AFTER_ALL), "form": "html", "done": True}
    choices: Sequence[dict[str, Any]] = (
        {"drop": True},
        {"drop": True, "delay": f"{rng.choice((1, 20))}s"},
        {"close": True},
        {"cut": f"{rng.choice((0, 10, 95))}%"},
        {"stall": "90s"},
        {"stall": {"for": "5s", "at": "50%", "done": True}},
        {"stall": {"for": "90s", "done": False}},
        {"delay": [f"{rng.choice((0, 2))}s", f"{rng.choice((3, 59, 75))}s"]},
        {"answer": after_all},
        {"answer": {"status": rng.choice((500, 502, 504))}},
        {"answer": _busy(rng)},
        {"answer": {"status": 422, "code": "no_compatible_channel"}},
        {"answer": {"status": rng.choice((400, 422))}},
        {"answer": {"status": rng.choice((401, 402, 403, 404))}},
        {"redirect": {"status": 307}},
        {"body": rng.choice(("empty", "html", "garbage", "half", "no-id", "list"))},
        {"refuse": f"{rng.choice((2, 30, 400))}s"},
    )
    return rng.choice(choices)


def _on_query(rng: random.Random) -> dict[str, Any]:
    choices: Sequence[dict[str, Any]] = (
        {"drop": True},
        {"close": True},
        {"cut": "50%"},
        {"stall": "40s"},
        {"answer": {"status": rng.choice((404, 500, 502, 503))}},
        {"answer": _busy(rng)},
        {"answer": {"status": 401}},
        {"body": rng.choice(("empty", "html", "garbage", "half"))},
        {"delay": ["0s", "20s"]},
    )
    return rng.choice(choices)


def _on_file(rng: random.Random) -> dict[str, Any]:
    choices: Sequence[dict[str, Any]] = (
        {"cut": f"{rng.choice((0, 30, 50, 99))}%"},
        {"cut": "50%"},
        {"stall": {"for": "70s", "at": "40%"}},
        {"drop": True},
        {"answer": {"status": rng.choice((403, 404, 500, 503))}},
        {"answer": {"status": 503, "form": "html"}},
        {"body": rng.choice(("empty", "html"))},
        {"body": "html"},
        {"drip": rng.choice((300, 3_000))},
        {"claims": rng.choice((1, 1000))},
    )
    return rng.choice(choices)


def random_rules(rng: random.Random) -> list[Rule]:
    """Return a few rules; those about tasks come first, as the language wants."""
    rules: list[Rule] = []
    for route, most, make in (
        ("submit", 3, lambda r: {"task": _twist(r)}),
        ("submit", 2, _on_submit),
        ("query", 2, _on_query),
        ("file", 2, _on_file),
    ):
        for _ in range(rng.randint(0, most)):
            rule: Rule = {"on": route, "when": _times(rng), "do": make(rng)}
            if route == "file" and rng.random() < 0.3:
                rule["when"] = {"per": "request", "first": rng.randint(1, 4)}
            rules.append({"name": f"{route}-{len(rules)}", **rule})
    if rng.random() < 0.1:
        # What is no file and no page cannot be told from a new kind of file, and is
        # kept when it comes a second time: so it comes once.
        when = {"per": "request", "nth": 1}
        rules.append(
            {"name": "junk", "on": "file", "when": when, "do": {"body": "garbage"}}
        )
    if rng.random() < 0.2:
        lasts = rng.choice((5, 60, 500))
        when = {"after": "20s", "burst": {"every": "900s", "lasts": f"{lasts}s"}}
        rules.append({"name": "down", "when": when, "do": {"refuse": True}})
    return rules


def plan_of(rules: Sequence[Rule]) -> Plan | None:
    """Return *rules* as the sandbox reads them from a file."""
    if not rules:
        return None
    written = json.dumps({"foxbatch": 1, "rules": list(rules)})
    return read_plan(written, shown_as="drawn.yaml")


_named: dict[str, Plan] = {}


def kept(name: str) -> Plan:
    """Return a plan that comes with foxbatch; it is read once."""
    if name not in _named:
        _named[name] = named(name)
    return _named[name]
