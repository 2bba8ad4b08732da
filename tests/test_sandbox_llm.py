"""Language models of the sandbox: what they take, say and charge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from foxbatch.sandbox import Reply
from foxbatch.sandbox.service.llm import MODELS, question
from tests.pretend import START, Service, said

PLAIN: Mapping[str, Any] = {"model": "kimi-k2.6", "prompt": "Why is a fox red?"}
GPT: Mapping[str, Any] = {"model": "gpt-5.2", "prompt": "Why?"}
SEES: Mapping[str, Any] = {"type": "image_url", "image_url": {"url": "https://a.b/c"}}


def asked(service: Service, body: Mapping[str, Any]) -> Reply:
    return service.post("/v1/llm/generations", body)


def error(body: Mapping[str, Any]) -> dict[str, Any]:
    service = Service()
    reply = asked(service, body)
    assert reply.status == 422, reply.body
    assert not service.sandbox.tasks
    value: dict[str, Any] = said(reply)["error"]
    return value


def with_content(content: Any, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    message = {"role": "user", "content": content}
    return {"model": "gemini-3.5-flash", "messages": [message], **more}


def test_the_reply_and_the_task_have_the_documented_form() -> None:
    service = Service()

    created = said(asked(service, GPT))
    told = service.finish(created["id"])

    assert created["id"].startswith(f"task-llm-{int(START)}-")
    assert (created["type"], created["object"]) == ("llm", "llm.generation.task")
    assert {"stream": None, "results": None, "error": None}.items() <= created.items()
    assert told["stream"] is None
    (answer,) = told["results"]
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"] == {
        "role": "assistant",
        "content": "This is the sandbox. You asked: Why?",
    }
    assert answer["usage"]["total_tokens"] == (
        answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"]
    )


@pytest.mark.parametrize("name", MODELS)
def test_every_model_answers(name: str) -> None:
    service = Service()
    body = {"model": name, "prompt": "Why?", "max_tokens": 16}

    told = service.finish(said(asked(service, body))["id"])

    assert told["results"][0]["model"] == name


def test_a_reasoning_model_may_answer_with_nothing() -> None:
    service = Service()

    told = service.finish(said(asked(service, PLAIN))["id"])

    assert told["results"][0]["choices"][0]["message"]["content"] == ""


def test_no_more_is_said_than_was_allowed() -> None:
    service = Service()
    body = {"model": "claude-haiku-4-5", "prompt": "x" * 999, "max_tokens": 5}

    told = service.finish(said(asked(service, body))["id"])

    assert len(told["results"][0]["choices"][0]["message"]["content"]) == 20


class TestSync:
    def test_the_answer_itself_comes_when_it_is_there(self) -> None:
        service = Service()

        reply = asked(service, {**GPT, "sync": True})

        (task,) = service.sandbox.tasks.values()
        assert said(reply)["object"] == "chat.completion"
        assert reply.delivery.waits_s == task.ends_at - START > 0
        assert reply.records == (task,)

    def test_a_failure_is_a_503(self) -> None:
        body = {**GPT, "prompt": "[sandbox:fail service_error]", "sync": True}

        reply = asked(Service(), body)

        assert reply.status == 503
        assert said(reply)["error"]["code"] == "all_platforms_exhausted"

    def test_false_makes_a_task(self) -> None:
        assert "id" in said(asked(Service(), {**GPT, "sync": False}))


@pytest.mark.parametrize(
    "body",
    [
        {**GPT, "system_prompt": "x" * 10_000, "prompt": "x" * 100_000},
        {**GPT, "max_tokens": 16, "stream": False},
        {**GPT, "stream": True},
        {**GPT, "whatever": {"nobody": "knows"}},
        with_content("Why?"),
        with_content([{"type": "text", "text": "Why?"}, SEES]),
        with_content([{"type": "image_url", "image_url": {"url": "data:x,y"}}]),
        with_content([{"type": "video_url", "video_url": {"url": "https://a.b/"}}]),
        {
            "model": "kimi-k2.6",
            "messages": [
                {"role": "system", "content": "Be brief"},
                {"role": "assistant", "content": "Yes?"},
                {"role": "user", "content": "Why?"},
            ],
        },
    ],
)
def test_requests_that_are_accepted(body: dict[str, Any]) -> None:
    assert asked(Service(), body).status == 200


BAD_BLOCK = "messages[0] has a block of unknown form"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"model": "kimi-k2.6"}, "Either messages or prompt is needed"),
        (with_content("x", prompt="y"), "Either messages or prompt is needed"),
        ({**PLAIN, "prompt": 5}, "prompt must be a string"),
        ({**PLAIN, "prompt": ""}, "prompt must have 1 to 100000 characters"),
        ({**PLAIN, "prompt": "x" * 100_001}, "prompt must have 1 to 100000 characters"),
        (
            {**PLAIN, "system_prompt": "x" * 10_001},
            "system_prompt must have 1 to 10000 characters",
        ),
        (
            {"model": "kimi-k2.6", "messages": []},
            "messages must be an array that is not empty",
        ),
        (
            {"model": "kimi-k2.6", "messages": "x"},
            "messages must be an array that is not empty",
        ),
        (
            {"model": "kimi-k2.6", "messages": [5]},
            "messages[0] must be an object with a role, one of system, user, assistant",
        ),
        (
            {"model": "kimi-k2.6", "messages": [{"role": []}]},
            "messages[0] must be an object with a role, one of system, user, assistant",
        ),
        (with_content(""), "messages[0] must not be empty"),
        (
            with_content([]),
            "messages[0] must have content, a string or an array of blocks",
        ),
        (
            with_content(None),
            "messages[0] must have content, a string or an array of blocks",
        ),
        (with_content([5]), BAD_BLOCK),
        (with_content([{}]), BAD_BLOCK),
        (with_content([{"type": []}]), BAD_BLOCK),
        (with_content([{"type": "smell"}]), BAD_BLOCK),
        (with_content([{"type": "text", "text": 5}]), BAD_BLOCK),
        (with_content([{"type": "image_url", "image_url": "https://a.b/"}]), BAD_BLOCK),
        (
            with_content([{"type": "image_url", "image_url": {"url": "ftp://a"}}]),
            BAD_BLOCK,
        ),
        (
            {"model": "claude-opus-4-7", "prompt": "x"},
            "max_tokens is needed for claude models",
        ),
        ({**PLAIN, "max_tokens": 0}, "max_tokens must be a positive integer"),
        ({**PLAIN, "max_tokens": "9"}, "max_tokens must be a positive integer"),
        ({**GPT, "max_tokens": 15}, "max_tokens must be at least 16 for gpt models"),
        ({**PLAIN, "sync": "yes"}, "sync must be a boolean"),
        ({**PLAIN, "stream": 1}, "stream must be a boolean"),
        ({**PLAIN, "max_tokens": 10**30}, "max_tokens must be a positive integer"),
    ],
)
def test_requests_that_are_refused(body: dict[str, Any], message: str) -> None:
    told = error(body)

    assert (told["message"], told["code"]) == (message, "invalid_param")


@pytest.mark.parametrize(
    ("name", "kind", "what"),
    [
        ("kimi-k2.6", "image_url", "vision"),
        ("gpt-5.2", "audio_url", "audio"),
        ("claude-haiku-4-5", "file_url", "file"),
    ],
)
def test_a_model_reads_only_what_it_can(name: str, kind: str, what: str) -> None:
    block = {"type": kind, kind: {"url": "https://example.com/a"}}

    told = error({**with_content([block]), "model": name, "max_tokens": 99})

    assert told["code"] == "model_not_support_capability"
    assert told["message"] == f"{name} cannot read {what}"


def test_an_unknown_model_has_the_code_of_this_route() -> None:
    told = error({"model": "veo-3.1", "prompt": "x"})

    assert told["code"] == "no_available_model"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"prompt": "A"}, "A"),
        ({"messages": [{"content": "A"}, {"content": "B"}]}, "B"),
        (
            with_content(
                [{"type": "text", "text": "A"}, SEES, {"text": "B"}, {"text": 5}]
            ),
            "A B",
        ),
        ({"messages": [{"content": ["x", {"text": "A"}]}]}, "A"),
        ({"messages": [5]}, ""),
        ({"messages": []}, ""),
        ({}, ""),
    ],
)
def test_the_question_is_what_was_said_last(body: dict[str, Any], text: str) -> None:
    assert question(body) == text


@pytest.mark.parametrize(
    ("more", "credits_"),
    [
        ({}, 2),
        ({"max_tokens": 16}, 1),
        ({"max_tokens": 10_000}, 11),
        ({"prompt": "x" * 40_000}, 12),
    ],
)
def test_a_credit_is_for_each_thousand_tokens_begun(
    more: dict[str, Any], credits_: int
) -> None:
    created = said(asked(Service(), {**GPT, **more}))

    assert created["usage"]["credits_reserved"] == credits_
