"""Values of files: T20 to T23 of the language, and what is wrong with a file."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from foxbatch.canonical import Json
from foxbatch.errors import Problem
from foxbatch.matrix import axes, files, refusals
from tests.matrices import Outcome, cells_of, expand_job


def written(folder: Path, name: str, content: str | bytes) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def of_axis(form: str, folder: Path) -> Outcome:
    return cells_of(f"axes:\n  a: {form}\n", folder)


def values(form: str, folder: Path) -> list[Json]:
    outcome = of_axis(form, folder)
    assert outcome.problems == []
    return [one.cell["a"] for one in outcome.cells]


def prompts(form: str, folder: Path, *, axis: bool = False) -> list[tuple[str, str]]:
    """Return label and text of the prompts that a form gives."""
    job = f"matrix: {{axes: {{prompt: {form}}}}}" if axis else f"prompts: [{form}]"
    outcome = expand_job(job, folder)
    assert outcome.errors == []
    return [(one.prompt.id, one.prompt.text) for one in outcome.jobs if one.prompt]


def problem_of(form: str, folder: Path) -> Problem:
    outcome = of_axis(form, folder)
    (problem,) = outcome.problems
    assert outcome.cells == []
    return problem


# ---- whole files


def test_t21_files_are_values_in_the_order_of_their_bytes(tmp_path: Path) -> None:
    written(tmp_path, "p/b.txt", "B\n\n")
    written(tmp_path, "p/a.txt", "A")
    written(tmp_path, "p/Z.txt", "Z\n")

    found = values("{file: [p/*.txt]}", tmp_path)

    assert found == ["Z", "A", "B\n"]


def test_t22_a_pattern_that_matches_nothing_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "p/a.txt", "A")

    problem = problem_of("{file: [p/*.md]}", tmp_path)

    assert (problem.code, str(problem.position)) == ("E-GLOB-EMPTY", "m.yaml:10:20")


def test_patterns_keep_their_order_and_a_file_counts_once(tmp_path: Path) -> None:
    for name in "abc":
        written(tmp_path, f"{name}.txt", name)

    found = values("{file: [b.txt, '[ab].txt', '?.txt']}", tmp_path)

    assert found == ["b", "a", "c"]


def test_one_file_may_be_a_prompt(tmp_path: Path) -> None:
    written(tmp_path, "a.txt", "A dog\r\nat ${{ vars.x }}\r\n")

    ((label, text),) = prompts("{file: a.txt}", tmp_path)

    assert label.startswith("a-dog-at-")
    assert text == "A dog\nat ${{ vars.x }}"


def test_files_of_one_text_are_told_with_both_names(tmp_path: Path) -> None:
    written(tmp_path, "a.txt", "A dog\n")
    written(tmp_path, "b.txt", "A dog")

    problem = problem_of_first(of_axis("{file: ['*.txt']}", tmp_path))

    assert problem.code == "E-AXIS-DUP"
    assert problem.message.endswith("in a.txt:1:1 and b.txt:1:1")
    assert "`dedupe: true`" in problem.hint


def problem_of_first(outcome: Outcome) -> Problem:
    return outcome.problems[0]


def test_files_are_bounded_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_MOST_BYTES", 5)
    written(tmp_path, "a.txt", "123")
    written(tmp_path, "b.txt", "456")

    assert problem_of("{file: '*.txt'}", tmp_path).code == "E-FILE-SIZE"


# ---- CSV


def test_t23_a_row_is_a_mapping_and_every_value_text(tmp_path: Path) -> None:
    written(tmp_path, "shots.csv", 'prompt,seconds\n"a, b",4\n')

    assert values("{csv: shots.csv}", tmp_path) == [{"prompt": "a, b", "seconds": "4"}]


T23 = (
    'prompts: ["${{ matrix.shot.prompt }}"]\n'
    "matrix: {axes: {shot: {csv: shots.csv%s}}}\n"
    'params: {duration: "${{ matrix.shot.seconds }}"}\n'
)


def test_t23_text_is_no_number_and_the_row_is_named(tmp_path: Path) -> None:
    written(tmp_path, "shots.csv", 'prompt,seconds\n"a, b",4\n')

    problem = expand_job(T23 % "", tmp_path).only("E-TYPE")

    assert problem.message == 'duration must be a whole number, not the text "4"'
    assert str(problem.position) == "shots.csv:2:1"
    assert "`types: {seconds: int}`" in problem.hint


def test_t23_unless_types_make_it_one(tmp_path: Path) -> None:
    written(tmp_path, "shots.csv", 'prompt,seconds\n"a, b",4\n')

    outcome = expand_job(T23 % ", types: {seconds: int}", tmp_path)

    assert outcome.problems == []
    assert [request["duration"] for request in outcome.requests] == [4]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("a\n1\n2\n", [{"a": "1"}, {"a": "2"}], id="one column"),
        pytest.param("a,b\n1,2", [{"a": "1", "b": "2"}], id="no line end at the end"),
        pytest.param("a,b\r\n1,\r\n", [{"a": "1", "b": ""}], id="CRLF and no value"),
        pytest.param('a\n"x ""y"""\n', [{"a": 'x "y"'}], id="quotes"),
        pytest.param('a\n"x\r\n\r\ny"\n', [{"a": "x\n\ny"}], id="lines in quotes"),
        pytest.param('"a,b"\n x \n', [{"a,b": " x "}], id="spaces and quoted names"),
        pytest.param(
            "a\n# x\n${{ y }}\n", [{"a": "# x"}, {"a": "${{ y }}"}], id="data"
        ),
        pytest.param("\ufeffa\n1\n", [{"a": "1"}], id="a byte order mark"),
    ],
)
def test_rows_are_read_as_rfc_4180_says(
    content: str, expected: list[Json], tmp_path: Path
) -> None:
    written(tmp_path, "x.csv", content)

    assert values("{csv: x.csv}", tmp_path) == expected


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        pytest.param("", 1, "no header", id="an empty file"),
        pytest.param("\n1\n", 1, "no header", id="an empty line"),
        pytest.param("a,\n1,2\n", 1, "has no name", id="a column without a name"),
        pytest.param("a,b,a\n1,2,3\n", 1, 'called "a"', id="one name twice"),
        pytest.param("$in\n1\n", 1, '"$in"', id="a name with a dollar"),
        pytest.param("a,b\n1\n", 2, "has 1 value,", id="too few"),
        pytest.param("a,b\n1,2,3\n", 2, "has 3 values", id="too many"),
        pytest.param("a,b\n1,2\n\n", 3, "nothing in it", id="an empty row"),
        pytest.param('a\n"x\ny"\nz,z\n', 4, "2 values", id="after lines in quotes"),
        pytest.param('a\nx"y\n', 2, "inside a value", id="a quote inside"),
        pytest.param('a\n"x" y\n', 2, "text follows", id="text after quotes"),
        pytest.param('a\nx\n"y\n\n', 3, "never closed", id="open quotes"),
        pytest.param('"a\n', 1, "never closed", id="open quotes in the header"),
    ],
)
def test_a_csv_that_is_none_is_refused_at_its_line(
    content: str, line: int, says: str, tmp_path: Path
) -> None:
    written(tmp_path, "x.csv", content)

    problem = problem_of("{csv: x.csv}", tmp_path)

    assert problem.code == "E-CSV"
    assert (problem.position.file, problem.position.line) == ("x.csv", line)
    assert says in problem.message
    assert problem.hint


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("int", "007", 7),
        ("int", "-9007199254740991", -9007199254740991),
        ("float", "4", 4.0),
        ("float", "+.5e1", 5.0),
        ("bool", "TRUE", True),
        ("bool", "false", False),
        ("json", '"[1, null, {""a"": ""${{ x }}""}]"', [1, None, {"a": "${{ x }}"}]),
    ],
)
def test_a_column_may_have_a_type(
    kind: str, text: str, expected: Json, tmp_path: Path
) -> None:
    written(tmp_path, "x.csv", f"v\n{text}\n")

    (found,) = values(f"{{csv: x.csv, types: {{v: {kind}}}}}", tmp_path)

    assert found == {"v": expected}
    assert isinstance(found, dict)
    assert type(found["v"]) is type(expected)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("int", "4.0"),
        ("int", "9007199254740992"),
        ("int", "9" * 50),
        ("int", ""),
        ("float", "1e999"),
        ("float", "nan"),
        ("bool", "yes"),
        ("json", "[1"),
        ("json", "NaN"),
    ],
)
def test_a_value_that_is_not_of_its_type_is_refused(
    kind: str, text: str, tmp_path: Path
) -> None:
    written(tmp_path, "x.csv", f'v,w\n"{text}",x\n')

    problem = problem_of(f"{{csv: x.csv, types: {{v: {kind}}}}}", tmp_path)

    assert (problem.code, str(problem.position)) == ("E-CSV-TYPE", "x.csv:2:1")


