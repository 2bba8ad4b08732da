from __future__ import annotations

import json
from pathlib import Path

import pytest

from foxbatch.canonical import sha256
from foxbatch.errors import InvalidError, Position, Problem
from foxbatch.manifest import (
    DEFAULT_OUTPUT,
    Manifest,
    Repeat,
    Sample,
    Scanned,
    parse_manifest,
    read_manifest,
    scan_manifest,
)
from foxbatch.policy import Accept, Budget, Limits, RetryPolicy
from foxbatch.schema import Checker, load_schema

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "tests" / "examples"

HEAD = "foxbatch: 1\nname: sweep\nprovider: sandbox\n"
JOB = "  - id: beach\n    model: veo-3.1\n    prompts: [A dog]\n"


def parsed(text: str) -> Manifest:
    return parse_manifest(text.encode(), path=None, shown_as="<stdin>")


def problems_of(text: str) -> tuple[Problem, ...]:
    with pytest.raises(InvalidError) as caught:
        parsed(text)
    return caught.value.problems


def of_matrix(matrix: str, prompts: str = "[A dog]") -> str:
    job = f"  - id: beach\n    model: veo-3.1\n    prompts: {prompts}\n"
    return f"{HEAD}jobs:\n{job}    matrix: {matrix}\n"


# What is wrong with each example that can be told from the manifest alone.
BAD: dict[str, tuple[str, int, int, str, str]] = {
    "axis-case": ("E-AXIS-CASE", 13, 9, '"Seed" and "seed"', "Rename"),
    "bad-name": ("E-PATTERN", 2, 7, '"My Sweep"', "a-z"),
    "colon-in-prompt": ("E-TEXT-MAPPING", 10, 9, '"Camera"', '"Camera: slow dolly'),
    "comma-in-prompt": (
        "E-TEXT-MAPPING",
        10,
        23,
        "in the snow",
        '"A fox, in the snow"',
    ),
    "duplicate-id": ("E-ID-DUP", 10, 9, '"beach"', "its own"),
    "duplicate-key": ("E-YAML-DUP-KEY", 10, 5, '"prompts"', "Remove"),
    "eaten-by-comment": ("E-TEXT-COMMENT", 10, 24, '"#66"', '"A cat on Route #66"'),
    "eaten-param": ("E-TEXT-COMMENT", 11, 40, '"#1"', '"text, watermark #1"'),
    "empty": ("E-YAML-EMPTY", 1, 1, "empty", "foxbatch init"),
    "empty-axis": ("E-AXIS-EMPTY", 11, 20, "axes.seed is empty", "at least one"),
    "exclude-unknown-axis": ("E-EXCLUDE-KEY", 13, 12, '"duratoin"', "duration"),
    "in-flight-zero": ("E-RANGE", 10, 21, "at least 1", ""),
    "jobs-as-mapping": ("E-TYPE", 8, 3, "jobs must be a list", "- id"),
    "list-where-text": ("E-TYPE", 9, 12, "model must be text", "axis"),
    "missing-jobs": ("E-KEY-MISSING", 1, 1, 'no "jobs"', "jobs:"),
    "missing-model": ("E-KEY-MISSING", 5, 5, '"beach" names no model', "defaults"),
    "not-utf8": ("E-UTF8", 4, 17, "0xE9 at offset 58", "UTF-8"),
    "operator-at-top": ("E-OPERATOR", 15, 11, "$not", "{duration: {$not: 4}}"),
    "operator-in-extra": ("E-OPERATOR", 15, 23, "duratoin", "duration"),
    "operator-in-list": ("E-OPERATOR", 14, 23, "compared whole", "{$in: […]}"),
    "operator-in-needs-list": ("E-TYPE", 15, 32, "must be a list", '["9:16"]'),
    "operator-misspelt": ("E-OPERATOR", 15, 23, "$gtee", "$gte?"),
    "operator-number-as-text": ("E-TYPE", 15, 29, 'the text "6"', "quotes: 6"),
    "operator-unknown": ("E-OPERATOR", 15, 23, "$nin", "{$not: {$in: […]}}"),
    "operator-without-dollar": ("E-OPERATOR", 15, 32, '"lt"', "$lt?"),
    "repeat-unknown-axis": ("E-REPEAT-KEY", 14, 23, '"duratoin"', "duration"),
    "repeat-unreached": ("E-REPEAT-DEAD", 16, 9, "no `where`", "last"),
    "repeat-without-n": ("E-KEY-MISSING", 15, 9, 'no "n"', "n: …"),
    "sample-as-number": ("E-TYPE", 14, 15, "must be a mapping", "{num: 20}"),
    "sample-without-num": ("E-KEY-MISSING", 14, 7, 'no "num"', "num: …"),
    "sample-zero": ("E-RANGE", 14, 21, "num is 0", ""),
    "second-colon": ("E-YAML-SYNTAX", 10, 31, "second `: `", "quotes"),
    "tab": ("E-YAML-SYNTAX", 9, 1, "tab", "spaces"),
    "text-where-list": ("E-TYPE", 9, 14, "prompts must be a list", "- "),
    "typo-in-key": ("E-KEY-UNKNOWN", 9, 5, '"promts"', "prompts"),
    "typo-in-matrix": ("E-KEY-UNKNOWN", 12, 7, '"exlude"', "exclude"),
    "unclosed-quote": ("E-YAML-SYNTAX", 10, 9, "never closed", "Close"),
    "unknown-order": ("E-ENUM", 10, 8, '"interleved"', '"interleaved"'),
    "unquoted-reference": ("E-YAML-SYNTAX", 9, 25, "${{", "quotes"),
    "wrong-duration": ("E-PATTERN", 13, 9, '"20 min"', "20m"),
    "zero-repeat": ("E-RANGE", 10, 13, "repeat is 0", ""),
    "zip-unknown-axis": ("E-ZIP-KEY", 12, 24, '"sed"', "seed"),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_wrong_manifest_is_refused_at_its_line_with_a_hint(name: str) -> None:
    code, line, column, word, hint = BAD[name]

    with pytest.raises(InvalidError) as caught:
        read_manifest(EXAMPLES / "bad" / f"{name}.yaml")

    (problem,) = caught.value.problems
    assert problem.code == code
    assert (problem.position.line, problem.position.column) == (line, column)
    assert word in problem.message
    assert hint in problem.hint


def test_problems_of_yaml_and_of_the_schema_are_listed_together() -> None:
    with pytest.raises(InvalidError) as caught:
        read_manifest(EXAMPLES / "bad" / "two-documents.yaml")

    codes = {problem.code for problem in caught.value.problems}
    assert codes == {"E-KEY-MISSING", "E-YAML-DOCUMENTS"}


@pytest.mark.parametrize(
    "path",
    [
        *sorted((EXAMPLES / "good").glob("*.yaml")),
        *sorted((ROOT / "manifests").glob("*.yaml")),
    ],
    ids=lambda path: path.name,
)
def test_a_good_manifest_is_read(path: Path) -> None:
    manifest = read_manifest(path)

    assert manifest.specs
    assert manifest.document.problems == ()
    assert manifest.directory == path.parent
    assert manifest.sha256 == sha256(path.read_bytes())


def test_the_quickstart_is_twelve_clips() -> None:
    (spec,) = read_manifest(ROOT / "manifests" / "quickstart.yaml").specs

    lengths = [len(values) for values in spec.axes.values() if isinstance(values, list)]
    assert spec.prompts is not None
    assert (len(spec.prompts), lengths) == (3, [2, 2])


def test_a_job_has_its_own_values_and_the_defaults_beside_them() -> None:
    manifest = parsed(
        HEAD
        + "defaults: {model: veo-3.1, params: {seed: 1}, repeat: 2, output: x}\n"
        + "jobs:\n"
        + "  - {id: a, prompts: [p]}\n"
        + "  - {id: b, model: veo-3.1-fast, params: {seed: 2}, repeat: 3}\n"
    )

    first, second = manifest.specs
    assert (first.model, first.model_where) == ("veo-3.1", ("defaults", "model"))
    assert (first.params, first.default_params) == ({}, {"seed": 1})
    assert (first.repeat, first.output) == ((Repeat(2),), "x")
    assert (second.model, second.model_where) == ("veo-3.1-fast", ("jobs", 1, "model"))
    assert (second.params, second.default_params) == ({"seed": 2}, {"seed": 1})
    assert (second.repeat, second.prompts) == ((Repeat(3),), None)


def test_what_is_left_out_has_its_documented_value() -> None:
    manifest = parsed(f"{HEAD}jobs:\n{JOB}")

    assert manifest.retry == RetryPolicy()
    assert manifest.poll.wait_s == 1_800
    assert manifest.accept == Accept()
    assert (manifest.order, manifest.max_jobs) == ("interleaved", 1_000)
    assert manifest.budget == Budget()
    assert manifest.specs[0].output == DEFAULT_OUTPUT
    assert manifest.directory == Path.cwd()


def test_policies_are_read_with_their_units() -> None:
    manifest = parsed(
        f"{HEAD}jobs:\n{JOB}"
        "retry: {attempts: 3, classes: [capacity], unreachable: 90, busy: 1h30m,\n"
        "  pause_after: 0}\n"
        "poll: {wait: 20m}\naccept: {failed: 2%, classes: [content]}\n"
        "budget: {jobs: 7, credits: 2.5, per: week}\norder: declared\n"
        "limits: {max_jobs: 20}\n"
    )

    assert manifest.retry.attempts == 3
    assert manifest.retry.classes == {"capacity"}
    assert (manifest.retry.unreachable_s, manifest.retry.busy_s) == (90, 5_400)
    assert manifest.poll.wait_s == 1_200
    assert manifest.accept == Accept(failed=0.02, classes=frozenset({"content"}))
    assert manifest.retry.pause_after == 0
    assert manifest.budget == Budget(jobs=7, credits=2.5, per="week")
    assert (manifest.order, manifest.max_jobs) == ("declared", 20)


def test_a_sample_has_the_seed_of_its_matrix_unless_it_has_one() -> None:
    matrices = [
        "{axes: {a: [1]}}",
        "{axes: {a: [1]}, sample: {num: 2.0}}",
        "{axes: {a: [1]}, sample: {num: 2}, sampling_seed: 7}",
        "{axes: {a: [1]}, sample: {num: 2, seed: 0}, sampling_seed: 7}",
    ]

    found = [parsed(of_matrix(matrix)).specs[0] for matrix in matrices]

    assert [spec.sample for spec in found] == [
        None,
        Sample(2, 0),
        Sample(2, 7),
        Sample(2, 0),
    ]
    assert [spec.sampling_seed for spec in found] == [0, 0, 7, 7]


def test_a_repeat_is_a_list_of_what_fits_and_how_many() -> None:
    manifest = parsed(
        f"{HEAD}defaults: {{repeat: [{{where: {{a: 1}}, n: 3.0}}, {{n: 1}}]}}\n"
        f"duplicates: merge\njobs:\n{JOB}    matrix: {{axes: {{a: [1]}}}}\n"
    )

    assert manifest.specs[0].repeat == (Repeat(3, {"a": 1}), Repeat(1))
    assert manifest.specs[0].repeat_where == ("defaults", "repeat")
    assert manifest.duplicates == "merge"


def test_a_share_may_be_a_number() -> None:
    manifest = parsed(f"{HEAD}jobs:\n{JOB}accept: {{failed: 0.5}}\n")

    assert manifest.accept.failed == 0.5


def test_limits_override_only_what_they_name() -> None:
    manifest = parsed(
        f"{HEAD}jobs:\n{JOB}limits: {{in_flight: 20.0, requests_per_second: 2.5}}\n"
    )

    limits = manifest.limits(Limits(in_flight=8, downloads=3))

    assert limits == Limits(in_flight=20, requests_per_second=2.5, downloads=3)
    assert isinstance(limits.in_flight, int)


def test_one_newline_that_ends_a_block_of_text_is_removed() -> None:
    manifest = parsed(
        HEAD
        + "vars:\n  look: |\n    one\n\njobs:\n  - id: a\n    model: m\n"
        + '    prompts:\n      - |+\n        two\n\n      - "three\\n"\n'
        + "    params:\n      negative_prompt: >\n        four\n"
    )

    (spec,) = manifest.specs
    assert manifest.vars == {"look": "one"}
    assert spec.prompts == ["two\n", "three\n"]
    assert spec.params == {"negative_prompt": "four"}


_FLOAT = ("E-NOT-ALLOWED", "random.float")
_DEDUPE = ("E-NOT-ALLOWED", "a.dedupe")


@pytest.mark.parametrize(
    ("matrix", "code", "word"),
    [
        ("{axes: {a: []}}", "E-AXIS-EMPTY", "a is empty"),
        ("{axes: {a: [1]}, exclude: [{}]}", "E-FILTER-EMPTY", "empty"),
        ("{axes: {a: [1]}, include: [{}]}", "E-FILTER-EMPTY", "empty"),
        ("{axes: {a: [1, 2]}, exclude: [{b: 1}]}", "E-EXCLUDE-KEY", '"b"'),
        ("{axes: {Seed: [1], seed: [2]}}", "E-AXIS-CASE", "only by case"),
        ("{axes: {a: [1], b: [2]}, zip: [[a, b], [b, a]]}", "E-ZIP-TWICE", '"b"'),
        ("{axes: {a: [1], b: [2]}, zip: [[a, b], [b]]}", "E-ZIP-TWICE", '"b"'),
        ("{axes: {a: [1]}, zip: [[a, z]]}", "E-ZIP-KEY", '"z"'),
        ("{axis: {a: [1]}, zip: [[a, b]]}", "E-KEY-UNKNOWN", '"axis"'),
        ("{axes: {}, exclude: [{a: 1}]}", "E-COUNT", "axes is empty"),
        ("{axes: [a], variables: [a]}", "E-TYPE", "axes must be a mapping"),
        ("{axes: {a: [1]}, zip: [[a]]}", "E-COUNT", "at least 2"),
        ("{axes: {a: [1]}, variables: [z]}", "E-VARIABLES-KEY", '"z"'),
        ("{axes: {prompt: [x]}}", "E-PROMPT-TWICE", "prompts"),
        ("{axes: {prompt_id: [x]}}", "E-AXIS-RESERVED", "prompt_id"),
        ("{axes: {a b: [x]}}", "E-PATTERN", '"a b"'),
        ("{axes: {a: [{$in: [x]}]}}", "E-PATTERN", '"$in"'),
        ("{axes: {a: [{$unset: 1}]}}", "E-ENUM", "must be true"),
        ("{axes: {a: {range: {from: 1}}}}", "E-KEY-MISSING", '"through"'),
        ("{axes: {a: {range: {start: 1, through: 2}}}}", "E-KEY-UNKNOWN", '"start"'),
        ("{axes: {a: {linspace: {from: 1, to: 2, num: 2}}}}", "E-KEY-UNKNOWN", '"to"'),
        ("{axes: {a: {random: {num: 1}}}}", "E-NOT-ALLOWED", "random"),
        ("{axes: {a: {random: {int: [0, 1], float: [0, 1], num: 1}}}}", *_FLOAT),
        ("{axes: {a: {random: {int: [0, 1e300], num: 1}}}}", "E-NUMBER", "1e+300"),
        ("{axes: {a: {random: {int: [0], num: 1}}}}", "E-COUNT", "at least 2"),
        ("{axes: {a: {csv: x.csv, types: {b: text}}}}", "E-ENUM", '"text"'),
        ("{axes: {a: {csv: x.csv, lines: x}}}", "E-NOT-ALLOWED", "lines"),
        ("{axes: {a: {lines: x, types: {b: int}}}}", "E-NOT-ALLOWED", "types"),
        ("{axes: {a: {range: {from: 1, through: 2}, dedupe: true}}}", *_DEDUPE),
        ("{axes: {a: {template: true}}}", "E-NOT-ALLOWED", "axes.a"),
        ("{axes: {a: {}}}", "E-NOT-ALLOWED", "axes.a"),
        ('{axes: {a: {file: "p/**/x.txt"}}}', "E-PATTERN", "**"),
        ("{axes: {a: {rnage: {}}}}", "E-KEY-UNKNOWN", "rnage"),
        ("{axes: {a: [1]}, sample: {num: 1.5}}", "E-TYPE", "num"),
        ("{axes: {a: [1]}, sample: {num: 1, seed: x}}", "E-TYPE", "seed"),
        ("{axes: {a: [1]}, sampling_seed: x}", "E-TYPE", "sampling_seed"),
        ("{axes: {a: [1]}, exclude: [{a: {$unset: 1}}]}", "E-ENUM", "must be true"),
        ("{axes: {a: [1]}, incldue: []}", "E-KEY-UNKNOWN", "incldue"),
        ("{axes: [a]}", "E-TYPE", "a mapping"),
    ],
)
def test_a_matrix_that_cannot_be_meant_is_refused(
    matrix: str, code: str, word: str
) -> None:
    (problem, *_) = problems_of(of_matrix(matrix))

    assert problem.code == code
    assert word in problem.message


@pytest.mark.parametrize(
    "matrix",
    [
        "{axes: {a: [1]}, exclude: [{prompt_id: x}, {prompt: A dog}]}",
        "{axes: {a: [1], b: [2]}, zip: [[prompt, a]]}",
        "{axes: {a: [{$unset: true}, null]}, include: [{a: 1, b: {$unset: true}}]}",
        "{include: [{a: 1}, {a: 2, style: x}], variables: [style]}",
        "{axes: {a: {lines: words.txt, dedupe: true, template: true}}}",
        "{axes: {a: {csv: x.csv, types: {b: int}}, b: {jsonl: x}, c: {yaml: x#/y}}}",
        "{axes: {a: {random: {choice: [x, {y: 1}], num: 1, seed: 2}}}}",
        '{axes: {a: {variants: "{a|b}", ordered: true, wildcards: {x: x.txt}}}}',
        "{axes: {a: {range: {from: 1, through: 2.0}}}, sampling_seed: -3}",
        "{axes: {a: [1]}, exclude: []}",
    ],
)
def test_a_matrix_may_also_be_written_so(matrix: str) -> None:
    assert parsed(of_matrix(matrix)).specs


def test_a_key_from_elsewhere_is_refused_once_with_the_right_one() -> None:
    found = problems_of(of_matrix("{axes: {a: {range: {start: 1, stop: 4}}}}"))

    assert [(problem.code, problem.hint) for problem in found] == [
        ("E-KEY-UNKNOWN", "Use from/through (inclusive) and step.")
    ] * 2


def test_the_seed_of_draws_is_known() -> None:
    (spec,) = parsed(of_matrix("{axes: {a: [1]}, sampling_seed: 7.0}")).specs

    assert spec.sampling_seed == 7


@pytest.mark.parametrize(
    ("tail", "code", "pointer"),
    [
        ("limits: {submits_per_minute: 0}", "E-RANGE", "/limits/submits_per_minute"),
        ("budget: {per: year}", "E-ENUM", "/budget/per"),
        ("budget: {credits: -1}", "E-RANGE", "/budget/credits"),
        ("budget: {credits: much}", "E-TYPE", "/budget/credits"),
        ("retry: {pause_after: 1.5}", "E-TYPE", "/retry/pause_after"),
        ("duplicates: drop", "E-ENUM", "/duplicates"),
        ("retry: {classes: [content]}", "E-ENUM", "/retry/classes/0"),
        ("accept: {failed: 2}", "E-RANGE", "/accept/failed"),
        ('accept: {failed: "200%"}', "E-PATTERN", "/accept/failed"),
        ("poll: {wait: soon}", "E-PATTERN", "/poll/wait"),
        ("poll: {wait: ''}", "E-PATTERN", "/poll/wait"),
        ("defaults: {params: {a: {path: 1}}}", "E-TYPE", "/defaults/params/a/path"),
        ("defaults: {repeat: [{n: 1, m: 1}]}", "E-KEY-UNKNOWN", "/defaults/repeat/0/m"),
        ("vars: {a b: 1}", "E-PATTERN", "/vars/a b"),
        ("descripton: x", "E-KEY-UNKNOWN", "/descripton"),
    ],
)
def test_a_key_without_effect_is_refused_never_ignored(
    tail: str, code: str, pointer: str
) -> None:
    (problem,) = problems_of(f"{HEAD}jobs:\n{JOB}{tail}\n")

    assert (problem.code, problem.pointer) == (code, pointer)


@pytest.mark.parametrize(
    ("prompt", "code", "pointer"),
    [
        ("{lines: a.txt, id: x}", "E-NOT-ALLOWED", "/id"),
        ("{lines: a.txt, dedupe: 1}", "E-TYPE", "/dedupe"),
        ("{variants: a, template: true}", "E-NOT-ALLOWED", "/template"),
        ("{variants: [a]}", "E-TYPE", "/variants"),
        ("{file: [a.txt], wildcards: {}}", "E-NOT-ALLOWED", "/wildcards"),
        ("{range: {from: 1, through: 2}}", "E-KEY-MISSING", ""),
        ("{id: x}", "E-KEY-MISSING", ""),
        ("{text: A fox, id: X Y}", "E-PATTERN", "/id"),
        ("{txt: [A fox]}", "E-KEY-UNKNOWN", "/txt"),
        ("{Camera: slow}", "E-TEXT-MAPPING", ""),
        ("{Camera: }", "E-TEXT-MAPPING", ""),
        ("5", "E-TYPE", ""),
        ("''", "E-LENGTH", ""),
    ],
)
def test_a_prompt_that_cannot_be_meant_is_refused(
    prompt: str, code: str, pointer: str
) -> None:
    text = f"{HEAD}jobs:\n  - id: a\n    model: m\n    prompts: [{prompt}]\n"

    (problem, *_) = problems_of(text)

    assert (problem.code, problem.pointer) == (code, f"/jobs/0/prompts/0{pointer}")


def test_a_prompt_label_given_twice_names_both_places() -> None:
    prompts = "[{id: x, text: a}, {id: x, text: b}, {text: c}]"

    (problem,) = problems_of(of_matrix("{axes: {a: [1]}}", prompts))

    assert problem.code == "E-ID-DUP"
    (first,) = problem.related
    assert first.position < problem.position


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        pytest.param("vars:\n  look: soft light # warm", True, id="vars"),
        pytest.param("vars:\n  size: 720p # cheap", False, id="a single word in vars"),
        pytest.param(
            "defaults:\n  params:\n    prompt: fox #1", True, id="default prompt"
        ),
        pytest.param(
            "defaults:\n  params:\n    resolution: 720p # cheap",
            False,
            id="a parameter",
        ),
    ],
)
def test_a_comment_is_refused_only_where_text_may_have_been_cut(
    text: str, lost: bool
) -> None:
    text = f"{HEAD}{text}\njobs:\n{JOB}"

    if lost:
        (problem,) = problems_of(text)
        assert problem.code == "E-TEXT-COMMENT"
    else:
        assert parsed(text).specs


