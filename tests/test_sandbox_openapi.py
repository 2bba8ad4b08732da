from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings, strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator

from foxbatch.sandbox import Request, Sandbox, SandboxOptions, Switches, handle
from foxbatch.sandbox.messages import Json
from foxbatch.sandbox.service.catalogue import Model, families, models, variants
from foxbatch.sandbox.service.core import _EXACT
from foxbatch.sandbox.service.openapi import describe
from foxbatch.sandbox.service.openapi.bodies import body_of_route, example
from tests.pretend import START, Service, said
from tests.property.request_strategies import bodies

ORDINARY = SandboxOptions()
OTHERWISE = SandboxOptions(
    keys={"sk-test": None},
    unsupported=frozenset({"seed", "background"}),
    switches=Switches(
        audio_default="off",
        images_with_text="ignore",
        short_references="refuse",
        unknown_fields="400",
        variant_ids="accept",
        callbacks="loopback",
    ),
)

# What JSON Schema has no words for: it accepts, and the service says one of these.
BEYOND_WORDS: Mapping[str, str] = {
    "8.0 is an integer to JSON Schema": r"\w+ must (be an integer|hold integers)",
    "and so is a side of 512.0": r"\w+ must have an integer width and height .*",
    "two sides that do not fit each other": r"\w+ must not be longer than 3 to 1",
    "an area is a product": r"\w+ must have 655360 to 8294400 pixels",
    "8.0 among whole numbers": r"\w+ must be one of [\d, ]+",
    "addresses of this machine, where http will do": r"\w+ must be an https URL",
    "a sum over all pictures": r"Pictures as base64 can have at most 10 MB",
    "a number of pictures in several fields": r"A request can hold at most 5 .*",
    "addresses of private networks": r"\w+ must not be a private address",
}


@cache
def described(options_name: str) -> dict[str, Any]:
    options = ORDINARY if options_name == "ordinary" else OTHERWISE
    return describe(options, "http://127.0.0.1:9")


@cache
def validator(path: str, options_name: str) -> jsonschema_rs.Draft202012Validator:
    options = ORDINARY if options_name == "ordinary" else OTHERWISE
    schema = body_of_route(path, options)
    components = described(options_name)["components"]
    return jsonschema_rs.Draft202012Validator({**schema, "components": components})


def refusal(body: Mapping[str, Json], model: Model, options: SandboxOptions) -> str:
    """Return what the service says against *body*, "" if it takes it."""
    request = Request(
        method="POST",
        path=model.route,
        headers={
            "content-type": "application/json",
            "authorization": "Bearer sk-test",
        },
        body=json.dumps(body).encode(),
    )
    reply = handle(Sandbox(options=options), request, START)
    if reply.status == 200:
        return ""
    assert reply.status in {400, 422}, (reply.status, reply.body)
    return str(said(reply)["error"]["message"])


def is_beyond_words(message: str) -> bool:
    """Return whether everything in *message* is of the kind that no schema says."""
    return all(
        any(re.fullmatch(pattern, problem) for pattern in BEYOND_WORDS.values())
        for problem in message.split("; ")
    )


class TestLaw:
    """A model takes a request if and only if the published schema does."""

    @pytest.mark.parametrize("name", models())
    @settings(max_examples=40)
    @given(st.data())
    def test_of_every_model(self, name: str, data: st.DataObject) -> None:
        model = models()[name]
        body = data.draw(bodies(model))

        is_valid = validator(model.path, "ordinary").is_valid(body)
        refused = refusal(body, model, ORDINARY)

        assert is_valid == (not refused) or (is_valid and is_beyond_words(refused))

    @pytest.mark.parametrize(
        "name",
        [name for name, one in models().items() if one.rules or one.template],
    )
    @settings(max_examples=30)
    @given(st.data())
    def test_also_where_the_other_pages_are_believed(
        self, name: str, data: st.DataObject
    ) -> None:
        model = models()[name]
        body = data.draw(bodies(model))

        is_valid = validator(model.path, "otherwise").is_valid(body)
        refused = refusal(body, model, OTHERWISE)

        assert is_valid == (not refused) or (is_valid and is_beyond_words(refused))


@pytest.mark.parametrize("options_name", ["ordinary", "otherwise"])
def test_the_description_is_one(options_name: str) -> None:
    errors = OpenAPIV31SpecValidator(described(options_name)).iter_errors()

    assert [error.message for error in errors] == []


def test_every_route_is_described_and_no_other() -> None:
    told = {
        f"{method.upper()} {path}"
        for path, operations in described("ordinary")["paths"].items()
        for method in operations
    }

    assert told == {
        *_EXACT,
        "GET /v1/tasks/{task_id}",
        "GET /files/{task_id}/{name}",
        "GET /files/{task_id}/{name}/{hop}",
        "GET /uploads/{day}/{token}/{name}",
    }


def test_it_is_served_and_knows_where() -> None:
    reply = Service().get("/openapi.json", key=None)

    assert reply.status == 200
    assert said(reply) == described("ordinary") | {
        "servers": [{"url": "http://sandbox.invalid"}]
    }


@pytest.mark.parametrize("family", families(), ids=lambda family: family[0].name)
def test_the_example_of_every_family_is_accepted(family: tuple[Model, ...]) -> None:
    for model in family:
        assert refusal(example(model), model, ORDINARY) == ""


@pytest.mark.parametrize("name", variants())
def test_an_id_with_brackets_can_be_posted_where_a_switch_says_so(name: str) -> None:
    options = SandboxOptions(switches=Switches(variant_ids="accept"))
    model = next(
        model
        for model in models().values()
        if model.name == name.partition("[")[0].rpartition("/")[2]
    )
    body = {**example(model), "model": name}

    assert "does not exist" in refusal(body, model, ORDINARY)
    assert refusal(body, model, options) == ""
    assert validator(model.path, "otherwise").is_valid(body)


def test_a_key_is_asked_for_only_where_one_is_needed() -> None:
    keyless = described("ordinary")["paths"]["/v1/models"]["get"]["security"]
    keyed = described("otherwise")["paths"]["/v1/models"]["get"]["security"]

    assert keyless == [{"bearer": []}, {}]
    assert keyed == [{"bearer": []}]