def test_a_type_of_no_column_is_refused_in_the_manifest(tmp_path: Path) -> None:
    written(tmp_path, "x.csv", "seconds\n1\n")

    problem = problem_of("{csv: x.csv, types: {second: int}}", tmp_path)

    assert (problem.position.file, problem.hint) == ("m.yaml", "Did you mean seconds?")


def test_only_so_many_mistakes_of_a_file_are_told(tmp_path: Path) -> None:
    written(tmp_path, "x.csv", "a,b\n" + "1\n" * 50)
    written(tmp_path, "x.jsonl", "5\n" * 50)

    assert of_axis("{csv: x.csv}", tmp_path).errors == ["E-CSV"] * 10
    assert cells_of("{axes: {prompt: {jsonl: x.jsonl}}}", tmp_path).errors == (
        ["E-PROMPT-FORM"] * 10
    )


# ---- JSON Lines


def test_each_line_of_jsonl_is_any_value(tmp_path: Path) -> None:
    written(tmp_path, "x.jsonl", '{"a": [1, 2.5]}\n"x\\u00e9"\nnull\ntrue\n-1\n[]')

    found = values("{jsonl: x.jsonl}", tmp_path)

    assert found == [{"a": [1, 2.5]}, "xé", None, True, -1, []]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param("{'a': 1}", "at column 2", id="no JSON"),
        pytest.param("", "it is empty", id="an empty line"),
        pytest.param("1 2", "at column 3", id="two values"),
        pytest.param("NaN", "NaN is no number", id="not a number"),
        pytest.param("-Infinity", "-Infinity is no number", id="infinity"),
        pytest.param("1e999", "not a finite number", id="beyond a double"),
        pytest.param("9007199254740992", "exactly", id="an integer beyond 2⁵³−1"),
        pytest.param("1" * 5_000, "exactly", id="thousands of digits"),
        pytest.param('{"a": 1, "a": 2}', '"a" is given twice', id="a key twice"),
        pytest.param('["\\ud800"]', "U+D800", id="half a surrogate pair"),
        pytest.param('{"\\u0000": 1}', "U+0000", id="a control character"),
        pytest.param("[" * 101 + "]" * 101, "100 deep", id="too deep"),
        pytest.param("[" * 500_000, "100 deep", id="much too deep"),
    ],
)
def test_a_line_that_is_no_strict_json_is_refused(
    line: str, says: str, tmp_path: Path
) -> None:
    written(tmp_path, "x.jsonl", f'"[[{{"\n{line}\n"b"\n')

    problem = problem_of("{jsonl: x.jsonl}", tmp_path)

    assert (problem.code, problem.position.line) == ("E-JSONL", 2)
    assert says in problem.message