def test_texts_in_axes_and_let_are_guarded_too() -> None:
    text = (
        of_matrix("\n      axes:\n        style:\n          - film noir #1\n")
        + "    let:\n      mood: very calm #2\n"
    )

    found = problems_of(text)

    assert [problem.code for problem in found] == ["E-TEXT-COMMENT"] * 2


def test_a_prompt_cut_on_its_second_line_shows_that_line() -> None:
    job = JOB.replace(" [A dog]", "\n      - A cat\n        on #66")
    text = f"{HEAD}jobs:\n{job}"

    (problem,) = problems_of(text)

    assert 'Write "on #66" in quotes' in problem.hint


def test_all_problems_of_a_file_come_at_once_in_its_order() -> None:
    found = problems_of(
        "foxbatch: 2\nname: A\nprovider: sandbox\nprovider: x\njobs:\n  - id: a\n"
        "    promts: [x]\n    matrix: {axes: {a: [.nan], A: [1]}}\n  - id: a\n"
    )

    lines = [problem.position.line for problem in found]
    codes = {problem.code for problem in found}
    assert lines == sorted(lines)
    assert codes == {
        "E-ENUM",
        "E-PATTERN",
        "E-YAML-DUP-KEY",
        "E-KEY-MISSING",
        "E-KEY-UNKNOWN",
        "E-NUMBER",
        "E-AXIS-CASE",
        "E-ID-DUP",
    }


