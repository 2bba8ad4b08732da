"""Whatever stands in a manifest: jobs come of it, or problems that point into it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import given, settings, strategies as st

from foxbatch.api.wanted import Instead, check, expand, read_wanted
from foxbatch.canonical import Json
from foxbatch.cli._editor import manifest_schema
from foxbatch.errors import InvalidError, Position, Problem, Severity
from foxbatch.manifest import mend
from foxbatch.yaml12 import scan
from tests.property.manifest_strategies import (
    damaged,
    manifests,
    nearly,
    write_files,
    written,
)
from tests.property.strategies import yaml_like

EXAMPLES = 25
EDITOR = jsonschema_rs.validator_for(manifest_schema("foxapi"))
DEAD = re.compile(r'"(exclude|sample|random)":')


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("manifests")
    write_files(folder)
    return folder


@dataclass(frozen=True)
class Judged:
    """What came of a manifest."""

    jobs: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> list[str]:
        return [p.code for p in self.problems if p.severity is Severity.ERROR]


def judge(content: bytes, folder: Path) -> Judged:
    try:
        wanted = read_wanted(content, folder / "m.yaml", Instead())
        checked = check(wanted)
    except InvalidError as error:
        return Judged((), error.problems)
    jobs = expand(wanted) if checked.valid else ()
    return Judged(tuple(job.id for job in jobs), checked.problems)


def lines_of(content: bytes) -> list[str]:
    text = content.decode("utf-8", "replace").removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def misplaced(judged: Judged, content: bytes, folder: Path) -> list[str]:
    """Return the problems that do not point into the file that they are about."""
    return [
        f"{problem} {position}"
        for problem in judged.problems
        for position in places(problem)
        if not is_inside(position, content, folder)
    ]


def places(problem: Problem) -> Iterator[Position]:
    yield problem.position
    yield from (related.position for related in problem.related)
    yield from (edit.position for edit in problem.fix)


def is_inside(at: Position, content: bytes, folder: Path) -> bool:
    if at.file != str(folder / "m.yaml"):
        path = folder / at.file
        content = path.read_bytes() if path.is_file() else b""
    lines = lines_of(content)
    return (
        1 <= at.line <= at.end_line <= len(lines)
        and 1 <= at.column <= len(lines[at.line - 1]) + 1
        and 1 <= at.end_column <= len(lines[at.end_line - 1]) + 1
        and (at.line, at.column) <= (at.end_line, at.end_column)
    )


def is_yaml(content: bytes) -> bool:
    try:
        scan(content, file="m.yaml")
    except InvalidError:
        return False
    return True


contents = st.one_of(
    written(manifests()), written(nearly()), damaged(), yaml_like.map(str.encode)
)


@settings(max_examples=4 * EXAMPLES)
@given(content=contents)
def test_anything_gives_jobs_or_problems_that_point_into_it(
    content: bytes, folder: Path
) -> None:
    judged = judge(content, folder)

    assert misplaced(judged, content, folder) == []
    assert all(problem.message for problem in judged.problems)
    assert judge(content, folder) == judged


@settings(max_examples=EXAMPLES)
@given(content=written(nearly()) | damaged())
def test_fixes_leave_a_manifest_no_worse(content: bytes, folder: Path) -> None:
    before = judge(content, folder)
    mendable = [problem for problem in before.problems if problem.fix]
    if not mendable:
        return

    mended = mend(content, mendable)

    after = judge(mended.content, folder)
    assert mended.done
    assert misplaced(after, mended.content, folder) == []
    if is_yaml(content):
        assert is_yaml(mended.content)
    if not before.errors:
        assert after.errors == []
        assert after.jobs == before.jobs


@settings(max_examples=EXAMPLES)
@given(content=st.binary(max_size=60))
def test_any_bytes_give_problems(content: bytes, folder: Path) -> None:
    judged = judge(content, folder)

    assert judged.errors
    assert misplaced(judged, content, folder) == []


@settings(max_examples=2 * EXAMPLES)
@given(content=written(manifests()) | written(nearly()))
def test_an_editor_refuses_nothing_that_is_valid(content: bytes, folder: Path) -> None:
    value = scan(content, file="m.yaml").value if is_yaml(content) else None

    refused = value is not None and not EDITOR.is_valid(value)

    assert not refused or has_dead_values(value) or judge(content, folder).errors


def has_dead_values(value: Json) -> bool:
    """Return whether values may be written that no job sends."""
    return bool(DEAD.search(json.dumps(value)))