def test_a_hundred_levels_are_not_too_deep(tmp_path: Path) -> None:
    written(tmp_path, "x.jsonl", "[" * 100 + "]" * 100)

    assert len(values("{jsonl: x.jsonl}", tmp_path)) == 1


@pytest.mark.parametrize("form", ["jsonl: x.jsonl", "csv: x.csv", "yaml: x.yml"])
def test_a_file_without_values_is_refused(form: str, tmp_path: Path) -> None:
    written(tmp_path, "x.jsonl", "")
    written(tmp_path, "x.csv", "a,b\n")
    written(tmp_path, "x.yml", "[]\n")

    assert problem_of(f"{{{form}}}", tmp_path).code == "E-AXIS-EMPTY"


def test_values_of_files_have_no_keys_that_mean_something(tmp_path: Path) -> None:
    written(tmp_path, "x.jsonl", '{"$unset": true}\n{"$in": [1]}\n')
    written(tmp_path, "x.yml", "- {$gt: 1}\n")

    assert str(problem_of("{jsonl: x.jsonl}", tmp_path).position) == "x.jsonl:2:1"
    assert problem_of("{yaml: x.yml}", tmp_path).code == "E-PATTERN"


# ---- YAML


def test_a_list_inside_a_yaml_file_is_an_axis(tmp_path: Path) -> None:
    written(
        tmp_path, "x.yml", "a/b:\n  - ~c:\n    - fox\n    - |\n      owl\n    - 16:9\n"
    )

    assert values("{yaml: 'x.yml#/a~1b/0/~0c'}", tmp_path) == ["fox", "owl", "16:9"]


