"""What goes in and out of the pretend service: requests, replies, tasks, clips.

Values only. The core turns a `Request` into a `Reply`; whoever owns the sockets
renders a `Clip`, makes `Reply.created` durable, and delivers the rest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request as the core sees it.

    Attributes:
        method: In capitals.
        path: Decoded, without the query.
        base_url: How the client reached the sandbox, without a slash at the end;
            result links are built on it.
        headers: Names in lower case.
    """

    method: str
    path: str
    base_url: str = "http://sandbox.invalid"
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A video to be made: the recipe, and the key of every cache of the result.

    Attributes:
        width: In pixels, even.
        height: In pixels, even.
        title: The model's name.
        facts: Short texts for the parameters, in reading order.
        look: Hex digest that colours and shapes are drawn from.
    """

    width: int
    height: int
    duration_s: int
    audio: bool
    title: str
    prompt: str
    facts: tuple[str, ...]
    look: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One generation that was paid for. All times are real seconds.

    Attributes:
        created_at: Unix time, with its fraction.
        takes_s: From creation to the end; the speed is already in it.
        keeps_s: How long result links live after that; likewise.
        asked: The request with its defaults filled in.
        digest: SHA-256 of the request as it was sent, with its keys sorted.
        take: From 1; counts the tasks made for equal requests.
        owner: Digest of the key it was made with; "" where no keys are asked for.
    """

    id: str
    created_at: float
    takes_s: float
    keeps_s: float
    asked: Mapping[str, Json]
    digest: str
    take: int
    credits: int
    owner: str

    @property
    def ends_at(self) -> float:
        """Return the Unix time at which the task is completed or failed."""
        return self.created_at + self.takes_s

    @property
    def model(self) -> str:
        """Return the model that was asked for."""
        return str(self.asked["model"])

    @property
    def prompt(self) -> str:
        """Return the prompt that was asked for."""
        return str(self.asked["prompt"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the service answers.

    Attributes:
        clip: The body is this clip. It has to be rendered, and
            `foxbatch.sandbox.files.served` puts the file in its place.
        delivery: "dropped": the connection is aborted and no byte arrives.
        created: A new task. It must be durable before the reply leaves.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    clip: Clip | None = None
    delivery: Literal["whole", "dropped"] = "whole"
    created: Task | None = None

    def having_created(self, task: Task) -> Reply:
        """Return the same reply, made by the creation of *task*."""
        return replace(self, created=task)


def json_reply(status: int, value: Json, **headers: str) -> Reply:
    """Return a JSON reply; underscores in header names become hyphens."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    body = json.dumps(value, separators=(",", ":")).encode()
    return Reply(
        status=status, headers={"Content-Type": "application/json", **named}, body=body
    )


def text_reply(status: int, text: str, *, subtype: str = "plain") -> Reply:
    """Return a reply as an edge or a file host gives it: text, not JSON."""
    headers = {"Content-Type": f"text/{subtype}"}
    return Reply(status=status, headers=headers, body=text.encode())


def error_reply(status: int, kind: str, message: str, **headers: str) -> Reply:
    """Return the documented error body; header names as for `json_reply`."""
    error: Json = {"message": message, "type": kind}
    return json_reply(status, {"error": error}, **headers)
