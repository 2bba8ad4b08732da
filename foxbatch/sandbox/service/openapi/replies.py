"""What the service answers, as JSON Schema, while no fault plan has it misbehave."""

from __future__ import annotations

from collections.abc import Mapping

from foxbatch.sandbox.messages import Json
from foxbatch.sandbox.service.openapi.values import (
    Schema,
    array_of,
    count,
    counts,
    object_schema,
    one_of,
    ref,
)

_TEXT: Schema = {"type": "string"}
_LINK: Schema = {"type": "string", "description": "Lives 24 hours, a song's 72."}
_UNIX: Schema = {"type": "integer", "description": "Unix time in seconds."}
_INTEGER: Schema = {"type": "integer"}
_ANY_NUMBER: Schema = {"type": "number"}
_STATUS = one_of("pending", "processing", "completed", "failed")
_KINDS: Mapping[str, tuple[str, ...]] = {
    "video": ("VideoResult", "VoiceResult", "CharacterResult"),
    "image": ("ImageResult", "ProfileResult"),
    "audio": (
        "AudioResult",
        "WordsResult",
        "TranscriptResult",
        "VoiceResult",
        "CustomVoiceResult",
    ),
    "document": ("DocumentResult",),
    "llm": ("ChatCompletion",),
}
"""What the results of a task can be, by the type of the task."""


def reply_schemas() -> dict[str, Schema]:
    """Return the schema of everything that is answered, by name."""
    return {
        "Error": error_schema(),
        **_creations(),
        **_tasks(),
        **_results(),
        **_of_the_key(),
        **_of_the_sandbox(),
        "Upload": object_schema(
            {
                "id": {"type": "string", "pattern": r"^file-\d+-[0-9a-f]{6}$"},
                "filename": _TEXT,
                "url": _TEXT | {"description": "Lives 72 hours."},
                "size": count("Bytes."),
                "created": _UNIX,
            }
        ),
        "BadKey": object_schema(
            {"success": {"type": "boolean", "enum": [False]}, "message": _TEXT}
        ),
    }


def error_schema(kind: str = "", *codes: str) -> Schema:
    """Return the schema of an error of that type, with one of *codes* or none."""
    optional: Schema = {}
    if codes or not kind:
        optional["code"] = one_of(*codes) if codes else _TEXT
        optional["unsupported_advanced_options"] = array_of(_TEXT)
    told = object_schema(
        {"message": _TEXT, "type": one_of(kind) if kind else _TEXT}, optional=optional
    )
    return object_schema({"error": told})


# ---- Tasks


def _creations() -> dict[str, Schema]:
    """Return what a submission is answered, by the type of the task."""
    created = {f"{_named(kind)}TaskCreated": _creation(kind) for kind in _KINDS}
    created["LanguageTaskCreated"] = _creation("llm", **_NOTHING_YET)
    return created


def _named(kind: str) -> str:
    return "Language" if kind == "llm" else kind.title()


_NOTHING_YET: Schema = {
    "stream": {"type": "null"},
    "results": {"type": "null"},
    "error": {"type": "null"},
}


def _creation(kind: str, **more: Json) -> Schema:
    info = object_schema(
        {
            "can_cancel": {"type": "boolean"},
            "estimated_time": {
                "type": "integer",
                "minimum": 1,
                "description": "A hint, in seconds.",
            },
        }
    )
    return object_schema(
        {
            **_identity(kind),
            "status": _STATUS,
            "created": _UNIX,
            "progress": count(),
            "task_info": info,
            "usage": ref("Usage"),
            **more,
        }
    )


def _identity(kind: str) -> dict[str, Json]:
    family = "llm" if kind == "llm" else "unified"
    return {
        "id": {"type": "string", "pattern": rf"^task-{family}-\d+-[a-z0-9]{{8}}$"},
        "object": one_of(f"{kind}.generation.task"),
        "type": one_of(kind),
        "model": _TEXT,
    }


def _tasks() -> dict[str, Schema]:
    """Return what a query is answered: one schema for each type, and for any."""
    names = {kind: f"{_named(kind)}Task" for kind in _KINDS}
    mapping: dict[str, Json] = {
        kind: f"#/components/schemas/{name}" for kind, name in names.items()
    }
    usage = object_schema({"credits_reserved": count(), "user_group": _TEXT})
    error = object_schema(
        {"code": _TEXT, "message": _TEXT, "type": one_of("task_error")}
    )
    return {
        "Task": {
            "oneOf": [ref(name) for name in names.values()],
            "discriminator": {"propertyName": "type", "mapping": mapping},
        },
        **{name: _task(kind) for kind, name in names.items()},
        "TaskError": error | {"description": "Why a task failed; HTTP says 200."},
        "Usage": usage,
    }


