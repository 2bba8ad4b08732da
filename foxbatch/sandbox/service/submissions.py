"""What happens to a request that wants something made, or stored."""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

import msgspec

from foxbatch.sandbox.messages import (
    JSON,
    Delivery,
    Json,
    Record,
    Reply,
    Request,
    Task,
    Twist,
    Upload,
    UploadRemoved,
    error_reply,
    json_reply,
    text_reply,
)
from foxbatch.sandbox.service import catalogue, checks, llm, prices, story, uploads
from foxbatch.sandbox.service.accounts import granted_to, owner_of
from foxbatch.sandbox.service.catalogue import Kind, Model
from foxbatch.sandbox.service.checks import Refusal
from foxbatch.sandbox.service.results import items, prompt_of
from foxbatch.sandbox.service.state import Sandbox

RESULT_LIFETIME_S = 24 * 3600.0
_SUNO_LIFETIME_S = 72 * 3600.0
_UPLOAD_PATH = re.compile(r"/uploads/\d{8}/(?P<created>\d+)-(?P<token>\w{6})")

Media = Literal["videos", "images", "audios", "audio", "run"]


# ---- Generations


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A submission that is accepted: what it asks for, and what that costs.

    Attributes:
        model: None for a language model.
        name: Of the model.
        asked: The request with its defaults filled in.
        text: The same as compact JSON.
        digest: SHA-256 of the body as it was sent, with its keys sorted.
    """

    model: Model | None
    name: str
    asked: Mapping[str, Json]
    text: str
    digest: str
    credits: int

    @property
    def kind(self) -> Kind:
        """Return the service's word for what is made."""
        return "llm" if self.model is None else self.model.kind


def submit(
    sandbox: Sandbox, request: Request, now: float, *, path: str, twist: Twist
) -> Reply:
    """Answer a POST to `/v1/{path}/generations`."""
    body = read_object(request)
    if isinstance(body, Reply):
        return body
    order = _checked(sandbox, body, path)
    if isinstance(order, Refusal):
        return refused(order)
    dead = [*_dead_inputs(sandbox, request, order, now)]
    if dead and sandbox.options.switches.dead_inputs == "refuse":
        return refused(dead[0])
    if dead and not twist.fails:
        twist = replace(twist, fails="resource_not_found")
    return _admit(sandbox, request, now, order=order, twist=twist)


def read_object(request: Request) -> dict[str, Json] | Reply:
    """Return the JSON object in the body of *request*, or how it is refused."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if content_type.lower() != "application/json":
        return error_reply(
            400, "invalid_request_error", "Content-Type must be application/json"
        )
    try:
        body = msgspec.json.decode(request.body)
    except (ValueError, RecursionError):
        return error_reply(
            400, "invalid_request_error", "Request body is not valid JSON"
        )
    if not isinstance(body, dict):
        return refused(Refusal(message="Request body must be a JSON object"))
    return body


def refused(refusal: Refusal) -> Reply:
    """Return the reply that tells *refusal*."""
    error: dict[str, Json] = {"message": refusal.message, "type": refusal.kind}
    if refusal.code:
        error["code"] = refusal.code
    if refusal.unsupported:
        error["unsupported_advanced_options"] = list(refusal.unsupported)
    return json_reply(refusal.status or 422, {"error": error})


def digest_of(body: Mapping[str, Json]) -> str:
    """Return the digest that counts equal requests: keys sorted, SHA-256 in hex."""
    return hashlib.sha256(msgspec.json.encode(body, order="deterministic")).hexdigest()


def _checked(sandbox: Sandbox, body: Mapping[str, Json], path: str) -> Order | Refusal:
    name = body.get("model")
    if not isinstance(name, str):
        missing = "model" not in body
        return Refusal(message="Missing field: model" if missing else _NO_NAME)
    bare = name
    variants_too = sandbox.options.switches.variant_ids == "accept"
    if variants_too and name in catalogue.variants():
        bare = catalogue.bare(name)
    asked: dict[str, Json] | Refusal
    if path == "llm":
        model = None
        if bare not in llm.MODELS:
            return _no_such_model(name, code="no_available_model")
        asked = llm.check({**body, "model": bare})
    else:
        model = catalogue.models().get(bare)
        if model is None or model.path != path:
            return _no_such_model(name, code="model_not_found")
        asked = checks.check(body, model, sandbox.options)
    if isinstance(asked, Refusal):
        return asked
    if bare in sandbox.options.closed:
        return _no_channel(sandbox)
    return Order(
        model=model,
        name=bare,
        asked=asked,
        text=msgspec.json.encode(asked).decode(),
        digest=digest_of(body),
        credits=_price(model, asked),
    )


def _price(model: Model | None, asked: Mapping[str, Json]) -> int:
    if model is None:
        return llm.credits_for(asked)
    return prices.credits_for(model, asked)


_NO_NAME = "model must be a string"


def _no_such_model(name: str, *, code: str) -> Refusal:
    return Refusal(message=f"Model {name} does not exist or is not enabled", code=code)


def _no_channel(sandbox: Sandbox) -> Refusal:
    late = sandbox.options.switches.no_channel == "503"
    return Refusal(
        message="No channel for this model at the moment",
        kind="service_unavailable" if late else "service_unavailable_error",
        code="no_compatible_channel",
        status=503 if late else 422,
    )


def _dead_inputs(
    sandbox: Sandbox, request: Request, order: Order, now: float
) -> Iterator[Refusal]:
    """Yield what is wrong with links to the sandbox's own uploads."""
    place = f"{request.base_url}/uploads/"
    if place not in order.text:
        return
    for name, value in order.asked.items():
        for url in value if isinstance(value, list) else [value]:
            if not (isinstance(url, str) and url.startswith(place)):
                continue
            upload = find_upload(sandbox, unquote(urlsplit(url).path), now)
            if upload is None:
                yield Refusal(
                    message=f"{name} cannot be reached: {url}", code="invalid_image_url"
                )
            elif _is_picture(name) and not upload.content_type.startswith("image/"):
                yield Refusal(
                    message=f"{name} is {upload.content_type}, not an image",
                    code="invalid_file_type",
                )


