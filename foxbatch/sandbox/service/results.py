"""What a completed task resulted in: the items of a query, and the files of those."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from foxbatch.sandbox.messages import (
    Archive,
    Clip,
    Json,
    Picture,
    Recipe,
    Sound,
    Task,
)
from foxbatch.sandbox.service import catalogue, llm
from foxbatch.sandbox.service.catalogue import Model
from foxbatch.sandbox.service.sizes import (
    duration_s,
    frame_size,
    has_sound,
    item_count,
    picture_size,
)
from foxbatch.sandbox.service.story import asked_of

CONTENT_TYPES: Mapping[str, str] = {
    "mp4": "video/mp4",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "ogg": "audio/ogg",
    "zip": "application/zip",
}
_VOICES = ("voice", "custom_voice")
_NEXT_HOPS: Mapping[str, str] = {"2": "/1", "1": "", "loop": "/loop"}
_FILE_NAME = re.compile(r"(?P<number>0|[1-9][0-9]{0,3})(?:\.(?P<extension>[a-z0-9]+))?")


def items(task: Task, base_url: str) -> list[Json]:
    """Return the `results` of *task*, which is completed; links are on *base_url*."""
    asked = asked_of(task)
    model = catalogue.models().get(task.model)
    if model is None:
        return [llm.completion(task.id, int(task.created_at), asked)]
    return [
        _item(task, model, asked, number, base_url)
        for number in range(_count(task, model, asked))
    ]


def _count(task: Task, model: Model, asked: Mapping[str, Json]) -> int:
    wanted = task.twist.items
    return item_count(model, asked) if wanted is None else wanted


def _item(
    task: Task, model: Model, asked: Mapping[str, Json], number: int, base_url: str
) -> Json:
    item: dict[str, Json] = {}
    extension = _extension(model, asked)
    if extension:
        item["url"] = _link(task, number, extension, base_url)
        if task.twist.file_type:
            item["content_type"] = task.twist.file_type
        elif _tells_type(model):
            item["content_type"] = CONTENT_TYPES[extension]
    item |= _extras(task, model, asked, number)
    if task.twist.degraded:
        item["degraded_reason"] = task.twist.degraded
    return item


def _tells_type(model: Model) -> bool:
    """Return whether items name their type: those of Gemini and documents do not."""
    is_picture = model.makes == "image" and not model.name.startswith("gemini")
    return is_picture or model.makes in {"audio", *_VOICES}


def _extension(model: Model, asked: Mapping[str, Json]) -> str:
    """Return that of the file of each item, "" if items have no file."""
    match model.makes:
        case "video":
            return "mp4"
        case "image":
            return _picture_form(asked)
        case "audio":
            return _sound_form(asked).removesuffix("_opus")
        case "archive":
            return "zip"
        case "voice" | "custom_voice":
            return "mp3" if asked.get("text") or asked.get("preview_text") else ""
        case _:
            return ""


def _picture_form(asked: Mapping[str, Json]) -> Literal["png", "jpeg", "webp"]:
    match asked.get("output_format"):
        case "jpg" | "jpeg":
            return "jpeg"
        case "webp":
            return "webp"
        case _:
            return "png"


def _sound_form(asked: Mapping[str, Json]) -> Literal["mp3", "wav", "ogg_opus"]:
    setting = asked.get("audio_setting")
    form = setting.get("format") if isinstance(setting, dict) else None
    match form or asked.get("output_format"):
        case "wav":
            return "wav"
        case "ogg_opus":
            return "ogg_opus"
        case _:
            return "mp3"


def _extras(
    task: Task, model: Model, asked: Mapping[str, Json], number: int
) -> dict[str, Json]:
    """Return what an item holds besides its link."""
    if isinstance(maps := asked.get("maps"), list):
        return {"map_type": maps[number]} if number < len(maps) else {}
    if model.seeded:
        return {"seed": _seed(task, asked)}
    match model.makes:
        case "voice":
            return {"voice_id": f"vx_{_look(task, asked, number)[:6]}"}
        case "custom_voice":
            return {"custom_voice_id": f"cv_{_look(task, asked, number)[:6]}"}
        case "character":
            token = _look(task, asked, number)[:12]
            return {"character_id": f"ch_{token}", "name": asked["name"]}
        case "profile":
            token = _look(task, asked, number)[:12]
            return {"result_type": "profile", "profile_id": f"pr_{token}"}
        case "words":
            return _words()
        case "transcript":
            return {"text": _SPOKEN, "language": asked.get("language", "en")}
        case _:
            return _media_extras(task, model, asked, number)


def _media_extras(
    task: Task, model: Model, asked: Mapping[str, Json], number: int
) -> dict[str, Json]:
    if model.path == "audio":  # songs
        lyrics = prompt_of(asked)
        return {"title": lyrics[:40], "lyrics": lyrics}
    if asked.get("delete_video") is False:
        return {"video_id": f"video_{_look(task, asked, number)[:16]}"}
    return {}


_SPOKEN = "This is what the sandbox heard."


def _words() -> dict[str, Json]:
    spoken: list[Json] = []
    for number, word in enumerate(_SPOKEN.split()):
        start = round(0.4 * number, 2)
        spoken.append(
            {
                "text": word,
                "start": start,
                "end": round(start + 0.35, 2),
                "type": "word",
            }
        )
    return {
        "text": _SPOKEN,
        "language_code": "eng",
        "language_probability": 0.98,
        "words": spoken,
    }


def _seed(task: Task, asked: Mapping[str, Json]) -> int:
    seed = asked.get("seed")
    if isinstance(seed, int) and seed >= 0:
        return seed
    return int(hashlib.sha256(task.id.encode()).hexdigest()[:8], 16)


# ---- Links


def _link(task: Task, number: int, extension: str, base_url: str) -> str:
    path = f"/files/{task.id}/{number}"
    match task.twist.links:
        case "plain":
            return f"{base_url}{path}.{extension}"
        case "bare":
            return f"{base_url}{path}"
        case "elsewhere":
            return f"{_elsewhere(base_url)}{path}.{extension}"
        case "redirected":
            return f"{base_url}{path}.{extension}/2"
        case "looping":
            return f"{base_url}{path}.{extension}/loop"
        case "private":
            return f"http://10.0.0.1{path}.{extension}"


def _elsewhere(base_url: str) -> str:
    """Return the same place under another host name, as a file host would have."""
    parts = urlsplit(base_url)
    host = "127.0.0.1" if parts.hostname == "localhost" else "localhost"
    port = re.search(r":[0-9]+$", parts.netloc)
    return urlunsplit(parts._replace(netloc=host + (port[0] if port else "")))


def next_hop(hop: str) -> str | None:
    """Return the path after a redirect, relative to the file; None for a wrong one."""
    return _NEXT_HOPS.get(hop)


# ---- Files


def recipe(task: Task, name: str) -> tuple[Recipe, str] | None:
    """Return how the file *name* of a completed task is made, and its type.

    *name* is the number of the result, with its extension or, for bare links,
    without one. None if there is no such file.
    """
    model = catalogue.models().get(task.model)
    if model is None:
        return None
    asked = asked_of(task)
    extension = _extension(model, asked)
    found = _FILE_NAME.fullmatch(name)
    if not extension or found is None or found["extension"] not in {None, extension}:
        return None
    number = int(found["number"])
    if number >= _count(task, model, asked):
        return None
    made = _made(task, model, asked, number)
    return made, task.twist.file_type or CONTENT_TYPES[extension]


def _made(task: Task, model: Model, asked: Mapping[str, Json], number: int) -> Recipe:
    look, prompt = _look(task, asked, number), prompt_of(asked)
    match model.makes:
        case "image":
            width, height = picture_size(asked)
            facts = (f"{width}×{height}", *_facts(model, asked, number))
            form = _picture_form(asked)
            return Picture(
                width=width,
                height=height,
                form=form,
                title=model.name,
                prompt=prompt,
                facts=facts,
                look=look,
            )
        case "video":
            return _clip(model, asked, look)
        case "archive":
            return _document(asked)
        case _:
            return Sound(
                duration_s=duration_s(model, asked),
                form=_sound_form(asked),
                title=model.name,
                prompt=prompt,
                look=look,
            )


def _clip(model: Model, asked: Mapping[str, Json], look: str) -> Clip:
    width, height = frame_size(asked)
    return Clip(
        width=width,
        height=height,
        duration_s=duration_s(model, asked),
        audio=has_sound(model, asked),
        title=model.name,
        prompt=prompt_of(asked),
        facts=tuple(_video_facts(model, asked)),
        look=look,
    )


def _look(task: Task, asked: Mapping[str, Json], number: int) -> str:
    """Return what tells results apart.

    Takes of one request look different, as they would from the service, unless
    the request fixes the seed.
    """
    seed = asked.get("seed")
    take = 1 if isinstance(seed, int) and seed >= 0 else task.take
    text = f"{task.digest}/{take}" if not number else f"{task.digest}/{take}/{number}"
    return hashlib.sha256(text.encode()).hexdigest()


def prompt_of(asked: Mapping[str, Json]) -> str:
    """Return the text that a request is about, "" if it has none."""
    for name in ("prompt", "text", "name"):
        if isinstance(text := asked.get(name), str) and text:
            return text
    shots = asked.get("multi_prompt")
    if isinstance(shots, list):
        texts = (shot.get("prompt") for shot in shots if isinstance(shot, dict))
        return " / ".join(text for text in texts if isinstance(text, str))
    return llm.question(asked) if "messages" in asked else ""


def _video_facts(model: Model, asked: Mapping[str, Json]) -> Iterator[str]:
    for name in ("resolution", "aspect_ratio", "size"):
        if isinstance(value := asked.get(name), str):
            yield value
    yield f"{duration_s(model, asked)} s"
    yield "sound" if has_sound(model, asked) else "silent"
    yield from _facts(model, asked, 0)


_INPUTS = ("image_urls", "reference_image_urls", "video_urls", "audio_urls")
_INPUT_NAMES = ("image_url", "video_url", "audio_url", "first_image_url")


def _facts(model: Model, asked: Mapping[str, Json], number: int) -> Iterator[str]:
    lists = [asked[name] for name in _INPUTS if isinstance(asked.get(name), list)]
    count = sum(len(urls) for urls in lists if isinstance(urls, list))
    count += sum(name in asked for name in _INPUT_NAMES)
    if count:
        kind = asked.get("generation_type")
        yield f"{kind}, {count} in" if isinstance(kind, str) else f"{count} in"
    for name in ("quality", "style", "mode", "preset"):
        if isinstance(value := asked.get(name), str) and name in model.fields:
            yield f"{name} {value}"
    if isinstance(maps := asked.get("maps"), list) and number < len(maps):
        yield str(maps[number])
    if isinstance(seed := asked.get("seed"), int) and seed >= 0:
        yield f"seed {seed}"


def _document(asked: Mapping[str, Json]) -> Archive:
    form = str(asked.get("convert_mode", "md"))
    given = str(asked.get("filename") or "document")[:50]
    name = "".join("_" if c in "/\\" or not c.isprintable() else c for c in given)
    pages = asked.get("page_count")
    text = f"# {name}\n\nThe sandbox's text for {asked['pdf_url']}, {pages} pages.\n"
    return Archive(members=((f"{name}.{form}", text),))
