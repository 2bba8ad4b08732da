"""What editors are told about manifests, and that they never know better."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from foxbatch.canonical import Json
from foxbatch.cli._editor import manifest_schema
from foxbatch.errors import InvalidError
from foxbatch.schema import load_schema
from foxbatch.schema.editor import editor_schema
from foxbatch.yaml12 import parse
from tests.matrices import SCHEMAS

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "tests" / "examples"
COMMITTED = ROOT / "schemas" / "manifest.editor.schema.json"
SCHEMA = manifest_schema("foxapi")
EDITOR = Draft7Validator(SCHEMA)

TOP = "foxbatch: 1\nname: t\nprovider: sandbox\n"
# What the language server of VS Code and others understands.
UNDERSTOOD = {
    *("$schema", "$ref", "title", "description", "markdownDescription", "definitions"),
    *("type", "enum", "const", "default", "examples", "defaultSnippets"),
    *("if", "then", "else", "not", "allOf", "anyOf", "contains"),
    *("properties", "patternProperties", "additionalProperties", "propertyNames"),
    *("required", "minProperties", "maxProperties", "items", "minItems", "maxItems"),
    *("uniqueItems", "minLength", "maxLength", "pattern", "patternErrorMessage"),
    *("minimum", "maximum", "exclusiveMinimum", "errorMessage", "doNotSuggest"),
}


def complaints(text: str, editor: Draft7Validator = EDITOR) -> list[str]:
    value = parse(text, file="m.yaml").value
    return [error.json_path for error in editor.iter_errors(value)]


def of_job(text: str, editor: Draft7Validator = EDITOR) -> list[str]:
    """Return the complaints about one entry of `jobs` that names no model itself."""
    lines = "".join(f"    {line}\n" for line in text.splitlines())
    return complaints(f"{TOP}jobs:\n  - id: a\n{lines}", editor)


def schemas_in(value: Json) -> Iterator[dict[str, Json]]:
    if isinstance(value, list):
        for one in value:
            yield from schemas_in(one)
    elif isinstance(value, dict):
        yield value
        for keyword, inner in value.items():
            if keyword in {"properties", "patternProperties", "definitions"}:
                assert isinstance(inner, dict)
                yield from schemas_in(list(inner.values()))
            elif keyword not in {"enum", "const", "examples", "defaultSnippets"}:
                yield from schemas_in(inner)


def test_the_committed_schema_is_what_is_made() -> None:
    """`foxbatch schema manifest > schemas/manifest.editor.schema.json` makes it."""
    made = json.dumps(SCHEMA, indent=2, ensure_ascii=False) + "\n"

    assert COMMITTED.read_text("utf-8") == made


def test_editors_understand_every_word_of_it() -> None:
    Draft7Validator.check_schema(SCHEMA)

    words = {word for schema in schemas_in(SCHEMA) for word in schema}
    assert words - UNDERSTOOD == set()


def test_every_definition_is_there() -> None:
    definitions = SCHEMA["definitions"]
    assert isinstance(definitions, dict)

    for schema in schemas_in(SCHEMA):
        if "$ref" in schema:
            assert str(schema["$ref"]).removeprefix("#/definitions/") in definitions
            assert schema.keys() == {"$ref"}, "draft 7 reads nothing beside it"


def test_every_parameter_is_described() -> None:
    definitions = SCHEMA["definitions"]
    assert isinstance(definitions, dict)
    properties = load_schema("models/veo-3.1")["properties"]
    assert isinstance(properties, dict)

    for name, about in properties.items():
        if name != "model":
            told = definitions[f"param-{name}"]
            assert isinstance(told, dict)
            assert isinstance(about, dict)
            assert told["description"] == about["description"]


@pytest.mark.parametrize(
    "path",
    [
        *(EXAMPLES / "good").glob("*.yaml"),
        *(EXAMPLES / "odd").glob("*.yaml"),
        *(ROOT / "manifests").glob("*.yaml"),
        ROOT / "foxbatch" / "cli" / "templates" / "first.yaml",
    ],
    ids=lambda path: path.stem,
)
def test_an_editor_takes_what_is_valid(path: Path) -> None:
    assert complaints(path.read_text("utf-8")) == []


def test_an_editor_sees_much_of_what_is_wrong() -> None:
    seen = set()
    for path in (EXAMPLES / "bad").glob("*.yaml"):
        try:
            if complaints(path.read_text("utf-8", "replace")):
                seen.add(path.stem)
        except InvalidError:
            pass  # no YAML, which editors tell without a schema

    assert seen >= {
        *("unknown-parameter", "wrong-duration", "unknown-model", "unknown-value"),
        *("typo-in-key", "range-wrong-key", "two-forms", "budget-per-typo"),
        *("local-file-no-address", "number-as-text", "operator-unknown"),
    }


@pytest.mark.parametrize(
    "job",
    [
        pytest.param('params: {resolution: "${{ vars.size }}"}', id="a reference"),
        pytest.param('params: {resolution: "4${{ vars.k }}"}', id="text with one"),
        pytest.param("params: {resolution: {$unset: true}}", id="a default left out"),
        pytest.param("params: {zzz: {$unset: true}}", id="one of another model"),
        pytest.param("params: {image_urls: [{path: a.png}]}", id="a local file"),
        pytest.param("params: {seed: null, safety_tolerance: 6}", id="null"),
        pytest.param("model: ${{ vars.m }}\nparams: {seed: 1}", id="a model by name"),
        pytest.param("matrix: {axes: {model: [veo-3.1]}}", id="a model's axis"),
        pytest.param(
            "matrix: {axes: {seed: {range: {from: 1, through: 2}}}}", id="form"
        ),
        pytest.param(
            "matrix: {axes: {duration: [{$unset: true}, 4]}}", id="unset in axis"
        ),
        pytest.param("matrix: {axes: {zzz: [1, a]}}", id="a variable"),
        pytest.param(
            "matrix: {axes: {duration: [long]}, variables: [duration]}",
            id="a variable that is called like a parameter",
        ),
        pytest.param("matrix: {include: [{duration: {$gt: 4}, x: y}]}", id="operators"),
        pytest.param("matrix: {exclude: [{duration: 99}]}", id="a filter"),
        pytest.param("repeat: [{where: {duration: 99}, n: 1}]", id="where"),
        pytest.param(
            "model: veo-3.1\nparams: {reference_type: STYLE}", id="of the large model"
        ),
    ],
)
def test_an_editor_takes(job: str) -> None:
    assert of_job(job) == []


@pytest.mark.parametrize(
    ("job", "at"),
    [
        ("params: {resolution: 720}", "params.resolution"),
        ("params: {resolution: 8k}", "params.resolution"),
        ("params: {resolution: {$unset: false}}", "params.resolution"),
        ("params: {zzz: 1}", "params.zzz"),
        ("params: {image_urls: [ftp://x]}", "params.image_urls"),
        ("params: {image_urls: {path: a.png}}", "params.image_urls"),
        ("params: {seed: {path: a.png}}", "params.seed"),
        ("params: {model: veo-3.1}", "params.model"),
        ("model: veo", "model"),
        (
            "model: veo-3.1-fast\nparams: {reference_type: STYLE}",
            "params.reference_type",
        ),
        ("matrix: {axes: {duration: [5]}}", "matrix.axes.duration[0]"),
        ("matrix: {axes: {model: [veo]}}", "matrix.axes.model[0]"),
        ("matrix: {include: [{duration: 5}]}", "matrix.include[0].duration"),
        ("matrix: {include: [{duration: {$gt: x}}]}", "matrix.include[0].duration"),
        ("matrix: {exclude: [{duration: {$almost: 4}}]}", "matrix.exclude[0].duration"),
    ],
)
def test_an_editor_marks(job: str, at: str) -> None:
    assert f"$.jobs[0].{at}" in of_job(job)


def test_defaults_are_completed_as_well() -> None:
    text = f"{TOP}defaults: {{model: veo, params: {{duration: 5, zzz: 1}}}}\njobs: []\n"

    assert {
        "$.defaults.model",
        "$.defaults.params.duration",
        "$.defaults.params.zzz",
    } <= {*complaints(text)}


def test_of_another_provider_nothing_is_known() -> None:
    text = (
        "foxbatch: 1\nname: t\nprovider: ./mine.yaml\n"
        "defaults: {model: toy, params: {speed: 1}}\n"
        "jobs: [{id: a, model: toy-2, params: {zzz: 1}}]\n"
    )

    assert complaints(text) == []


class TestModels:
    """Models that share little, and schemas that say what editors cannot read."""

    @pytest.fixture
    def toys(self) -> Draft7Validator:
        schema = editor_schema(load_schema("manifest"), SCHEMAS, providers={})
        Draft7Validator.check_schema(schema)
        return Draft7Validator(schema)

    @pytest.mark.parametrize(
        ("job", "count"),
        [
            ("model: still\nparams: {duration: 4}", 1),
            ("model: toy-1\nparams: {duration: 4}", 0),
            ("params: {duration: 4}", 0),
            ("params: {duration: 5}", 1),
            ("params: {cover_url: {path: a.png}}", 0),
            ("params: {clips: [{path: a.mp4}]}", 0),
            ("params: {weights: [0.5, '${{ vars.w }}']}", 0),
            ("params: {weights: [2]}", 1),
        ],
    )
    def test_each_model_has_its_parameters(
        self, job: str, count: int, toys: Draft7Validator
    ) -> None:
        assert len(of_job(job, toys)) == count

    def test_where_models_disagree_any_may_be_meant(self) -> None:
        models: dict[str, dict[str, Json]] = {
            "a/b": {"properties": {"size": {"enum": [1], "description": "How big."}}},
            "a_b": {"properties": {"size": {"enum": [2]}, "~x y/": True}},
        }
        editor = Draft7Validator(
            editor_schema(load_schema("manifest"), models, providers={})
        )

        assert of_job("params: {size: 1}", editor) == []
        assert of_job("params: {size: 2}", editor) == []
        assert of_job("params: {size: 3}", editor) == ["$.jobs[0].params.size"]
        assert of_job("model: a/b\nparams: {size: 2}", editor) == [
            "$.jobs[0].params.size"
        ]
        assert of_job("model: a_b\nparams: {size: 2, '~x y/': 1}", editor) == []

    def test_an_open_model_takes_any_name(self) -> None:
        models: dict[str, dict[str, Json]] = {"open": {}, "none": {"properties": {}}}
        editor = Draft7Validator(
            editor_schema(load_schema("manifest"), models, providers={})
        )

        assert of_job("model: open\nparams: {zzz: 1}", editor) == []

    def test_what_an_editor_cannot_read_is_left_to_validate(self) -> None:
        size: dict[str, Json] = {
            "minimum": 1,
            "$ref": "#/$defs/size",
            "unevaluatedProperties": False,
            "not": {"const": 2},
        }
        models: dict[str, dict[str, Json]] = {"toy": {"properties": {"size": size}}}

        made = editor_schema(load_schema("manifest"), models, providers={})

        definitions = made["definitions"]
        assert isinstance(definitions, dict)
        written = definitions["param-size"]
        assert isinstance(written, dict)
        assert isinstance(written["anyOf"], list)
        assert written["anyOf"][0] == {"minimum": 1}

    def test_a_rule_about_more_than_the_model_takes_no_parameter_away(self) -> None:
        rules: list[Json] = [
            {"if": {"properties": {"model": {"const": "b"}}}, "else": _never("only_b")},
            {"if": {"properties": {"size": {"const": 1}}}, "then": _never("speed")},
            {"if": True, "then": _never("speed")},
            {"not": {"required": ["speed"]}},
        ]
        schema: dict[str, Json] = {
            "additionalProperties": False,
            "properties": {"speed": {}, "only_b": {}, "gone": False},
            "allOf": rules,
        }
        editor = Draft7Validator(
            editor_schema(
                load_schema("manifest"), {"a": schema, "b": schema}, providers={}
            )
        )

        assert of_job("model: a\nparams: {speed: 1}", editor) == []
        assert of_job("model: a\nparams: {only_b: 1}", editor) != []
        assert of_job("model: b\nparams: {only_b: 1}", editor) == []
        assert of_job("model: a\nparams: {gone: 1}", editor) != []


def _never(name: str) -> Json:
    return {"properties": {name: {"not": {}}}}
