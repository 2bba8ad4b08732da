"""What the service accepts for a model: a request is filled in, or refused.

Written from the service's public pages alone. Where two of them disagree, the
wider one is accepted unless a switch says otherwise.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from foxbatch.sandbox.messages import Json
from foxbatch.sandbox.options import SandboxOptions, Switches
from foxbatch.sandbox.service.catalogue import Field, FieldType, Model, Rule

IMAGES_NEEDED: Mapping[str, tuple[int, int]] = {
    "text-to-video": (0, 0),
    "image-to-video": (1, 1),
    "first-last-frame": (2, 2),
    "reference-to-video": (1, 3),
}
"""Fewest and most image_urls for each generation_type of the veo models."""

# What is published as a pattern is checked by the same pattern. White space and
# control characters are spelled out: `\s` means something else in each language.
# A URL has a host of letters in any script, or an IPv6 address, and a port that exists.
_HEX = r"[0-9A-Fa-f]{1,4}"
_IPV6 = (
    rf"\[(?:{_HEX}(?::{_HEX}){{7}}"
    rf"|(?:{_HEX}(?::{_HEX}){{0,2}})?::(?:{_HEX}(?::{_HEX}){{0,3}})?)\]"
)
_PORT = (
    r":(?:[0-9]{0,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}"
    r"|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)
_NAME = r"[^\x00-\x2c\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\xa0]+"
_AFTER_SCHEME = (
    rf"://(?:[A-Za-z0-9._~%!$&'()*+,;=:-]*@)?(?:{_NAME}|{_IPV6})(?:{_PORT})?"
    r"(?:[/?#][^\x00-\x20\x7f-\xa0]*)?$"
)
WEB_URL = r"^[Hh][Tt][Tt][Pp][Ss]?" + _AFTER_SCHEME
HTTPS_URL = r"^[Hh][Tt][Tt][Pp][Ss]" + _AFTER_SCHEME
NOT_BLANK = (
    r"[^\x09-\x0d\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
)
URL_LENGTH = 2048
INLINE_FROM = 4096  # characters; shorter ones are taken for URLs
_INLINE_BYTES = 5 * 2**20  # of one picture that is sent inside the request
_INLINE_ITEMS = 5  # in one request
_INLINE_TOTAL_BYTES = 10 * 2**20  # likewise
LEAST_INTEGER, GREATEST_INTEGER = -(2**63), 2**63 - 1
LEAST_SIDE, GREATEST_SIDE, SIDE_STEP = 256, 3840, 16  # pixels

_is_web_url_text = re.compile(WEB_URL.removesuffix("$")).fullmatch
_is_not_blank = re.compile(NOT_BLANK).search


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a submission is answered with 4xx.

    Attributes:
        status: 0 for the usual one, 422.
        unsupported: Names of the fields that no channel honours.
    """

    message: str
    kind: str = "invalid_request_error"
    code: str = ""
    status: int = 422
    unsupported: tuple[str, ...] = ()


def check(
    body: Mapping[str, Json], model: Model, options: SandboxOptions
) -> dict[str, Json] | Refusal:
    """Return *body* with the defaults of *model* filled in, or why it is refused.

    What is null and may be is left out. The two names of the veo models' top tier
    become one, "4k".
    """
    switches = options.switches
    sent = {name: value for name, value in body.items() if name != "model"}
    wrong = [*_field_problems(sent, model, options), *_inline_problems(sent, model)]
    unknown = [name for name in sent if name not in model.known]
    if unknown:
        message = "; ".join([f"Unknown field: {name}" for name in unknown] + wrong)
        return Refusal(message=message, status=int(switches.unknown_fields))
    if wrong:
        return Refusal(message="; ".join(wrong))
    beyond = [n for n in sent if n in model.unsupported or n in options.unsupported]
    if beyond:
        return Refusal(
            message=f"Option not supported: {', '.join(beyond)}",
            code="unsupported_advanced_options",
            unsupported=tuple(beyond),
        )
    asked = _filled(sent, model, switches)
    problems = [
        problem
        for rule in model.rules
        if not rule.switch or getattr(switches, rule.switch) == "refuse"
        if (problem := _broken(rule, sent, asked))
    ]
    return Refusal(message="; ".join(problems)) if problems else asked


# ---- Fields by themselves


def _field_problems(
    sent: Mapping[str, Json], model: Model, options: SandboxOptions
) -> Iterator[str]:
    for name, field in model.fields.items():
        if name not in sent:
            if field.required:
                yield f"Missing field: {name}"
        elif problem := problem_of(name, sent[name], field, options.switches):
            yield problem


