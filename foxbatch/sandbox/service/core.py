"""The pretend service itself: `handle(sandbox, request, now) -> reply`.

No clock, no sockets, no threads, no module-level state: a `Sandbox` belongs to its
caller, and *now* is always the real wall time in Unix seconds, so that `created`
agrees with the client's clock. `SandboxOptions.speed` *divides* every duration of
the service instead (generation times, the 24 hours that results live); rate limits
are about the wire and stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from foxbatch.sandbox.faults.engine import Occasion, outage as outage_of, through
from foxbatch.sandbox.messages import (
    ORDINARY,
    Json,
    Reply,
    Request,
    Task,
    Twist,
    error_reply,
    json_reply,
    text_reply,
)
from foxbatch.sandbox.service import openapi, pages, reads, story, submissions
from foxbatch.sandbox.service.accounts import (
    granted_to,
    is_known,
    owner_of,
    retry_after,
)
from foxbatch.sandbox.service.catalogue import models
from foxbatch.sandbox.service.checks import is_loopback
from foxbatch.sandbox.service.results import items, next_hop, recipe
from foxbatch.sandbox.service.state import (
    Callback,
    Sandbox,
    callback_answered,
    due_callbacks as _due_callbacks,
)
from foxbatch.sandbox.service.story import View, asked_of

__all__ = [
    "DueCallback",
    "Sandbox",
    "callback_answered",
    "due_callbacks",
    "handle",
    "outage",
]

Family: TypeAlias = Literal["submit", "query", "upload", "read", "file", "page"]
_Answer: TypeAlias = Callable[[Sandbox, Request, float], Reply]
_Submit: TypeAlias = Callable[[Sandbox, Request, float, Twist], Reply]


@dataclass(frozen=True, slots=True)
class _Route:
    """Where a request belongs.

    Attributes:
        name: As it is counted.
        family: As fault plans call it.
    """

    name: str
    family: Family
    answer: _Submit


def handle(sandbox: Sandbox, request: Request, now: float) -> Reply:
    """Return the service's answer to *request* at *now* (Unix time, real seconds).

    What is new is in the reply's `records` as well as in *sandbox*. A file in the
    body still has to be rendered.
    """
    if not request.base_url.isascii():
        return text_reply(400, "Bad Request")  # no Host header can be that
    route = _route(request)
    if route.family == "page":
        return route.answer(sandbox, request, now, ORDINARY)
    sandbox.base_url = request.base_url
    plan, faults = sandbox.options.plan, sandbox.faults
    if plan is None or faults is None:
        reply = route.answer(sandbox, request, now, ORDINARY)
    else:
        occasion = _occasion(sandbox, request, now, route)
        reply = through(
            plan,
            faults,
            occasion,
            lambda twist: route.answer(sandbox, request, now, twist),
        )
    _note(sandbox, request, now, route, reply)
    return _without_body(reply) if request.method == "HEAD" else reply


def outage(sandbox: Sandbox, now: float) -> tuple[bool, float | None]:
    """Return whether connections are refused, and when to ask again (Unix time)."""
    plan, faults = sandbox.options.plan, sandbox.faults
    if plan is None or faults is None:
        return False, None
    speed, started_at = sandbox.options.speed, sandbox.started_at
    found = outage_of(plan, faults, (now - started_at) * speed)
    asks = found.asks_again_at
    return found.is_down, None if asks is None else started_at + asks / speed


@dataclass(frozen=True, slots=True)
class DueCallback:
    """A report to be posted to *url*, which is on this machine."""

    id: Callback
    url: str
    body: bytes


def due_callbacks(
    sandbox: Sandbox, now: float
) -> tuple[list[DueCallback], float | None]:
    """Take out the reports that are due; return them, and when the next one is.

    Those for other machines are only counted: the sandbox calls nobody else. Links
    to results are where the last client reached the sandbox.
    """
    due, next_at = _due_callbacks(sandbox, now)
    wanted = []
    for callback in due:
        task = sandbox.tasks[callback.task]
        url = str(asked_of(task)["callback_url"])
        if _host(url) and is_loopback(_host(url)):
            told = _told_of(task, now, sandbox.base_url)
            wanted.append(DueCallback(callback, url, msgspec.json.encode(told)))
        else:
            sandbox.reported["not sent"] += 1
    return wanted, next_at


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


# ---- Faults, and the log


def _occasion(
    sandbox: Sandbox, request: Request, now: float, route: _Route
) -> Occasion:
    model, task_id, scope, take = _subject(sandbox, request, route)
    return Occasion(
        route=route.family,
        request=request,
        model=model,
        task=task_id,
        owner=owner_of(request),
        scope=scope,
        take=take,
        now=now,
        since=(now - sandbox.started_at) * sandbox.options.speed,
        seed=sandbox.options.seed,
    )


def _subject(
    sandbox: Sandbox, request: Request, route: _Route
) -> tuple[str, str, str, int]:
    """Return model, task, scope and take of what *request* is about."""
    parts = request.path.split("/")
    if route.family == "submit":
        body = submissions.read_object(request)
        if isinstance(body, dict):
            digest = submissions.digest_of(body)
            return str(body.get("model", "")), "", digest, sandbox.takes[digest] + 1
    task = None
    if route.family == "query" and len(parts) > 3:  # noqa: PLR2004
        task = sandbox.tasks.get(parts[3])
    if route.family == "file" and len(parts) > 2:  # noqa: PLR2004
        task = sandbox.tasks.get(parts[2])
    if task is None:
        return "", "", request.path, 1
    scope = task.id if route.family == "query" else request.path
    return task.model, task.id, scope, 1


def _note(
    sandbox: Sandbox, request: Request, now: float, route: _Route, reply: Reply
) -> None:
    ends = reply.delivery.ends
    status = str(reply.status) if ends == "whole" or reply.delivery.sent else ends
    sandbox.requests[route.name][status] += 1
    task = next((r for r in reply.records if isinstance(r, Task)), None)
    if reply.fault:
        sandbox.hits[reply.fault] += 1
        if task is not None:
            sandbox.shaped[task.id] = reply.fault
    sandbox.note(
        {
            "at": now,
            "method": _readable(request.method[:20]),
            "route": route.name,
            "path": _readable(request.path[:200]),
            "status": int(status) if status.isdecimal() else status,
            "model": "" if task is None else task.model,
            "task": "" if task is None else task.id,
            "fault": reply.fault,
            "credits": 0 if task is None else task.credits,
        }
    )


def _readable(text: str) -> str:
    """Return *text* with something in the place of bytes that were no UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


