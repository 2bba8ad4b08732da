"""The routes of the service: what each takes, and everything that it answers."""

from __future__ import annotations

from collections.abc import Mapping

from foxbatch.sandbox.messages import Json
from foxbatch.sandbox.options import SandboxOptions
from foxbatch.sandbox.service.openapi.bodies import body_of_route
from foxbatch.sandbox.service.openapi.languages import language_body, upload_body
from foxbatch.sandbox.service.openapi.replies import error_schema
from foxbatch.sandbox.service.openapi.values import Schema, one_of, ref
from foxbatch.sandbox.service.pages import MOST_DIGITS
from foxbatch.sandbox.service.results import CONTENT_TYPES

_MEDIA: Mapping[str, tuple[str, str]] = {
    "videos": ("VideoTaskCreated", "a video"),
    "images": ("ImageTaskCreated", "images"),
    "audios": ("AudioTaskCreated", "speech, music or a transcript"),
    "audio": ("AudioTaskCreated", "songs (note the singular in the path)"),
    "run": ("DocumentTaskCreated", "a document"),
}
_UPLOADS: Mapping[str, str] = {
    "stream": "Upload a file as a form",
    "base64": "Upload a file as base64",
    "url": "Upload what is at a URL",
}
_VALID_KEY = "A bad key is told with HTTP 200 and `success` false."


def paths(options: SandboxOptions) -> dict[str, Json]:
    """Return every path with its operations."""
    return {
        **_submissions(options),
        "/v1/tasks/{task_id}": {"get": _query(options)},
        **{f"/v1/files/upload/{route}": _upload(route, options) for route in _UPLOADS},
        **_readings(options),
        **_files(),
        **_pages(),
    }


# ---- Operations, and what they share


def _operation(
    name: str,
    tag: str,
    summary: str,
    responses: Mapping[str, Json],
    *,
    security: list[Json],
    **more: Json,
) -> dict[str, Json]:
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "security": security,
        "responses": {"400": _NO_HTTP, **responses},
        **more,
    }


def _keyed(options: SandboxOptions) -> list[Json]:
    """Return who may call a route of the API; an empty object stands for anybody."""
    by_key: list[Json] = [{"bearer": []}]
    return [*by_key, {}] if options.keys is None and options.keyless else by_key


def _json(schema: Schema, description: str = "As asked.") -> dict[str, Json]:
    return {
        "description": description,
        "content": {"application/json": {"schema": schema}},
    }


def _error(description: str, kind: str, *codes: str) -> Json:
    return _json(error_schema(kind, *codes), description)


def _text(description: str, *texts: str, subtype: str = "plain") -> Json:
    schema: Schema = one_of(*texts) if texts else {"type": "string"}
    return {
        "description": description,
        "content": {f"text/{subtype}": {"schema": schema}},
    }


_NO_HTTP = _text("It is not HTTP, or its address or a header is over 8 kB.")
_AT_EDGE: Mapping[str, Json] = {
    "403": _text("The client calls itself Python-urllib.", "error code: 1010"),
    "429": {
        "description": "Too many requests in a second, or too many tasks at once.",
        "headers": {
            "Retry-After": {
                "description": "Seconds as a rule, at times a date or nonsense.",
                "schema": {"type": "string"},
            }
        },
        "content": {"application/json": {"schema": error_schema("rate_limit_error")}},
    },
}
_NO_KEY: Mapping[str, Json] = {
    "401": _error("The key is missing or unknown.", "authentication_error"),
}
_UNREADABLE: Mapping[str, Json] = {
    "400": {
        "description": "The body cannot be read, or its Content-Type is another one; "
        "where a switch says so, also for unknown fields. As text: it is not HTTP, or "
        "its address or a header is over 8 kB.",
        "content": {
            "application/json": {"schema": error_schema("invalid_request_error")},
            "text/plain": {"schema": {"type": "string"}},
        },
    },
}


# ---- Submissions


def _submissions(options: SandboxOptions) -> dict[str, Json]:
    wanted: dict[str, Json] = {
        f"/v1/{path}/generations": {
            "post": _submission(
                path,
                f"Have {made} generated",
                body_of_route(path, options),
                ref(reply),
                options,
            )
        }
        for path, (reply, made) in _MEDIA.items()
    }
    answer: Schema = {"anyOf": [ref("LanguageTaskCreated"), ref("ChatCompletion")]}
    wanted["/v1/llm/generations"] = {
        "post": _submission(
            "llm", "Ask a language model", language_body(), answer, options
        )
    }
    return wanted


