"""What an example of the service is made of, and how a reply is held against it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from foxbatch.sandbox.faults.plan import Break, Instead
from foxbatch.sandbox.messages import Json
from foxbatch.sandbox.options import SandboxOptions

Shape: TypeAlias = (
    "type | re.Pattern[str] | bool | int | str | list[Shape] | dict[str, Shape] | None"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One request and its reply.

    Attributes:
        path: `{task}` stands for the id of the task that *made* creates first, and
            `{result}` for the path of its first result.
        body: Sent as JSON, unless it is bytes.
        made: Submitted before, with the method and path of its own.
        share: Of the work on that task, done when the request comes; 1 is its end.
        twist: Of the task that is created, here or before.
        instead: What is answered in the place of an honest reply.
        breaks: How the connection ends.
        status: None where nothing is answered.
        headers: Of the reply, as far as they matter.
        lacks: Names that the reply must not have.
    """

    name: str
    method: str = "POST"
    path: str = "/v1/videos/generations"
    query: Mapping[str, str] = field(default_factory=dict)
    sends: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Json] | bytes = b""
    made: tuple[str, Mapping[str, Json]] | None = None
    share: float = 1.0
    later_s: float = 0.0
    key: str | None = "sk-test"
    options: SandboxOptions = field(default_factory=SandboxOptions)
    twist: Mapping[str, object] = field(default_factory=dict)
    instead: Instead | None = None
    breaks: Break | None = None
    status: int | None = 200
    headers: Mapping[str, str] = field(
        default_factory=lambda: {"content-type": r"application/json"}
    )
    reply: Shape = None
    lacks: tuple[str, ...] = ()


PROMPT = "A tram climbs a hill in the fog, seen from behind"
VEO: Mapping[str, Json] = {"model": "veo-3.1", "prompt": PROMPT}
TEXT: Mapping[str, str] = {"content-type": r"text/plain"}
MADE_VIDEO = ("videos", VEO)


def refused(
    name: str, status: int, kind: str, code: str = "", **more: object
) -> Example:
    """Return an example of an error; *more* are further fields of it."""
    error: dict[str, Shape] = {"message": str, "type": kind}
    settings: dict[str, object] = {"body": VEO, **more}
    return Example(
        name=name,
        status=status,
        reply={"error": error | ({"code": code} if code else {})},
        **settings,  # type: ignore[arg-type]  # fields of Example, by name
    )


OPTIONAL = frozenset(
    {
        "content_type",
        "created",
        "object",
        "progress",
        "task_info",
        "unsupported_advanced_options",
        "usage",
        "user_group",
    }
)
"""Names that some replies of the service have and others lack."""


def differences(shape: Shape, value: Json, at: str = "") -> list[str]:
    """Return where *value* is not as *shape* says.

    The last item of an array in *shape* also stands for all further ones, and what
    is optional may be there without being in *shape*.
    """
    match shape:
        case dict():
            return _unlike_object(shape, value, at)
        case list():
            return _unlike_array(shape, value, at)
        case re.Pattern():
            fits = isinstance(value, str) and shape.fullmatch(value) is not None
        case type():
            is_number = shape is float and type(value) is int
            fits = type(value) is shape or is_number
        case _:
            fits = shape == value and type(shape) is type(value)
    return [] if fits else [f"{at or '/'}: {value!r} is not {shape!r}"]


def _unlike_object(shape: dict[str, Shape], value: Json, at: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{at or '/'}: {value!r} is no object"]
    found = [f"{at}/{name} is missing" for name in shape if name not in value]
    found += [f"{at}/{n} is new" for n in value if n not in shape and n not in OPTIONAL]
    for name in shape.keys() & value.keys():
        found += differences(shape[name], value[name], f"{at}/{name}")
    return found


def _unlike_array(shape: list[Shape], value: Json, at: str) -> list[str]:
    if not isinstance(value, list) or len(value) < len(shape):
        return [f"{at or '/'}: {value!r} has other items"]
    if not shape and value:
        return [f"{at or '/'}: {value!r} is not empty"]
    found = []
    for number, item in enumerate(value):
        expected = shape[min(number, len(shape) - 1)]
        found += differences(expected, item, f"{at}/{number}")
    return found