# ---- Routes


def _route(request: Request) -> _Route:
    method = "GET" if request.method == "HEAD" else request.method
    path = request.path
    found = _EXACT.get(f"{method} {path}")
    if found is not None:
        return found
    depth = path.count("/")
    if path.startswith("/v1/tasks/") and depth == 3:  # noqa: PLR2004
        return _QUERY if method == "GET" else _NOT_GET
    if path.startswith("/files/") and depth in {3, 4}:
        return _FILE if method == "GET" else _NOT_GET
    if path.startswith("/uploads/") and depth == 4:  # noqa: PLR2004
        return _UPLOADED if method == "GET" else _NOT_GET
    if f"GET {path}" in _EXACT:
        return _NOT_GET
    return _NOT_POST if f"POST {path}" in _EXACT else _OTHER


def _at_edge(answer: _Submit, *, keyed: bool = True) -> _Submit:
    """Return *answer* behind the checks that every API request has to pass.

    Where *keyed* is false the answer itself says what it thinks of the key.
    """

    def checked(sandbox: Sandbox, request: Request, now: float, twist: Twist) -> Reply:
        options = sandbox.options
        if options.switches.default_agents == "refuse" and _is_default(request):
            return text_reply(403, "error code: 1010")
        if not is_known(request, options):
            if keyed:
                return error_reply(401, "authentication_error", "Invalid API key")
            return answer(sandbox, request, now, twist)  # strangers get no account
        account = sandbox.account(owner_of(request), granted_to(request, options))
        if account.is_too_fast(now, options.requests_per_s):
            said = retry_after(options.switches.retry_after, now)
            slow = error_reply(429, "rate_limit_error", "Too many requests")
            return replace(slow, headers={**slow.headers, **said})
        return answer(sandbox, request, now, twist)

    return checked


