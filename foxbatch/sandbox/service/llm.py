"""The route for language models: what it accepts and answers.

There is no streaming: a request with `stream` is accepted, and its task never says
where to listen, so a client has to ask for the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from foxbatch.sandbox.messages import Json
from foxbatch.sandbox.service.checks import GREATEST_INTEGER, Refusal, fits

MODELS: Mapping[str, tuple[str, ...]] = {
    "gpt-5.2": ("text", "vision", "file"),
    "gpt-5.2-mini": ("text", "vision"),
    "claude-opus-4-7": ("text", "vision", "file"),
    "claude-haiku-4-5": ("text", "vision"),
    "gemini-3.5-flash": ("text", "vision", "video", "audio", "file"),
    "kimi-k2.6": ("text",),
}
"""What each can read. The ids are examples: the service has a live list."""

BLOCKS: Mapping[str, str] = {
    "text": "text",
    "image_url": "vision",
    "video_url": "video",
    "audio_url": "audio",
    "file_url": "file",
}
ROLES = ("system", "user", "assistant")
PROMPT_LENGTH = 100_000
SYSTEM_LENGTH = 10_000
_FEWEST_GPT_TOKENS = 16


def check(body: Mapping[str, Json]) -> dict[str, Json] | Refusal:
    """Return *body* if the service accepts it, or why it is refused.

    The model's name must be known. Fields that nobody knows are passed through, as
    the service does here and only here.
    """
    model = str(body["model"])
    wrong = [*_messages_problems(body), *_number_problems(body)]
    if wrong:
        return Refusal(message="; ".join(wrong), code="invalid_param")
    lacking = sorted(_needed(body) - set(MODELS[model]))
    if lacking:
        return Refusal(
            message=f"{model} cannot read {', '.join(lacking)}",
            code="model_not_support_capability",
        )
    return dict(body)


def _messages_problems(body: Mapping[str, Json]) -> Iterator[str]:
    prompt, messages = body.get("prompt"), body.get("messages")
    if (prompt is None) == (messages is None):
        yield "Either messages or prompt is needed"
    for name, longest in (
        ("prompt", PROMPT_LENGTH),
        ("system_prompt", SYSTEM_LENGTH),
    ):
        text = body.get(name)
        if text is not None and not isinstance(text, str):
            yield f"{name} must be a string"
        elif text is not None and not 0 < len(text) <= longest:
            yield f"{name} must have 1 to {longest} characters"
    if messages is None:
        return
    if not isinstance(messages, list) or not messages:
        yield "messages must be an array that is not empty"
        return
    for number, message in enumerate(messages):
        if problem := _message_problem(message):
            yield f"messages[{number}] {problem}"


def _message_problem(message: Json) -> str:
    if not isinstance(message, dict) or message.get("role") not in ROLES:
        return f"must be an object with a role, one of {', '.join(ROLES)}"
    content = message.get("content")
    if isinstance(content, str):
        return "" if content else "must not be empty"
    if not isinstance(content, list) or not content:
        return "must have content, a string or an array of blocks"
    return "" if all(map(_is_block, content)) else "has a block of unknown form"


def _is_block(block: Json) -> bool:
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(block, dict) or not isinstance(kind, str) or kind not in BLOCKS:
        return False
    if kind == "text":
        return isinstance(block.get("text"), str)
    link = block.get(kind)
    url = link.get("url") if isinstance(link, dict) else None
    return isinstance(url, str) and (url.startswith("data:") or fits(url, "url"))


def needs_limit(model: str) -> bool:
    """Return whether *model* has to be told `max_tokens`."""
    return model.startswith("claude-")


def fewest_tokens(model: str) -> int:
    """Return the least `max_tokens` that *model* takes."""
    return _FEWEST_GPT_TOKENS if model.startswith("gpt-") else 1


def _number_problems(body: Mapping[str, Json]) -> Iterator[str]:
    model, tokens = str(body["model"]), body.get("max_tokens")
    if tokens is None:
        if needs_limit(model):
            yield "max_tokens is needed for claude models"
    elif type(tokens) is not int or not 1 <= tokens <= GREATEST_INTEGER:
        yield "max_tokens must be a positive integer"
    elif tokens < (fewest := fewest_tokens(model)):
        yield f"max_tokens must be at least {fewest} for gpt models"
    for name in ("stream", "sync"):
        if not isinstance(body.get(name, False), bool):
            yield f"{name} must be a boolean"


def _needed(body: Mapping[str, Json]) -> set[str]:
    kinds = {str(block["type"]) for block in _blocks(body)}
    return {BLOCKS[kind] for kind in kinds} | {"text"}


def _blocks(body: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else []:
        content = message.get("content") if isinstance(message, dict) else None
        for block in content if isinstance(content, list) else []:
            if isinstance(block, dict):
                yield block


def question(asked: Mapping[str, Json]) -> str:
    """Return the text that is asked last, "" if there is none."""
    if isinstance(prompt := asked.get("prompt"), str):
        return prompt
    messages = asked.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    content = last.get("content") if isinstance(last, dict) else None
    if isinstance(content, str):
        return content
    texts = (block.get("text") for block in _blocks({"messages": [last]}))
    return " ".join(text for text in texts if isinstance(text, str))


def tokens_in(asked: Mapping[str, Json]) -> int:
    """Return roughly how many tokens the question has: four letters each."""
    return len(question(asked)) // 4 + 1


def completion(
    task_id: str, created: int, asked: Mapping[str, Json]
) -> dict[str, Json]:
    """Return the answer, a ChatCompletion that says what was asked.

    A reasoning model answers with nothing, as it does in real life.
    """
    model = str(asked["model"])
    words = f"This is the sandbox. You asked: {question(asked)}"
    limit = asked.get("max_tokens")
    words = words[: 4 * limit] if isinstance(limit, int) else words
    text = "" if model.startswith("kimi-") else words
    used = {"prompt_tokens": tokens_in(asked), "completion_tokens": len(words) // 4 + 1}
    return {
        "id": f"chatcmpl-{task_id[-8:]}",
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
            }
        ],
        "usage": {**used, "total_tokens": sum(used.values())},
    }


def credits_for(asked: Mapping[str, Json]) -> int:
    """Return what is reserved: a credit for each thousand tokens begun."""
    limit = asked.get("max_tokens")
    answer = limit if isinstance(limit, int) else 1024
    return 1 + (tokens_in(asked) + answer) // 1000