@pytest.mark.parametrize(
    "job",
    [
        "{id: a, matrix: {axes: {model: [m, n]}}}",
        "{id: a, matrix: {include: [{model: m}]}}",
    ],
)
def test_a_model_may_come_from_the_matrix(job: str) -> None:
    (spec,) = parsed(f"{HEAD}jobs:\n  - {job}\n").specs

    assert spec.model is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("just text", "E-TYPE"),
        ("[1, 2]", "E-TYPE"),
        (f"{HEAD}jobs: [5, [x]]", "E-TYPE"),
        (f"{HEAD}jobs: [{{}}]", "E-KEY-MISSING"),
        (f"{HEAD}jobs: [{{id: 5, prompts: x, matrix: x, let: x}}]", "E-TYPE"),
        (f"{HEAD}jobs: [{{id: a, matrix: {{zip: [[1, 2], 3]}}}}]", "E-TYPE"),
    ],
)
def test_any_shape_of_document_is_refused_without_a_crash(text: str, code: str) -> None:
    assert code in {problem.code for problem in problems_of(text)}


def test_a_missing_file_suggests_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text("x", encoding="utf-8")

    with pytest.raises(InvalidError) as caught:
        read_manifest(tmp_path / "swep.yaml")

    (problem,) = caught.value.problems
    assert problem.code == "E-FILE-MISSING"
    assert "there is no such file" in problem.message
    assert problem.hint == "Did you mean sweep.yaml?"