def _is_default(request: Request) -> bool:
    return request.headers.get("user-agent", "").startswith("Python-urllib/")


def _plain(answer: _Answer) -> _Submit:
    return lambda sandbox, request, now, _twist: answer(sandbox, request, now)


def _submission(path: str) -> _Route:
    def answer(sandbox: Sandbox, request: Request, now: float, twist: Twist) -> Reply:
        return submissions.submit(sandbox, request, now, path=path, twist=twist)

    return _Route(f"POST /v1/{path}/generations", "submit", _at_edge(answer))


def _uploading(route: str) -> _Route:
    answer = partial(submissions.upload, route=route)
    name = f"POST /v1/files/upload/{route}"
    return _Route(name, "upload", _at_edge(_plain(answer)))


def _reading(path: str, answer: _Answer, *, keyed: bool = True) -> _Route:
    return _Route(f"GET {path}", "read", _at_edge(_plain(answer), keyed=keyed))


def _page(path: str, answer: _Answer) -> _Route:
    return _Route(f"GET {path}", "page", _plain(answer))


def _nothing_here(_sandbox: Sandbox, _request: Request, _now: float) -> Reply:
    return error_reply(404, "not_found", "There is nothing at this path")


def _wrong_method(allowed: str) -> _Submit:
    def answer(_sandbox: Sandbox, _request: Request, _now: float) -> Reply:
        return error_reply(
            405, "invalid_request_error", f"Use {allowed} here", Allow=allowed
        )

    return _plain(answer)


# ---- Tasks


def _query(sandbox: Sandbox, request: Request, now: float) -> Reply:
    task = sandbox.tasks.get(request.path.removeprefix("/v1/tasks/"))
    if task is None or task.owner != owner_of(request):
        return error_reply(404, "not_found", "Task not found")
    if now < task.created_at + task.twist.hidden_s / sandbox.options.speed:
        return error_reply(404, "not_found", "Task not found")
    synced = request.query.get("sync_upstream", "").lower() in {"true", "1"}
    empty = ""
    is_completed = now >= task.ends_at and not task.twist.fails
    if is_completed and sandbox.shows_empty(task, synced=synced):
        empty = task.twist.empty_as
    return json_reply(200, _told_of(task, now, request.base_url, empty=empty))


def _told_of(task: Task, now: float, base_url: str, *, empty: str = "") -> Json:
    seen = story.view(task, now)
    found = items(task, base_url) if seen.status == "completed" else []
    return _shown(task, seen, found, empty)


def _shown(task: Task, seen: View, found: list[Json], empty: str) -> dict[str, Json]:
    """Return *task*, which looks as *seen*, as a query tells it.

    *found* are the items of its results; *empty* is "list" or "null" if they are not
    shown yet, else "".
    """
    twist, kind = task.twist, _kind(task)
    value: dict[str, Json] = {
        "id": task.id,
        "object": f"{kind}.generation.task",
        "type": kind,
        "model": twist.model or task.model,
        "created": int(task.created_at),
        "status": seen.word,
    }
    if seen.progress is not None:
        value["progress"] = 50 if empty else seen.progress
    if twist.usage in {"both", "query"}:
        value["usage"] = submissions.usage_of(task)
    if kind == "llm":
        value["stream"] = None
    error = _error(seen, twist) if seen.status == "failed" else None
    if twist.form in {"output", "outputs"}:
        value |= {"output": None, "task_info": {"can_cancel": False}}
        if found and not empty:
            value["output"] = _old_output(found, several=twist.form == "outputs")
        return value | ({"error": error} if error is not None else {})
    results: Json = None
    if seen.status == "completed":
        results = _told(found, empty, strings=twist.form == "strings")
    return value | {"results": results, "error": error}


def _kind(task: Task) -> str:
    model = models().get(task.model)
    return "llm" if model is None else model.kind


def _told(found: list[Json], empty: str, *, strings: bool) -> Json:
    if empty:
        return [] if empty == "list" else None
    return list(_urls(found)) if strings else found


