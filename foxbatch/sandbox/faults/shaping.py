"""Wrong replies: errors in every form that they are told in, and spoilt bodies."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from email.utils import formatdate
from http import HTTPStatus

import msgspec

from foxbatch.sandbox.faults.plan import Answer, Form, Manner, Redirect, Spoilt
from foxbatch.sandbox.messages import Json, Reply, Request, json_reply, text_reply

# What the service says with a status: type and message of the error.
_USUAL: Mapping[int, tuple[str, str]] = {
    400: ("invalid_request_error", "The request cannot be read"),
    401: ("authentication_error", "Invalid API key"),
    402: ("insufficient_quota", "The balance is too low"),
    403: ("permission_error", "This is not allowed"),
    404: ("not_found", "Task not found"),
    408: ("timeout_error", "The request took too long"),
    413: ("file_too_large_error", "The file is too large"),
    422: ("invalid_request_error", "A parameter is wrong"),
    429: ("rate_limit_error", "Too many requests"),
    500: ("server_error", "Internal error"),
    503: ("service_unavailable", "No channel is available"),
}

_STRANGE_WAITS: Mapping[str, str] = {
    "past": "Wed, 21 Oct 2015 07:28:00 GMT",
    "huge": "99999999",
    "garbage": "soon",
    "nan": "nan",
    "negative": "-30",
    "empty": "",
}
_DATE_IS_IN_S = 5

_BARE_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>Console</title></head>"
    '<body><div id="root"></div></body></html>\n'
)


def answered(
    answer: Answer, request: Request, now: float, *, rng: random.Random
) -> Reply:
    """Return the error that *answer* describes, to *request* at *now* (Unix time)."""
    usual_kind, usual_message = _usual(answer.status)
    message = answer.message or usual_message
    if answer.form == "echo":
        message = _echo(message, request, rng)
    error: dict[str, Json] = {"message": message, "type": answer.kind or usual_kind}
    if answer.code:
        error["code"] = answer.code
    reply = _told(answer, {**error, **answer.fields}, message)
    headers = {**reply.headers, **answer.headers}
    if answer.retry_after is not None:
        headers["Retry-After"] = _wait(answer.retry_after, now)
    return replace(reply, headers=headers)


def redirected(redirect: Redirect, request: Request) -> Reply:
    """Return the redirect of *request*."""
    to = redirect.to.replace("{base}", request.base_url)
    to = to.replace("{path}", request.path)
    return Reply(status=redirect.status, headers={"Location": to})


def spoilt(reply: Reply, how: Spoilt, *, rng: random.Random) -> Reply:
    """Return *reply* with another body, but still with its status and records.

    What only JSON can suffer leaves anything else as it is.
    """
    headers = without(reply.headers, "content-length")
    match how:
        case "empty":
            return replace(reply, headers=headers, body=b"", media=None)
        case "html":
            headers = without(headers, "content-type") | {"Content-Type": "text/html"}
            body = _BARE_PAGE.encode()
            return replace(reply, headers=headers, body=body, media=None)
        case "garbage":
            body = b"\xff\x00" + rng.randbytes(254)
            return replace(reply, headers=headers, body=body, media=None)
        case _:
            return replace(reply, headers=headers, body=_misshapen(reply.body, how))


def mannered(reply: Reply, manner: Manner, *, rng: random.Random) -> Reply:
    """Return *reply* as it travels in that *manner*."""
    headers = dict(reply.headers)
    changes = dict(manner.headers)
    if manner.content_type is not None:
        changes["Content-Type"] = manner.content_type or None
    for name, text in changes.items():
        headers = without(headers, name.lower())
        if text is not None:
            headers[name] = text
    delivery = reply.delivery
    if manner.waits_s is not None:
        delivery = replace(delivery, waits_s=rng.uniform(*manner.waits_s))
    if manner.bytes_per_s is not None:
        delivery = replace(delivery, bytes_per_s=manner.bytes_per_s)
    if manner.claims_bytes is not None:
        delivery = replace(delivery, claims_bytes=manner.claims_bytes)
    return replace(reply, headers=headers, delivery=delivery)


def without(headers: Mapping[str, str], name: str) -> dict[str, str]:
    """Return *headers* without the one of that *name*, given in lower case."""
    return {key: text for key, text in headers.items() if key.lower() != name}


def _usual(status: int) -> tuple[str, str]:
    if status in _USUAL:
        return _USUAL[status]
    return "server_error", _phrase(status)


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in list(HTTPStatus) else "Unknown error"


def _told(answer: Answer, error: dict[str, Json], message: str) -> Reply:
    status, form = answer.status, answer.form
    match form:
        case "edge-text":
            code = "1010" if status == HTTPStatus.FORBIDDEN else str(status)
            return text_reply(status, answer.message or f"error code: {code}")
        case "html":
            return text_reply(status, _edge_page(status), subtype="html")
        case "empty":
            return Reply(status=status, headers={})
        case _:
            return json_reply(status, _in_json(form, status, error, message))


def _in_json(form: Form, status: int, error: dict[str, Json], message: str) -> Json:
    match form:
        case "number-code":
            code = str(error.get("code", status))
            return {"error": {**error, "code": int(code) if code.isdecimal() else 0}}
        case "text":
            return {"error": message}
        case "message":
            return {"message": message}
        case "wrapped":
            return {"data": {"error": error}}
        case "success-false":
            return {"success": False, "message": message}
        case _:
            return {"error": error}


def _edge_page(status: int) -> str:
    title = f"{status} {_phrase(status)}"
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n<hr><center>cloudflare</center>\r\n"
        "</body>\r\n</html>\r\n"
    )


def _echo(message: str, request: Request, rng: random.Random) -> str:
    """Return *message* with what should never be logged in it."""
    key = request.headers.get("authorization", "").partition(" ")[2]
    number = f"{rng.getrandbits(64):016x}"
    return f"{message}: {_prompt(request)!r} of {key} (request_id: {number})"


def _prompt(request: Request) -> str:
    try:
        value = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return str(value.get("prompt", "")) if isinstance(value, dict) else ""


def _wait(retry_after: float | str, now: float) -> str:
    if retry_after == "date":
        return formatdate(now + _DATE_IS_IN_S, usegmt=True)
    if isinstance(retry_after, str):
        return _STRANGE_WAITS[retry_after]
    return f"{retry_after:.15g}"


def _misshapen(body: bytes, how: Spoilt) -> bytes:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body
    if how == "half":
        return body[: len(body) // 2]
    if how == "list":
        value = [value]
    elif isinstance(value, dict):
        value = {k: v for k, v in value.items() if k not in {"id", "task_id"}}
    return msgspec.json.encode(value)
