"""How many cells there may be, and values from files."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest

from foxbatch.matrix import cells
from tests.matrices import cells_of, one_job, read

# ---- limits


def test_a_huge_product_is_refused_by_arithmetic() -> None:
    values = list(range(1_000))
    text = one_job(f"matrix: {{axes: {{a: {values}, b: {values}, c: {values}}}}}")
    manifest = read(text)
    problems: list[str] = []
    tracemalloc.start()

    start = time.process_time()
    found = list(cells(manifest, lambda problem: problems.append(problem.message)))
    took_s = time.process_time() - start

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == []
    assert problems == [
        "1000 × 1000 × 1000 is 1,000,000,000 combinations, and 10,000,000 is the most"
    ]
    assert took_s < 2
    assert peak < 20_000_000


@pytest.mark.parametrize(
    ("job", "wanted"),
    [
        pytest.param("{axes: {a: [1, 2, 3], b: [1, 2]}}", "6 jobs", id="by arithmetic"),
        pytest.param(
            "{axes: {a: [1, 2, 3]}, include: [{a: 1, x: 1}, {a: 7}, {a: 8}, {a: 9}]}",
            "6 jobs",
            id="with lone includes",
        ),
        pytest.param(
            "{axes: {a: [1, 2, 3], b: [1, 2, 3]}, exclude: [{a: 3}]}",
            "more than 5 jobs",
            id="while walking",
        ),
    ],
)
def test_more_jobs_than_max_jobs_are_refused(job: str, wanted: str) -> None:
    text = one_job(f"matrix: {job}", top="limits: {max_jobs: 5}")
    problems: list[str] = []

    found = list(cells(read(text), lambda problem: problems.append(problem.message)))

    assert len(found) <= 5
    assert problems == [f"the manifest asks for {wanted}, and limits.max_jobs is 5"]


def test_repeats_count_as_jobs() -> None:
    problems: list[str] = []
    text = one_job("prompts: [x]\nrepeat: 6", top="limits: {max_jobs: 5}")

    list(cells(read(text), lambda problem: problems.append(problem.code)))

    assert problems == ["E-MAX-JOBS"]


# ---- lines of files


def lines_of(content: bytes, folder: Path) -> list[str]:
    (folder / "prompts.txt").write_bytes(content)
    outcome = cells_of("{axes: {prompt: {lines: prompts.txt}}}", folder)
    assert outcome.errors == []
    return [one.prompt.text for one in outcome.cells if one.prompt]


def test_t20_lines_of_a_file_are_data(tmp_path: Path) -> None:
    content = (
        b"\xef\xbb\xbf# header\r\na {red|green} fox\r\n\r\n"
        b"\\#hash tag\r\ncosts $10 ${{ vars.x }}"
    )

    assert lines_of(content, tmp_path) == [
        "a {red|green} fox",
        "#hash tag",
        "costs $10 ${{ vars.x }}",
    ]


def test_t22_a_line_that_is_there_twice_names_both_lines(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("cat\ndog\ncat\n", encoding="utf-8")

    problem = cells_of("{axes: {prompt: {lines: p.txt}}}", tmp_path).only("E-AXIS-DUP")

    assert problem.message == 'the prompt "cat" is there twice, in lines 1 and 3'
    assert str(problem.position) == "p.txt:3:1"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        pytest.param("../../secret.txt", "E-PATH-ESCAPE", id="T22 outside"),
        pytest.param("gone.txt", "E-FILE-MISSING", id="missing"),
        pytest.param("bad.txt", "E-UTF8", id="T22 not UTF-8"),
        pytest.param("blank.txt", "E-AXIS-EMPTY", id="nothing but comments"),
    ],
)
def test_t22_a_file_that_cannot_be_used(path: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(b"ok\n\xff\n")
    (tmp_path / "blank.txt").write_bytes(b"# nothing\n\n")

    assert cells_of(f"{{axes: {{p: {{lines: {path}}}}}}}", tmp_path).errors == [code]


def test_prompts_mix_text_and_files_and_trailing_spaces_are_noted(
    tmp_path: Path,
) -> None:
    (tmp_path / "p.txt").write_text("cat \ndog\n", encoding="utf-8")
    outcome: list[str] = []
    text = one_job("prompts: [fox, {lines: p.txt}]")

    found = list(cells(read(text, tmp_path), lambda p: outcome.append(p.code)))

    assert [one.prompt and one.prompt.text for one in found] == ["fox", "cat ", "dog"]
    assert outcome == ["N-TRAILING-SPACE"]
