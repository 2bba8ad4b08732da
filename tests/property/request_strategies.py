"""Requests to the pretend service, right and wrong, drawn from its catalogue."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

from foxbatch.sandbox.messages import Json
from foxbatch.sandbox.service.catalogue import Field, FieldType, Model

URLS = st.sampled_from(
    [
        "https://example.com/a.png",
        "http://example.com",
        "HTTPS://EXAMPLE.COM/ä?b=c#d",
        "https://127.0.0.1:8080/a",
        "https://" + "a" * 2040,
        "http://a.b-c_d:65535?x",
        "https://user:pw@example.com:/#",
        "https://[2001:db8::1]:443/a",
        "http://[1:2:3:4:5:6:7:8]",
    ]
)
_NO_URLS = [
    "ftp://example.com/a",
    "http://",
    "https:///a",
    "https://a b",
    "https://example.com:65536/",
    "https://[::1",
    "https://[1:2:3]/",
    "https://\u2100.com/",
    "https://user@/",
    "https://:80",
    "https://example.com/a\n",
    "https://" + "a" * 2041,
    "data:image/png;base64,iVBORw0KGgo=",
    "a" * 4096,
    "a" * 4097,
    "example.com",
]
_NUMBERS = [0, 1, -1, 2, 8, 256, 8.0, 0.5, -0.5, 1e300, 2**63 - 1, 2**63, -(2**63) - 1]
_OTHERS: list[Json] = [
    None,
    True,
    False,
    "",
    " ",
    "\u3000\n",
    "8",
    "x",
    [],
    [""],
    [None],
    [8],
    [{}],
    {},
    {"width": 1024},
]
JUNK: st.SearchStrategy[Json] = st.sampled_from([*_OTHERS, *_NO_URLS, *_NUMBERS])
_SIDES: st.SearchStrategy[Json] = st.sampled_from(
    [240, 256, 512, 1000, 1024, 2048, 3840, 3856, "512", 512.0]
)


@st.composite
def bodies(draw: st.DrawFn, model: Model) -> dict[str, Json]:
    """Draw a request for *model*: as it should be, or with up to three changes."""
    body: dict[str, Json] = {"model": model.name}
    for name, field in model.fields.items():
        if field.required or draw(st.integers(0, 3)) == 0:
            body[name] = draw(values(field))
    if together := sorted(rule_fields(model)):
        for name in draw(st.sets(st.sampled_from(together))):
            body[name] = draw(values(model.fields[name]))
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 1, 2, 3]))):
        _change(draw, body, model)
    return body


def rule_fields(model: Model) -> set[str]:
    """Return the fields that the rules of *model* speak of."""
    names = {"image_urls"} if any(rule.images_by for rule in model.rules) else set()
    for rule in model.rules:
        names |= {*rule.exactly_one, *rule.any_of, *rule.not_both}
        names |= {*rule.then, *rule.if_, rule.only_with, rule.images_by}
    return names - {""}


def _change(draw: st.DrawFn, body: dict[str, Json], model: Model) -> None:
    names = [*model.fields, "model"]
    match draw(st.sampled_from(["junk", "junk", "edge", "edge", "gone", "strange"])):
        case "junk":
            body[draw(st.sampled_from(names))] = draw(JUNK)
        case "edge":
            name = draw(st.sampled_from(list(model.fields)))
            body[name] = draw(edges(model.fields[name]))
        case "gone":
            body.pop(draw(st.sampled_from(names)), None)
        case _:
            others = ["n", "Prompt", "callback_url", "seed", *model.unsupported]
            body[draw(st.sampled_from(others))] = draw(JUNK)


# ---- Fields


@cache
def values(field: Field) -> st.SearchStrategy[Json]:
    """Return values that *field* accepts by itself."""
    if field.enum and field.type != "array":
        chosen: st.SearchStrategy[Json] = st.sampled_from(field.enum)
    elif field.type == "array":
        fewest = max(field.min_items or 0, int(field.required))
        most = min(
            fewest + 3, fewest + 3 if field.max_items is None else field.max_items
        )
        items = st.sampled_from(field.enum) if field.enum else _plain(field.items)
        chosen = st.lists(items, min_size=fewest, max_size=most).map(_as_json)
    elif field.type in {"integer", "number"}:
        chosen = _within(field)
    else:
        chosen = _plain(field.type)
        if field.min_length is not None:
            chosen = st.just("x" * field.min_length)
    return chosen | st.none() if field.nullable else chosen


def _as_json(items: list[Json]) -> Json:
    return items


def _as_object(sides: dict[str, Json]) -> Json:
    return sides


def _plain(kind: FieldType) -> st.SearchStrategy[Json]:
    match kind:
        case "url" | "callback":
            return URLS
        case "media":
            return URLS | st.sampled_from(["data:image/png;base64,AAAA", "A" * 4097])
        case "integer":
            return st.integers(-5, 5)
        case "boolean":
            return st.booleans()
        case "object":
            return st.sampled_from([{}, {"a": [1, None]}, {"prompt": "x"}])
        case _:
            return st.text("ab \u3000é😀", min_size=1, max_size=8)


def _within(field: Field) -> st.SearchStrategy[Json]:
    low = 0 if field.min is None else field.min
    high = low + 3 if field.max is None else field.max
    if field.type == "integer":
        return st.integers(int(low), int(high))
    return st.floats(low, high) | st.sampled_from([low, high])


@cache
def edges(field: Field) -> st.SearchStrategy[Json]:
    """Return values next to the bounds of *field*, on both sides."""
    found: list[Json] = [None, ""]
    for bound in (field.min, field.max, field.or_):
        if bound is not None:
            whole = int(bound)
            found += [whole - 1, whole, whole + 1, bound + 0.5, str(whole)]
    for length in (field.min_length, field.max_length):
        if length is not None:
            found += ["é" * length, "é" * (length + 1), "é" * (length - 1)]
            found += [["é" * length], ["é" * (length + 1)]]
    item: Json = field.enum[0] if field.enum else "https://example.com/a.png"
    item = {} if field.items == "object" else item
    for length in (field.min_items, field.max_items, 1):
        if length is not None:
            found += [[item] * n for n in (length - 1, length, length + 1)]
    drawn: st.SearchStrategy[Json] = st.sampled_from(found)
    if field.type == "size":
        drawn |= st.fixed_dictionaries({"width": _SIDES, "height": _SIDES}).map(
            _as_object
        )
    return drawn
