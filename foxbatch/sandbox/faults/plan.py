"""A fault plan as values: rules, when each of them holds, and what it does.

All times that are compared with the service's own clock are seconds of the service:
whoever keeps that clock divides them by its speed. Times on the wire (how long a
connection stands still, `Retry-After`) are real seconds: the client waits for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from foxbatch.sandbox.messages import Json

Route: TypeAlias = Literal["submit", "query", "upload", "read", "file", "page"]
"""What a request is about. "read": models, account and the like; "file": content of
results and uploads; "page": the sandbox's own pages, which "any" leaves alone."""

Per: TypeAlias = Literal["rule", "task", "key", "request"]

Form: TypeAlias = Literal[
    "documented",
    "number-code",
    "text",
    "message",
    "wrapped",
    "success-false",
    "echo",
    "edge-text",
    "html",
    "empty",
]
"""How an error is told; see `docs/fault-plans.md`."""

Spoilt: TypeAlias = Literal["empty", "html", "garbage", "half", "no-id", "list"]
"""What becomes of the body of an honest reply."""


# ---- When


@dataclass(frozen=True, slots=True)
class Burst:
    """Stretches of time: *lasts_s* long, one each *every_s*, from the rule's start."""

    every_s: float
    lasts_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """What must hold, all of it, for a rule to do something.

    A request meets the rule if route, model and time fit. Meetings are counted in
    the scope that *per* names, from 1, and the counts here are of meetings.

    Attributes:
        chance: From 0 to 1.
        nth: These meetings; empty for all.
        every: Each meeting that is a multiple of it.
        from_: Meetings from this one on.
        first: Meetings up to this one.
        times: How often the rule does something in one scope.
        after_s: Seconds of the service since its start.
        until_s: Likewise; not included.
    """

    chance: float | None = None
    nth: frozenset[int] = frozenset()
    every: int | None = None
    from_: int = 1
    first: int | None = None
    times: int | None = None
    after_s: float = 0.0
    until_s: float | None = None
    burst: Burst | None = None
    per: Per = "rule"

    @property
    def counts(self) -> bool:
        """Return whether it matters how often the rule was met before."""
        limits = (self.nth, self.every, self.first, self.times)
        return any(limits) or self.from_ > 1


# ---- What


@dataclass(frozen=True, slots=True)
class Refuse:
    """No connection is accepted, on any route.

    Attributes:
        lasts_s: Seconds of the service from the request that begins it; None for
            as long as the rule's times hold, without any request.
    """

    lasts_s: float | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """The connection is closed before anything is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An error instead of the reply.

    Attributes:
        kind: `error.type`; "" for what the service says with that status.
        code: `error.code`; "" for none.
        message: "" for what the service says with that status.
        fields: Further members of the error object.
        retry_after: Seconds, a word for a strange form, or None for no such header.
        headers: Further ones.
        done: Whether the request is carried out nevertheless.
    """

    status: int
    form: Form = "documented"
    kind: str = ""
    code: str = ""
    message: str = ""
    fields: Mapping[str, Json] = field(default_factory=dict)
    retry_after: float | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """A redirect instead of the reply; nothing is carried out.

    Attributes:
        to: `{base}` stands for the sandbox's address, `{path}` for the path asked.
    """

    status: int = 302
    to: str = "{base}{path}"


@dataclass(frozen=True, slots=True)
class Spoil:
    """The request is carried out, and its reply has another body."""

    body: Spoilt


Instead: TypeAlias = Refuse | Close | Answer | Redirect | Spoil


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """The connection does not live until the end of the reply.

    Attributes:
        ends: As in `Delivery`.
        sent: Likewise: share of the body; None for not even a status line.
        stalls_s: Real seconds to stand still.
        done: Whether the request is carried out.
    """

    ends: Literal["dropped", "stalled"]
    sent: float | None = None
    stalls_s: float = 60.0
    done: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a reply travels that arrives; None and empty leave things as they are.

    Attributes:
        waits_s: Real seconds before the first byte: drawn evenly between the two.
        bytes_per_s: Pace of the body.
        claims_bytes: Added to the Content-Length that is told.
        content_type: Told instead; "" for none at all.
        headers: Set, or removed where None.
    """

    waits_s: tuple[float, float] | None = None
    bytes_per_s: float | None = None
    claims_bytes: int | None = None
    content_type: str | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)


# ---- Together


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One kind of trouble.

    Attributes:
        on: Routes.
        models: Patterns with `*`, one of which must fit; empty for any model.
        instead: What is answered.
        breaks: How the connection ends early.
        manner: How the reply travels.
        twist: Fields of the `Twist` of the task that a submission creates.
    """

    name: str
    on: frozenset[Route]
    models: tuple[str, ...] = ()
    when: When = When()
    instead: Instead | None = None
    breaks: Break | None = None
    manner: Manner = Manner()
    twist: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_final(self) -> bool:
        """Return whether the fate of a request is sealed: later rules never see it."""
        return self.instead is not None or self.breaks is not None

    @property
    def is_window(self) -> bool:
        """Return whether it is an outage by the clock alone."""
        return isinstance(self.instead, Refuse) and self.instead.lasts_s is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What goes wrong.

    Attributes:
        name: Of a plan that comes with foxbatch, else the file it was read from.
        title: One line for people.
        behaviours: Numbers of the service's known behaviours that it shows.
    """

    name: str
    rules: tuple[Rule, ...]
    title: str = ""
    behaviours: tuple[int, ...] = ()
