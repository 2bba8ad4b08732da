"""What the service accepts for the veo models, and what it charges.

Written from the service's public pages alone. Where two pages disagree, the
wider one is accepted and `SandboxOptions` holds the switch.

The prices are invented: the service publishes no unit for `credits_reserved`.
They only have to differ where real prices differ (model, resolution, duration,
sound). A table row holds credits for each two seconds, silent and with sound.

    model          720p       1080p      4k
    veo-3.1        28  42     42  63     84  126
    veo-3.1-fast   14  21     20  30     42   63
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from foxbatch.sandbox.messages import Json

MODELS = ("veo-3.1", "veo-3.1-fast")

_CREDITS_PER_2_S: Mapping[tuple[str, str], tuple[int, int]] = {
    ("veo-3.1", "720p"): (28, 42),
    ("veo-3.1", "1080p"): (42, 63),
    ("veo-3.1", "4k"): (84, 126),
    ("veo-3.1-fast", "720p"): (14, 21),
    ("veo-3.1-fast", "1080p"): (20, 30),
    ("veo-3.1-fast", "4k"): (42, 63),
}

IMAGES_NEEDED: Mapping[str, tuple[int, int]] = {
    "text-to-video": (0, 0),
    "image-to-video": (1, 1),
    "first-last-frame": (2, 2),
    "reference-to-video": (1, 3),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """Where the service's pages contradict each other or say nothing.

    Attributes:
        audio_default: `generate_audio` when it is not sent; the older page says
            true, the newer one false.
        images_with_text: What becomes of images sent with text-to-video.
        short_references: What becomes of reference-to-video with 4 or 6 s, which
            only the newer page forbids.
    """

    audio_default: bool = True
    images_with_text: Literal["refuse", "ignore"] = "refuse"
    short_references: Literal["accept", "refuse"] = "accept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request is answered with 422."""

    message: str
    code: str = ""
    unsupported: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    kind: type
    allowed: tuple[str | int, ...] = ()
    nullable: bool = False
    standard_only: bool = False  # the fast tier does not honour it

    def problem(self, name: str, value: Json) -> str:
        """Return what is wrong with *value*, or "" if nothing is."""
        if value is None and self.nullable:
            return ""
        if type(value) is not self.kind:  # True is no integer here, 8.0 neither
            return f"{name} must be {_KIND_NAMES[self.kind]}"
        if self.allowed and value not in self.allowed:
            return f"{name} must be one of {', '.join(map(str, self.allowed))}"
        return ""


_KIND_NAMES: Mapping[type, str] = {
    str: "a string",
    int: "an integer",
    bool: "a boolean",
    list: "an array",
    dict: "an object",
}

_FIELDS: Mapping[str, _Field] = {
    "model": _Field(kind=str),
    "prompt": _Field(kind=str),
    "generation_type": _Field(kind=str, allowed=tuple(IMAGES_NEEDED)),
    "image_urls": _Field(kind=list, nullable=True),
    "aspect_ratio": _Field(kind=str, allowed=("16:9", "9:16")),
    "duration": _Field(kind=int, allowed=(4, 6, 8)),
    "resolution": _Field(kind=str, allowed=("720p", "1080p", "2160p", "4k")),
    "generate_audio": _Field(kind=bool),
    "advanced": _Field(kind=dict),
    "auto_fix": _Field(kind=bool, nullable=True),
    "negative_prompt": _Field(kind=str, nullable=True),
    "safety_tolerance": _Field(kind=int, allowed=(1, 2, 3, 4, 5, 6), nullable=True),
    "seed": _Field(kind=int, nullable=True),
    "enhance_prompt": _Field(kind=bool, nullable=True, standard_only=True),
    "person_generation": _Field(
        kind=str,
        allowed=("dont_allow", "allow_adult"),
        nullable=True,
        standard_only=True,
    ),
    "reference_type": _Field(
        kind=str, allowed=("ASSET", "STYLE"), nullable=True, standard_only=True
    ),
}

