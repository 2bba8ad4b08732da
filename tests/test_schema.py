from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from foxbatch.canonical import Json
from foxbatch.errors import Position, Problem, Severity, UsageError
from foxbatch.schema import (
    Checker,
    load_schema,
    nearest,
    place,
    pointer,
    schema_names,
    show,
    suggest,
)
from foxbatch.yaml12 import Document, Where, parse

CLIP: dict[str, Json] = {
    "type": "object",
    "required": ["model", "prompt"],
    "additionalProperties": False,
    "properties": {
        "model": {"enum": ["veo-3.1", "veo-3.1-fast"]},
        "prompt": {"type": "string", "minLength": 1, "maxLength": 5},
        "duration": {"type": "integer", "enum": [4, 6, 8]},
        "level": {"type": ["integer", "null"], "minimum": 1, "maximum": 6},
        "scale": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "step": {"type": "integer", "multipleOf": 8},
        "sound": {"type": "boolean"},
        "kind": {"enum": ["text", "image"]},
        "images": {
            "type": "array",
            "minItems": 1,
            "maxItems": 2,
            "uniqueItems": True,
            "items": {"type": "string", "pattern": "^https:", "x-hint": "Use https."},
        },
        "tags": {"type": "object", "propertyNames": {"pattern": "^[a-z]+$"}},
        "fixed": {"const": 1, "x-hint": "Write 1."},
        "target": {
            "description": "A URL or a size.",
            "oneOf": [
                {"type": "string", "pattern": "^https:"},
                {
                    "type": "object",
                    "required": ["width", "height"],
                    "additionalProperties": False,
                    "properties": {
                        "width": {"type": "integer"},
                        "height": {"type": "integer"},
                    },
                },
                {
                    "type": "object",
                    "required": ["ratio"],
                    "additionalProperties": False,
                    "properties": {"ratio": {"type": "string"}},
                },
            ],
        },
        "extra": {"type": "object", "patternProperties": {"^x-": True}, "if": True},
    },
    "allOf": [
        {
            "if": {"required": ["kind"], "properties": {"kind": {"const": "image"}}},
            "then": {
                "required": ["images"],
                "properties": {"images": {"maxItems": 1}},
            },
            "else": {"properties": {"images": False}},
            "x-hint": "kind: image takes exactly one of images.",
        }
    ],
}
GOOD = 'model: veo-3.1\nprompt: "hi"\n'


def problems_of(text: str, schema: dict[str, Json] | None = None) -> list[Problem]:
    document = parse(text, file="m.yaml")
    checker = Checker(schema or CLIP)
    return checker.problems(document.value, locate(document), subject="the request")


def locate(document: Document) -> _Locate:
    return _Locate(document)


class _Locate:
    def __init__(self, document: Document) -> None:
        self._document = document

    def __call__(self, where: Where, key: bool) -> Position:
        return self._document.position(where, key=key)


def test_a_valid_value_has_no_problems() -> None:
    checker = Checker(CLIP)

    assert checker.is_valid({"model": "veo-3.1", "prompt": "hi"})
    assert problems_of(GOOD) == []


