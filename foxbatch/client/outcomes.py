"""What a service's answer means, told from status, headers and body alone.

Only two things prove that a submission made no task: an error before any HTTP byte, and
an answer that the provider's table lists as a refusal. Whatever else happens is
`Unknown`: the task may exist and may have been paid for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal, TypeAlias

import msgspec

from foxbatch.canonical import Json
from foxbatch.client.redaction import (
    Secrets,
    mapped,
    redact,
    without_lookalikes,
    without_secrets,
)
from foxbatch.events import ResultItem, State, TaskId, amount_in, is_task_id
from foxbatch.provider import Provider, find
from foxbatch.provider.service import Means, SubmitRule

_MESSAGE_CHARACTERS = 2_000
_KEPT_HEADERS = (
    "content-type",
    "x-request-id",
    "retry-after",
    "date",
    "cf-ray",
    "location",
)
_TITLE = re.compile(r"<title[^>]*>([^<]{1,300})", re.IGNORECASE)
_PAGE = re.compile(r"\s*<(?:!doctype|html|head|body)\b", re.IGNORECASE)
# Gone answers to a poll are about the task, not about the address.
_MISSING_STATUSES = frozenset({404, 410})

Scope: TypeAlias = Literal["job", "later", "account", "address"]
_SCOPES: Mapping[Means, Scope] = {
    "input": "job",
    "busy": "later",
    "account": "account",
    "address": "address",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What there was of an answer, without secrets and bounded.

    Attributes:
        status: HTTP status; None where none arrived.
        reply: Body as text.
        headers: The few that help a support request, names in lower case.
    """

    status: int | None = None
    reply: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskError:
    """Why a task failed: its class in the provider's words, and the service's own."""

    error_class: str
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """What one answer said about a task.

    Attributes:
        task: Its id.
        word: The service's status word; empty where it said none.
        known: Whether the provider knows that word; an unknown one means running.
        queued: Whether it means that work on the task has not begun.
        state: What the word means. Completed without results is still running.
        empty: Whether the word meant completed and there were no results yet.
        progress: As the service counts; may go back.
        results: In the service's order; empty unless completed.
        error: Why it failed; None unless failed.
        credits: What is reserved for it, in the service's unit.
        reported_model: The model it says it uses.
        estimated_s: How long it will take in the service's opinion, in seconds.
        created: Unix seconds.
        extras: What else the provider names, such as a seed.
        raw: The reply, bounded and without secrets.
    """

    task: TaskId
    word: str
    known: bool
    state: State
    empty: bool = False
    queued: bool = False
    progress: float | None = None
    results: tuple[ResultItem, ...] = ()
    error: TaskError | None = None
    credits: float | None = None
    reported_model: str | None = None
    estimated_s: float | None = None
    created: float | None = None
    extras: Mapping[str, Json] = field(default_factory=dict)
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The service made a task. It may be finished already."""

    task: TaskId
    view: TaskView
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """No task was made, and the service said so.

    Attributes:
        scope: What it is about: this job, the moment, the account, or the address.
        error_class: The provider's name for it.
        code: The service's word, or the HTTP status.
        message: The service's words.
        status: HTTP status.
        retry_after: The header as it came.
        evidence: The answer.
    """

    scope: Scope
    error_class: str
    code: str
    message: str
    status: int
    retry_after: str | None
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class NotSent:
    """No byte of the request left: no task was made, and that is certain."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A task may have been made and may have to be paid for."""

    reason: str
    evidence: Evidence = Evidence()


SubmitOutcome: TypeAlias = Accepted | Refused | NotSent | Unknown


@dataclass(frozen=True, slots=True)
class TaskSeen:
    """The service said where the task stands."""

    view: TaskView


@dataclass(frozen=True, slots=True)
class TaskMissing:
    """The service does not know the task now; it may in a moment."""


@dataclass(frozen=True, slots=True)
class PollTrouble:
    """No usable answer; it says nothing about the task.

    Attributes:
        reason: For people.
        retry_after: The header as it came.
        status: HTTP status; None where no answer came at all.
        error_class: The provider's name for a refusal that it knows.
    """

    reason: str
    retry_after: str | None = None
    status: int | None = None
    error_class: str = ""


