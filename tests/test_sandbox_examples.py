"""The sandbox answers what the service was seen to answer."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from foxbatch.sandbox import Reply, Request, Sandbox, handle
from foxbatch.sandbox.faults import Plan, Route, Rule
from foxbatch.sandbox.messages import Json
from tests.foxapi_examples import EXAMPLES
from tests.foxapi_shapes import Example, Shape, differences
from tests.pretend import START, said


def told(reply: Reply) -> Json:
    """Return the body of *reply*: JSON, or else text."""
    if reply.headers.get("Content-Type") != "application/json":
        return reply.body.decode()
    value: Json = json.loads(reply.body)
    return value


def ordered(example: Example) -> Plan:
    """Return the fault plan that has the sandbox do what *example* shows."""
    route: Route = "query" if example.method == "GET" else "submit"
    wrong = Rule(
        name="wrong",
        on=frozenset({route}),
        instead=example.instead,
        breaks=example.breaks,
    )
    twisted = Rule(name="twisted", on=frozenset({"submit"}), twist=example.twist)
    return Plan(name="example", rules=(twisted, wrong))


class Stage:
    """A sandbox that is ready for the request of one example."""

    def __init__(self, example: Example) -> None:
        options = replace(example.options, plan=ordered(example))
        self.sandbox = Sandbox(options=options, started_at=START)
        self.now = START
        self.names = {"task": "", "result": ""}
        if example.made is not None:
            self._make(*example.made, example)

    def send(self, method: str, path: str, body: object, example: Example) -> Reply:
        headers = {"content-type": "application/json", **example.sends}
        if example.key is not None:
            headers["authorization"] = f"Bearer {example.key}"
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = Request(
            method=method,
            path=path.format_map(self.names),
            query=example.query,
            headers=headers,
            body=raw,
        )
        return handle(self.sandbox, request, self.now)

    def _make(self, path: str, body: object, example: Example) -> None:
        if path == "upload":
            self.send("POST", "/v1/files/upload/base64", body, example)
            return
        reply = self.send("POST", f"/v1/{path}/generations", body, example)
        task = self.sandbox.tasks[said(reply)["id"]]
        work_s = task.ends_at - task.starts_at
        self.names["task"] = task.id
        self.now = task.starts_at + work_s * example.share
        if "{result}" in example.path:
            shown = said(self.send("GET", f"/v1/tasks/{task.id}", b"", example))
            self.names["result"] = urlsplit(shown["results"][0]["url"]).path
        self.now += example.later_s


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_sandbox_answers_as_the_service(example: Example) -> None:
    stage = Stage(example)

    reply = stage.send(example.method, example.path, example.body, example)

    if example.status is None:
        assert (reply.delivery.ends, reply.delivery.sent) == ("dropped", None)
        assert len(stage.sandbox.tasks) == 1
        return
    value = told(reply)
    headers = {name.lower(): text for name, text in reply.headers.items()}
    assert (reply.status, differences(example.reply, value)) == (example.status, [])
    for name, pattern in example.headers.items():
        assert re.fullmatch(pattern, headers[name]), (name, headers[name])
    assert not set(example.lacks) & set(value if isinstance(value, dict) else ())


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        pytest.param({"a": int}, {}, id="a name that is missing"),
        pytest.param({"a": int}, {"a": 1, "b": 2}, id="a name that is new"),
        pytest.param({"a": int}, {"a": "1"}, id="another type"),
        pytest.param({"a": int}, {"a": True}, id="true for a number"),
        pytest.param({"a": "b"}, {"a": "c"}, id="another value"),
        pytest.param({"a": re.compile("b")}, {"a": "bb"}, id="another form"),
        pytest.param([int], [1, "2"], id="an item of another type"),
        pytest.param([int], [], id="an item too few"),
        pytest.param([], [1], id="an item where there should be none"),
        pytest.param({"a": None}, [], id="another kind of value"),
    ],
)
def test_a_reply_of_another_shape_would_be_noticed(shape: Shape, value: Json) -> None:
    assert len(differences(shape, value)) == 1
