"""What the sandbox charges. The figures are invented: the service publishes no unit.

They only have to differ where real prices differ: by model, size, length, sound and
number. 100 credits stand for one dollar.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from foxbatch.sandbox.messages import Json
from foxbatch.sandbox.service import catalogue
from foxbatch.sandbox.service.catalogue import Model
from foxbatch.sandbox.service.llm import MODELS as LLM_MODELS
from foxbatch.sandbox.service.sizes import (
    duration_s,
    has_sound,
    item_count,
    picture_size,
)

CREDITS_PER_USD = 100
QUOTA_PER_USD = 500_000
GROUPS: Mapping[str, float] = {"default": 1.0, "vip": 0.9}

# Credits for a second of video, silent and with sound.
_VEO: Mapping[tuple[str, str], tuple[float, float]] = {
    ("veo-3.1", "720p"): (14, 21),
    ("veo-3.1", "1080p"): (21, 31.5),
    ("veo-3.1", "4k"): (42, 63),
    ("veo-3.1-fast", "720p"): (7, 10.5),
    ("veo-3.1-fast", "1080p"): (10, 15),
    ("veo-3.1-fast", "4k"): (21, 31.5),
    ("veo-3.1-lite", "720p"): (4, 6),
    ("veo-3.1-lite", "1080p"): (6, 9),
}
_VIDEO_SECOND: Mapping[str, float] = {
    "360p": 3,
    "480p": 4,
    "540p": 5,
    "720p": 6,
    "1080p": 10,
    "4k": 24,
}
_SOUND = 1.5  # times as dear as silence
# Credits for a picture of at most so many pixels.
_IMAGE: tuple[tuple[int, float], ...] = ((400_000, 2), (1_700_000, 4), (4_400_000, 6))
_LARGE_IMAGE = 12.0
_QUALITY: Mapping[str, float] = {"low": 0.25, "medium": 0.5}
_MANY_FRAMES = 60  # in a second
_FLAT: Mapping[str, float] = {
    "voice": 30,
    "custom_voice": 30,
    "character": 20,
    "profile": 50,
    "words": 8,
    "transcript": 5,
}
_TIERS: Mapping[str, float] = {
    "pro": 2.0,
    "max": 2.0,
    "hd": 1.5,
    "fast": 0.5,
    "turbo": 0.5,
    "flash": 0.5,
    "lite": 0.35,
}
_PAGE = 2.0
_MOST_PAGES = 100_000  # that anybody is charged for
_LETTERS = 100  # of speech or lyrics for one credit


def credits_for(model: Model, asked: Mapping[str, Json]) -> int:
    """Return what is reserved for a request that `check` filled in, at least 1."""
    match model.makes:
        case "video":
            resolution = str(asked.get("resolution", "720p"))
            price = _per_second(model, resolution, sound=has_sound(model, asked))
            price *= duration_s(model, asked) * _effort(asked)
        case "image":
            price = _picture(asked) * _tier(model.name) * item_count(model, asked)
        case "audio":
            texts = (asked.get(name, "") for name in ("prompt", "lyrics"))
            letters = sum(len(text) for text in texts if isinstance(text, str))
            each = (2 + letters / _LETTERS) * _tier(model.name)
            price = each * item_count(model, asked)
        case "archive":
            pages = asked["page_count"]
            price = _PAGE * min(pages, _MOST_PAGES) if isinstance(pages, int) else _PAGE
        case flat:
            price = _FLAT[flat]
    return max(1, math.ceil(price))


def _picture(asked: Mapping[str, Json]) -> float:
    width, height = picture_size(asked)
    price = next(
        (price for pixels, price in _IMAGE if width * height <= pixels), _LARGE_IMAGE
    )
    return price * _QUALITY.get(str(asked.get("quality")), 1.0)


def _effort(asked: Mapping[str, Json]) -> float:
    """Return how many times the usual work a video is."""
    factor, frames = asked.get("upscale_factor"), asked.get("target_fps")
    work = float(factor) if isinstance(factor, (int, float)) else 1.0
    if isinstance(frames, int) and frames >= _MANY_FRAMES:
        work *= 2
    return work * 2 if asked.get("mode") == "pro" else work


def _per_second(model: Model, resolution: str, *, sound: bool) -> float:
    if (veo := _VEO.get((_veo_tier(model.name), resolution))) is not None:
        return veo[sound]
    price = _VIDEO_SECOND.get(resolution, 6) * _tier(model.name)
    return price * _SOUND if sound else price


@cache
def _veo_tier(name: str) -> str:
    """Return what the veo models of one tier have in common, "" for other models."""
    if not name.startswith("veo-3.1"):
        return ""
    tiers = {"fast", "lite"} & set(name.split("-"))
    return "-".join(["veo-3.1", *tiers])


@cache
def _tier(name: str) -> float:
    parts = name.lower().split("-")
    return math.prod(_TIERS.get(part, 1.0) for part in parts)


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One line of the price list.

    Attributes:
        usd: Of a second of video, or of one of anything else; for an LLM, its ratio
            to 0.002 dollars for a thousand tokens.
        by_tokens: Whether it is an LLM.
    """

    name: str
    usd: float
    by_tokens: bool = False


def price_list() -> Iterator[PriceRow]:
    """Yield what each model and each id with brackets costs."""
    for name, model in catalogue.models().items():
        yield PriceRow(name, _unit_usd(model, ()))
    for variant in catalogue.variants():
        name, _, rest = variant.removeprefix("google/").partition("[")
        model = catalogue.models()[name.removeprefix("openai/")]
        yield PriceRow(variant, _unit_usd(model, tuple(rest.rstrip("]").split("|"))))
    for name in LLM_MODELS:
        yield PriceRow(name, 1.0, by_tokens=True)


def _unit_usd(model: Model, marks: tuple[str, ...]) -> float:
    resolution = next((mark for mark in marks if mark in _VIDEO_SECOND), "720p")
    if model.makes == "video":
        price = _per_second(model, resolution, sound="audio" in marks)
        price *= 0.5 if "fast" in marks else 1.0
        price *= 2 if "pro" in marks else 1
    elif model.makes == "image":
        price = _picture({}) * _tier(model.name)
    elif model.makes == "audio":
        price = 2 * _tier(model.name)
    else:
        price = _FLAT.get(model.makes, _PAGE)
    return round(price / CREDITS_PER_USD, 4)
