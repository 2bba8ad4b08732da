"""What a language model and the upload routes accept, as JSON Schema."""

from __future__ import annotations

from foxbatch.sandbox.messages import Json
from foxbatch.sandbox.service import checks, llm, uploads
from foxbatch.sandbox.service.openapi.values import (
    Schema,
    array_of,
    object_schema,
    one_of,
    ref,
)

_BLOCK_NAMES = {kind: f"{word.title()}Block" for kind, word in llm.BLOCKS.items()}
_LINK: Schema = {"type": "string", "anyOf": [{"pattern": "^data:"}, ref("WebUrl")]}


def language_schemas() -> dict[str, Schema]:
    """Return the schemas of requests to language models, by name."""
    blocks = {_BLOCK_NAMES[kind]: _block(kind) for kind in llm.BLOCKS}
    return blocks | {f"llm-{model}": _body(model) for model in llm.MODELS}


def language_body() -> Schema:
    """Return the schema of what can be posted to `/v1/llm/generations`."""
    names = {model: f"#/components/schemas/llm-{model}" for model in llm.MODELS}
    return {
        "oneOf": [{"$ref": place} for place in names.values()],
        "discriminator": {"propertyName": "model", "mapping": dict[str, Json](names)},
    }


def _body(model: str) -> Schema:
    """Return the schema for one model; fields that nobody knows are passed on."""
    needs_limit = llm.needs_limit(model)
    limit: Schema = {
        "type": "integer" if needs_limit else ["integer", "null"],
        "minimum": llm.fewest_tokens(model),
        "maximum": checks.GREATEST_INTEGER,
    }
    return {
        "title": model,
        "description": f"Reads: {', '.join(llm.MODELS[model])}.",
        "type": "object",
        "required": ["model", "max_tokens"] if needs_limit else ["model"],
        "properties": {
            "model": {"type": "string", "enum": [model]},
            "prompt": _words(llm.PROMPT_LENGTH),
            "system_prompt": _words(llm.SYSTEM_LENGTH),
            "messages": _messages(model),
            "max_tokens": limit,
            "sync": {
                "type": "boolean",
                "description": "Wait, and answer with the completion, not with a task.",
            },
            "stream": {
                "type": "boolean",
                "description": "There are no streams here: ask for the task.",
            },
        },
        "oneOf": [_has("prompt", "string"), _has("messages", "array")],
        "examples": [
            {"model": model, "prompt": "Why is foam white?", "max_tokens": 64}
        ],
    }


def _words(longest: int) -> Schema:
    return {"type": ["string", "null"], "minLength": 1, "maxLength": longest}


def _has(name: str, kind: str) -> Schema:
    return {"required": [name], "properties": {name: {"type": kind}}}


def _messages(model: str) -> Schema:
    blocks = [ref(_BLOCK_NAMES[kind]) for kind, word in llm.BLOCKS.items()
              if word in llm.MODELS[model]]  # fmt: skip
    content: Schema = {
        "anyOf": [
            {"type": "string", "minLength": 1},
            array_of({"anyOf": list[Json](blocks)}) | {"minItems": 1},
        ]
    }
    message: Schema = {
        "type": "object",
        "required": ["role", "content"],
        "properties": {"role": one_of(*llm.ROLES), "content": content},
    }
    return {"type": ["array", "null"], "minItems": 1, "items": message}


def _block(kind: str) -> Schema:
    inside: Schema = {"type": "string"}
    if kind != "text":
        inside = {"type": "object", "required": ["url"], "properties": {"url": _LINK}}
    return {
        "type": "object",
        "required": ["type", kind],
        "properties": {"type": one_of(kind), kind: inside},
    }


# ---- Uploads


def upload_body(route: str) -> tuple[str, Schema]:
    """Return the content type and the schema of what an upload route takes."""
    if route == "stream":
        file: Schema = {
            "type": "string",
            "format": "binary",
            "contentMediaType": "application/octet-stream",
            "minLength": 1,
        }
        texts: Schema = {
            "file_name": {"description": "Any text: in a form, all is text."},
            "auto_cleanup": one_of(*uploads.FLAGS) | {"default": "true"},
            "purpose": _PURPOSE,
        }
        return "multipart/form-data", object_schema({"file": file}, optional=texts)
    sent: Schema = {
        "file_data": {
            "type": "string",
            "pattern": uploads.BASE64,
            "minLength": 4,
            "description": "Base64, also as a data URL; at most 20 MB once decoded.",
        }
    }
    if route == "url":
        sent = {
            "url": {
                "type": "string",
                **ref("WebUrl"),
                "description": "Nothing is fetched: a note is kept in its place.",
            }
        }
    others: Schema = {
        "file_name": {"type": ["string", "null"]},
        "auto_cleanup": {"type": ["boolean", "null"], "default": True},
        "purpose": _PURPOSE,
    }
    return "application/json", object_schema(sent, optional=others)


_PURPOSE: Schema = {"description": "Of older pages; it is ignored.", "deprecated": True}
