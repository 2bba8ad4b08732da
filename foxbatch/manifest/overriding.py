"""Values from the command line that go before those of the file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from foxbatch.canonical import Json
from foxbatch.errors import UsageError
from foxbatch.manifest.reading import mapping
from foxbatch.schema import load_schema, show, suggest
from foxbatch.yaml12 import Document, Where, scan


def overridden(document: Document, written: str) -> Document:
    """Return *document* with what *written* says, such as `vars.film=Kodak`.

    Raises:
        UsageError: There is no such place, or no value.
        InvalidError: The value is not YAML.
    """
    path, _, text = written.partition("=")
    if not path or not text.strip():
        raise UsageError(
            f"--set {written!r} gives no value",
            hint="Write --set PATH=VALUE, such as vars.film=Kodak, or vars.film='' for "
            "an empty text.",
        )
    return document.with_value(_where(document.value, path), _value(path, text))


def _value(path: str, text: str) -> Document:
    value = scan(text, file=f"--set {path}")
    comment = value.comment_after(())
    is_block = isinstance(value.value, list | dict) and text.lstrip()[0] not in "[{"
    if comment is None and not is_block:
        return value
    why = f"ends before {show(comment[1])}" if comment else "is not read as text"
    raise UsageError(
        f"--set {path}: the value {why}",
        hint=f"Put quotes inside those of the shell: --set '{path}=\"{text}\"'.",
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """A value of the manifest, null where it is not there, and what it may hold.

    Attributes:
        value: The value.
        schema: What describes it, with its references followed; null where nothing
            does.
    """

    value: Json
    schema: Json

    def steps(self) -> dict[str, str | int]:
        """Return what can be set inside, by the name that people write."""
        match self.value:
            case list(entries):
                ids = (mapping(entry).get("id") for entry in entries)
                named = {one: i for i, one in enumerate(ids) if isinstance(one, str)}
                return {**{str(i): i for i in range(len(entries))}, **named}
            case dict() | None:
                described = mapping(mapping(self.schema).get("properties"))
                return {name: name for name in (*mapping(self.value), *described)}
            case _:
                return {}

    @property
    def is_open(self) -> bool:
        """Return whether any other name is possible as well."""
        other = mapping(self.schema).get("additionalProperties")
        return isinstance(other, dict) and not isinstance(self.value, list)

    def inside(self, step: str | int) -> _Place:
        """Return the place that *step* leads to."""
        schema = mapping(self.schema)
        if isinstance(self.value, list) and isinstance(step, int):
            return _Place(self.value[step], _followed(schema.get("items")))
        described = mapping(schema.get("properties"))
        inner = described.get(str(step), schema.get("additionalProperties"))
        return _Place(mapping(self.value).get(str(step)), _followed(inner))


def _followed(schema: Json) -> Json:
    """Return the part of the manifest's schema that *schema* refers to, or itself."""
    name = mapping(schema).get("$ref")
    if not isinstance(name, str):
        return schema
    return mapping(load_schema("manifest")["definitions"])[name.rpartition("/")[2]]


def _where(value: Json, path: str) -> Where:
    """Return the place that *path* means; an entry of `jobs` goes by its id."""
    place, rest = _Place(value, load_schema("manifest")), path
    where: Where = ()
    while rest:
        known = place.steps()
        name = _first_name(known, rest)
        if name is None and place.is_open:
            name = rest.partition(".")[0]
        if not name:
            raise _no_such_place(path, rest, known)
        step = known.get(name, name)
        place, where, rest = place.inside(step), (*where, step), rest[len(name) + 1 :]
    return where


def _first_name(known: Iterable[str], rest: str) -> str | None:
    """Return the longest of *known* that *rest* begins with: names may have dots."""
    fitting = [name for name in known if f"{rest}.".startswith(f"{name}.")]
    return max(fitting, key=len, default=None)


def _no_such_place(path: str, rest: str, known: Iterable[str]) -> UsageError:
    before, name = path[: len(path) - len(rest)], rest.partition(".")[0]
    names = [f"{before}{one}" for one in known if not one.isdecimal()]
    inside = before.removesuffix(".") or "the manifest"
    return UsageError(
        f"--set {path}: there is no {name!r} in {inside}",
        hint=suggest(f"{before}{name}", names, "There is")
        or f"{inside} has nothing inside that could be set.",
    )
