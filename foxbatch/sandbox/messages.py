"""What goes in and out of the pretend service: requests, replies, tasks, recipes.

Values only. The core turns a `Request` into a `Reply`; whoever owns the sockets
renders its `media`, makes its `records` durable, and delivers it as `delivery` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import msgspec

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

Look: TypeAlias = str
"""Hex digest that colours, shapes and sounds are drawn from."""


# ---- In


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


# ---- Files to be made: each is the recipe, and the key of every cache of the result


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A video, MP4 with H.264 and, where *audio* is true, AAC.

    Attributes:
        width: In pixels, even.
        height: In pixels, even.
        title: The model's name.
        facts: Short texts for the parameters, in reading order.
    """

    width: int
    height: int
    duration_s: int
    audio: bool
    title: str
    prompt: str
    facts: tuple[str, ...]
    look: Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A still picture; the attributes as those of `Clip`."""

    width: int
    height: int
    form: Literal["png", "jpeg", "webp"]
    title: str
    prompt: str
    facts: tuple[str, ...]
    look: Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """Speech or music: here, a few notes drawn from *look*, told apart by ear."""

    duration_s: int
    form: Literal["mp3", "wav", "ogg_opus"]
    title: str
    prompt: str
    look: Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A ZIP of text files: their names, and what is in them."""

    members: tuple[tuple[str, str], ...]


Recipe: TypeAlias = Clip | Picture | Sound | Archive


# ---- What is remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Twist:
    """How the story of one task departs from the ordinary one.

    Times are seconds of the service, before its speed divides them.

    Attributes:
        fails: Code that it fails with; empty for a task that is completed.
        error_form: How a failure is told in the task.
        word: Status word instead of the last one, such as "cancelled".
        born: Status in the reply to its creation.
        reply: Which fields that reply has. "full": all; "documented": without
            usage; "lean": without created, progress and task_info; "task-id": its
            id is called `task_id`.
        usage: Which replies have `usage`.
        model: Shown instead of the model that was asked for.
        form: Where a query puts results. "results": items; "strings": only their
            links; "output", "outputs": the two forms of an older page.
        progress: "low": below 100 at the end.
        empty_looks: How many queries show it completed without any results.
        empty_as: What such a query holds in their place.
        empty_when: "synced": only queries with sync_upstream are empty, all of them.
        hidden_s: How long after its creation a query says 404.
        slower: Factor of the time that the generation takes.
        takes_s: That time itself.
        unending: It is never finished.
        estimated_s: What its creation says it will take.
        links: Where results are. "bare": a path without an extension; "elsewhere":
            another host name; "redirected": two redirects before the file;
            "looping": redirects without end; "private": an address of a private
            network.
        links_last_s: How long results are kept.
        file_type: Content-Type that files, and items that name one, have.
        items: How many results there are.
        degraded: Reason that results give for being less than what was asked for.
        callbacks: How often the end is reported to a callback_url.
    """

    fails: str = ""
    error_form: Literal["full", "no-code", "number", "text", "null"] = "full"
    word: str = ""
    born: Literal["pending", "processing", "completed", "failed"] = "pending"
    reply: Literal["full", "documented", "lean", "task-id"] = "full"
    usage: Literal["both", "creation", "query", "neither"] = "both"
    model: str = ""
    form: Literal["results", "strings", "output", "outputs"] = "results"
    progress: Literal["steady", "missing", "stuck", "back", "low"] = "steady"
    empty_looks: int = 0
    empty_as: Literal["list", "null"] = "list"
    empty_when: Literal["always", "synced"] = "always"
    hidden_s: float = 0.0
    slower: float = 1.0
    takes_s: float | None = None
    unending: bool = False
    estimated_s: int | None = None
    links: Literal["plain", "bare", "elsewhere", "redirected", "looping", "private"] = (
        "plain"
    )
    links_last_s: float | None = None
    file_type: str = ""
    items: int | None = None
    degraded: str = ""
    callbacks: Literal["once", "twice", "never"] = "once"