@dataclass(frozen=True, slots=True)
class PollDenied:
    """The service refuses the key, the account or the address. The task goes on."""

    status: int
    code: str
    message: str


PollOutcome: TypeAlias = TaskSeen | TaskMissing | PollTrouble | PollDenied


def usable_task_id(value: Json) -> TaskId | None:
    """Return *value* as a task id if it can be one: it becomes part of a path."""
    if isinstance(value, str) and is_task_id(value):
        return TaskId(value)
    return None


def classify_submit(
    provider: Provider,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    secrets: Secrets = (),
) -> SubmitOutcome:
    """Return what an answer to a submission means, by the provider's table."""
    evidence = gather(status, headers, body, secrets=secrets)
    reply = decode(body, secrets)
    if 200 <= status <= 299:  # noqa: PLR2004  HTTP's own ranges
        if not isinstance(reply, dict):
            return Unknown(f"status {status} without a JSON object", evidence)
        ids = _ids(provider, reply)
        task = next(filter(None, map(usable_task_id, ids)), None)
        if task is None:
            return Unknown(f"status {status} without a usable task id", evidence)
        return Accepted(task, _view(provider, task, reply, evidence), evidence)
    error = _error_of(reply)
    rule = _rule(provider, status, error)
    if rule is None:
        return Unknown(f"status {status}", evidence)
    return Refused(
        scope=_SCOPES[rule.means],
        error_class=rule.error_class,
        code=_cut(error.code) or str(status),
        message=_message(error.message, evidence),
        status=status,
        retry_after=evidence.headers.get("retry-after"),
        evidence=evidence,
    )


def classify_poll(
    provider: Provider,
    task: TaskId,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    secrets: Secrets = (),
) -> PollOutcome:
    """Return what an answer about *task* means. Faults say nothing about the task."""
    evidence = gather(status, headers, body, secrets=secrets)
    retry_after = evidence.headers.get("retry-after")
    reply = decode(body, secrets)
    if 200 <= status <= 299:  # noqa: PLR2004
        if not isinstance(reply, dict):
            return PollTrouble(f"status {status} without a JSON object", None, status)
        ids = _ids(provider, reply)
        if ids and task not in ids:
            return PollTrouble("the answer is about another task", None, status)
        if not isinstance(find(reply, provider.answers.status), str):
            return PollTrouble("the answer names no status", None, status)
        return TaskSeen(_view(provider, task, reply, evidence))
    if status in _MISSING_STATUSES:
        return TaskMissing()
    error = _error_of(reply)
    rule = _rule(provider, status, error)
    if rule is not None and rule.means in ("account", "address"):
        message = _message(error.message, evidence)
        return PollDenied(status, _cut(error.code) or str(status), message)
    error_class = rule.error_class if rule is not None else ""
    return PollTrouble(f"status {status}", retry_after, status, error_class)


def gather(
    status: int | None,
    headers: Mapping[str, str],
    body: bytes,
    *,
    secrets: Secrets = (),
) -> Evidence:
    """Return what is worth keeping of an answer, bounded and without secrets."""
    kept = {name: _header(headers, name) for name in _KEPT_HEADERS}
    return Evidence(
        status,
        redact(body.decode("utf-8", "replace"), secrets),
        {
            name: redact(value, secrets, bound=_MESSAGE_CHARACTERS)
            for name, value in kept.items()
            if value is not None
        },
    )


def _header(headers: Mapping[str, str], name: str) -> str | None:
    for key, value in headers.items():
        if key.lower() == name:
            return value
    return None


def _cut(text: str) -> str:
    """Return words of the service as they are kept."""
    return redact(text.strip(), bound=_MESSAGE_CHARACTERS)


def _message(said: str, evidence: Evidence) -> str:
    """Return why the service refuses, in its words or in those of its answer.

    Never nothing, and never just the status, which stands beside it anyway.
    """
    status = evidence.status or 0
    target = evidence.headers.get("location")
    if 300 <= status <= 399 and target:  # noqa: PLR2004
        return f"it redirects to {target}"
    reply = evidence.reply
    message = _cut(said) or _page_title(reply) or _cut(reply)
    if message not in ("", str(status)):
        return message
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "it gives no reason"


