"""What a model accepts, as JSON Schema: made of the fields and rules of `models.json`.

`checks.check` refuses what these schemas refuse, and nothing else but what JSON
Schema has no words for:

- 8.0 where an integer is needed: to JSON Schema it is one, the service wants `8`;
- a width and a height that are too long, too small or too large taken together;
- a callback URL with an address of a private network;
- more than 5 pictures as base64 in one request, one of more than 5 MB, or more than
  10 MB in all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from foxbatch.sandbox.messages import Json
from foxbatch.sandbox.options import SandboxOptions, Switches
from foxbatch.sandbox.service import checks
from foxbatch.sandbox.service.catalogue import (
    Field,
    FieldType,
    Model,
    Rule,
    Switched,
    bare,
    families,
    variants,
)
from foxbatch.sandbox.service.openapi.values import Schema, object_schema, ref

_EXTRA = (
    "Send it only if it is needed: a channel may not honour it and refuse the request "
    "with `unsupported_advanced_options`."
)


def body_name(family: Sequence[Model]) -> str:
    """Return the name of the schema that the models of *family* share."""
    first = family[0]
    return f"{first.path}-template" if first.template else first.name


def body_schemas(options: SandboxOptions) -> dict[str, Schema]:
    """Return the schema of every family of models, by its name."""
    bodies = {body_name(family): _body(family, options) for family in families()}
    not_blank: Schema = {
        "description": "More than white space.",
        "pattern": checks.NOT_BLANK,
    }
    return {
        **bodies,
        "NotBlank": not_blank,
        "WebUrl": _url(checks.WEB_URL, "An http or https URL."),
        "HttpsUrl": _url(checks.HTTPS_URL, "An https URL."),
    }


def _url(pattern: str, description: str) -> Schema:
    return {
        "description": description,
        "pattern": pattern,
        "maxLength": checks.URL_LENGTH,
    }


def body_of_route(path: str, options: SandboxOptions) -> Schema:
    """Return the schema of what can be posted to `/v1/{path}/generations`."""
    mapping: dict[str, Json] = {}
    refs: list[Json] = []
    for family in families():
        if family[0].path == path:
            place = f"#/components/schemas/{body_name(family)}"
            refs.append({"$ref": place})
            mapping |= dict.fromkeys(_ids(family, options), place)
    return {
        "oneOf": refs,
        "discriminator": {"propertyName": "model", "mapping": mapping},
    }


def _ids(family: Sequence[Model], options: SandboxOptions) -> list[str]:
    names = [model.name for model in family]
    if options.switches.variant_ids == "refuse":
        return names
    return names + [name for name in variants() if bare(name) in names]


def _body(family: Sequence[Model], options: SandboxOptions) -> Schema:
    model, switches = family[0], options.switches
    properties: dict[str, Json] = {
        "model": {"type": "string", "enum": list[Json](_ids(family, options))}
    }
    for name, field in model.fields.items():
        if name not in options.unsupported:
            properties[name] = field_schema(field, switches)
    required = [name for name, field in model.fields.items() if field.required]
    schema = object_schema(properties, required=("model", *required))
    schema |= {
        "title": ", ".join(one.name for one in family),
        "description": _about(model),
        "examples": [example(model)],
    }
    conditions: list[Json] = [
        condition
        for rule in model.rules
        for condition in _conditions(rule, model, switches)
    ]
    return schema | ({"allOf": conditions} if conditions else {})


def _about(model: Model) -> str:
    made = model.makes.replace("_", " ")
    text = f"Makes: {made}."
    if model.template:
        text += " Only a generic template describes it; the real limits are unknown."
    if model.unsupported:
        text += (
            " Unlike its siblings it does not honour "
            f"{', '.join(model.unsupported)} (`unsupported_advanced_options`)."
        )
    return text


# ---- Fields


def field_schema(field: Field, switches: Switches) -> Schema:
    """Return the schema of the values of *field*."""
    match field.type:
        case "array":
            schema = _array(field)
        case "size":
            schema = _size(field)
        case "media":
            schema = _media()
        case "integer" | "number":
            schema = _number(field)
        case "boolean" | "object":
            schema = {"type": field.type}
        case _:
            schema = _text(field, switches)
    if field.nullable:
        schema = _or_null(schema)
    default = default_of(field, switches)
    if default is not None:
        schema["default"] = default
    return schema | ({"description": _EXTRA} if field.extra else {})


def default_of(field: Field, switches: Switches) -> Json:
    """Return the value of *field* where it is not sent, None for none."""
    default = field.default
    if isinstance(default, Switched):
        return bool(getattr(switches, default.switch) == "on")
    return default


def _or_null(schema: Schema) -> Schema:
    kind = schema["type"]
    kinds: list[Json] = [*kind] if isinstance(kind, list) else [kind]
    schema = schema | {"type": [*kinds, "null"]}
    for word in ("enum", "anyOf"):
        choices = schema.get(word)
        if isinstance(choices, list):
            null: Json = None if word == "enum" else {"type": "null"}
            schema[word] = [*choices, null]
    return schema


def _text(field: Field, switches: Switches) -> Schema:
    schema: Schema = {"type": "string"}
    if field.enum:
        return schema | {"enum": list[Json](field.enum)}
    if field.min_length is not None:
        schema["minLength"] = field.min_length
    if field.max_length is not None:
        schema["maxLength"] = field.max_length
    match field.type:
        case "url":
            schema |= ref("WebUrl")
        case "callback":
            is_public = switches.callbacks == "public"
            schema |= ref("HttpsUrl" if is_public else "WebUrl")
        case _:
            schema |= ref("NotBlank") if field.required else {}
    return schema


def _media() -> Schema:
    return {
        "type": "string",
        "anyOf": [
            ref("WebUrl"),
            {"pattern": "^data:"},
            {"minLength": checks.INLINE_FROM + 1, "description": "Base64."},
        ],
    }


def _number(field: Field) -> Schema:
    low, high = checks.bounds_of(field)
    bounds: Schema = {"minimum": low} if low is not None else {}
    bounds |= {"maximum": high} if high is not None else {}
    if field.enum:
        bounds = {"enum": list[Json](field.enum)}
    if field.or_ is not None:
        bounds = {"anyOf": [{"const": field.or_}, bounds]}
    return {"type": field.type, **bounds}


def _array(field: Field) -> Schema:
    items: Schema = _item(field.items)
    if field.enum:
        items["enum"] = list[Json](field.enum)
    elif field.max_length is not None:
        items["maxLength"] = field.max_length
    schema: Schema = {"type": "array", "items": items}
    fewest = max(field.min_items or 0, int(field.required))
    if fewest:
        schema["minItems"] = fewest
    if field.max_items is not None:
        schema["maxItems"] = field.max_items
    return schema


def _item(kind: FieldType) -> Schema:
    match kind:
        case "url":
            return {"type": "string", **ref("WebUrl")}
        case "media":
            return _media()
        case _:
            return {"type": kind}


def _size(field: Field) -> Schema:
    side: Schema = {
        "type": "integer",
        "minimum": checks.LEAST_SIDE,
        "maximum": checks.GREATEST_SIDE,
        "multipleOf": checks.SIDE_STEP,
    }
    sides = object_schema({"width": side, "height": side}) | {
        "description": "At most 3 to 1, and 655360 to 8294400 pixels in all.",
    }
    return {
        "type": ["string", "object"],
        "anyOf": [{"enum": list[Json](field.enum)}, sides],
    }


# ---- Rules


def _conditions(rule: Rule, model: Model, switches: Switches) -> Iterator[Schema]:
    if rule.switch and getattr(switches, rule.switch) != "refuse":
        return
    if rule.exactly_one:
        yield {"oneOf": [_says_something(name) for name in rule.exactly_one]}
    if rule.any_of:
        yield {"anyOf": [_says_something(name) for name in rule.any_of]}
    if rule.not_both:
        yield {"not": {"allOf": [_says_something(name) for name in rule.not_both]}}
    if rule.images_by:
        yield from _image_counts(rule.images_by, model, switches)
    holds = _has(rule.if_, model, switches)
    if rule.only_with:
        yield {"if": _is_sent(rule.only_with), "then": holds}
    if rule.then:
        yield {"if": holds, "then": _has(rule.then, model, switches)}


def _says_something(name: str) -> Schema:
    nothing: list[Json] = [None, "", []]
    return {"required": [name], "properties": {name: {"not": {"enum": nothing}}}}


def _is_sent(name: str) -> Schema:
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


def _has(values: Mapping[str, Json], model: Model, switches: Switches) -> Schema:
    """Return what a body fulfils that asks for *values*, or need not say so."""
    properties: dict[str, Json] = {}
    required: list[Json] = []
    for name, value in values.items():
        field = model.fields[name]
        is_default = default_of(field, switches) == value
        or_null: list[Json] = [None] if is_default and field.nullable else []
        properties[name] = {"enum": [value, *or_null]}
        required += [] if is_default else [name]
    schema: Schema = {"properties": properties}
    return schema | ({"required": required} if required else {})


def _image_counts(by: str, model: Model, switches: Switches) -> Iterator[Schema]:
    for kind in model.fields[by].enum:
        fewest, most = checks.IMAGES_NEEDED[str(kind)]
        if not most and switches.images_with_text == "ignore":
            continue
        count: Schema = {"maxItems": most}
        if fewest:
            count |= {"type": "array", "minItems": fewest}
        needed: Schema = {"properties": {"image_urls": count}}
        if fewest:
            needed["required"] = ["image_urls"]
        yield {"if": _has({by: kind}, model, switches), "then": needed}


# ---- Examples

_SAMPLES: Mapping[str, str] = {
    "prompt": "A paper boat drifts past the lighthouse at dawn",
    "text": "The last boat leaves at seven.",
    "name": "Marlow",
    "audio_url": "https://example.com/voice.mp3",
    "file_urls": "https://example.com/talk.mp3",
    "image_archive_url": "https://example.com/portraits.zip",
    "pdf_url": "https://example.com/paper.pdf",
    "video_id": "video_5d41402abc4b2a76",
    "video_url": "https://example.com/take.mp4",
    "voice_url": "https://example.com/voice.mp3",
}
_PICTURE = "https://example.com/boat.png"


def example(model: Model) -> dict[str, Json]:
    """Return the shortest request for *model* that is accepted."""
    wanted = [name for name, field in model.fields.items() if field.required]
    for rule in model.rules:
        wanted += [*rule.exactly_one[:1], *rule.any_of[:1]]
    body: dict[str, Json] = {"model": model.name}
    return body | {name: _sample(name, model.fields[name]) for name in wanted}


def _sample(name: str, field: Field) -> Json:
    if field.type == "array":
        item: Json = {} if field.items == "object" else _SAMPLES.get(name, _PICTURE)
        return [field.enum[0] if field.enum else item]
    if field.enum:
        return field.enum[0]
    if field.type == "integer":
        return int(field.min or 1)
    return _SAMPLES.get(name, _PICTURE if field.type == "url" else "any")