def test_a_yaml_file_may_be_a_list(tmp_path: Path) -> None:
    written(tmp_path, "x.yml", "- 1\n- {b: 2}\n")

    assert values("{yaml: x.yml}", tmp_path) == [1, {"b": 2}]


@pytest.mark.parametrize(
    ("path", "code", "place", "says"),
    [
        ("x.yml#/scens", "E-YAML-POINTER", "m.yaml:10:19", 'no "scens"'),
        ("x.yml#/scenes/7", "E-YAML-POINTER", "m.yaml:10:19", 'no "7"'),
        ("x.yml#/scenes/0/x", "E-YAML-POINTER", "m.yaml:10:19", 'no "x"'),
        ("x.yml", "E-YAML-POINTER", "m.yaml:10:19", "keys scenes, none, and"),
        ("x.yml#/none", "E-YAML-POINTER", "m.yaml:10:19", "is empty"),
        ("x.yml#/scenes/0", "E-YAML-POINTER", "m.yaml:10:19", 'is "fox"'),
        ("bad.yml", "E-YAML-DUP-KEY", "bad.yml:2:1", "twice"),
    ],
)
def test_a_place_in_a_yaml_file_that_is_no_list_is_refused(
    path: str, code: str, place: str, says: str, tmp_path: Path
) -> None:
    written(tmp_path, "x.yml", "scenes: [fox]\nnone:\n")
    written(tmp_path, "bad.yml", "a: 1\na: 2\n")

    problem = problem_of(f"{{yaml: '{path}'}}", tmp_path)

    assert (problem.code, str(problem.position)) == (code, place)
    assert says in problem.message


# ---- dedupe and template


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("lines: x", "cat\ndog\ncat\n"),
        ("jsonl: x", '"cat"\n"dog"\n"cat"\n'),
        ("yaml: x", "- cat\n- dog\n- cat\n"),
        ("csv: x", "text\ncat\ndog\ncat\n"),
    ],
)
def test_values_that_are_there_twice_are_told_or_dropped(
    form: str, content: str, tmp_path: Path
) -> None:
    written(tmp_path, "x", content)

    twice = of_axis(f"{{{form}}}", tmp_path)
    once = of_axis(f"{{{form}, dedupe: true}}", tmp_path)
    texts = [text for _, text in prompts(f"{{{form}, dedupe: true}}", tmp_path)]

    (problem,) = twice.problems
    first, last = (2, 4) if "csv" in form else (1, 3)
    assert problem.code == "E-AXIS-DUP"
    assert problem.message.endswith(f"in lines {first} and {last}")
    assert (len(once.cells), once.problems) == (2, [])
    assert texts == ["cat", "dog"]


def test_prompts_of_a_file_may_be_templates(tmp_path: Path) -> None:
    written(tmp_path, "p.txt", "A ${{ matrix.b }} dog\n")

    outcome = expand_job(
        "prompts: [{lines: p.txt, template: true}]\nmatrix: {axes: {b: [wet, dry]}}\n",
        tmp_path,
    )

    assert outcome.problems == []
    assert outcome.prompts == ["A wet dog", "A dry dog"]