def _page_title(text: str) -> str:
    """Return what a page is about, empty where *text* is no page."""
    if not _PAGE.match(text):
        return ""
    title = _TITLE.search(text)
    return f"a page came: {_cut(title[1])}" if title else "a page came"


def decode(body: bytes, secrets: Secrets) -> Json:
    """Return the JSON value in *body* without *secrets*, None where there is none.

    They go before anything is read from it, so that no place can be forgotten.
    """
    try:
        value: Json = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return mapped(value, lambda text: without_secrets(text, secrets))


@dataclass(frozen=True, slots=True)
class _Error:
    code: str = ""
    kind: str = ""
    message: str = ""


def _error_of(reply: Json) -> _Error:
    """Return what an error body says, in any of the shapes that were ever seen."""
    if isinstance(reply, str):
        return _Error(message=reply)
    if not isinstance(reply, dict):
        return _Error()
    error = reply.get("error")
    if error is None:
        wrapped = reply.get("data")
        error = wrapped.get("error") if isinstance(wrapped, dict) else None
    if isinstance(error, str):
        return _Error(message=error)
    return _error_object(error if isinstance(error, dict) else reply)


def _error_object(error: Mapping[str, Json]) -> _Error:
    return _Error(*(_word(error.get(name)) for name in ("code", "type", "message")))


def _word(value: Json) -> str:
    """Return a word of a reply; codes are numbers now and then."""
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int else ""


def _rule(provider: Provider, status: int, error: _Error) -> SubmitRule | None:
    return provider.refusal(
        status, code=error.code, kind=error.kind, message=error.message
    )


def _ids(provider: Provider, reply: Json) -> list[Json]:
    found = [find(reply, (place,)) for place in provider.answers.id]
    return [value for value in found if value is not None]


def _view(
    provider: Provider, task: TaskId, reply: Json, evidence: Evidence
) -> TaskView:
    places = provider.answers
    results = _results(find(reply, places.results))
    # Addresses have been read: nothing else may look like anybody's key.
    reply = mapped(reply, without_lookalikes)
    word = _word(find(reply, places.status))[:100]
    state = provider.states.get(word, "running")
    empty = state == "completed" and not results
    model = find(reply, places.model)
    extras = {name: find(reply, at) for name, at in places.extras.items()}
    return TaskView(
        task=task,
        word=word,
        known=word in provider.states,
        state="running" if empty else state,
        empty=empty,
        queued=word in provider.queued,
        progress=number_in(find(reply, places.progress)),
        results=results if state == "completed" else (),
        error=_failure(provider, find(reply, places.error))
        if state == "failed"
        else None,
        credits=amount_in(number_in(find(reply, places.credits))),
        reported_model=model if isinstance(model, str) else None,
        estimated_s=number_in(find(reply, places.estimate)),
        created=number_in(find(reply, places.created)),
        extras={name: value for name, value in extras.items() if value is not None},
        raw=evidence.reply,
    )


def _failure(provider: Provider, error: Json) -> TaskError:
    said = _error_of({"error": error})
    failure_class = provider.failure_class(said.code)
    return TaskError(failure_class, _cut(said.code), _cut(said.message))


def _results(value: Json) -> tuple[ResultItem, ...]:
    if isinstance(value, list):
        return tuple(_result(item) for item in value if item)
    return (_result(value),) if value else ()


def _result(value: Json) -> ResultItem:
    if isinstance(value, str):
        return ResultItem(url=value)
    url = value.get("url") if isinstance(value, dict) else None
    shown = mapped(value, without_lookalikes)
    if not isinstance(shown, dict):
        return ResultItem(extras={"value": shown})
    shown.pop("url", None)
    content_type = shown.pop("content_type", None)
    return ResultItem(
        url=url if isinstance(url, str) and url else None,
        content_type=content_type if isinstance(content_type, str) else None,
        extras={**shown},
    )


def number_in(value: Json) -> float | None:
    """Return a number of a reply; a service also says them as text now and then."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
