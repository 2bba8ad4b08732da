"""Requests to the service and what it answers, as its pages and its users show them.

Where a reply is given by a type or a pattern, the value itself is no fact. How a
misbehaviour is ordered from the sandbox stands beside each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from foxbatch.sandbox.faults.plan import Answer, Break, Spoil
from foxbatch.sandbox.options import SandboxOptions
from tests.foxapi_places import ACCOUNTS, FILES
from tests.foxapi_shapes import MADE_VIDEO, PROMPT, TEXT, VEO, Example, Shape, refused

# ---- Submissions

_HTML: Mapping[str, str] = {"content-type": r"text/html"}
_UNIFIED = re.compile(r"task-unified-\d{10}-[a-z0-9]{8}")


def _created(kind: str, model: str, **more: Shape) -> dict[str, Shape]:
    named: dict[str, Shape] = {
        "id": _UNIFIED,
        "object": f"{kind}.generation.task",
        "type": kind,
        "model": model,
        "status": "pending",
    }
    return named | more


_DOCUMENTED: dict[str, Shape] = {
    "created": int,
    "progress": 0,
    "task_info": {"can_cancel": True, "estimated_time": int},
}
_SUBMISSIONS = [
    Example(
        name="a video from text, answered as documented",
        body={
            **VEO,
            "generation_type": "text-to-video",
            "aspect_ratio": "16:9",
            "duration": 8,
            "resolution": "1080p",
            "generate_audio": True,
        },
        twist={"reply": "documented"},
        reply=_created("video", "veo-3.1", **_DOCUMENTED),
        lacks=("usage",),
    ),
    Example(
        name="a reply with hardly more than an id",
        body={
            "model": "veo-3.1-fast",
            "prompt": PROMPT,
            "duration": 4,
            "resolution": "720p",
            "generate_audio": False,
        },
        twist={"reply": "lean"},
        reply=_created("video", "veo-3.1-fast", usage={"credits_reserved": int}),
        lacks=("created", "progress", "task_info"),
    ),
    Example(
        name="a video from one image, under way at once",
        body={
            "model": "veo-3.1-fast",
            "prompt": PROMPT,
            "generation_type": "image-to-video",
            "image_urls": ["https://example.com/uploads/tram.png"],
            "aspect_ratio": "16:9",
            "duration": 6,
            "resolution": "720p",
            "generate_audio": False,
        },
        twist={"reply": "documented", "born": "processing"},
        reply=_created(
            "video", "veo-3.1-fast", **(_DOCUMENTED | {"status": "processing"})
        ),
        lacks=("usage",),
    ),
    Example(
        name="two frames, in the old name of 4k",
        body={
            **VEO,
            "generation_type": "first-last-frame",
            "image_urls": ["https://example.com/1.png", "https://example.com/2.png"],
            "duration": 8,
            "resolution": "2160p",
            "generate_audio": False,
        },
        reply=_created("video", "veo-3.1", created=int, progress=0),
    ),
    Example(
        name="a model of its own for image to video",
        body={
            "model": "veo-3.1-lite-image-to-video",
            "prompt": PROMPT,
            "image_url": "https://example.com/tram.jpg",
            "duration": 8,
            "resolution": "1080p",
            "generate_audio": False,
        },
        reply=_created("video", "veo-3.1-lite-image-to-video", created=int, progress=0),
    ),
    Example(
        name="images",
        path="/v1/images/generations",
        body={
            "model": "gpt-image-2",
            "prompt": "A tram ticket, engraved",
            "resolution": "1024x1024",
            "num_outputs": 2,
            "output_format": "png",
        },
        reply=_created(
            "image",
            "gpt-image-2",
            progress=0,
            created=int,
            usage={"credits_reserved": int},
        ),
    ),
    Example(
        name="speech, on the path with the plural",
        path="/v1/audios/generations",
        body={"model": "speech-2.8-turbo", "prompt": "Next stop: the old market."},
        reply=_created("audio", "speech-2.8-turbo", progress=0, created=int),
    ),
    Example(
        name="a document",
        path="/v1/run/generations",
        body={
            "model": "doc2x-v3",
            "pdf_url": "https://example.com/timetable.pdf",
            "page_count": 12,
            "convert_mode": "md",
        },
        reply=_created("document", "doc2x-v3", progress=0, created=int),
    ),
]

# ---- Queries

_PLAIN = {"Content-Type": "text/plain"}
_SYNCED = {"sync_upstream": "true"}
_MP4: dict[str, Shape] = {"url": re.compile(r"https?://.*\.mp4")}
_PAID: dict[str, Shape] = {"usage": {"credits_reserved": int, "user_group": str}}


def _asked(name: str, reply: Shape, **more: object) -> Example:
    settings: dict[str, object] = {"made": MADE_VIDEO, "query": _SYNCED, **more}
    return Example(
        name=name,
        method="GET",
        path="/v1/tasks/{task}",
        reply=reply,
        **settings,  # type: ignore[arg-type]  # fields of Example, by name
    )


def _shown(status: str, **more: Shape) -> dict[str, Shape]:
    common: dict[str, Shape] = {"created": int, "progress": int, "status": status}
    empty: dict[str, Shape] = {"results": None, "error": None}
    return _created("video", "veo-3.1", **(common | empty | more))


def _failed(code: str) -> dict[str, Shape]:
    return {"code": code, "message": str, "type": "task_error"}


_QUERIES = [
    _asked("a task under way", _shown("processing", **_PAID), share=0.4),
    _asked(
        "a task that is done",
        _shown(
            "completed", progress=100, results=[{"url": re.compile(".*mp4")}], **_PAID
        ),
    ),
    _asked(
        "done, but without its results",
        _shown("completed", progress=50, **_PAID),
        twist={"empty_looks": 1, "empty_as": "null"},
    ),
    _asked(
        "done, with an empty list of results",
        _shown("completed", results=[]),
        twist={"empty_looks": 1, "empty_as": "list"},
    ),
    _asked(
        "two images without an extension",
        _shown("completed", progress=100, **_PAID)
        | {
            "object": "image.generation.task",
            "type": "image",
            "model": "gpt-image-2",
            "results": [
                {"url": re.compile(r".*/[^./]+"), "content_type": "image/png"},
                {"url": re.compile(r".*/[^./]+")},
            ],
        },
        made=(
            "images",
            {"model": "gpt-image-2", "prompt": "A stamp", "num_outputs": 2},
        ),
        twist={"links": "bare"},
        query={},
    ),
    _asked(
        "a result that is no file",
        _shown("completed", progress=100, results=[{"voice_id": str}])
        | {"model": "kling-video-create-voice"},
        made=(
            "videos",
            {
                "model": "kling-video-create-voice",
                "voice_url": "https://example.com/hum.mp3",
            },
        ),
        query={},
    ),
    _asked(
        "failed, because of its content",
        _shown("failed", error=_failed("content_policy_violation"), **_PAID),
        twist={"fails": "content_policy_violation"},
    ),
    _asked(
        "failed, because of upstream",
        _shown("failed", error=_failed("service_error")),
        twist={"fails": "service_error"},
    ),
    _asked(
        "failed without a code",
        _shown("failed", error={"message": str}),
        twist={"fails": "generation_failed", "error_form": "no-code"},
    ),
    _asked(
        "cancelled, in the old form",
        _created(
            "video",
            "veo-3.1",
            status="cancelled",
            progress=int,
            created=int,
            output=None,
            task_info={"can_cancel": False},
        ),
        twist={
            "fails": "request_cancelled",
            "word": "cancelled",
            "form": "output",
            "error_form": "null",
        },
        lacks=("results", "error"),
    ),
    Example(
        name="a task that nobody made",
        method="GET",
        path="/v1/tasks/task-unified-1785830400-nosuchid",
        status=404,
        reply={"error": {"message": str, "type": "not_found"}},
    ),
    _asked(
        "a query that the edge answers with nothing",
        "",
        instead=Answer(
            status=502, form="empty", headers={"Content-Type": "text/plain"}
        ),
        status=502,
        headers=TEXT,
    ),
]

# ---- Refusals


_INVALID = "invalid_request_error"
_REFUSALS = [
    refused("half of a body", 400, _INVALID, body=b'{"model":"veo-3.1","prompt":'),
    refused(
        "a wrong key",
        401,
        "authentication_error",
        key="sk-wrong",
        options=SandboxOptions(keys={"sk-test": None}),
    ),
    refused(
        "too little money",
        402,
        "insufficient_quota",
        body={**VEO, "resolution": "4k"},
        options=SandboxOptions(credits=100),
    ),
    refused(
        "one frame in the place of two",
        422,
        _INVALID,
        body={
            **VEO,
            "generation_type": "first-last-frame",
            "image_urls": ["https://example.com/1.png"],
        },
    ),
    refused(
        "a duration that is not offered",
        422,
        _INVALID,
        body={"model": "veo-3.1-fast", "prompt": PROMPT, "duration": 5},
    ),
    refused("a field that is not known", 422, _INVALID, body={**VEO, "node_id": "n"}),
    refused(
        "an option that no channel honours",
        422,
        _INVALID,
        "unsupported_advanced_options",
        path="/v1/images/generations",
        body={"model": "gpt-image-2", "prompt": "A stamp", "background": "opaque"},
        options=SandboxOptions(unsupported=frozenset({"background"})),
    ),
    refused(
        "a model that is not known",
        422,
        _INVALID,
        "model_not_found",
        body={"model": "veo-9.9", "prompt": PROMPT},
    ),
    refused(
        "a model without a channel",
        422,
        "service_unavailable_error",
        "no_compatible_channel",
        options=SandboxOptions(closed=frozenset({"veo-3.1"})),
    ),
    refused(
        "too many requests, with seconds to wait",
        429,
        "rate_limit_error",
        instead=Answer(status=429, retry_after=3),
        headers={"content-type": "application/json", "retry-after": "3"},
    ),
    Example(
        name="too many requests, with a date and a bare text",
        body=VEO,
        instead=Answer(status=429, form="text", retry_after="date"),
        status=429,
        headers={
            "content-type": "application/json",
            "retry-after": r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT",
        },
        reply={"error": str},
    ),
]

# ---- Nobody knows what became of it

_UNKNOWN = [
    refused("a fault of the server", 500, "server_error", instead=Answer(status=500)),
    Example(
        name="a page of the edge",
        body=VEO,
        instead=Answer(status=502, form="html", done=True),
        status=502,
        headers=_HTML,
        reply=re.compile(r"<html>.*502 Bad Gateway.*", re.DOTALL),
    ),
    refused("not available", 503, "service_unavailable", instead=Answer(status=503)),
    Example(
        name="created, without an id",
        body=VEO,
        instead=Spoil("no-id"),
        reply={
            key: value
            for key, value in _created("video", "veo-3.1").items()
            if key != "id"
        },
        lacks=("id", "task_id"),
    ),
    Example(
        name="created, with a web page for a reply",
        body=VEO,
        instead=Spoil("html"),
        headers=_HTML,
        reply=re.compile(r"<!doctype html>.*<title>.*", re.DOTALL | re.IGNORECASE),
    ),
    Example(
        name="created, and the connection is reset",
        body=VEO,
        breaks=Break(ends="dropped"),
        status=None,
    ),
]

EXAMPLES = (
    *_SUBMISSIONS,
    *_QUERIES,
    *_REFUSALS,
    *_UNKNOWN,
    *FILES,
    *ACCOUNTS,
)