def _submission(
    path: str, summary: str, body: Schema, reply: Schema, options: SandboxOptions
) -> Json:
    codes = ["model_not_found", "unsupported_advanced_options"]
    if path == "llm":
        codes = ["no_available_model", "invalid_param", "model_not_support_capability"]
    link: Schema = {
        "operationId": "task",
        "parameters": {"task_id": "$response.body#/id"},
    }
    created: dict[str, Json] = {
        "200": {**_json(reply, "The task."), "links": {"task": link}}
    }
    return _operation(
        f"generate-{path}",
        "Generations",
        summary,
        {
            **created,
            **_UNREADABLE,
            **_NO_KEY,
            **_AT_EDGE,
            "413": _text("The body has more than 10 MB.", subtype="html"),
            **_refusals(codes),
        },
        security=_keyed(options),
        description=(
            "Makes one task, which is charged. Ask for it at `/v1/tasks/{task_id}` "
            "until it is completed or failed. A request without a reply may have made "
            "a task: there is no way to find it, and no key to repeat it safely."
        ),
        requestBody={
            "required": True,
            "content": {"application/json": {"schema": body}},
        },
    )


def _refusals(codes: list[str]) -> dict[str, Json]:
    inputs = ("invalid_image_url", "invalid_file_type")
    wrong = error_schema("invalid_request_error", *codes, *inputs)
    closed = error_schema("service_unavailable_error", "no_compatible_channel")
    return {
        "402": _error("The balance is too low.", "insufficient_quota"),
        "422": _json(
            {"oneOf": [wrong, closed]},
            "A field is missing, unknown or wrong; or the model is unknown or closed.",
        ),
        "502": _text("Ordered by `[sandbox:5xx]` in a prompt.", subtype="html"),
        "503": _error(
            "The model has no channel, where a switch prefers this to 422; or no "
            "upstream could answer a request with `sync`.",
            "service_unavailable",
            "no_compatible_channel",
            "all_platforms_exhausted",
        ),
    }


def _query(options: SandboxOptions) -> Json:
    return _operation(
        "task",
        "Tasks",
        "See how a task is doing",
        {
            "200": _json(ref("Task"), "The task as it stands."),
            **_NO_KEY,
            **_AT_EDGE,
            "404": _error(
                "There is no such task, not yet, or it is another key's.", "not_found"
            ),
        },
        security=_keyed(options),
        parameters=[
            _in_path("task_id", "task-unified-1785830400-k3v9qd2m"),
            {
                "name": "sync_upstream",
                "in": "query",
                "description": "`true` asks upstream before answering.",
                "schema": {"type": "string", "examples": ["true"]},
            },
        ],
    )


def _in_path(name: str, example: str) -> Json:
    schema: Schema = {"type": "string", "minLength": 1, "examples": [example]}
    return {"name": name, "in": "path", "required": True, "schema": schema}


_TOO_LARGE: Json = {
    "description": "The file is too large, or the body is by far.",
    "content": {
        "application/json": {"schema": error_schema("file_too_large_error")},
        "text/html": {"schema": {"type": "string"}},
    },
}


def _upload(route: str, options: SandboxOptions) -> Json:
    content_type, schema = upload_body(route)
    full = error_schema("permission_error")
    edge: Schema = {"schema": one_of("error code: 1010")}
    post = _operation(
        f"upload-{route}",
        "Files",
        _UPLOADS[route],
        {
            "200": _json(ref("Upload"), "The file, and its link."),
            **_UNREADABLE,
            **_NO_KEY,
            **_AT_EDGE,
            "403": {
                "description": "The store is full and `auto_cleanup` is false; or the "
                "client calls itself Python-urllib.",
                "content": {"application/json": {"schema": full}, "text/plain": edge},
            },
            "413": _TOO_LARGE,
            "422": _error(
                "A field is missing, unknown or wrong.", "invalid_request_error"
            ),
        },
        security=_keyed(options),
        description="Where the store is full, the oldest files make room.",
        requestBody={"required": True, "content": {content_type: {"schema": schema}}},
    )
    return {"post": post}


# ---- What is told


def _readings(options: SandboxOptions) -> dict[str, Json]:
    keyed, anybody = _keyed(options), _anybody()
    language: Json = {
        "name": "language",
        "in": "query",
        "description": "`zh` or `en`; for others the list is empty.",
        "schema": {"type": "string", "default": "zh"},
    }
    told: dict[str, Json] = {
        "/v1/models": _get("models", "List the models", "Models", keyed),
        "/v1/configs/llm_generations_models": _get(
            "language-models", "List the language models", "LanguageModels", keyed
        ),
        "/v1/configs/minimax-preset-voice-id": _get(
            "voices", "List preset voices", "Voices", keyed, language
        ),
        "/v1/account/credits": _get(
            "credits", "See what is left, in credits", "CreditsLeft", keyed
        ),
        "/api/pricing": _get("pricing", "See the prices", "PriceList", []),
        "/api/log/token": _get(
            "charges", "List the newest charges", "Charges", anybody
        ),
    }
    for number, path in enumerate(("/api/usage/token", "/api/usage/token/")):
        told[path] = _get(
            f"token-usage-{number}", "See what is left, in quota", "TokenUsage", anybody
        )
    for number, prefix in enumerate(("", "/v1")):
        told[f"{prefix}/dashboard/billing/subscription"] = _get(
            f"subscription-{number}", "See the limit", "Subscription", anybody
        )
        told[f"{prefix}/dashboard/billing/usage"] = _get(
            f"billing-usage-{number}", "See what was used", "BillingUsage", anybody
        )
    return told


