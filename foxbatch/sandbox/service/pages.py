"""What the sandbox tells about itself, for people and for tests."""

from __future__ import annotations

from foxbatch.sandbox.messages import (
    Json,
    Reply,
    Request,
    Task,
    error_reply,
    json_reply,
)
from foxbatch.sandbox.service import story
from foxbatch.sandbox.service.results import items, prompt_of
from foxbatch.sandbox.service.state import Sandbox, newest
from foxbatch.sandbox.service.story import asked_of

_LISTED_TASKS = 1000
_SHOWN_TASKS = 50
MOST_DIGITS = 9  # of a number in a query


def stats(sandbox: Sandbox, request: Request, now: float) -> Reply:
    """Tell what was created, billed, served and refused, in all and by key."""
    del request
    for account in sandbox.accounts.values():
        account.settle(now)
    return json_reply(
        200,
        {
            "created": len(sandbox.tasks),
            "billed_credits": _billed(sandbox),
            "requests": {
                route: dict(by_status) for route, by_status in sandbox.requests.items()
            },
            "by_request_digest": dict(sandbox.takes),
            "by_key": {
                account.name: {
                    "created": account.tasks,
                    "credits_reserved": account.reserved,
                    "credits_used": account.used,
                }
                for account in sandbox.accounts.values()
            },
            "faults": dict(sandbox.hits),
            "uploads": len(sandbox.uploads),
            "callbacks": dict(sandbox.reported),
            "in_flight": sandbox.in_flight(now),
            "in_flight_peak": sandbox.in_flight_peak,
        },
    )


def _billed(sandbox: Sandbox) -> int:
    return sum(account.reserved + account.used for account in sandbox.accounts.values())


def tasks(sandbox: Sandbox, request: Request, now: float) -> Reply:
    """List tasks, newest first: at most `?limit=`, after `?offset=` newer ones."""
    limit = _whole(request, "limit", _LISTED_TASKS)
    offset = _whole(request, "offset", 0)
    if limit is None or offset is None:
        return _not_whole("limit and offset")
    shown = list(newest(sandbox, offset + limit))[offset:]
    listed: list[Json] = [
        {
            "id": task.id,
            "created": int(task.created_at),
            "model": task.model,
            "status": story.view(task, now).word,
            "credits_reserved": task.credits,
            "request_digest": task.digest,
            "take": task.take,
            "key": task.owner,
            "prompt": prompt_of(asked_of(task)),
        }
        for task in shown
    ]
    return json_reply(200, {"total": len(sandbox.tasks), "tasks": listed})


def _whole(request: Request, name: str, default: int) -> int | None:
    """Return a number of the query; None if it is none."""
    text = request.query.get(name, str(default))
    is_number = text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS
    return int(text) if is_number else None


def _not_whole(names: str) -> Reply:
    message = f"{names} must be whole numbers of at most {MOST_DIGITS} digits"
    return error_reply(422, "invalid_request_error", message)


def recent(sandbox: Sandbox, request: Request, now: float) -> Reply:
    """List the last requests, oldest first: those that came after number `?after=`."""
    after = _whole(request, "after", 0)
    if after is None:
        return _not_whole("after")
    entries: list[Json] = [
        entry
        for entry in sandbox.log
        if isinstance(n := entry["seq"], int) and n > after
    ]
    return json_reply(200, {"seq": sandbox.logged, "now": now, "entries": entries})


def overview(sandbox: Sandbox, request: Request, now: float) -> Reply:
    """Tell what the page at `/` shows."""
    for account in sandbox.accounts.values():
        account.settle(now)
    plan, options = sandbox.options.plan, sandbox.options
    shown: list[Json] = [
        _shown(sandbox, task, now, request.base_url)
        for task in newest(sandbox, _SHOWN_TASKS)
    ]
    accounts: list[Json] = [
        {
            "name": account.name,
            "credits": account.granted,
            "reserved": account.reserved,
            "used": account.used,
        }
        for account in sandbox.accounts.values()
    ]
    return json_reply(
        200,
        {
            "created": len(sandbox.tasks),
            "billed_credits": _billed(sandbox),
            "in_flight": sandbox.in_flight(now),
            "in_flight_peak": sandbox.in_flight_peak,
            "by_status": dict(sandbox.by_status(now)),
            "requests": {
                route: dict(by_status) for route, by_status in sandbox.requests.items()
            },
            "faults": dict(sandbox.hits),
            "accounts": accounts,
            "plan": None if plan is None else {"name": plan.name, "title": plan.title},
            "speed": options.speed,
            "seed": options.seed,
            "started_at": sandbox.started_at,
            "tasks": shown,
        },
    )


def _shown(sandbox: Sandbox, task: Task, now: float, base_url: str) -> Json:
    seen = story.view(task, now)
    urls: list[Json] = []
    if seen.status == "completed":
        found = items(task, base_url)
        urls = [
            item["url"] for item in found if isinstance(item, dict) and "url" in item
        ]
    return {
        "id": task.id,
        "created": int(task.created_at),
        "model": task.model,
        "status": seen.word,
        "progress": seen.progress,
        "credits_reserved": task.credits,
        "prompt": prompt_of(asked_of(task)),
        "results": urls,
        "fault": sandbox.shaped.get(task.id, ""),
    }
