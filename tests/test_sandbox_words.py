"""Words in a prompt that order a story: `[sandbox:fail CODE]` and others."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from foxbatch.sandbox.messages import ORDINARY, Twist
from foxbatch.sandbox.service.story import ordered, words
from tests.pretend import Service


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("A fox [sandbox:slow 5.5] runs", {"slow": "5.5"}),
        ("[sandbox:fail][sandbox:empty-once]", {"fail": "", "empty-once": ""}),
        (
            "[sandbox:fail content_policy_violation]",
            {"fail": "content_policy_violation"},
        ),
        ("[sandbox:slow 1] [sandbox:slow 2]", {"slow": "2"}),
        ("[sandbox:slow  5]", {}),
        ("[sandbox:slow 5 6]", {}),
        ("[sandbox:Slow 5]", {}),
        ("[sandbox: slow 5]", {}),
        ("[sandbox:slow 5", {}),
        ("(sandbox:slow 5)", {}),
        ("", {}),
    ],
)
def test_which_words_are_read(prompt: str, said: dict[str, str]) -> None:
    assert words(prompt) == said


@pytest.mark.parametrize(
    ("prompt", "take", "twist"),
    [
        ("[sandbox:fail x]", 1, Twist(fails="x")),
        ("[sandbox:fail x]", 9, Twist(fails="x")),
        ("[sandbox:fail]", 1, Twist(fails="service_error")),
        ("[sandbox:fail-once x]", 1, Twist(fails="x")),
        ("[sandbox:fail-once]", 1, Twist(fails="service_error")),
        ("[sandbox:fail-once x]", 2, ORDINARY),
        ("[sandbox:empty-once]", 1, Twist(empty_looks=1)),
        ("[sandbox:slow 0]", 1, Twist(takes_s=0)),
        ("[sandbox:slow 600]", 1, Twist(takes_s=600)),
        ("[sandbox:slow 1e300]", 1, Twist(takes_s=10 * 365 * 24 * 3600)),
        ("[sandbox:slow never]", 1, ORDINARY),
        ("[sandbox:slow nan]", 1, ORDINARY),
        ("[sandbox:slow inf]", 1, ORDINARY),
        ("[sandbox:slow -1]", 1, ORDINARY),
        ("[sandbox:slow]", 1, ORDINARY),
        ("[sandbox:dance]", 1, ORDINARY),
        ("A fox", 1, ORDINARY),
    ],
)
def test_what_they_order(prompt: str, take: int, twist: Twist) -> None:
    assert ordered(prompt, take, ORDINARY) == twist


def test_a_plan_keeps_what_no_word_changes() -> None:
    twist = Twist(empty_looks=5, reply="lean", takes_s=3)

    assert ordered("[sandbox:empty-once]", 1, twist) == twist


@given(prompt=st.text() | st.text("[]sandbox:fl -.0", max_size=60))
def test_no_prompt_is_too_strange(prompt: str) -> None:
    service = Service()

    assert service.submit(prompt=prompt).status in {200, 422, 502}


def test_a_failure_has_the_code_that_was_ordered() -> None:
    service = Service()

    told = service.finish(service.task(prompt="X [sandbox:fail service_error]"))

    assert (told["status"], told["results"]) == ("failed", None)
    assert told["error"] == {
        "code": "service_error",
        "message": "Upstream failed.",
        "type": "task_error",
    }


def test_a_failure_of_the_first_take_is_gone_with_the_second() -> None:
    service = Service()

    told = [service.finish(service.task(prompt="[sandbox:fail-once]")) for _ in "ab"]

    assert [view["status"] for view in told] == ["failed", "completed"]


def test_completed_is_empty_once() -> None:
    service = Service()
    task = service.task(prompt="[sandbox:empty-once]")

    first, second = service.finish(task), service.query(task)

    assert (first["status"], first["results"], first["progress"]) == (
        "completed",
        [],
        50,
    )
    assert (second["status"], second["progress"]) == ("completed", 100)
    assert second["results"]


def test_the_words_work_for_language_models_too() -> None:
    service = Service()
    body = {"model": "kimi-k2.6", "prompt": "[sandbox:fail x]"}
    service.post("/v1/llm/generations", body)

    (task,) = service.sandbox.tasks

    assert service.finish(task)["error"]["code"] == "x"