def _anybody() -> list[Json]:
    return [{"bearer": []}, {}]


def _get(
    name: str, summary: str, reply: str, security: list[Json], *parameters: Json
) -> Json:
    by_key_alone = reply in {"Models", "LanguageModels", "Voices", "CreditsLeft"}
    answer = ref(reply)
    more: dict[str, Json] = {"parameters": list(parameters)} if parameters else {}
    if not by_key_alone and security:
        answer = {"anyOf": [ref(reply), ref("BadKey")]}
        more["description"] = _VALID_KEY
    responses = {"200": _json(answer), **(_NO_KEY if by_key_alone else {}), **_AT_EDGE}
    return {
        "get": _operation(
            name, "Account", summary, responses, security=security, **more
        )
    }


# ---- Files


def _files() -> dict[str, Json]:
    task_id = _in_path("task_id", "task-unified-1785830400-k3v9qd2m")
    name = _in_path("name", "0.mp4")
    day, token = (
        _in_path("day", "20260804"),
        _in_path("token", "1785830400-9d4e1a77aa01"),
    )
    return {
        "/files/{task_id}/{name}": _file(
            "result",
            "Fetch a result",
            _responses(*CONTENT_TYPES.values()),
            task_id,
            name,
        ),
        "/files/{task_id}/{name}/{hop}": _file(
            "redirected-result",
            "Be sent on to a result",
            {
                "302": {
                    "description": "It is elsewhere.",
                    "headers": {"Location": {"schema": {"type": "string"}}},
                    "content": {"text/plain": {"schema": {"type": "string"}}},
                },
                **_NO_FILE,
            },
            task_id,
            name,
            _in_path("hop", "2"),
        ),
        "/uploads/{day}/{token}/{name}": _file(
            "uploaded", "Fetch an upload", _responses("*/*"), day, token, name
        ),
    }


_NO_FILE: Mapping[str, Json] = {
    "400": _text("A key was sent to the file host, where it does not belong."),
    "403": _text("The link has expired.", "AccessDenied"),
    "404": _text("There is no such file.", "NoSuchKey"),
}


def _responses(*content_types: str) -> dict[str, Json]:
    """Return what is answered where a file of one of those types is."""
    content: Json = {content_type: {} for content_type in content_types}
    return {
        "200": {"description": "The file.", "content": content},
        "206": {"description": "The part that Range asked for.", "content": content},
        **_NO_FILE,
        "416": {"description": "There is no such part."},
    }


def _file(
    name: str, summary: str, responses: Mapping[str, Json], *parameters: Json
) -> Json:
    return {
        "get": _operation(
            name,
            "Files",
            summary,
            responses,
            security=[],
            parameters=list(parameters),
        )
    }


# ---- The sandbox's own pages


def _pages() -> dict[str, Json]:
    return {
        "/openapi.json": _page("description", "This description", {"type": "object"}),
        "/sandbox/stats": _page("stats", "What was created and refused", ref("Stats")),
        "/sandbox/tasks": _page(
            "tasks",
            "Tasks, newest first",
            ref("TaskList"),
            _number("limit", "At most so many."),
            _number("offset", "Leave out so many newer ones."),
        ),
        "/sandbox/recent": _page(
            "recent",
            "The last requests, oldest first",
            ref("Recent"),
            _number("after", "Those after this number."),
        ),
        "/sandbox/overview": _page(
            "overview", "What the page at / shows", ref("Overview")
        ),
    }


def _number(name: str, description: str) -> Json:
    most = 10**MOST_DIGITS - 1
    schema: Schema = {"type": "integer", "minimum": 0, "maximum": most}
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _page(name: str, summary: str, reply: Schema, *parameters: Json) -> Json:
    responses: dict[str, Json] = {"200": _json(reply)}
    more: dict[str, Json] = {}
    if parameters:
        more["parameters"] = list(parameters)
        responses["422"] = _error("A number is none.", "invalid_request_error")
    return {"get": _operation(name, "Sandbox", summary, responses, security=[], **more)}