def _urls(found: list[Json]) -> list[Json]:
    return [item["url"] for item in found if isinstance(item, dict) and "url" in item]


def _old_output(found: list[Json], *, several: bool) -> Json:
    urls = _urls(found)
    if several:
        return {"urls": urls}
    return {"url": urls[0] if urls else None, "duration": 5}


def _error(seen: View, twist: Twist) -> Json:
    match twist.error_form:
        case "full":
            return {"code": seen.code, "message": seen.message, "type": "task_error"}
        case "no-code":
            return {"message": seen.message}
        case "number":
            return {"code": 500, "message": seen.message, "type": "task_error"}
        case "text":
            return seen.message
        case "null":
            return None


# ---- Files


def _file(sandbox: Sandbox, request: Request, now: float) -> Reply:
    """Serve a result. A key sent here would reach a stranger in real life: 400."""
    if refusal := _keyed(request):
        return refusal
    _, _, task_id, name, *hops = request.path.split("/")
    task = sandbox.tasks.get(task_id)
    if task is None or story.view(task, now).status != "completed":
        return text_reply(404, "NoSuchKey")
    found = recipe(task, name)
    after = next_hop(hops[0]) if hops else None
    if found is None or (hops and after is None):
        return text_reply(404, "NoSuchKey")
    if now >= task.ends_at + task.keeps_s:
        return text_reply(403, "AccessDenied")
    if hops:
        place = f"{request.base_url}/files/{task_id}/{name}{after}"
        found_there = text_reply(302, "Found")
        headers = {**found_there.headers, "Location": place}
        return replace(found_there, headers=headers)
    made, content_type = found
    return Reply(status=200, headers={"Content-Type": content_type}, media=made)


def _uploaded(sandbox: Sandbox, request: Request, now: float) -> Reply:
    if refusal := _keyed(request):
        return refusal
    found = submissions.find_upload(sandbox, request.path, now)
    if found is None:
        return text_reply(404, "NoSuchKey")
    headers = {"Content-Type": found.content_type}
    return Reply(status=200, headers=headers, media=found)


def _keyed(request: Request) -> Reply | None:
    if "authorization" not in request.headers:
        return None
    return text_reply(400, "The API key must not be sent to the file host")


def _without_body(reply: Reply) -> Reply:
    headers = {"Content-Length": str(len(reply.body)), **reply.headers}
    return reply if reply.media else replace(reply, headers=headers, body=b"")


_QUERY = _Route("GET /v1/tasks/{id}", "query", _at_edge(_plain(_query)))
_FILE = _Route("GET /files/{id}/{name}", "file", _plain(_file))
_UPLOADED = _Route("GET /uploads/{name}", "file", _plain(_uploaded))
_OTHER = _Route("other", "read", _plain(_nothing_here))
_NOT_GET = _Route("other", "read", _wrong_method("GET, HEAD"))
_NOT_POST = _Route("other", "read", _wrong_method("POST"))

_EXACT: Mapping[str, _Route] = {
    route.name: route
    for route in (
        *map(_submission, ("videos", "images", "audios", "audio", "run", "llm")),
        *map(_uploading, ("stream", "base64", "url")),
        _reading("/v1/models", reads.models),
        _reading("/v1/configs/llm_generations_models", reads.llm_models),
        _reading("/v1/configs/minimax-preset-voice-id", reads.preset_voices),
        _reading("/v1/account/credits", reads.credits_left),
        _reading("/api/pricing", reads.pricing, keyed=False),
        _reading("/api/usage/token/", reads.token_usage, keyed=False),
        _reading("/api/usage/token", reads.token_usage, keyed=False),
        _reading("/api/log/token", reads.charges, keyed=False),
        *(
            _reading(f"{prefix}/dashboard/billing/{name}", answer, keyed=False)
            for prefix in ("", "/v1")
            for name, answer in (
                ("subscription", reads.subscription),
                ("usage", reads.billing_usage),
            )
        ),
        _page("/openapi.json", openapi.page),
        _page("/sandbox/stats", pages.stats),
        _page("/sandbox/tasks", pages.tasks),
        _page("/sandbox/recent", pages.recent),
        _page("/sandbox/overview", pages.overview),
    )
}