def _task(kind: str) -> Schema:
    results: Json = [ref(name) for name in _KINDS[kind]]
    task = object_schema(
        {
            **_identity(kind),
            "status": _STATUS,
            "created": _UNIX,
            "progress": {"type": "integer", "minimum": 0, "maximum": 100},
            "usage": ref("Usage"),
            "results": {"type": ["array", "null"], "items": {"anyOf": results}},
            "error": {"anyOf": [ref("TaskError"), {"type": "null"}]},
            **({"stream": {"type": "null"}} if kind == "llm" else {}),
        }
    )
    return task | {
        "allOf": [
            _if_status("failed", {"error": {"type": "object"}}, {"error": _NULL}),
            _if_status("completed", {"results": _ARRAY}, {"results": _NULL}),
        ]
    }


_NULL: Schema = {"type": "null"}
_ARRAY: Schema = {
    "type": "array",
    "description": "Empty for a moment, at times: ask again.",
}


def _if_status(status: str, then: Schema, otherwise: Schema) -> Schema:
    return {
        "if": {"properties": {"status": {"const": status}}},
        "then": {"properties": then},
        "else": {"properties": otherwise},
    }


def _results() -> dict[str, Schema]:
    typed: Schema = {"content_type": _TEXT}
    word = object_schema(
        {"text": _TEXT, "start": _ANY_NUMBER, "end": _ANY_NUMBER, "type": _TEXT}
    )
    words: Schema = {"text": _TEXT, "language_code": _TEXT, "words": array_of(word)}
    preview: Schema = {"url": _LINK, **typed}
    profile: Schema = {"result_type": one_of("profile"), "profile_id": _TEXT}
    video: Schema = {"seed": {"type": "integer"}, "video_id": _TEXT}
    song: Schema = {**typed, "title": _TEXT, "lyrics": _TEXT}
    return {
        "VideoResult": object_schema({"url": _LINK}, optional=video),
        "ImageResult": object_schema(
            {"url": _LINK}, optional={**typed, "map_type": _TEXT}
        ),
        "AudioResult": object_schema({"url": _LINK}, optional=song),
        "DocumentResult": object_schema({"url": _LINK}),
        "WordsResult": object_schema({**words, "language_probability": _ANY_NUMBER}),
        "TranscriptResult": object_schema({"text": _TEXT, "language": _TEXT}),
        "VoiceResult": object_schema({"voice_id": _TEXT}, optional=preview),
        "CustomVoiceResult": object_schema(
            {"custom_voice_id": _TEXT}, optional=preview
        ),
        "CharacterResult": object_schema({"character_id": _TEXT, "name": _TEXT}),
        "ProfileResult": object_schema(profile),
        "ChatCompletion": _completion(),
    }


def _completion() -> Schema:
    message = object_schema({"role": one_of("assistant"), "content": _TEXT})
    choice = object_schema(
        {"index": count(), "message": message, "finish_reason": _TEXT}
    )
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    return object_schema(
        {
            "id": _TEXT,
            "object": one_of("chat.completion"),
            "created": _UNIX,
            "model": _TEXT,
            "choices": array_of(choice),
            "usage": object_schema({name: count() for name in names}),
        }
    )


# ---- What is told of the service and a key


def _of_the_key() -> dict[str, Schema]:
    yes: Schema = {"type": "boolean", "enum": [True]}
    model = object_schema(
        {"id": _TEXT, "owned_by": _TEXT, "supported_endpoint_types": array_of(_TEXT)}
    )
    language_model = object_schema(
        {"id": _TEXT, "object": one_of("model"), "capabilities": array_of(_TEXT)}
    )
    charge = object_schema(
        {
            "id": count(),
            "created_at": _UNIX,
            "model_name": _TEXT,
            "quota": count("500000 stand for one dollar."),
            "group": _TEXT,
        }
    )
    limits = ("soft_limit_usd", "hard_limit_usd", "system_hard_limit_usd")
    return {
        "Models": _list_of(model),
        "LanguageModels": _list_of(language_model),
        "Voices": array_of(object_schema({"voice_id": _TEXT, "voice_name": _TEXT})),
        "PriceList": _price_list(yes),
        "TokenUsage": object_schema(
            {"code": yes, "message": _TEXT, "data": _token_usage()}
        ),
        "Subscription": object_schema(
            {
                "object": one_of("billing_subscription"),
                "has_payment_method": {"type": "boolean"},
                **dict.fromkeys(limits, _ANY_NUMBER),
                "access_until": _UNIX,
            }
        ),
        "BillingUsage": object_schema(
            {"object": one_of("list"), "total_usage": _ANY_NUMBER}
        ),
        "Charges": object_schema({"data": array_of(charge)}),
        "CreditsLeft": object_schema(
            {
                "credits_left": {"type": ["integer", "null"]},
                "credits_reserved": count(),
                "credits_used": count(),
            }
        ),
    }


