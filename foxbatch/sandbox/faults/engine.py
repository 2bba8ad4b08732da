"""What a plan does to one request, and what it remembers of it: no clock, no socket.

A request is shown to the rules in the order of the plan. Each whose conditions hold
does its part; the first one that seals the request's fate is the last one that sees
it. For every single thing that several rules say (a field of the task's twist, a
delay, a header) the first one that says it counts.
"""

from __future__ import annotations

import fnmatch
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import msgspec

from foxbatch.sandbox.faults.plan import (
    Break,
    Close,
    Instead,
    Plan,
    Redirect,
    Refuse,
    Route,
    Rule,
    Spoil,
    When,
)
from foxbatch.sandbox.faults.shaping import answered, mannered, redirected, spoilt
from foxbatch.sandbox.messages import (
    Delivery,
    FaultFired,
    Reply,
    Request,
    Twist,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """One request, and what its fate may depend on.

    Attributes:
        model: That is asked for; of a query or a file, that of its task; "" if unknown.
        task: Id of the task of a query or a file; "" where there is none.
        owner: Digest of the key.
        scope: What the request is about, the same however requests interleave: of a
            submission the digest of its body, of a query the task's id, else the path.
        take: Of a submission: the number of the task it would make for that body.
        now: Unix time.
        since: Seconds of the service since the sandbox started.
        seed: The sandbox's.
    """

    route: Route
    request: Request
    model: str = ""
    task: str = ""
    owner: str = ""
    scope: str
    take: int = 1
    now: float
    since: float
    seed: int = 0


@dataclass(slots=True)
class FaultState:
    """How often each rule was met and did something, by rule and scope.

    Attributes:
        met: In the scope that the rule's `per` names.
        fired: Likewise.
        rolls: In the scope of the request itself, for dice.
        down_until: When an outage that a request began is over, in seconds of the
            service since its start. It does not survive a restart.
    """

    met: Counter[tuple[str, str]] = field(default_factory=Counter)
    fired: Counter[tuple[str, str]] = field(default_factory=Counter)
    rolls: Counter[tuple[str, str]] = field(default_factory=Counter)
    down_until: float = 0.0


class Outage(NamedTuple):
    """Whether connections are refused, and when to ask again.

    Attributes:
        asks_again_at: Seconds of the service since its start; None where time alone
            changes nothing any more. A request may begin an outage at any moment.
    """

    is_down: bool
    asks_again_at: float | None


@dataclass(frozen=True, slots=True)
class _Strike:
    """A rule that does its part, with the dice for what is left open in it."""

    rule: Rule
    rng: random.Random
    record: FaultFired | None


def through(
    plan: Plan,
    state: FaultState,
    occasion: Occasion,
    proceed: Callable[[Twist], Reply],
) -> Reply:
    """Return what *occasion* is answered; *proceed* carries the request out.

    It is called once, or not at all where the plan keeps the request from the service.
    The reply's new records come before those of the rules.
    """
    if outage(plan, state, occasion.since).is_down:
        return _nothing("")  # over a connection that was made before
    strikes = _strikes(plan, state, occasion)
    if not strikes:
        return proceed(Twist())
    last = strikes[-1]
    reply = _outcome(last, strikes, state, occasion, proceed)
    for strike in reversed(strikes):  # so that the first one has the last word
        reply = mannered(reply, strike.rule.manner, rng=strike.rng)
    if occasion.request.method == "HEAD" and reply.body:
        length = {"Content-Length": str(len(reply.body))}
        reply = replace(reply, headers={**length, **reply.headers}, body=b"")
    records = tuple(strike.record for strike in strikes if strike.record)
    sealing = last if last.rule.is_final else strikes[0]
    return replace(reply, records=(*reply.records, *records), fault=sealing.rule.name)


def remember(state: FaultState, fired: FaultFired) -> None:
    """Restore what a record tells of an earlier life of the sandbox.

    Requests that met a rule after it last did something are forgotten.
    """
    key = (fired.rule, fired.scope)
    state.met[key] = max(state.met[key], fired.count)
    state.fired[key] += 1


def outage(plan: Plan, state: FaultState, since: float) -> Outage:
    """Return whether the service is down *since* seconds after its start."""
    is_down, moments = since < state.down_until, []
    if is_down:
        moments.append(state.down_until)
    for rule in plan.rules:
        if rule.is_window:
            holds, changes_at = _holds(rule.when, since)
            is_down = is_down or holds
            moments += [] if changes_at is None else [changes_at]
    return Outage(is_down, min(moments, default=None))


# ---- Whether


def _strikes(plan: Plan, state: FaultState, occasion: Occasion) -> Sequence[_Strike]:
    found: list[_Strike] = []
    for rule in plan.rules:
        if rule.is_window or not _fits(rule, occasion):
            continue
        if strike := _strike(rule, state, occasion):
            found.append(strike)
            if rule.is_final:
                break
    return found


def _fits(rule: Rule, occasion: Occasion) -> bool:
    if occasion.route not in rule.on:
        return False
    if rule.models and not any(
        # Ids may have brackets, which are no wildcards here.
        fnmatch.fnmatchcase(occasion.model, pattern.replace("[", "[[]"))
        for pattern in rule.models
    ):
        return False
    return _holds(rule.when, occasion.since)[0]


def _strike(rule: Rule, state: FaultState, occasion: Occasion) -> _Strike | None:
    """Count that *rule* was met, and return its strike if all else holds too."""
    when, scope = rule.when, _scope(rule.when, occasion)
    key = (rule.name, scope)
    state.met[key] += 1
    met = state.met[key]
    # Rolls are counted whether or not the dice are used: what they show must depend on
    # how often this request was seen, not on what other requests did to the counts.
    of_dice = f"{occasion.scope}/{occasion.take}"
    state.rolls[rule.name, of_dice] += 1
    used_up = when.times is not None and state.fired[key] >= when.times
    if used_up or not _is_its_turn(when, met):
        return None
    roll = state.rolls[rule.name, of_dice]
    rng = random.Random(f"{occasion.seed}/{rule.name}/{of_dice}/{roll}")
    if when.chance is not None and rng.random() >= when.chance:
        return None
    state.fired[key] += 1
    record = FaultFired(rule.name, scope, met) if when.counts else None
    return _Strike(rule, rng, record)


def _is_its_turn(when: When, met: int) -> bool:
    if when.nth and met not in when.nth:
        return False
    if when.every is not None and met % when.every:
        return False
    return when.from_ <= met <= (when.first or met)


def _scope(when: When, occasion: Occasion) -> str:
    match when.per:
        case "rule":
            return ""
        case "key":
            return occasion.owner
        case "request":
            return occasion.scope
        case _:  # "task", which a submission is about to create
            return occasion.task or f"{occasion.scope}/{occasion.take}"


def _holds(when: When, since: float) -> tuple[bool, float | None]:
    """Return whether the times of *when* hold, and when that changes, if ever."""
    end = math.inf if when.until_s is None else when.until_s
    if since < when.after_s:
        return False, when.after_s
    if since >= end:
        return False, None
    holds, changes_at = True, end
    if when.burst is not None:
        phase = (since - when.after_s) % when.burst.every_s
        holds = phase < when.burst.lasts_s
        left = (when.burst.lasts_s if holds else when.burst.every_s) - phase
        # Rounding must not name the present moment, or it would be asked for for ever.
        changes_at = min(end, max(since + left, math.nextafter(since, math.inf)))
    return holds, None if math.isinf(changes_at) else changes_at


# ---- What


def _outcome(
    last: _Strike,
    strikes: Sequence[_Strike],
    state: FaultState,
    occasion: Occasion,
    proceed: Callable[[Twist], Reply],
) -> Reply:
    """Return the reply, before its manner; the request is carried out or not."""

    def carried_out() -> Reply:
        return proceed(_twist(strikes))

    rule = last.rule
    if rule.instead is not None:
        reply = _replaced(rule.instead, last, state, occasion, carried_out)
    elif rule.breaks is None or rule.breaks.done:
        reply = carried_out()
    else:
        reply = Reply(status=504, headers={})
    return _broken(reply, rule.breaks) if rule.breaks else reply


def _replaced(
    instead: Instead,
    last: _Strike,
    state: FaultState,
    occasion: Occasion,
    carried_out: Callable[[], Reply],
) -> Reply:
    match instead:
        case Refuse(lasts_s):
            until = occasion.since + (lasts_s or 0.0)
            state.down_until = max(state.down_until, until)
            return _nothing(last.rule.name)
        case Close():
            return _nothing(last.rule.name)
        case Redirect():
            return redirected(instead, occasion.request)
        case Spoil(body):
            return spoilt(carried_out(), body, rng=last.rng)
        case _:  # an answer
            said = answered(instead, occasion.request, occasion.now, rng=last.rng)
            before = carried_out() if instead.done else said
            return replace(said, records=before.records, keeps=before.keeps)


def _nothing(rule: str) -> Reply:
    """Return the end of a connection over which nothing is read."""
    delivery = Delivery(ends="closed", sent=None)
    return Reply(status=503, headers={}, delivery=delivery, fault=rule)


def _broken(reply: Reply, breaks: Break) -> Reply:
    delivery = replace(
        reply.delivery,
        ends=breaks.ends,
        sent=breaks.sent,
        stalls_s=breaks.stalls_s,
    )
    return replace(reply, delivery=delivery)


def _twist(strikes: Sequence[_Strike]) -> Twist:
    fields: dict[str, object] = {}
    for strike in strikes:
        fields = {**strike.rule.twist, **fields}
    return msgspec.convert(fields, Twist)
