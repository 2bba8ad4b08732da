"""The published schema of a line of a ledger."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

from foxbatch import ledger_schema as module
from foxbatch.events import (
    Event,
    encode,
    word,
)
from foxbatch.ledger_schema import ledger_schema
from tests.facts import (
    ENDED,
    EVERY_KIND,
    stamped,
)

SCHEMA = Path(__file__).parents[1] / "schemas" / "ledger.schema.json"
REGENERATE = (
    "python -c 'import json; from foxbatch.ledger_schema import ledger_schema; "
    "print(json.dumps(ledger_schema(), indent=2, ensure_ascii=False))' "
    "> schemas/ledger.schema.json"
)


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def line(**fields: object) -> bytes:
    """Return the line of a fact that is whole but for *fields*; None leaves out."""
    whole: dict[str, object] = json.loads(encode(stamped(ENDED))) | fields
    kept = {name: value for name, value in whole.items() if value is not None}
    return json.dumps(kept).encode()


@pytest.mark.parametrize("event", EVERY_KIND, ids=word)
def test_every_kind_fits_the_published_schema(
    event: Event, validator: jsonschema.Draft202012Validator
) -> None:
    validator.validate(json.loads(encode(stamped(event))))


@pytest.mark.parametrize(
    "fields",
    [
        {"v": 2},
        {"v": None},
        {"seq": 0},
        {"seq": None},
        {"at": "2026-01-02T03:04:05+00:00"},
        {"at": None},
        {"run": ""},
        {"run": None},
        {"event": "job.sold"},
        {"event": None},
        {"why": None},
        {"counts": {"done": "many"}},
    ],
    ids=str,
)
def test_the_schema_refuses_what_foxbatch_never_writes(
    fields: dict[str, object], validator: jsonschema.Draft202012Validator
) -> None:
    assert validator.is_valid(json.loads(line()))
    assert not validator.is_valid(json.loads(line(**fields)))


def test_the_published_schema_is_the_one_of_the_types() -> None:
    generated = json.dumps(ledger_schema(), indent=2, ensure_ascii=False) + "\n"

    assert SCHEMA.read_text(encoding="utf-8") == generated, f"type: {REGENERATE}"


def test_the_schema_describes_every_kind_of_fact() -> None:
    definitions = ledger_schema()["$defs"]

    assert isinstance(definitions, dict)
    assert {type(event).__name__ for event in EVERY_KIND} <= definitions.keys()
    for name, definition in definitions.items():
        assert isinstance(definition, dict)
        assert str(definition["description"]).endswith("."), name


def test_a_type_that_json_cannot_describe_is_no_silent_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    odd = msgspec.defstruct("Odd", [("size", complex)], tag="odd.seen")
    monkeypatch.setattr(module, "Event", odd)

    with pytest.raises(TypeError, match="complex"):
        ledger_schema()