def problem_of(name: str, value: Json, field: Field, switches: Switches) -> str:
    """Return what is wrong with *value*, sent as *name*, or "" if nothing is."""
    if value is None:
        return "" if field.nullable else f"{name} must be {_named(field)}"
    if not _is_of(value, field.type):
        return f"{name} must be {_named(field)}"
    match value:
        case str():
            return _text_problem(name, value, field, switches)
        case list():
            return _list_problem(name, value, field)
        case dict() if field.type == "size":
            return _size_problem(name, value)
        case int() | float() if not isinstance(value, bool):
            return _number_problem(name, value, field)
        case _:
            return ""


def _is_of(value: Json, kind: FieldType) -> bool:
    """Return whether *value* has the JSON type; True is no integer, 8.0 neither."""
    match kind:
        case "integer":
            return type(value) is int
        case "number":
            return type(value) in (int, float)
        case "boolean":
            return isinstance(value, bool)
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "size":
            return isinstance(value, (str, dict))
        case _:
            return isinstance(value, str)


_TYPE_NAMES: Mapping[FieldType, str] = {
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean",
    "object": "an object",
    "array": "an array",
    "size": "a string, or an object with width and height",
}


def _named(field: Field) -> str:
    return _TYPE_NAMES.get(field.type, "a string")


def _text_problem(name: str, text: str, field: Field, switches: Switches) -> str:
    if field.enum and text not in field.enum:
        return f"{name} must be one of {', '.join(map(str, field.enum))}"
    if field.required and not _is_not_blank(text):
        return f"{name} must not be empty"
    if field.min_length is not None and len(text) < field.min_length:
        return f"{name} must have at least {field.min_length} characters"
    if field.max_length is not None and len(text) > field.max_length:
        return f"{name} must have at most {field.max_length} characters"
    if field.type == "callback":
        return _callback_problem(name, text, switches)
    return "" if fits(text, field.type) else f"{name} must be {_FORM_NAMES[field.type]}"


_FORM_NAMES: Mapping[FieldType, str] = {
    "url": "an http or https URL",
    "media": f"a URL, or a picture of at most {_INLINE_BYTES >> 20} MB as base64",
}


def fits(text: str, kind: FieldType) -> bool:
    """Return whether *text* has the form that *kind* of string must have."""
    match kind:
        case "url":
            return _is_web_url(text)
        case "media":
            is_small = _inline_bytes(text) <= _INLINE_BYTES
            return is_small if _is_inline(text) else _is_web_url(text)
        case _:
            return True


def _is_inline(text: str) -> bool:
    return text.startswith("data:") or len(text) > INLINE_FROM


def _inline_bytes(text: str) -> int:
    """Return how large the picture in *text* is; all but its last bytes count."""
    start = text.find(",") + 1 if text.startswith("data:") else 0
    return len(text[start:].rstrip("=")) * 3 // 4


def _inline_problems(sent: Mapping[str, Json], model: Model) -> Iterator[str]:
    """Yield what is wrong with all pictures in the request together."""
    if not model.media:
        return
    values = [sent.get(name) for name in model.media]
    lists = (value if isinstance(value, list) else [value] for value in values)
    texts = (text for texts in lists for text in texts if isinstance(text, str))
    sizes = [_inline_bytes(text) for text in texts if _is_inline(text)]
    if len(sizes) > _INLINE_ITEMS:
        yield f"A request can hold at most {_INLINE_ITEMS} pictures as base64"
    if sum(sizes) > _INLINE_TOTAL_BYTES:
        yield f"Pictures as base64 can have at most {_INLINE_TOTAL_BYTES >> 20} MB"


def _list_problem(name: str, values: list[Json], field: Field) -> str:
    if field.min_items is not None and len(values) < field.min_items:
        return f"{name} must have at least {field.min_items} items"
    if field.max_items is not None and len(values) > field.max_items:
        return f"{name} must have at most {field.max_items} items"
    if field.required and not values:
        return f"{name} must not be empty"
    for value in values:
        if not _is_of(value, field.items):
            return f"{name} must hold {_ITEM_NAMES[field.items]}"
        if isinstance(value, str) and not fits(value, field.items):
            return f"{name} must hold {_ITEM_NAMES[field.items]}"
        if field.enum and value not in field.enum:
            return f"{name} must hold {', '.join(map(str, field.enum))}"
        if field.max_length and len(str(value)) > field.max_length:
            return f"{name} must hold at most {field.max_length} characters each"
    return ""


_ITEM_NAMES: Mapping[FieldType, str] = {
    "string": "strings",
    "url": "http or https URLs",
    "media": "URLs or base64 pictures",
    "integer": "integers",
    "object": "objects",
}


def _number_problem(name: str, value: float, field: Field) -> str:
    if field.enum and value not in field.enum:
        return f"{name} must be one of {', '.join(map(str, field.enum))}"
    if field.or_ is not None and value == field.or_:
        return ""
    low, high = bounds_of(field)
    if low is not None and value < low:
        return f"{name} must be at least {_shown(low)}"
    if high is not None and value > high:
        return f"{name} must be at most {_shown(high)}"
    return ""


