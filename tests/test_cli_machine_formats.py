"""Problems as services read them: GitHub's annotations and summary, and SARIF."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft4Validator

from foxbatch.cli.codes import meaning
from foxbatch.cli.github import as_annotation, as_annotations, summary
from foxbatch.cli.sarif import as_sarif
from foxbatch.errors import Edit, Position, Problem, Related, Severity
from tests.cli import MANIFEST, Type

EXAMPLES = Path(__file__).parent / "examples"
# As https://json.schemastore.org/sarif-2.1.0.json had it when 2.1.0 was published.
SARIF = json.loads((EXAMPLES / "sarif-2.1.0.schema.json").read_text("utf-8"))


def at(line: int, column: int, end_column: int, file: str = "m.yaml") -> Position:
    return Position(file, line, column, line, end_column)


PROBLEM = Problem(
    "E-KEY-UNKNOWN", 'unknown key "promts"', at(2, 5, 11), "Did you mean prompts?"
)


def many(number: int, severity: Severity = Severity.ERROR) -> list[Problem]:
    return [
        replace(PROBLEM, message=f"number {index}", severity=severity)
        for index in range(number)
    ]


class TestGithub:
    def test_is_a_workflow_command(self) -> None:
        assert as_annotation(PROBLEM) == (
            "::error file=m.yaml,line=2,endLine=2,col=5,endColumn=11,"
            'title=E-KEY-UNKNOWN::unknown key "promts"%0ADid you mean prompts?'
        )

    @pytest.mark.parametrize(
        ("severity", "word"),
        [(Severity.WARNING, "warning"), (Severity.NOTE, "notice")],
        ids=["a warning", "a note"],
    )
    def test_severity_has_its_own_word(self, severity: Severity, word: str) -> None:
        assert as_annotation(replace(PROBLEM, severity=severity)).startswith(
            f"::{word} "
        )

    def test_what_would_end_a_field_is_escaped(self) -> None:
        position = at(1, 1, 2, "a,b:c%.yaml")
        problem = replace(
            PROBLEM, position=position, message="50 %\r\n::error::x", hint=""
        )

        text = as_annotation(problem)

        assert "file=a%2Cb%3Ac%25.yaml," in text
        assert text.endswith(r"::50 %25\x0d%0A::error::x")

    def test_columns_of_several_lines_are_left_out(self) -> None:
        problem = replace(PROBLEM, position=Position("m.yaml", 1, 3, 2, 4))

        assert "file=m.yaml,line=1,endLine=2,title=" in as_annotation(problem)

    def test_characters_that_steer_a_terminal_are_spelt_out(self) -> None:
        problem = replace(PROBLEM, message="a \u202eb", hint="")

        assert as_annotation(problem).endswith("::a \\u202eb")

    def test_ten_of_a_kind_are_shown(self) -> None:
        assert len(list(as_annotations(many(10), where_all="x"))) == 10

    def test_the_tenth_says_how_many_more_there_are(self) -> None:
        *shown, last = as_annotations(many(12), where_all="see the summary")

        assert len(shown) == 9
        assert last == "::error title=foxbatch::3 more errors: see the summary"

    def test_each_kind_has_its_own_ten_and_the_worst_comes_first(self) -> None:
        problems = [*many(11, Severity.NOTE), *many(2), *many(1, Severity.WARNING)]

        lines = list(as_annotations(problems, where_all="x"))

        words = [line.split()[0] for line in lines]
        assert words == ["::error"] * 2 + ["::warning"] + ["::notice"] * 10

    def test_the_summary_lists_everything(self) -> None:
        text = summary(many(12), "12 errors")

        assert text.startswith("### 12 errors\n\n| | where |")
        assert text.count("\n| error | m.yaml:2:5 | number ") == 12

    def test_the_summary_of_nothing_is_its_headline(self) -> None:
        assert summary([], "nothing") == "### nothing\n\n"

    def test_a_summary_stays_below_its_size(self) -> None:
        text = summary(many(1_500), "1,500 errors")

        assert text.endswith("\nAnd 500 more.\n\n")

    def test_markdown_of_a_stranger_is_text(self) -> None:
        problem = replace(PROBLEM, message="a | <img> [x](y)\n# b", hint="")

        assert r"| a \| \<img\> \[x\](y) \# b (E-KEY-UNKNOWN) |" in summary(
            [problem], ""
        )

    def test_the_summary_is_added_to_the_file_of_the_job(
        self, tmp_path: Path, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        page, manifest = tmp_path / "summary.md", tmp_path / "sea.yaml"
        page.write_text("before\n")
        manifest.write_text(MANIFEST.replace("prompts", "promts"))
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))

        ended = type_("validate", manifest, "--format", "github")

        assert ended.code == 3
        assert page.read_text().startswith(
            "before\n### foxbatch validate: 1 error in 1"
        )

    def test_a_summary_that_cannot_be_written_is_told(
        self, tmp_path: Path, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        manifest = tmp_path / "sea.yaml"
        manifest.write_text(MANIFEST)
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))

        ended = type_("validate", manifest, "--format", "github")

        assert ended.code == 0
        assert "cannot be written" in ended.err


class TestMeanings:
    def test_a_code_has_a_sentence_and_its_section(self) -> None:
        told = meaning("E-KEY-UNKNOWN")

        assert told.short == (
            "A key that does not exist there, or a parameter that the model does not "
            "take."
        )
        assert "foxbatch models NAME lists parameters." in told.text
        assert "```yaml\nparams: {aspect_ration: 9:16}\n```" in told.markdown

    def test_links_of_the_page_lead_nowhere_else(self) -> None:
        assert "manifest.md" not in meaning("E-OPERATOR").markdown

    def test_a_code_that_is_not_told_stands_for_itself(self) -> None:
        assert meaning("E-NEW").short == "E-NEW"


class TestSarif:
    def test_log_names_the_tool_the_rules_and_the_places(self) -> None:
        related = Related(at(1, 1, 5, "a b.yaml"), "first given here")
        note = replace(
            PROBLEM, code="N-X", severity=Severity.NOTE, hint="", related=(related,)
        )

        log = as_sarif([PROBLEM, note, PROBLEM], version="1.2.3")

        region = {"startLine": 2, "startColumn": 5, "endLine": 2, "endColumn": 11}
        place = {"artifactLocation": {"uri": "m.yaml"}, "region": region}
        error = {
            "ruleId": "E-KEY-UNKNOWN",
            "ruleIndex": 0,
            "level": "error",
            "message": {"text": 'unknown key "promts". Did you mean prompts?'},
            "locations": [{"physicalLocation": place}],
        }
        first = {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 5}
        assert log == {
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [
                {
                    "tool": {
                        "driver": {
                            "name": "foxbatch",
                            "version": "1.2.3",
                            "rules": [rule("E-KEY-UNKNOWN"), rule("N-X")],
                        }
                    },
                    "columnKind": "unicodeCodePoints",
                    "results": [
                        error,
                        {
                            "ruleId": "N-X",
                            "ruleIndex": 1,
                            "level": "note",
                            "message": {"text": 'unknown key "promts".'},
                            "locations": [{"physicalLocation": place}],
                            "relatedLocations": [
                                {
                                    "physicalLocation": {
                                        "artifactLocation": {"uri": "a%20b.yaml"},
                                        "region": first,
                                    },
                                    "message": {"text": "first given here"},
                                }
                            ],
                        },
                        error,
                    ],
                }
            ],
        }

    def test_absolute_file_is_a_file_address(self, tmp_path: Path) -> None:
        path = tmp_path / "m.yaml"
        problem = replace(PROBLEM, position=at(1, 1, 2, str(path)))

        assert path.as_uri() in str(as_sarif([problem], version="1"))

    @pytest.mark.parametrize(
        "manifest",
        sorted([*EXAMPLES.glob("bad/*.yaml"), *EXAMPLES.glob("odd/*.yaml")]),
        ids=lambda path: path.stem,
    )
    def test_log_is_what_the_standard_says(self, manifest: Path, type_: Type) -> None:
        log = json.loads(type_("validate", manifest, "--format", "sarif").out)

        errors = list(Draft4Validator(SARIF).iter_errors(log))
        assert errors == []
        assert log["runs"][0]["results"]

    def test_a_fix_is_told(self) -> None:
        problem = replace(PROBLEM, fix=(Edit(PROBLEM.position, "prompts"),))

        log = as_sarif([problem], version="1")

        assert list(Draft4Validator(SARIF).iter_errors(log)) == []
        assert '"insertedContent": {"text": "prompts"}' in json.dumps(log)


def rule(code: str) -> dict[str, object]:
    told = meaning(code)
    return {
        "id": code,
        "shortDescription": {"text": told.short},
        "help": {"text": told.text, "markdown": told.markdown},
        "defaultConfiguration": {"level": {"E": "error", "N": "note"}[code[0]]},
    }