ORDINARY = Twist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One generation that was paid for. All times are real seconds.

    Attributes:
        model: That was asked for.
        created_at: Unix time, with its fraction.
        starts_at: Unix time at which the work begins; until then it is queued.
        ends_at: Unix time at which it is completed or failed.
        keeps_s: How long result links live after that; the speed is already in it.
        asked: The request with its defaults filled in, as compact JSON.
        digest: SHA-256 of the request as it was sent, with its keys sorted.
        take: From 1; counts the tasks made for equal requests.
        owner: Digest of the key it was made with; "" where no keys are asked for.
    """

    id: str
    model: str
    created_at: float
    starts_at: float
    ends_at: float
    keeps_s: float
    asked: str
    digest: str
    take: int
    credits: int
    owner: str
    twist: Twist = ORDINARY


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One uploaded file. Its content is kept by whoever owns the disk.

    Attributes:
        id: As in the reply.
        token: The part of its link that nobody can guess.
        sha256: Of its content, in hex.
        lasts_s: Real seconds that its link lives.
    """

    id: str
    token: str
    name: str
    content_type: str
    size_bytes: int
    sha256: str
    created_at: float
    lasts_s: float
    owner: str


@dataclass(frozen=True, slots=True)
class UploadRemoved:
    """An upload that had to make room for a newer one."""

    id: str


@dataclass(frozen=True, slots=True)
class FaultFired:
    """A rule of a fault plan did something: its name, and the count it had then."""

    rule: str
    scope: str
    count: int


Record: TypeAlias = Task | Upload | UploadRemoved | FaultFired


# ---- Out


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How a reply travels, or does not.

    Attributes:
        ends: "whole"; "dropped": the connection is reset; "closed": it is closed
            in an orderly way; "stalled": nothing more comes, until the client leaves
            or *stalls_s* are over, and then it is reset.
        sent: How much of the body leaves before that, from 0 to 1; None: not even
            the status line.
        waits_s: Before the first byte.
        stalls_s: Longest time to stand still.
        bytes_per_s: Pace of the body; None for as fast as it goes.
        claims_bytes: Content-Length that is told instead of the true one, as a
            difference to it.
    """

    ends: Literal["whole", "dropped", "closed", "stalled"] = "whole"
    sent: float | None = None
    waits_s: float = 0.0
    stalls_s: float = 60.0
    bytes_per_s: float | None = None
    claims_bytes: int = 0


WHOLE = Delivery()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the service answers.

    Attributes:
        media: The body is this file. It has to be rendered, or fetched if it was
            uploaded, and `foxbatch.sandbox.web.files.served` puts it in its place.
        keeps: Content of an upload that this request created.
        records: What is new. It must be durable before the reply leaves.
        fault: Name of the rule of the fault plan that shaped it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    media: Recipe | Upload | None = None
    keeps: bytes | None = None
    delivery: Delivery = WHOLE
    records: tuple[Record, ...] = ()
    fault: str = ""


JSON: Mapping[str, str] = {"Content-Type": "application/json"}


def json_reply(status: int, value: Json, **headers: str) -> Reply:
    """Return a JSON reply; underscores in header names become hyphens."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    body = msgspec.json.encode(value)
    return Reply(status=status, headers={**JSON, **named}, body=body)


def text_reply(status: int, text: str, *, subtype: str = "plain") -> Reply:
    """Return a reply as an edge or a file host gives it: text, not JSON."""
    headers = {"Content-Type": f"text/{subtype}"}
    return Reply(status=status, headers=headers, body=text.encode())


def error_reply(
    status: int, kind: str, message: str, *, code: str = "", **headers: str
) -> Reply:
    """Return the documented error body; header names as for `json_reply`."""
    error: dict[str, Json] = {"message": message, "type": kind}
    if code:
        error["code"] = code
    return json_reply(status, {"error": error}, **headers)