@pytest.mark.parametrize(
    ("line", "code", "message", "hint"),
    [
        (
            "duraton: 4",
            "E-KEY-UNKNOWN",
            'unknown key "duraton" in the request',
            "Did you mean duration?",
        ),
        (
            "zzz: 4",
            "E-KEY-UNKNOWN",
            'unknown key "zzz" in the request',
            "Known keys: model, prompt, duration",
        ),
        (
            'duration: "8"',
            "E-TYPE",
            'duration must be a whole number, not the text "8"',
            "Remove the quotes: 8.",
        ),
        (
            "duration: long",
            "E-TYPE",
            'duration must be a whole number, not the text "long"',
            "Write 4, 6 or 8.",
        ),
        ("duration: 5", "E-ENUM", "duration is 5, and must be 4, 6 or 8", ""),
        (
            "sound: no",
            "E-TYPE",
            'sound must be true or false, not the text "no"',
            "Write false.",
        ),
        ("sound:", "E-TYPE", "sound must be true or false, not empty (null)", "remove"),
        ("level: 0", "E-RANGE", "level is 0, and must be at least 1", ""),
        ("level: 7", "E-RANGE", "level is 7, and may be at most 6", ""),
        ("level: 1.5", "E-TYPE", "a whole number or null, not the number 1.5", ""),
        ("scale: 0", "E-RANGE", "scale is 0, and must be more than 0", ""),
        ("scale: 1", "E-RANGE", "scale is 1, and must be less than 1", ""),
        ("scale: true", "E-TYPE", "scale must be a number, not true", ""),
        ("step: 9", "E-RANGE", "step is 9, and must be a multiple of 8", ""),
        (
            "kind: imag",
            "E-ENUM",
            'kind is "imag", and must be "text" or "image"',
            'Did you mean "image"?',
        ),
        ("fixed: 2", "E-ENUM", "fixed is 2, and must be 1", "Write 1."),
        ("tags: {A: 1}", "E-PATTERN", '"A" is not possible as a name in tags', ""),
        ("tags: [1]", "E-TYPE", "tags must be a mapping, not a list", ""),
        (
            "kind: image",
            "E-KEY-MISSING",
            'the request has no "images"',
            "kind: image takes exactly one",
        ),
        (
            "images: ['https://x']",
            "E-NOT-ALLOWED",
            "images is not allowed here",
            "kind: image takes",
        ),
        (
            "{kind: image, images: ['https://x', 'https://y']}",
            "E-COUNT",
            "images has 2 values, and may have at most 1",
            "kind: image takes",
        ),
        (
            "{kind: image, images: []}",
            "E-COUNT",
            "images is empty",
            "",
        ),
        (
            "{kind: image, images: ftp}",
            "E-TYPE",
            'images must be a list, not the text "ftp"',
            'Write a list: ["ftp"].',
        ),
        (
            "{kind: image, images: ['ftp://x']}",
            "E-PATTERN",
            'images[0] "ftp://x" does not have the right form',
            "Use https.",
        ),
        (
            "target: 5",
            "E-TYPE",
            "target must be text or a mapping, not the number 5",
            "",
        ),
        ("target: true", "E-TYPE", "target must be text or a mapping, not true", ""),
        ("target: x", "E-PATTERN", 'target "x" does not have the right form', ""),
        (
            "target: {width: 5}",
            "E-KEY-MISSING",
            'target has no "height"',
            "",
        ),
        (
            "target: {width: 5, hieght: 4}",
            "E-KEY-UNKNOWN",
            'unknown key "hieght" in target',
            "Did you mean height?",
        ),
        (
            "target: {ratio: 5}",
            "E-TYPE",
            "target.ratio must be text, not the number 5",
            'Put it in quotes: "5".',
        ),
        (
            "target: {q: 5}",
            "E-SCHEMA",
            "target has none of the possible forms",
            "A URL or a size.",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and ":" in value else None,
)
def test_a_problem_is_said_in_the_users_words(
    line: str, code: str, message: str, hint: str
) -> None:
    extra = line.strip("{}") if line.startswith("{") else None
    text = f"{{model: veo-3.1, prompt: hi, {extra}}}" if extra else GOOD + line

    (problem,) = problems_of(text)

    assert problem.code == code
    assert message in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: veo-3.1\nprompt: ''", "prompt is empty"),
        (
            "model: veo-3.1\nprompt: too long",
            "prompt has 8 characters, and may have at most 5",
        ),
        (
            "model: veo-3.1\nprompt: 12",
            "prompt must be text, not the number 12",
        ),
        ("[]", "the request must be a mapping, not a list"),
    ],
)
def test_the_other_shapes_of_a_value_are_named(text: str, message: str) -> None:
    (problem,) = problems_of(text)

    assert problem.message == message


def test_a_value_given_twice_in_a_list_is_counted() -> None:
    schema: dict[str, Json] = {"properties": {"a": {"uniqueItems": True}}}

    (problem,) = problems_of("a: [1, 1]", schema)

    assert (problem.code, problem.message) == ("E-COUNT", "a holds a value twice")


def test_a_keyword_without_words_of_its_own_still_explains() -> None:
    schema: dict[str, Json] = {"properties": {"a": {"contains": {"const": 1}}}}

    (problem,) = problems_of("a: [2]", schema)

    assert problem.code == "E-SCHEMA"
    assert problem.message.startswith("a: ")