def test_a_folder_is_not_a_manifest(tmp_path: Path) -> None:
    with pytest.raises(InvalidError) as caught:
        read_manifest(tmp_path)

    assert "it is a folder" in caught.value.problems[0].message


def test_a_file_in_a_missing_folder_points_to_init(tmp_path: Path) -> None:
    with pytest.raises(InvalidError) as caught:
        read_manifest(tmp_path / "no" / "m.yaml")

    assert "foxbatch init" in caught.value.problems[0].hint


def test_a_path_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(InvalidError) as caught:
        read_manifest(tmp_path / "file" / "m.yaml")

    assert "not a directory" in caught.value.problems[0].message


def test_every_key_is_described_for_editors() -> None:
    """Editors show the description of a key where the cursor stands."""

    def undescribed(schema: object, path: str) -> list[str]:
        if not isinstance(schema, dict):
            return []
        found = []
        for name, key in schema.get("properties", {}).items():
            told = "description" in key or "$ref" in key
            if path in {"then", "else"} or told:
                continue
            found.append(f"{path}.{name}")
        for name, part in schema.items():
            if isinstance(part, dict) and name not in {"then", "else"}:
                found += undescribed(part, name)
        return found

    schema = load_schema("manifest")

    assert undescribed(schema, "") == []


def test_the_manifest_schema_is_a_valid_schema() -> None:
    import jsonschema

    schema = load_schema("manifest")

    jsonschema.Draft7Validator.check_schema(schema)
    assert json.dumps(schema)
    assert Checker(schema).is_valid({}) is False