def _is_picture(name: str) -> bool:
    return "image" in name and "archive" not in name


def _admit(
    sandbox: Sandbox, request: Request, now: float, *, order: Order, twist: Twist
) -> Reply:
    options, owner = sandbox.options, owner_of(request)
    account = sandbox.account(owner, granted_to(request, options))
    if options.in_flight is not None and account.in_flight(now) >= options.in_flight:
        return error_reply(429, "rate_limit_error", "Too many tasks at once")
    left = account.left(now)
    if left is not None and order.credits > left:
        return error_reply(402, "insufficient_quota", "Insufficient balance")
    task = _new_task(sandbox, now, order, owner=owner, twist=twist)
    sandbox.remember(task)
    reply = creation_reply(task, order, request, now, speed=options.speed)
    return _with_words(reply, order)


def _new_task(
    sandbox: Sandbox, now: float, order: Order, *, owner: str, twist: Twist
) -> Task:
    options = sandbox.options
    take = sandbox.takes[order.digest] + 1
    twist = story.ordered(prompt_of(order.asked), take, twist)
    if twist.born == "failed" and not twist.fails:
        twist = replace(twist, fails="generation_failed")
    dice = story.throw(options.seed, order.digest, take)
    work_s = story.generation_s(order.model, order.asked, twist, dice) / options.speed
    starts_at = sandbox.start_at(now) if work_s else now
    is_song = order.model is not None and order.model.path == "audio"
    keeps_s = _SUNO_LIFETIME_S if is_song else RESULT_LIFETIME_S
    if twist.links_last_s is not None:
        keeps_s = twist.links_last_s
    return Task(
        id=_new_id(sandbox, now, order, take),
        model=order.name,
        created_at=now,
        starts_at=starts_at,
        ends_at=starts_at + work_s,
        keeps_s=keeps_s / options.speed,
        asked=order.text,
        digest=order.digest,
        take=take,
        credits=order.credits,
        owner=owner,
        twist=twist,
    )


def _new_id(sandbox: Sandbox, now: float, order: Order, take: int) -> str:
    seed, family = sandbox.options.seed, "llm" if order.model is None else "unified"
    again = 0
    while True:
        dice = story.throw(seed, order.digest, take, again=again)
        name = story.task_id(now, dice, family=family)
        if name not in sandbox.tasks:
            return name
        again += 1


def creation_reply(
    task: Task, order: Order, request: Request, now: float, *, speed: float
) -> Reply:
    """Return what a client is told about *task*, which was just created."""
    twist, kind = task.twist, order.kind
    if kind == "llm" and order.asked.get("sync") is True:
        return _answered(task, request, now)
    value: dict[str, Json] = {
        "task_id" if twist.reply == "task-id" else "id": task.id,
        "object": f"{kind}.generation.task",
        "type": kind,
        "model": twist.model or task.model,
        "status": twist.born,
    }
    if twist.reply != "lean":
        expected_s = (
            0.0 if task.ends_at == task.starts_at else _expected_s(order, twist)
        )
        value |= {
            "created": int(task.created_at),
            "progress": 100 if twist.born == "completed" else 0,
            "task_info": {
                "can_cancel": True,
                "estimated_time": max(1, math.ceil(expected_s / speed)),
            },
        }
    if twist.reply != "documented" and twist.usage in {"both", "creation"}:
        value["usage"] = usage_of(task)
    if kind == "llm":
        value |= {"stream": None, "results": None, "error": None}
    return Reply(
        status=200, headers=JSON, body=msgspec.json.encode(value), records=(task,)
    )