def _shown(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def bounds_of(field: Field) -> tuple[float | None, float | None]:
    """Return the least and the greatest value, None for none.

    An integer without bounds of its own has to fit in 64 bits.
    """
    if field.type != "integer":
        return field.min, field.max
    low = LEAST_INTEGER if field.min is None else int(field.min)
    high = GREATEST_INTEGER if field.max is None else int(field.max)
    return low, high


def _size_problem(name: str, value: dict[str, Json]) -> str:
    """Check {width, height}: sides of 256 to 3840 in steps of 16, at most 3 to 1."""
    sides = [value.get("width"), value.get("height")]
    lengths = [side for side in sides if type(side) is int]
    if len(value) != 2 or len(lengths) != 2:  # noqa: PLR2004  # width and height
        return f"{name} must have an integer width and height and nothing else"
    if any(
        side % SIDE_STEP or not LEAST_SIDE <= side <= GREATEST_SIDE for side in lengths
    ):
        return f"{name} must have sides of 256 to 3840 in steps of 16"
    if max(lengths) > 3 * min(lengths):
        return f"{name} must not be longer than 3 to 1"
    pixels = lengths[0] * lengths[1]
    if not 655_360 <= pixels <= 8_294_400:  # noqa: PLR2004
        return f"{name} must have 655360 to 8294400 pixels"
    return ""


def _is_web_url(text: str) -> bool:
    return len(text) <= URL_LENGTH and _is_web_url_text(text) is not None


def _callback_problem(name: str, text: str, switches: Switches) -> str:
    if len(text) > URL_LENGTH:
        return f"{name} must have at most {URL_LENGTH} characters"
    is_local = switches.callbacks == "loopback"
    try:
        parts = urlsplit(text if _is_web_url(text) else "")
        host = parts.hostname or ""
    except ValueError:  # a letter of the host that stands for several
        host = ""
    if is_local and is_loopback(host):
        return ""
    if not host or not text.lower().startswith("https:"):
        return f"{name} must be an https URL"
    return f"{name} must not be a private address" if _is_private(host) else ""


def is_loopback(host: str) -> bool:
    """Return whether *host* is this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2]
        return last in {"localhost", "local", "internal"}


# ---- Fields together


def _filled(
    sent: Mapping[str, Json], model: Model, switches: Switches
) -> dict[str, Json]:
    asked: dict[str, Json] = {"model": model.name, **model.defaults}
    for name, switch in model.switched.items():
        asked[name] = getattr(switches, switch) == "on"
    asked |= {name: value for name, value in sent.items() if value is not None}
    if asked.get("resolution") == "2160p":
        asked["resolution"] = "4k"
    is_text = asked.get("generation_type") == "text-to-video"
    if is_text and switches.images_with_text == "ignore":
        asked.pop("image_urls", None)
    return asked


def _broken(rule: Rule, sent: Mapping[str, Json], asked: Mapping[str, Json]) -> str:
    """Return how *rule* is broken, or "" if it is not."""
    if rule.images_by:
        return _wrong_count(str(asked[rule.images_by]), asked.get("image_urls"))
    if rule.if_:
        holds = all(asked.get(name) == value for name, value in rule.if_.items())
        # `then` is for requests for which it holds, `only_with` for the others.
        return _broken_if(rule, asked) if holds == bool(rule.then) else ""
    if rule.exactly_one and _count(rule.exactly_one, sent) != 1:
        return f"Exactly one of {_listed(rule.exactly_one)} is needed"
    if rule.any_of and not _count(rule.any_of, sent):
        return f"One of {_listed(rule.any_of)} is needed"
    if rule.not_both and _count(rule.not_both, sent) > 1:
        return f"{_listed(rule.not_both)} exclude each other"
    return ""


def _broken_if(rule: Rule, asked: Mapping[str, Json]) -> str:
    reason = " and ".join(f"{name} {value}" for name, value in rule.if_.items())
    if rule.only_with:
        return f"{rule.only_with} is only for {reason}" * (rule.only_with in asked)
    needed = [f"{n} {value}" for n, value in rule.then.items() if asked.get(n) != value]
    return f"{reason} needs {' and '.join(needed)}" if needed else ""


def _count(names: tuple[str, ...], sent: Mapping[str, Json]) -> int:
    """Return how many of *names* say anything; an empty text or list does not."""
    return sum(sent.get(name) not in (None, "", []) for name in names)


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(names)


def _wrong_count(generation_type: str, urls: Json) -> str:
    count = len(urls) if isinstance(urls, list) else 0
    fewest, most = IMAGES_NEEDED[generation_type]
    if fewest <= count <= most:
        return ""
    needed = f"exactly {fewest}" if fewest == most else f"{fewest} to {most}"
    needed = needed if most else "no"
    return f"{generation_type} needs {needed} image_urls, not {count}"
