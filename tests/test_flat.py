"""Records as flat tables: which columns there are, and of which type."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
import pytest

from foxbatch.results import Flat, Record, Value, as_python, flatten
from foxbatch.results.flat import Kind
from tests.test_results import (
    ACCEPTED,
    DONE,
    FAILED,
    INTENDED,
    JOB,
    OTHER,
    RESULTS,
    STORY,
    record_of,
    stored,
)


def flat_of(*found: Record) -> Flat:
    return flatten([("sea", found)])


def with_cells(*cells: Mapping[str, object]) -> Flat:
    return flat_of(
        *(record_of(msgspec.structs.replace(JOB, cell=dict(cell))) for cell in cells)
    )


FIXED = {
    name: kind
    for name, kind in flat_of(record_of(*STORY)).results.columns.items()
    if not name.startswith(("cell.", "param."))
}


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(record_of(JOB), id="nothing happened"),
        pytest.param(record_of(JOB, INTENDED, ACCEPTED, FAILED), id="failed"),
        pytest.param(record_of(*STORY), id="done"),
        pytest.param(
            record_of(msgspec.structs.replace(JOB, prompt=None)), id="no prompt"
        ),
    ],
)
def test_a_column_has_its_type_also_where_nothing_is_in_it(record: Record) -> None:
    table = flat_of(record).results

    assert {n: k for n, k in table.columns.items() if n in FIXED} == FIXED
    assert [list(row) for row in table.rows] == [list(table.columns)]


def test_figures_of_a_file_have_their_types() -> None:
    (row,) = flat_of(record_of(*STORY)).results.rows

    assert row["media.duration_s"] == 4.0
    assert isinstance(row["credits"], float)
    assert (row["artifact.bytes"], row["media.width"]) == (1000, 1280)
    assert FIXED["media.duration_s"] == FIXED["credits"] == "number"
    assert FIXED["artifact.bytes"] == "whole"
    assert FIXED["time.accepted"] == "moment"


@pytest.mark.parametrize(
    ("values", "kind", "written"),
    [
        ([1, 2], "whole", [1, 2]),
        ([1, 2.5], "number", [1.0, 2.5]),
        (["a", "b"], "text", ["a", "b"]),
        ([True, False], "truth", [True, False]),
        (["a", 1], "text", ["a", "1"]),
        ([True, 1], "text", ["true", "1"]),
        ([[1], {"a": "é"}], "json", ["[1]", '{"a": "é"}']),
        ([None, 3], "whole", [None, 3]),
        ([None, None], "text", [None, None]),
        ([2**63, 1], "text", [str(2**63), "1"]),
        ([-(2**63), 1], "whole", [-(2**63), 1]),
    ],
    ids=repr,
)
def test_a_column_of_the_manifest_follows_its_values(
    values: list[object], kind: Kind, written: list[Value]
) -> None:
    table = with_cells(*({"take": value} for value in values)).jobs

    assert table.columns["cell.take"] == kind
    assert [row["cell.take"] for row in table.rows] == written


def test_names_that_differ_in_capitals_alone_are_two_columns() -> None:
    table = with_cells({"sky": 1, "Sky": 2, "SKY": 3}).jobs

    (row,) = table.rows
    assert {n: row[n] for n in row if n.startswith("cell.")} == {
        "cell.sky": 1,
        "cell.Sky_2": 2,
        "cell.SKY_3": 3,
    }


def test_a_job_without_an_axis_has_nothing_there() -> None:
    table = with_cells({"sky": "fog"}, {"take": 2}).jobs

    assert [row["cell.sky"] for row in table.rows] == ["fog", None]
    assert [row["cell.take"] for row in table.rows] == [None, 2]


def test_model_and_prompt_are_told_once() -> None:
    columns = flat_of(record_of(JOB)).jobs.columns

    assert "param.duration" in columns
    assert not {"param.model", "param.prompt"} & set(columns)


def test_jobs_are_rows_once_and_files_each() -> None:
    two = record_of(JOB, INTENDED, ACCEPTED, RESULTS, stored(1), stored(2), DONE)

    flat = flat_of(two, record_of(OTHER))

    assert [row["job"] for row in flat.jobs.rows] == [JOB.job, OTHER.job]
    assert [row["job"] for row in flat.results.rows] == [JOB.job] * 2 + [OTHER.job]
    assert [row["artifact.path"] for row in flat.artifacts.rows] == [
        "artifacts/clip-1.mp4",
        "artifacts/clip-2.mp4",
    ]
    assert list(flat.artifacts.columns)[:4] == ["run", "job", "name", "artifact.path"]


def test_rows_say_whose_they_are() -> None:
    flat = flatten([("before", [record_of(JOB)]), ("after", [record_of(JOB)])])

    assert [row["run"] for row in flat.jobs.rows] == ["before", "after"]


def test_a_seed_that_no_column_can_hold_is_in_what_was_reported() -> None:
    results = msgspec.structs.replace(RESULTS, extras={"seed": 2**64})
    record = record_of(JOB, INTENDED, ACCEPTED, results)

    (row,) = flat_of(record).jobs.rows

    assert record.seed == 2**64
    assert (row["seed"], row["reported"]) == (None, f'{{"seed": {2**64}}}')


def test_python_gets_moments() -> None:
    at = "2026-01-01T00:00:01.500Z"
    moment = datetime(2026, 1, 1, 0, 0, 1, 500_000, UTC)

    assert as_python(at, "moment") == moment
    assert as_python(None, "moment") is None
    assert as_python(at, "text") == at
