"""The models of the service and the fields of their requests, from `models.json`.

The file holds what the service's public pages say of each model, in families that
share all their fields. Nothing of it is read by the client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Literal, TypeAlias

import msgspec

from foxbatch.sandbox.messages import Json

FieldType: TypeAlias = Literal[
    "string",
    "url",
    "media",  # a URL, a data URL, or base64
    "callback",
    "integer",
    "number",
    "boolean",
    "object",
    "array",
    "size",  # one of `enum`, or {width, height}
]
Makes: TypeAlias = Literal[
    "video",
    "image",
    "audio",
    "archive",
    "words",
    "transcript",
    "voice",
    "custom_voice",
    "character",
    "profile",
]
Kind: TypeAlias = Literal["video", "image", "audio", "document", "llm"]


class Switched(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A default that depends on which page is believed."""

    switch: str


class Field(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"or_": "or"},
    forbid_unknown_fields=True,
):
    """One field of a request.

    Attributes:
        type: See `FieldType`.
        required: Whether a request without it is refused.
        nullable: Whether null stands for leaving it out.
        enum: Allowed values; empty for any.
        min: Least value, or None.
        max: Greatest value, or None.
        or_: One value beyond those bounds that is allowed, or None.
        items: Type of the elements of an array.
        default: Value where it is not sent, or None.
        extra: Not to be sent unless needed; a channel may not honour it.
    """

    type: FieldType
    required: bool = False
    nullable: bool = False
    enum: tuple[str | int, ...] = ()
    min: float | None = None
    max: float | None = None
    or_: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    items: FieldType = "string"
    min_items: int | None = None
    max_items: int | None = None
    default: Switched | str | int | float | bool | None = None
    extra: bool = False


class Rule(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"if_": "if"},
    forbid_unknown_fields=True,
):
    """What must hold between fields. Exactly one of the first six is there.

    Attributes:
        exactly_one: Names, of which one and only one must be there.
        any_of: Names, of which at least one must be there.
        not_both: Names, of which at most one may be there.
        images_by: Name of the field that says how many image_urls there must be.
        only_with: Name that may only be there when `if` holds.
        then: Value that each of these must have when `if` holds.
        if_: Values that the request has, defaults filled in.
        switch: Name of the switch that must say "refuse" for the rule to hold.
    """

    exactly_one: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    not_both: tuple[str, ...] = ()
    images_by: str = ""
    only_with: str = ""
    then: dict[str, int] = {}
    if_: dict[str, str] = {}
    switch: str = ""


class _Family(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    models: tuple[str, ...]
    path: str
    makes: Makes
    fields: dict[str, Field]
    variants: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    unsupported: tuple[str, ...] = ()
    seeded: bool = False
    template: bool = False
    items: int | str = 1


@dataclass(frozen=True, kw_only=True)  # without slots, for what is derived once
class Model:
    """One model.

    Attributes:
        path: Of the route that takes its requests, such as "videos".
        makes: What its results are.
        kind: The service's word for that.
        fields: By name, without `model`.
        unsupported: Fields of its siblings that it does not honour.
        seeded: Whether results tell the seed.
        template: Whether only the page of a generic template describes it.
        items: How many results there are, or the name of the field that says so.
    """

    name: str
    path: str
    makes: Makes
    kind: Kind
    fields: Mapping[str, Field]
    rules: tuple[Rule, ...]
    unsupported: tuple[str, ...]
    seeded: bool
    template: bool
    items: int | str

    @property
    def route(self) -> str:
        """Return the path that requests for it are posted to."""
        return f"/v1/{self.path}/generations"

    @cached_property
    def known(self) -> frozenset[str]:
        """Return the names of all fields that it does not call unknown."""
        return frozenset((*self.fields, *self.unsupported))

    @cached_property
    def defaults(self) -> Mapping[str, Json]:
        """Return the values of fields that are not sent, by name."""
        return {
            name: field.default
            for name, field in self.fields.items()
            if field.default is not None and not isinstance(field.default, Switched)
        }

    @cached_property
    def switched(self) -> Mapping[str, str]:
        """Return the switches that decide on further defaults, by name of the field."""
        return {
            name: field.default.switch
            for name, field in self.fields.items()
            if isinstance(field.default, Switched)
        }

    @cached_property
    def media(self) -> tuple[str, ...]:
        """Return the names of fields that may hold pictures themselves."""
        return tuple(
            name
            for name, field in self.fields.items()
            if "media" in {field.type, field.items}
        )


_KINDS: Mapping[str, Kind] = {
    "videos": "video",
    "images": "image",
    "audios": "audio",
    "audio": "audio",
    "run": "document",
}


@cache
def models() -> Mapping[str, Model]:
    """Return every model that makes media, by name, in the order of the file."""
    return {
        name: Model(
            name=name,
            path=family.path,
            makes=family.makes,
            kind=_KINDS[family.path],
            fields=family.fields,
            rules=family.rules,
            unsupported=family.unsupported,
            seeded=family.seeded,
            template=family.template,
            items=family.items,
        )
        for family in _families()
        for name in family.models
    }


@cache
def families() -> tuple[tuple[Model, ...], ...]:
    """Return the models in groups that share all but their name."""
    return tuple(
        tuple(models()[name] for name in family.models) for family in _families()
    )


@cache
def variants() -> tuple[str, ...]:
    """Return the ids with brackets: each prices one way to ask for a model."""
    return tuple(name for family in _families() for name in family.variants)


def bare(name: str) -> str:
    """Return the model that an id such as `google/veo-3.1[fast]` prices."""
    return name.partition("[")[0].rpartition("/")[2]


@cache
def _families() -> tuple[_Family, ...]:
    text = files("foxbatch.sandbox.service").joinpath("models.json").read_bytes()
    return tuple(msgspec.json.decode(text, type=dict[str, list[_Family]])["families"])