def _expected_s(order: Order, twist: Twist) -> float:
    typical_s = story.typical_s(order.model, order.asked)
    return typical_s if twist.estimated_s is None else twist.estimated_s


def _answered(task: Task, request: Request, now: float) -> Reply:
    """Return the answer of a language model itself, for which the client waits."""
    waits = Delivery(waits_s=max(0.0, task.ends_at - now))
    if task.twist.fails:
        reply = error_reply(
            503,
            "service_unavailable",
            "No upstream could answer",
            code="all_platforms_exhausted",
        )
    else:
        reply = json_reply(200, items(task, request.base_url)[0])
    return replace(reply, delivery=waits, records=(task,))


def _with_words(reply: Reply, order: Order) -> Reply:
    """Return *reply* as the words in the prompt want it to be told."""
    prompt = prompt_of(order.asked)
    said = story.words(prompt) if "[sandbox:" in prompt else {}
    if "5xx" in said:
        page = "<html><body><h1>502 Bad Gateway</h1></body></html>"
        return replace(text_reply(502, page, subtype="html"), records=reply.records)
    if "lost-reply" in said:
        return replace(reply, delivery=Delivery(ends="dropped"))
    return reply


def usage_of(task: Task) -> dict[str, Json]:
    """Return the `usage` of *task*."""
    return {"credits_reserved": task.credits, "user_group": "default"}


# ---- Uploads


def upload(sandbox: Sandbox, request: Request, now: float, *, route: str) -> Reply:
    """Answer a POST to `/v1/files/upload/{route}`."""
    if route == "stream":
        sent = uploads.from_form(request)
    else:
        body = read_object(request)
        if isinstance(body, Reply):
            return body
        read = uploads.from_base64 if route == "base64" else uploads.from_url
        sent = read(body)
    if isinstance(sent, Refusal):
        return refused(sent)
    return _store(sandbox, request, now, sent)


def _store(sandbox: Sandbox, request: Request, now: float, sent: uploads.Sent) -> Reply:
    gone = [
        name
        for name, kept in sandbox.uploads.items()
        if now >= kept.created_at + kept.lasts_s
    ]
    excess = len(sandbox.uploads) - len(gone) + 1 - sandbox.options.upload_files
    if excess > 0 and not sent.auto_cleanup:
        return error_reply(403, "permission_error", "File storage is full")
    oldest = itertools.islice(sandbox.uploads, len(gone) + max(0, excess))
    new = _new_upload(sandbox, request, now, sent)
    records: list[Record] = [*map(UploadRemoved, oldest), new]
    for record in records:
        sandbox.remember(record)
    reply = json_reply(
        200,
        {
            "id": new.id,
            "filename": new.name,
            "url": f"{request.base_url}{quote(upload_path(new))}",
            "size": new.size_bytes,
            "created": int(new.created_at),
        },
    )
    return replace(reply, records=tuple(records), keeps=sent.content)


def _new_upload(
    sandbox: Sandbox, request: Request, now: float, sent: uploads.Sent
) -> Upload:
    sha256 = uploads.digest(sent.content)
    seeds = (f"{sandbox.options.seed}/{now}/{sha256}/{n}" for n in itertools.count())
    tokens = (hashlib.sha256(seed.encode()).hexdigest()[:12] for seed in seeds)
    token = next(t for t in tokens if _upload_id(now, t) not in sandbox.uploads)
    return Upload(
        id=_upload_id(now, token),
        token=token,
        name=sent.name,
        content_type=sent.content_type,
        size_bytes=len(sent.content),
        sha256=sha256,
        created_at=now,
        lasts_s=uploads.LIFETIME_S / sandbox.options.speed,
        owner=owner_of(request),
    )


def _upload_id(created_at: float, token: str) -> str:
    return f"file-{int(created_at)}-{token[:6]}"


def upload_path(new: Upload) -> str:
    """Return the path of the link of *new*, before it is quoted."""
    day = datetime.fromtimestamp(new.created_at, UTC).strftime("%Y%m%d")
    return f"/uploads/{day}/{int(new.created_at)}-{new.token}/{new.name}"


def find_upload(sandbox: Sandbox, path: str, now: float) -> Upload | None:
    """Return the upload at *path*; None if there is none, or none any more."""
    place = _UPLOAD_PATH.match(path)
    name = "" if place is None else f"file-{place['created']}-{place['token']}"
    found = sandbox.uploads.get(name)
    if found is None or path != upload_path(found):
        return None
    return found if now < found.created_at + found.lasts_s else None
