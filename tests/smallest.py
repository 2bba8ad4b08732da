"""Requests made from the sandbox's catalogue: the smallest that each model takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foxbatch.sandbox import SandboxOptions, Switches
from foxbatch.sandbox.messages import Recipe, Task, Twist
from foxbatch.sandbox.service.catalogue import Field, FieldType, Model, models
from foxbatch.sandbox.service.checks import Refusal, check
from foxbatch.sandbox.service.results import recipe
from tests.pretend import Service

BASE = "http://127.0.0.1:9"
LINK = "https://example.com/a.png"

GPT: Mapping[str, Any] = {"model": "gpt-image-2", "prompt": "A fox"}
ALL = tuple(models().values())

_VALUES: dict[FieldType, Any] = {
    "string": "A red fox in the snow",
    "url": LINK,
    "media": LINK,
    "callback": "https://example.com/hook",
    "integer": 1,
    "number": 1,
    "boolean": True,
    "object": {"prompt": "A red fox"},
    "size": {"width": 1024, "height": 1024},
}


def value_for(field: Field) -> Any:  # noqa: ANN401
    """Return a value that *field* takes."""
    if field.type == "array":
        one = field.enum[0] if field.enum else _VALUES[field.items]
        return [one] * max(1, field.min_items or 0)
    if field.enum:
        return field.enum[0]
    if field.min is not None:
        return int(field.min)
    return _VALUES[field.type]


def smallest(model: Model) -> dict[str, Any]:
    """Return a request for *model* with nothing in it that is not needed."""
    names = [name for name, field in model.fields.items() if field.required]
    for rule in model.rules:
        one_of = rule.exactly_one or rule.any_of
        names += one_of[:1]
    given = {name: value_for(model.fields[name]) for name in names}
    return {"model": model.name, **given}


def checked(body: Mapping[str, Any], **switches: Any) -> dict[str, Any] | Refusal:  # noqa: ANN401
    options = SandboxOptions(switches=Switches(**switches))
    return check(body, models()[body["model"]], options)


def refusal(body: Mapping[str, Any], **switches: Any) -> Refusal:  # noqa: ANN401
    found = checked(body, **switches)
    assert isinstance(found, Refusal), found
    return found


def accepted(body: Mapping[str, Any], **switches: Any) -> dict[str, Any]:  # noqa: ANN401
    found = checked(body, **switches)
    assert not isinstance(found, Refusal), found
    return found


def veo(model: str = "veo-3.1", **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"model": model, "prompt": "A fox in the snow", **fields}


def made(body: dict[str, Any], **changes: Any) -> Task:  # noqa: ANN401
    """Return a task for *body*, with a story changed by *changes*."""
    service = Service()
    reply = service.post(models()[body["model"]].route, body)
    assert reply.status == 200, reply.body
    (task,) = service.sandbox.tasks.values()
    fields = {name: getattr(task, name) for name in Task.__slots__}
    return Task(**{**fields, "twist": Twist(**changes)})


def first(body: dict[str, Any], **changes: Any) -> Recipe:  # noqa: ANN401
    found = recipe(made(body, **changes), "0")
    assert found is not None
    return found[0]