def test_values_of_a_file_may_refer_to_vars(tmp_path: Path) -> None:
    written(tmp_path, "x.jsonl", '"${{ vars.x }}"\n{"y": ["a ${{ vars.x }} dog"]}\n')

    outcome = expand_job(
        "prompts: [\"${{ matrix.a.y[0] ?? 'none' }}\"]\n"
        "matrix: {axes: {a: {jsonl: x.jsonl, template: true}}}\n",
        tmp_path,
        top="vars: {x: wet}",
    )

    assert [job.cell["a"] for job in outcome.jobs] == ["wet", {"y": ["a wet dog"]}]
    assert outcome.prompts == ["none", "a wet dog"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param("A ${{ matrix.z }}", "E-REF-UNKNOWN", id="an unknown name"),
        pytest.param("A ${{ z", "E-REF-SYNTAX", id="no template"),
        pytest.param("A ${{ let.z }}", "E-REF-UNKNOWN", id="an unknown let"),
    ],
)
def test_what_is_wrong_in_a_template_is_told_at_its_line(
    line: str, code: str, tmp_path: Path
) -> None:
    written(tmp_path, "p.txt", f"A dog\n{line}\n")

    outcome = expand_job("prompts: [{lines: p.txt, template: true}]\n", tmp_path)

    assert str(outcome.only(code).position) == "p.txt:2:1"


def test_a_value_that_cannot_be_rendered_is_told_at_its_line(tmp_path: Path) -> None:
    written(tmp_path, "x.jsonl", '1\n{"a": "${{ vars.z }}"}\n')

    problem = problem_of_first(of_axis("{jsonl: x.jsonl, template: true}", tmp_path))

    assert (problem.code, str(problem.position)) == ("E-REF-UNKNOWN", "x.jsonl:2:1")


# ---- prompts


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("csv", "id,text\nwet,A dog\n,A cat\n"),
        ("jsonl", '{"id": "wet", "text": "A dog"}\n"A cat"\n'),
        ("yaml", "- {text: A dog, id: wet}\n- A cat\n"),
    ],
)
@pytest.mark.parametrize("axis", [False, True], ids=["prompts", "axis"])
def test_a_record_is_a_prompt_with_or_without_an_id(
    name: str, content: str, tmp_path: Path, *, axis: bool
) -> None:
    written(tmp_path, "x", content)

    first, second = prompts(f"{{{name}: x}}", tmp_path, axis=axis)

    assert first == ("wet", "A dog")
    assert second[0].startswith("a-cat-")


def test_forms_may_stand_in_the_list_of_an_axis_of_prompts(tmp_path: Path) -> None:
    written(tmp_path, "x", "A dog\n")

    found = prompts("[{lines: x}, A cat, {text: An owl, id: owl}]", tmp_path, axis=True)

    assert [text for _, text in found] == ["A dog", "A cat", "An owl"]


def test_a_prompt_may_be_left_out_of_the_request() -> None:
    job = "matrix: {axes: {prompt: [A dog, {$unset: true}]}}"

    outcome = expand_job(job, model="silent")

    assert outcome.errors == []
    assert ["prompt" in request for request in outcome.requests] == [True, False]


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        pytest.param('{"text": "a", "seed": 1}', "E-PROMPT-FORM", '"seed"', id="more"),
        pytest.param('{"id": "a"}', "E-PROMPT-FORM", "no text", id="no text"),
        pytest.param('""', "E-PROMPT-FORM", "no text", id="an empty text"),
        pytest.param("{}", "E-PROMPT-FORM", "no text", id="an empty mapping"),
        pytest.param("5", "E-PROMPT-FORM", "is 5", id="a number"),
        pytest.param('["a"]', "E-PROMPT-FORM", 'is ["a"]', id="a list"),
        pytest.param('{"text": "a", "id": "A B"}', "E-PATTERN", '"A B"', id="a bad id"),
        pytest.param('{"text": "a", "id": 5}', "E-PATTERN", "5", id="a number as id"),
        pytest.param('{"text": "a", "id": "x"}', "E-ID-DUP", '"x"', id="an id twice"),
    ],
)
def test_a_record_that_is_no_prompt_is_refused_at_its_line(
    line: str, code: str, says: str, tmp_path: Path
) -> None:
    written(tmp_path, "x.jsonl", f'"b"\n{line}\n')

    outcome = expand_job("prompts: [{id: x, text: c}, {jsonl: x.jsonl}]", tmp_path)

    (problem,) = outcome.problems
    assert (problem.code, str(problem.position)) == (code, "x.jsonl:2:1")
    assert says in problem.message