def _list_of(item: Schema) -> Schema:
    return object_schema({"object": one_of("list"), "data": array_of(item)})


def _price_list(yes: Schema) -> Schema:
    row = object_schema(
        {
            "model_name": _TEXT,
            "quota_type": {"type": "integer", "enum": [0, 1]},
            "model_ratio": _ANY_NUMBER,
            "model_price": _ANY_NUMBER,
            "completion_ratio": _ANY_NUMBER,
            "owner_by": _TEXT,
            "enable_groups": array_of(_TEXT),
            "supported_endpoint_types": array_of(_TEXT),
        }
    )
    return object_schema(
        {
            "success": yes,
            "data": array_of(row),
            "vendors": {"type": "array"},
            "group_ratio": {"type": "object", "additionalProperties": _ANY_NUMBER},
            "usable_group": {"type": "object", "additionalProperties": _TEXT},
            "supported_endpoint": {"type": "object"},
            "auto_groups": {"type": "array"},
            "pricing_version": _TEXT,
        }
    )


def _token_usage() -> Schema:
    amounts = ("total_granted", "total_used", "total_available")
    return object_schema(
        {
            "object": one_of("token_usage"),
            "name": _TEXT,
            **dict.fromkeys(amounts, _INTEGER),
            "unlimited_quota": {"type": "boolean"},
            "model_limits": {"type": "object"},
            "model_limits_enabled": {"type": "boolean"},
            "expires_at": _UNIX,
        }
    )


# ---- The sandbox's own pages


def _of_the_sandbox() -> dict[str, Schema]:
    requests: Schema = {
        "type": "object",
        "additionalProperties": counts("By status, or how the connection ended."),
        "description": "By route.",
    }
    sums: Schema = {
        "created": count("Tasks."),
        "billed_credits": count(),
        "requests": requests,
        "faults": counts("By rule of the fault plan."),
        "in_flight": count("Unfinished tasks."),
        "in_flight_peak": count(),
    }
    return {
        "Stats": object_schema({**sums, **_further_stats()}),
        "TaskList": object_schema(
            {"total": count(), "tasks": array_of(_listed_task())}
        ),
        "Recent": object_schema(
            {"seq": count(), "now": _ANY_NUMBER, "entries": array_of(_log_entry())}
        ),
        "Overview": object_schema({**sums, **_further_overview()}),
    }


def _further_stats() -> Schema:
    key = object_schema(
        {"created": count(), "credits_reserved": count(), "credits_used": count()}
    )
    return {
        "by_request_digest": counts("Tasks for each request body."),
        "by_key": {"type": "object", "additionalProperties": key},
        "uploads": count(),
        "callbacks": counts("By what became of them."),
    }


def _further_overview() -> Schema:
    plan = object_schema({"name": _TEXT, "title": _TEXT})
    account = object_schema(
        {
            "name": _TEXT,
            "credits": {"type": ["integer", "null"]},
            "reserved": count(),
            "used": count(),
        }
    )
    shown = object_schema(
        {
            **_told_of_a_task(),
            "progress": {"type": ["integer", "null"]},
            "results": array_of(_TEXT),
            "fault": _TEXT,
        }
    )
    return {
        "by_status": counts("Tasks."),
        "accounts": array_of(account),
        "plan": {"anyOf": [plan, _NULL]},
        "speed": _ANY_NUMBER,
        "seed": {"type": "integer"},
        "started_at": _ANY_NUMBER,
        "tasks": array_of(shown),
    }


def _told_of_a_task() -> Schema:
    return {
        "id": _TEXT,
        "created": _UNIX,
        "model": _TEXT,
        "status": _TEXT,
        "credits_reserved": count(),
        "prompt": _TEXT,
    }


def _listed_task() -> Schema:
    return object_schema(
        {
            **_told_of_a_task(),
            "request_digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "take": count("Counts the tasks for equal requests, from 1."),
            "key": _TEXT | {"description": "Digest of the key, empty for none."},
        }
    )


def _log_entry() -> Schema:
    return object_schema(
        {
            "seq": count(),
            "at": _ANY_NUMBER,
            "method": _TEXT,
            "route": _TEXT,
            "path": _TEXT,
            "status": {"type": ["integer", "string"]},
            "model": _TEXT,
            "task": _TEXT,
            "fault": _TEXT,
            "credits": count(),
        }
    )