def test_a_rule_that_forbids_a_combination_does_not_hide_other_problems() -> None:
    schema: dict[str, Json] = {
        "required": ["c"],
        "allOf": [{"not": {"required": ["a", "b"]}, "x-hint": "Choose one."}],
    }

    found = problems_of("{a: 1, b: 1}", schema)

    assert {problem.code for problem in found} == {"E-KEY-MISSING", "E-NOT-ALLOWED"}
    assert "Choose one." in {problem.hint for problem in found}


def test_of_two_forms_of_text_the_nearer_one_is_explained() -> None:
    schema: dict[str, Json] = {
        "properties": {
            "a": {
                "anyOf": [
                    {"type": "string", "pattern": "^x", "minLength": 3},
                    {"type": "string", "pattern": "^y"},
                ]
            }
        }
    }

    (problem,) = problems_of("a: z", schema)

    assert problem.code == "E-PATTERN"


def test_a_choice_of_numbers_says_to_remove_quotes() -> None:
    schema: dict[str, Json] = {"properties": {"a": {"enum": [4, "auto"]}}}

    (number,) = problems_of("a: '4'", schema)
    (text,) = problems_of("a: 7", schema)

    assert number.hint == "Remove the quotes: 4."
    assert text.hint == ""


def test_a_misspelt_key_is_not_also_missing() -> None:
    (problem,) = problems_of("model: veo-3.1\nPrompt: hi\n")

    assert problem.code == "E-KEY-UNKNOWN"
    assert problem.hint == "Did you mean prompt?"
    assert str(problem.position) == "m.yaml:2:1"
    assert problem.pointer == "/Prompt"


def test_a_rule_that_fails_for_want_of_a_misspelt_key_is_not_said_as_well() -> None:
    schema: dict[str, Json] = {
        "additionalProperties": False,
        "properties": {"kind": {}, "images": {"type": "array"}, "seed": {"const": 1}},
        "if": {"required": ["images"]},
        "then": {"required": ["kind"], "properties": {"images": {"minItems": 1}}},
    }

    found = problems_of("kinds: image\nimages: []\nseed: 2\n", schema)

    assert [(problem.code, problem.pointer) for problem in found] == [
        ("E-KEY-UNKNOWN", "/kinds"),
        ("E-COUNT", "/images"),
        ("E-ENUM", "/seed"),
    ]


def test_a_wrong_type_that_two_rules_refuse_is_one_problem_with_both_hints() -> None:
    images: dict[str, Json] = {"type": "array", "x-hint": "Write exactly one address."}
    schema: dict[str, Json] = {
        "properties": {"images": {"type": ["array", "null"]}},
        "then": {"properties": {"images": images}},
        "if": {"required": ["kind"]},
    }

    (problem,) = problems_of("kind: image\nimages: x\n", schema)

    assert problem.message == 'images must be a list or null, not the text "x"'
    assert problem.hint == 'Write a list: ["x"]. Write exactly one address.'


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        pytest.param("720", 'Did you mean "720p"?', id="a number that lacks its unit"),
        pytest.param("true", 'Write "720p" or "1080p".', id="nothing like a choice"),
        pytest.param("[720p]", "", id="a list"),
    ],
)
def test_a_wrong_type_is_not_told_to_become_a_wrong_choice(
    value: str, hint: str
) -> None:
    sizes: dict[str, Json] = {"type": "string", "enum": ["720p", "1080p"]}

    (problem,) = problems_of(f"size: {value}", {"properties": {"size": sizes}})

    assert (problem.code, problem.hint) == ("E-TYPE", hint)


def test_problems_come_in_the_order_of_the_file() -> None:
    found = problems_of("zzz: 1\nmodel: veo\nprompt: 5\nduration: 5\n")

    assert [problem.position.line for problem in found] == [1, 2, 3, 4]


def test_references_lead_to_the_hint_of_their_target() -> None:
    schema: dict[str, Json] = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "properties": {"a": {"$ref": "#/definitions/name"}},
        "definitions": {"name": {"type": "string", "x-hint": "A name."}},
    }

    (problem,) = problems_of("a: 5", schema)

    assert problem.hint == "A name."