def test_a_list_at_the_top_is_told_where_it_belongs() -> None:
    (problem,) = problems_of("- id: a\n  prompts: [x]\n")

    assert problem.message == "the manifest must be a mapping, not a list"
    assert "below `jobs:`" in problem.hint


def test_a_misspelt_model_is_not_also_missing() -> None:
    (problem,) = problems_of(f"{HEAD}jobs:\n  - {{id: a, modle: veo-3.1}}\n")

    assert (problem.code, problem.hint) == ("E-KEY-UNKNOWN", "Did you mean model?")


def scanned(text: str) -> Scanned:
    return scan_manifest(text.encode(), path=None, shown_as="<stdin>")


def test_a_scan_goes_on_with_what_is_right_and_remembers_what_is_not() -> None:
    found = scanned(
        "foxbatch: 1\nname: [t]\nprovider: 5\nretry: {busy: soon, attempts: 3}\n"
        "vars: {good: 1, bad: 99999999999999999999}\n"
        "jobs:\n  - {id: a, model: veo-3.1}\n  - {id: a, model: veo-3.1}\n"
    )

    manifest = found.manifest
    assert not found.valid
    assert [problem.position.line for problem in found.problems] == [2, 3, 4, 5, 8]
    assert (manifest.name, manifest.provider) == ("", "")
    assert manifest.retry == RetryPolicy(attempts=3)
    assert manifest.vars == {"good": 1}
    assert manifest.doubtful_vars == {"bad"}
    assert [spec.where for spec in manifest.specs] == [("jobs", 0), ("jobs", 1)]
    assert manifest.doubts


