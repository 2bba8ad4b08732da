"""What is judged, and what is left alone, where a part of a matrix is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from foxbatch import api
from foxbatch.errors import InvalidError, Problem
from foxbatch.schema import Checker

HEAD = """\
foxbatch: 1
name: t
provider: sandbox
defaults: {model: veo-3.1-fast, params: {generate_audio: false}}
"""
WIDE = "a: {range: {from: 1, through: 40}}, b: {range: {from: 1, through: 40}}"
HUGE = "a: {range: {from: 1, through: 9999}}, b: {range: {from: 1, through: 9999}}"


def problems(text: str, path: Path) -> Sequence[Problem]:
    path.write_text(HEAD + text)
    try:
        return api.check(api.load_manifest(path)).problems
    except InvalidError as error:
        return error.problems


@pytest.mark.parametrize(
    ("jobs", "codes"),
    [
        pytest.param(
            "- {id: a, prompts: [x], repeat: 2000}\n"
            "- {id: b, prompts: [y], params: {duration: 5},\n"
            "   matrix: {axes: {seed: [1, 2]}, exclude: [{seed: 1}]}}",
            ["E-MAX-JOBS", "E-ENUM"],
            id="too many jobs in one entry: another is judged all the same",
        ),
        pytest.param(
            f"- {{id: a, prompts: [x], matrix: {{axes: {{{HUGE}}}, "
            "exclude: [{zed: 1}]}}",
            ["E-EXCLUDE-KEY"],
            id="how many there are depends on what is wrong",
        ),
        pytest.param(
            f'- {{id: a, prompts: ["x ${{{{ matrix.a }}}} ${{{{ matrix.b }}}}"], '
            f"matrix: {{axes: {{{WIDE}, seed: [1, 1]}}, exclude: [{{a: 1}}]}}}}",
            ["E-AXIS-DUP"],
            id="too many of a matrix with a value twice",
        ),
        pytest.param(
            '- {id: a, prompts: ["${{ let.nope }} ${{ repeat }} ${{ env.x }}"]}',
            ["E-REF-UNKNOWN", "E-REF-NAMESPACE"],
            id="all names beside one that is not there",
        ),
        pytest.param(
            '- {id: a, params: {prompt: "${{ let.nope }} ${{ matrix.prompt }}"}}',
            ["E-REF-UNKNOWN", "E-REF-UNKNOWN"],
            id="no prompt where there is none",
        ),
        pytest.param(
            '- {id: a, prompts: ["x ${{ let.big }}"], '
            "let: {big: 99999999999999999999}}",
            ["E-NUMBER"],
            id="a let that is wrong",
        ),
        pytest.param(
            '- {id: a, prompts: [{variants: "a \\u0041 {x"}]}',
            ["E-VARIANT-SYNTAX"],
            id="a place that escapes hide",
        ),
        pytest.param(
            "- {id: a, prompts: [{lines: none.txt}], matrix: {variables: [prompt]}, "
            'params: {prompt: "${{ matrix.prompt }}"}}',
            ["E-FILE-MISSING"],
            id="a prompt that feeds nothing",
        ),
        pytest.param(
            "- {id: a, prompts: [x], matrix: {axes: [a], exclude: [{b: 1}], "
            "zip: [[b, c]]}}",
            ["E-TYPE"],
            id="filters and groups of axes that cannot be read",
        ),
    ],
)
def test_only_what_is_wrong_itself_is_told(
    jobs: str, codes: list[str], tmp_path: Path
) -> None:
    found = problems(f"jobs:\n{jobs}\n", tmp_path / "m.yaml")

    assert [one.code for one in found if one.code.startswith("E")] == codes


def test_too_many_prompts_are_told_at_the_prompts(tmp_path: Path) -> None:
    prompts = "".join(f"      - prompt {number}\n" for number in range(1001))

    found = problems(f"jobs:\n  - id: a\n    prompts:\n{prompts}", tmp_path / "m.yaml")

    assert [(one.code, one.position.line) for one in found] == [("E-MAX-JOBS", 7)]
    assert found[0].pointer == "/jobs/0/prompts"


def test_cells_of_a_matrix_with_a_value_twice_are_not_called_too_many(
    tmp_path: Path,
) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(
        f"{HEAD}jobs:\n  - {{id: a, prompts: [x], matrix: "
        f"{{axes: {{{WIDE}, seed: [1, 1]}}, exclude: [{{a: 1}}]}}}}\n"
    )

    with pytest.raises(InvalidError) as caught:
        list(api.expand_cells(api.load_manifest(path)))

    assert [one.code for one in caught.value.problems] == ["E-AXIS-DUP"]


def test_what_only_the_strict_validator_refuses_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(
        f"{HEAD}jobs:\n  - {{id: a, prompts: [x], params: {{duration: 5}}}}\n"
    )
    wanted = api.load_manifest(path)
    monkeypatch.setattr(Checker, "problems", lambda *_, **__: [])

    found = api.check(wanted)

    assert [one.code for one in found.problems] == ["E-SCHEMA"]
    assert found.jobs == 0