_DEFAULTS: Mapping[str, Json] = MappingProxyType(
    {
        "generation_type": "text-to-video",
        "image_urls": None,
        "aspect_ratio": "16:9",
        "duration": 8,
        "resolution": "1080p",
    }
)


def check(body: Json, switches: Switches) -> dict[str, Json] | Refusal:
    """Return the request with its defaults filled in, or why it is refused.

    The two names of the top tier become one, "4k".
    """
    if not isinstance(body, dict):
        return Refusal(message="Request body must be a JSON object")
    model = body.get("model")
    if isinstance(model, str) and model not in MODELS:
        return Refusal(
            message=f"Model {model} does not exist or is not enabled",
            code="model_not_found",
        )
    wrong = list(_field_problems(body))
    if wrong:
        return Refusal(message="; ".join(wrong))
    if model != "veo-3.1" and (beyond := _beyond_fast(body)):
        return Refusal(
            message=f"Option not supported: {', '.join(beyond)}",
            code="unsupported_advanced_options",
            unsupported=beyond,
        )
    asked = _filled(body, switches)
    wrong = list(_joint_problems(asked, switches))
    return Refusal(message="; ".join(wrong)) if wrong else asked


def credits_for(asked: Mapping[str, Json]) -> int:
    """Return what the sandbox charges for a request that `check` filled in."""
    model, resolution = str(asked["model"]), str(asked["resolution"])
    silent, with_sound = _CREDITS_PER_2_S[model, resolution]
    per_2_s = with_sound if asked["generate_audio"] else silent
    return per_2_s * int(str(asked["duration"])) // 2


def _field_problems(body: Mapping[str, Json]) -> Iterator[str]:
    for name, value in body.items():
        if name not in _FIELDS:
            yield f"Unknown field: {name}"
        elif problem := _FIELDS[name].problem(name, value):
            yield problem
    for name in ("model", "prompt"):
        if name not in body:
            yield f"Missing field: {name}"
    prompt = body.get("prompt")
    if isinstance(prompt, str) and not prompt.strip():
        yield "prompt must not be empty"
    urls = body.get("image_urls")
    if isinstance(urls, list) and not all(map(_is_web_url, urls)):
        yield "image_urls must hold http or https URLs"


def _is_web_url(value: Json) -> bool:
    if not isinstance(value, str) or any(char.isspace() for char in value):
        return False
    scheme, separator, rest = value.partition("://")
    host = rest.partition("/")[0]
    return scheme.lower() in {"http", "https"} and bool(separator and host)


def _beyond_fast(body: Mapping[str, Json]) -> tuple[str, ...]:
    return tuple(name for name in body if _FIELDS[name].standard_only)


def _filled(body: Mapping[str, Json], switches: Switches) -> dict[str, Json]:
    asked = {**_DEFAULTS, "generate_audio": switches.audio_default, **body}
    if asked["resolution"] == "2160p":
        asked["resolution"] = "4k"
    is_text = asked["generation_type"] == "text-to-video"
    if is_text and switches.images_with_text == "ignore":
        asked["image_urls"] = None
    return asked


def _joint_problems(asked: Mapping[str, Json], switches: Switches) -> Iterator[str]:
    generation_type = str(asked["generation_type"])
    is_reference = generation_type == "reference-to-video"
    urls = asked["image_urls"]
    count = len(urls) if isinstance(urls, list) else 0
    fewest, most = IMAGES_NEEDED[generation_type]
    if not fewest <= count <= most:
        needed = f"exactly {fewest}" if fewest == most else f"{fewest} to {most}"
        needed = needed if most else "no"
        yield f"{generation_type} needs {needed} image_urls, not {count}"
    if asked.get("reference_type") is not None and not is_reference:
        yield "reference_type is only for reference-to-video"
    refuses_short = is_reference and switches.short_references == "refuse"
    if refuses_short and asked["duration"] != 8:  # noqa: PLR2004  # seconds
        yield "reference-to-video needs duration 8"