def test_a_scan_of_a_valid_manifest_is_the_manifest() -> None:
    text = f"{HEAD}jobs:\n{JOB}"

    found = scanned(text)

    assert found.valid
    assert found.manifest == parsed(text)
    assert not found.manifest.doubts


@pytest.mark.parametrize(
    ("limits", "explained"),
    [
        pytest.param("limits: {max_jobs: 0}", True, id="the place itself"),
        pytest.param("limits: 5", True, id="around the place"),
        pytest.param("limits: {in_flight: 0}", False, id="beside the place"),
    ],
)
def test_a_scan_explains_what_is_found_later_at_the_same_place(
    limits: str, *, explained: bool
) -> None:
    later = Problem("E-X", "x", Position("x"), pointer="/limits/max_jobs")

    assert scanned(f"{HEAD}{limits}\njobs:\n{JOB}").explains(later) is explained


def test_text_in_a_list_that_ends_on_a_later_line_is_no_crash() -> None:
    """Found by fuzzing: the mapping in it ended in the first column of that line."""
    prompts = "    prompts: [A dog on the beach:\n]\n"

    (problem,) = problems_of(f"{HEAD}jobs:\n  - id: a\n    model: m\n{prompts}")

    assert problem.code == "E-TEXT-MAPPING"
    assert [edit.text for edit in problem.fix] == ['"A dog on the beach:"']
    assert str(problem.fix[0].position) == "<stdin>:7:15"


@pytest.mark.parametrize(
    ("job", "at"),
    [
        pytest.param("matrix: {axes: {duration: }}", "6:31", id="an axis"),
        pytest.param("params: {a: 1}\n    prompts: [{text: }]", "7:22", id="a prompt"),
    ],
)
def test_nothing_gets_no_quotes(job: str, at: str) -> None:
    """Found by fuzzing: `duration:""` is no YAML."""
    found = problems_of(f"{HEAD}jobs:\n  - id: a\n    {job}\n")

    (problem,) = [one for one in found if one.code == "E-TYPE"]
    assert problem.fix == ()
    assert str(problem.position) == f"<stdin>:{at}"


def test_a_prompt_that_cannot_be_read_is_marked_on_its_line() -> None:
    """Found by fuzzing: what is missing at the end was sought behind it."""
    text = f"{HEAD}jobs:\n  - id: a\n    prompts:\n      - {{ijobs:\n, txt: A dog}}\n"

    found = problems_of(text)

    lines = text.split("\n")
    ends = [(one.position.end_line, one.position.end_column) for one in found]
    assert all(column <= len(lines[line - 1]) + 1 for line, column in ends)
