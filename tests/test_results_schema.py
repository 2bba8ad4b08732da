"""The JSON Schema of records, and that real records fit it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from foxbatch.results import results_schema
from tests.test_results import (
    ACCEPTED,
    DONE,
    FAILED,
    INTENDED,
    JOB,
    RESULTS,
    record_of,
    stored,
)

SCHEMA = Path(__file__).parents[1] / "schemas" / "results.schema.json"
REGENERATE = (
    "python -c 'import json; from foxbatch.results import results_schema; "
    "print(json.dumps(results_schema(), indent=2, ensure_ascii=False))' "
    "> schemas/results.schema.json"
)


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_published_schema_is_the_one_of_the_types() -> None:
    generated = json.dumps(results_schema(), indent=2, ensure_ascii=False) + "\n"

    assert SCHEMA.read_text(encoding="utf-8") == generated, f"type: {REGENERATE}"


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param((), id="new"),
        pytest.param((INTENDED, ACCEPTED, FAILED), id="failed"),
        pytest.param((INTENDED, ACCEPTED, RESULTS, stored(1), DONE), id="done"),
    ],
)
def test_a_record_fits_it_with_every_field(
    facts: tuple[object, ...], validator: jsonschema.Draft202012Validator
) -> None:
    record = json.loads(json.dumps(record_of(JOB, *facts).to_json()))  # type: ignore[arg-type]

    validator.validate(record)
    for field in record:
        rest = {name: value for name, value in record.items() if name != field}
        assert not validator.is_valid(rest), field


def test_it_refuses_another_phase(validator: jsonschema.Draft202012Validator) -> None:
    record = json.loads(json.dumps(record_of(JOB).to_json()))

    assert not validator.is_valid(record | {"phase": "finished"})