def test_codes_can_be_chosen_for_one_keyword() -> None:
    schema: dict[str, Json] = {
        "properties": {
            "a": {
                "type": "array",
                "minItems": 1,
                "x-code": {"minItems": "E-AXIS-EMPTY"},
            }
        }
    }

    assert [problem.code for problem in problems_of("a: []", schema)] == [
        "E-AXIS-EMPTY"
    ]
    assert [problem.code for problem in problems_of("a: 5", schema)] == ["E-TYPE"]


def test_notes_are_given_for_valid_values() -> None:
    schema: dict[str, Json] = {
        "x-notes": [
            {
                "when": {"not": {"required": ["sound"]}},
                "code": "N-SOUND",
                "message": "sound is left out",
                "hint": "Say it.",
            },
            {
                "when": {"required": ["size"]},
                "code": "W-SIZE",
                "message": "size is old",
                "at": "size",
            },
        ]
    }
    document = parse("a: 1\nsize: 2", file="m.yaml")

    sound, size = Checker(schema).notes(document.value, locate(document))

    assert (sound.severity, sound.hint) == (Severity.NOTE, "Say it.")
    assert (size.severity, size.pointer) == (Severity.WARNING, "/size")
    assert size.position.line == 2


def test_schemas_are_found_by_name() -> None:
    assert {"manifest", "provider"} <= set(schema_names())
    assert load_schema("manifest")["title"] == "foxbatch manifest"


def test_an_unknown_schema_name_suggests_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        load_schema("manifset")

    assert caught.value.hint == "Did you mean manifest?"


def test_schemas_inside_the_package_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foxbatch.schema import _folder

    (tmp_path / "_schemas").mkdir()
    (tmp_path / "_schemas" / "only.schema.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr("foxbatch.schema.resources.files", lambda _name: tmp_path)
    _folder.cache_clear()
    try:
        names = schema_names()
    finally:
        _folder.cache_clear()

    assert names == ["only"]


def test_checking_a_valid_value_does_not_load_the_explaining_library() -> None:
    script = (
        "import sys\n"
        "from foxbatch.schema import Checker\n"
        "assert Checker({'type': 'integer'}).is_valid(1)\n"
        "sys.exit('jsonschema' in sys.modules)\n"
    )

    done = subprocess.run([sys.executable, "-c", script], check=False)

    assert done.returncode == 0


@pytest.mark.parametrize(
    ("about_all", "hint"),
    [
        pytest.param({}, "Did you mean through?", id="the right key"),
        pytest.param(
            {"x-hint-meant": "Both ends are included."},
            "Both ends are included.",
            id="what is said of all",
        ),
    ],
)
def test_a_key_from_elsewhere_is_not_also_a_missing_key(
    about_all: dict[str, Json], hint: str
) -> None:
    schema: dict[str, Json] = {
        "type": "object",
        "required": ["from", "through"],
        "additionalProperties": False,
        "properties": {"from": {}, "through": {}},
        "x-meant": {"stop": "through"},
        **about_all,
    }

    document = parse("from: 1\nstop: 2\n", file="it.yaml")
    (problem,) = Checker(schema).problems(document.value, locate(document))

    assert (problem.code, problem.hint) == ("E-KEY-UNKNOWN", hint)
    assert problem.pointer == "/stop"


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("promts", "prompts"),
        ("aspect-ratio", "aspect_ratio"),
        ("AspectRatio", "aspect_ratio"),
        ("zzz", None),
    ],
)
def test_the_nearest_word_is_found(word: str, found: str | None) -> None:
    assert nearest(word, ["prompts", "aspect_ratio"]) == found


def test_without_a_near_word_all_are_listed() -> None:
    assert suggest("zzz", ["a", "b"], "Known keys") == "Known keys: a, b."
    assert suggest("zzz", [], "Known keys") == ""


def test_places_and_pointers_are_written_as_people_and_tools_expect() -> None:
    where: Where = ("jobs", 0, "a/b~c")

    assert place(where) == "jobs[0].a/b~c"
    assert place((), root="the file") == "the file"
    assert pointer(where) == "/jobs/0/a~1b~0c"


def test_long_values_are_shortened_in_sentences() -> None:
    assert len(show("x" * 500)) < 70
    assert show("x" * 500).endswith('…"')
    assert show([1] * 100).endswith("…")
    assert show("é") == '"é"'