def test_a_range_is_no_prompt() -> None:
    outcome = expand_job("matrix: {axes: {prompt: {range: {from: 1, through: 2}}}}")

    assert set(outcome.errors) == {"E-PROMPT-FORM"}


# ---- bounds


@pytest.mark.parametrize("kind", ["lines", "csv", "jsonl", "yaml"])
def test_a_file_has_at_most_as_many_values_as_an_axis_may(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_VALUES", 2)
    lines = "[1, 2, 3]\n" if kind == "yaml" else "1\n2\n3\n4\n"
    written(tmp_path, "x", lines)

    assert problem_of(f"{{{kind}: x}}", tmp_path).code == "E-MATRIX-HUGE"
    assert refusals.MAX_VALUES == 1_000_000


def test_a_text_that_is_never_closed_is_read_once(tmp_path: Path) -> None:
    """Trying it again at every quote would take hours."""
    written(tmp_path, "x.jsonl", '"' + '\\"' * 500_000)
    start = time.perf_counter()

    assert problem_of("{jsonl: x.jsonl}", tmp_path).code == "E-JSONL"

    assert time.perf_counter() - start < 5


# ---- very many lines


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a handful of values many."""
    monkeypatch.setattr(axes, "_FEW", 3)
    monkeypatch.setattr(files, "_FEW_LINES", 3)


MANY = "a\n# no value\n\n  \nb\n \\#c\nd\n"


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    "form",
    [
        pytest.param("{lines: many.txt}", id="lines"),
        pytest.param("{range: {from: 1, through: 4}}", id="a range"),
    ],
)
def test_one_axis_with_too_many_values_is_refused_before_they_are_kept(
    form: str, tmp_path: Path
) -> None:
    written(tmp_path, "many.txt", MANY)
    matrix = f"matrix: {{axes: {{a: {form}}}}}"

    found = expand_job(matrix, tmp_path, top="limits: {max_jobs: 3}")

    assert found.only("E-MAX-JOBS").message == (
        "the manifest asks for at least 4 jobs, and limits.max_jobs is 3"
    )


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize(
    ("form", "rest"),
    [
        pytest.param("{lines: many.txt, dedupe: true}", "", id="equal ones go"),
        pytest.param("{lines: many.txt}", ", exclude: [{a: d}]", id="excluded"),
        pytest.param("{lines: many.txt}", ", sample: {num: 3}", id="sampled"),
    ],
)
def test_values_are_not_refused_where_they_may_become_fewer(
    form: str, rest: str, tmp_path: Path
) -> None:
    written(tmp_path, "many.txt", MANY.replace("d\n", "d\nd\n" * ("dedupe" in form)))
    job = f"prompts: [x]\nmatrix: {{axes: {{seed: {form}}}{rest}}}"

    found = expand_job(
        job.replace("a: d", "seed: d"), tmp_path, top="limits: {max_jobs: 3}"
    )

    assert "at least" not in str(found.problems)


@pytest.mark.usefixtures("few")
def test_lines_are_counted_before_they_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "many.txt", MANY)
    monkeypatch.setattr(files, "MAX_VALUES", 3)

    problem = problem_of("{lines: many.txt}", tmp_path)

    assert problem.code == "E-MATRIX-HUGE"
    assert problem.message.startswith("this is 4 values")


def test_of_very_many_equal_values_the_first_are_told_and_the_rest_counted(
    tmp_path: Path,
) -> None:
    written(tmp_path, "many.txt", "a\n" * 1_015)

    *told, rest = of_axis("{lines: many.txt}", tmp_path).problems

    assert len(told) == 10
    assert (rest.code, rest.severity) == ("E-AXIS-DUP", told[0].severity)
    assert rest.message == "1,004 further values of a are there already"
