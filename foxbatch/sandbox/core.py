"""The pretend service itself: `handle(sandbox, request, now) -> reply`.

No clock, no sockets, no threads, no module-level state: a `Sandbox` belongs to its
caller, and *now* is always the real wall time in Unix seconds, so that `created`
agrees with the client's clock. `SandboxOptions.speed` *divides* every duration of
the service instead (generation times, the 24 hours that results live); rate limits
are about the wire and stay as they are.

Credits are reserved when a task is created and stay reserved when it fails: the
real service shows no refund.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn

from foxbatch.sandbox import rules, story
from foxbatch.sandbox.messages import (
    Json,
    Reply,
    Request,
    Task,
    error_reply,
    json_reply,
    text_reply,
)

RESULT_LIFETIME_S = 24 * 3600.0
_LISTED_TASKS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """How the pretend service behaves. The defaults never say 402 or 429.

    Attributes:
        seed: Of every story; the same seed and requests give the same one.
        speed: Divides the service's durations; 60 makes a minute pass in a second.
        keys: API keys that are accepted. None accepts any request, also without.
        credits: What every key may reserve in total. None means no end.
        in_flight: Unfinished tasks at once, beyond which a submission gets 429.
        requests_per_s: API requests in any second, beyond which one gets 429.
        switches: Which reading of the service's pages holds.
    """

    seed: int = 0
    speed: float = 1.0
    keys: frozenset[str] | None = None
    credits: int | None = None
    in_flight: int | None = None
    requests_per_s: int | None = None
    switches: rules.Switches = field(default_factory=rules.Switches)

    def __post_init__(self) -> None:
        if not 0 < self.speed < float("inf"):
            raise ValueError(f"speed must be above 0 and finite, not {self.speed}")
        for name in ("in_flight", "requests_per_s"):
            limit: int | None = getattr(self, name)
            if limit is not None and limit < 1:
                raise ValueError(f"{name} must be at least 1, not {limit}")


@dataclass(slots=True)
class Sandbox:
    """Everything the pretend service remembers; changed only by `handle`."""

    options: SandboxOptions = field(default_factory=SandboxOptions)
    tasks: dict[str, Task] = field(default_factory=dict)
    takes: Counter[str] = field(default_factory=Counter)  # by request digest
    reserved: defaultdict[str, int] = field(
        default_factory=lambda: defaultdict(int)  # by owner
    )
    requests: defaultdict[str, Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)  # by route, then status
    )
    in_flight_peak: int = 0
    _ends: list[float] = field(default_factory=list)  # heap: unfinished tasks
    _recent: deque[float] = field(default_factory=deque)  # requests of this second
    _shown_empty: set[str] = field(default_factory=set)

    def add(self, task: Task) -> None:
        """Remember *task*: a new one, or one of an earlier process, oldest first."""
        self.tasks[task.id] = task
        self.takes[task.digest] = max(self.takes[task.digest], task.take)
        self.reserved[task.owner] += task.credits
        in_flight = self.in_flight(task.created_at) + 1
        heapq.heappush(self._ends, task.ends_at)
        self.in_flight_peak = max(self.in_flight_peak, in_flight)

    def in_flight(self, now: float) -> int:
        """Return how many tasks are unfinished at *now*; time only goes forward."""
        while self._ends and self._ends[0] <= now:
            heapq.heappop(self._ends)
        return len(self._ends)

    def is_too_fast(self, now: float) -> bool:
        """Return whether one more request is over the rate; if not, count it."""
        limit = self.options.requests_per_s
        if limit is None:
            return False
        while self._recent and self._recent[0] <= now - 1:
            self._recent.popleft()
        if len(self._recent) >= limit:
            return True
        self._recent.append(now)
        return False

    def shows_empty(self, task: Task) -> bool:
        """Return True for the first look at a completed `empty-once` task."""
        if "empty-once" not in story.words(task.prompt) or task.id in self._shown_empty:
            return False
        self._shown_empty.add(task.id)
        return True


def handle(sandbox: Sandbox, request: Request, now: float) -> Reply:
    """Return the service's answer to *request* at *now* (Unix time, real seconds).

    A new task is in the reply's `created` as well as in *sandbox*. A clip in the
    body still has to be rendered.
    """
    route, answer = _route(request)
    reply = answer(sandbox, request, now)
    status = "dropped" if reply.delivery == "dropped" else str(reply.status)
    sandbox.requests[route][status] += 1
    return _without_body(reply) if request.method == "HEAD" else reply


_Answer = Callable[[Sandbox, Request, float], Reply]


def _route(request: Request) -> tuple[str, _Answer]:
    method = "GET" if request.method == "HEAD" else request.method
    path, parts = request.path, request.path.split("/")
    exact = f"{method} {path}"
    if exact in _ROUTES:
        return exact, _ROUTES[exact]
    if method == "GET" and len(parts) == 4 and path.startswith("/v1/tasks/"):  # noqa: PLR2004
        return "GET /v1/tasks/{id}", _behind_the_edge(_query)
    if method == "GET" and len(parts) == 4 and path.startswith("/files/"):  # noqa: PLR2004
        return "GET /files/{id}/{name}", _file
    return "other", _nothing_here


def _behind_the_edge(answer: _Answer) -> _Answer:
    """Return *answer* behind the checks that every API request has to pass."""

    def checked(sandbox: Sandbox, request: Request, now: float) -> Reply:
        if request.headers.get("user-agent", "").startswith("Python-urllib/"):
            return text_reply(403, "error code: 1010")
        keys = sandbox.options.keys
        if keys is not None and _bearer(request) not in keys:
            return error_reply(401, "authentication_error", "Invalid API key")
        if sandbox.is_too_fast(now):
            return error_reply(
                429, "rate_limit_error", "Too many requests", Retry_After="1"
            )
        return answer(sandbox, request, now)

    return checked


def _bearer(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _owner(sandbox: Sandbox, request: Request) -> str:
    """Return a name for the key that gives nothing away, "" where none is asked."""
    if sandbox.options.keys is None:
        return ""
    return hashlib.sha256(_bearer(request).encode()).hexdigest()[:12]


def _submit(sandbox: Sandbox, request: Request, now: float) -> Reply:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if content_type.lower() != "application/json":
        return error_reply(
            400, "invalid_request_error", "Content-Type must be application/json"
        )
    try:
        body = _read_json(request.body)
    except (ValueError, RecursionError):
        return error_reply(
            400, "invalid_request_error", "Request body is not valid JSON"
        )
    asked = rules.check(body, sandbox.options.switches)
    if isinstance(asked, rules.Refusal):
        return _refused(asked)
    return _create(sandbox, request, now, sent=body, asked=asked)


def _create(
    sandbox: Sandbox,
    request: Request,
    now: float,
    *,
    sent: Json,
    asked: Mapping[str, Json],
) -> Reply:
    options, owner = sandbox.options, _owner(sandbox, request)
    if options.in_flight is not None and sandbox.in_flight(now) >= options.in_flight:
        return error_reply(429, "rate_limit_error", "Too many tasks at once")
    price = rules.credits_for(asked)
    if (
        options.credits is not None
        and sandbox.reserved[owner] + price > options.credits
    ):
        return error_reply(402, "insufficient_quota", "Insufficient balance")
    digest = _digest(sent)
    take = sandbox.takes[digest] + 1
    rng = story.dice(options.seed, digest, take)
    task = Task(
        id=_new_id(sandbox, now, digest, take),
        created_at=now,
        takes_s=story.generation_s(asked, rng=rng) / options.speed,
        keeps_s=RESULT_LIFETIME_S / options.speed,
        asked=asked,
        digest=digest,
        take=take,
        credits=price,
        owner=owner,
    )
    sandbox.add(task)
    return _creation_reply(task, options).having_created(task)


def _creation_reply(task: Task, options: SandboxOptions) -> Reply:
    ordered = story.words(task.prompt)
    if "5xx" in ordered:
        page = "<html><body><h1>502 Bad Gateway</h1></body></html>"
        return text_reply(502, page, subtype="html")
    expected_s = story.TYPICAL_S[task.model] / options.speed
    reply = json_reply(
        200,
        {
            "created": int(task.created_at),
            "id": task.id,
            "model": task.model,
            "object": "video.generation.task",
            "progress": 0,
            "status": "pending",
            "task_info": {
                "can_cancel": True,
                "estimated_time": max(1, round(expected_s)),
            },
            "type": "video",
            "usage": _usage(task),
        },
    )
    return replace(reply, delivery="dropped") if "lost-reply" in ordered else reply


def _new_id(sandbox: Sandbox, now: float, digest: str, take: int) -> str:
    names = (
        story.task_id(now, story.dice(sandbox.options.seed, digest, take, salt=salt))
        for salt in itertools.count(1)
    )
    return next(name for name in names if name not in sandbox.tasks)


def _query(sandbox: Sandbox, request: Request, now: float) -> Reply:
    task = sandbox.tasks.get(request.path.removeprefix("/v1/tasks/"))
    if task is None or task.owner != _owner(sandbox, request):
        return error_reply(404, "not_found", "Task not found")
    seen = story.view(task, now)
    value: dict[str, Json] = {
        "id": task.id,
        "object": "video.generation.task",
        "type": "video",
        "model": task.model,
        "created": int(task.created_at),
        "status": seen.status,
        "progress": seen.progress,
        "results": None,
        "error": None,
        "usage": _usage(task),
    }
    if seen.status == "failed":
        value["error"] = {
            "code": seen.code,
            "message": seen.message,
            "type": "task_error",
        }
    elif seen.status == "completed" and sandbox.shows_empty(task):
        value |= {"results": [], "progress": 50}
    elif seen.status == "completed":
        value["results"] = [{"url": f"{request.base_url}/files/{task.id}/0.mp4"}]
    return json_reply(200, value)


def _usage(task: Task) -> dict[str, Json]:
    return {"credits_reserved": task.credits, "user_group": "default"}


def _file(sandbox: Sandbox, request: Request, now: float) -> Reply:
    """Serve a result. A key sent here would reach a stranger in real life: 400."""
    if "authorization" in request.headers:
        return text_reply(400, "The API key must not be sent to the file host")
    _, _, name, file_name = request.path.split("/")
    task = sandbox.tasks.get(name)
    if task is None or file_name != "0.mp4":
        return text_reply(404, "NoSuchKey")
    if story.view(task, now).status != "completed":
        return text_reply(404, "NoSuchKey")
    if now >= task.ends_at + task.keeps_s:
        return text_reply(403, "AccessDenied")
    headers = {"Content-Type": "video/mp4"}
    return Reply(status=200, headers=headers, clip=story.clip_of(task))


def _models(_sandbox: Sandbox, _request: Request, _now: float) -> Reply:
    listed: list[Json] = [
        {"id": name, "owned_by": "custom", "supported_endpoint_types": ["openai"]}
        for name in rules.MODELS
    ]
    return json_reply(200, {"object": "list", "data": listed})


def _credits(sandbox: Sandbox, request: Request, _now: float) -> Reply:
    reserved = sandbox.reserved[_owner(sandbox, request)]
    granted = sandbox.options.credits
    left = None if granted is None else granted - reserved
    return json_reply(200, {"credits_left": left, "credits_reserved": reserved})


def _stats(sandbox: Sandbox, _request: Request, _now: float) -> Reply:
    return json_reply(
        200,
        {
            "created": len(sandbox.tasks),
            "billed_credits": sum(sandbox.reserved.values()),
            "requests": {
                route: dict(by_status) for route, by_status in sandbox.requests.items()
            },
            "by_request_digest": dict(sandbox.takes),
            "in_flight_peak": sandbox.in_flight_peak,
        },
    )


def _tasks(sandbox: Sandbox, _request: Request, now: float) -> Reply:
    """List the newest tasks, newest first."""
    newest = itertools.islice(reversed(sandbox.tasks.values()), _LISTED_TASKS)
    listed: list[Json] = [
        {
            "id": task.id,
            "created": int(task.created_at),
            "model": task.model,
            "status": story.view(task, now).status,
            "credits_reserved": task.credits,
            "request_digest": task.digest,
            "prompt": task.prompt,
        }
        for task in newest
    ]
    return json_reply(200, {"total": len(sandbox.tasks), "tasks": listed})


def _nothing_here(_sandbox: Sandbox, _request: Request, _now: float) -> Reply:
    return error_reply(404, "not_found", "There is nothing at this path")


def _without_body(reply: Reply) -> Reply:
    headers = {**reply.headers, "Content-Length": str(len(reply.body))}
    return reply if reply.clip else replace(reply, headers=headers, body=b"")


def _refused(refusal: rules.Refusal) -> Reply:
    error: dict[str, Json] = {
        "message": refusal.message,
        "type": "invalid_request_error",
    }
    if refusal.code:
        error["code"] = refusal.code
    if refusal.unsupported:
        error["unsupported_advanced_options"] = list(refusal.unsupported)
    return json_reply(422, {"error": error})


def _read_json(body: bytes) -> Json:
    def no_constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not JSON")

    value: Json = json.loads(body.decode("utf-8"), parse_constant=no_constant)
    return value


def _digest(value: Json) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


_ROUTES: Mapping[str, _Answer] = {
    "POST /v1/videos/generations": _behind_the_edge(_submit),
    "GET /v1/models": _behind_the_edge(_models),
    "GET /v1/account/credits": _behind_the_edge(_credits),
    "GET /sandbox/stats": _stats,
    "GET /sandbox/tasks": _tasks,
}
