"""Jobs pressed from known parts: what they cost, and when they are not pressed."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from collections.abc import Mapping
from typing import cast

import pytest

from foxbatch.canonical import Json
from foxbatch.matrix import Job, checks, duplicates, expand, moulds
from foxbatch.matrix.cells import Cell
from foxbatch.matrix.duplicates import Identities
from foxbatch.matrix.fingerprints import Fingerprints
from foxbatch.matrix.reporting import Tally
from foxbatch.matrix.work import Work
from foxbatch.provider import Provider
from foxbatch.schema import Checker, Schema, entangled
from tests.matrices import TOY, expand_job, one_job, read, toy_provider

SWEEP = """
prompts: [a fox, a dog]
params: {seed: 5}
matrix: {axes: {duration: [4, 6, 8], sound: [true, false], tag: [a, b, c]}}
"""


def with_schema(schema: Mapping[str, Json]) -> Provider:
    provider = toy_provider()
    model = dataclasses.replace(provider.models["toy-1"], schema=schema)
    return dataclasses.replace(provider, models={"toy-1": model})


def jobs_of(job: str, schema: Mapping[str, Json] = TOY) -> list[Job]:
    problems: list[object] = []
    manifest = read(one_job(job))
    return list(expand(manifest, with_schema(schema), problems.append))


class Counting(Checker):
    """A checker that counts how often it is asked."""

    asked = 0

    def is_valid(self, value: Json) -> bool:
        type(self).asked += 1
        return super().is_valid(value)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> type[Counting]:
    monkeypatch.setattr(checks, "Checker", Counting)
    monkeypatch.setattr(Counting, "asked", 0)
    return Counting


class TestHowOftenASchemaIsAsked:
    def test_once_for_each_value_and_not_for_each_job(
        self, counted: type[Counting]
    ) -> None:
        found = jobs_of(SWEEP)

        assert len(found) == 36
        # The first job; then each further value, of the prompt by a job of its own.
        assert counted.asked == 1 + 2 + 1 + 2 + 1

    def test_for_each_combination_of_values_that_are_judged_together(
        self, counted: type[Counting]
    ) -> None:
        together: Json = {
            "if": {"properties": {"duration": {"const": 8}}},
            "then": {"properties": {"tag": {"type": "string"}}},
        }
        found = jobs_of(SWEEP, {**TOY, "allOf": [together]})

        assert len(found) == 36
        assert counted.asked >= 9

    def test_for_every_job_where_the_schema_is_not_understood(
        self, counted: type[Counting]
    ) -> None:
        found = jobs_of(SWEEP, {**TOY, "unevaluatedProperties": True})

        assert len(found) == counted.asked == 36


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        pytest.param({"properties": {"a": {"minimum": 1}}}, set(), id="for itself"),
        pytest.param({"required": ["a"], "x-hint": "b"}, set(), id="names alone"),
        pytest.param({"additionalProperties": False}, set(), id="no other names"),
        pytest.param({"additionalProperties": {"type": "null"}}, None, id="any name"),
        pytest.param({"patternProperties": {"a": True}}, None, id="by pattern"),
        pytest.param({"$ref": "#/$defs/a"}, None, id="elsewhere"),
        pytest.param({"not": {"properties": {"a": {}}}}, {"a"}, id="not"),
        pytest.param({"if": {"$ref": "#"}}, None, id="elsewhere, inside"),
        pytest.param({"then": True, "else": 5}, None, id="no schema at all"),
        pytest.param(
            {"oneOf": [{"anyOf": [{"properties": {"a": {}, "b": {}}}]}, False]},
            {"a", "b"},
            id="alternatives",
        ),
        pytest.param(
            {"x-notes": [{"when": {"properties": {"a": {}}}, "at": "b"}]},
            {"a", "b"},
            id="notes",
        ),
        pytest.param({"x-notes": [{"when": {"required": ["a"]}}]}, set(), id="a note"),
        pytest.param({"x-notes": [{"when": {"$ref": "#"}}]}, None, id="a far note"),
    ],
)
def test_values_are_entangled_that_a_schema_looks_at_together(
    schema: Schema, names: set[str] | None
) -> None:
    assert entangled(dict(schema)) == names


class TestWhatIsForgotten:
    @pytest.mark.parametrize("name", ["_REMEMBERED", "_VERDICTS", "_JOINED"])
    def test_is_made_anew(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        job = SWEEP.replace("sound:", "seed: [1, 2], generation_type: [x, y], sound:")
        job = job.replace("params: {seed: 5}", "")
        together: Json = {"not": {"properties": {"generation_type": {"const": "z"}}}}
        schema = {**TOY, "allOf": [together]}
        before = [repr(one) for one in jobs_of(job, schema)]

        monkeypatch.setattr(moulds, name, 1)

        assert [repr(one) for one in jobs_of(job, schema)] == before

    def test_is_made_anew_for_a_job_that_is_looked_at_later(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = [one.to_json() for one in jobs_of(SWEEP)]
        monkeypatch.setattr(moulds, "_REMEMBERED", 1)

        found = jobs_of(SWEEP)

        assert [one.to_json() for one in found] == before


class TestWhatIsNotPressed:
    def test_a_key_that_is_only_sometimes_there(self) -> None:
        """That a reference gives `$unset` is only seen when it is rendered."""
        job = """
            prompts: [a fox]
            matrix: {axes: {take: [{n: 4}, {n: {$unset: true}}], sound: [true, false]}}
            params: {duration: "${{ matrix.take.n }}"}
        """

        assert [len(one) for one in expand_job(job).requests] == [4, 4, 3, 3]

    def test_a_body_that_is_long(self) -> None:
        texts = [f"{letter * 99_000}" for letter in "ab"]
        job = f"""
            prompts: [a fox]
            matrix: {{axes: {{generation_type: {texts}, seed: [1, 2]}}}}
            params: {{weights: [], clips: ["{"c" * 99_000}"]}}
        """

        found = jobs_of(job)

        assert [len(json.dumps(one.request)) > 198_000 for one in found] == [True] * 4


@pytest.mark.parametrize(
    ("output", "paths"),
    [
        pytest.param("${{ matrix.tag }}", ["a", "b", "a", "b"], id="an axis"),
        pytest.param("${{ matrix.prompt }}", ["fox", "fox", "cat", "cat"], id="prompt"),
        pytest.param("${{ repeat }}-x", ["1-x"] * 4, id="the repeat"),
    ],
)
def test_output_paths_are_those_of_each_cell(output: str, paths: list[str]) -> None:
    job = f"""
        prompts: [fox, cat]
        matrix: {{axes: {{tag: [a, b], sound: [true, false]}}}}
        output: "{output}"
    """

    found = [one.output for one in jobs_of(job)]

    assert found == [path for path in paths for _ in range(2)]


@pytest.mark.parametrize("most", [5, 6, 7])
def test_the_limit_may_lie_between_two_repeats_of_a_known_cell(most: int) -> None:
    job = """
        prompts: [a fox]
        params: {seed: 5}
        matrix: {axes: {tag: [a, b, c, d]}, exclude: [{tag: d}]}
        repeat: 3
    """

    found = expand_job(job, top=f"limits: {{max_jobs: {most}}}")

    assert (len(found.jobs), found.errors) == (most, ["E-MAX-JOBS"])
    assert found.only("N-SEED").jobs == {5: 6, 6: 6, 7: 9}[most]


def test_the_first_of_two_equal_jobs_may_come_from_an_include() -> None:
    job = """
        prompts: [a fox]
        matrix:
          axes: {tag: [a]}
          include: [{tag: b, seed: 1}, {tag: b, seed: 1.0}]
    """

    problem = expand_job(job).only("E-DUPLICATE-JOB")

    assert problem.message.startswith("this asks for the same as beach/a-fox-")
    assert "-b-seed1-" in problem.message


class TestAPressedJob:
    @pytest.fixture
    def job(self) -> Job:
        return jobs_of(SWEEP)[-1]

    def test_is_equal_to_one_that_is_written_out(self, job: Job) -> None:
        assert dataclasses.replace(job) == job
        assert dataclasses.replace(job, index=0) != job

    def test_can_be_sent_to_another_process(self, job: Job) -> None:
        assert pickle.loads(pickle.dumps(job)) == job  # noqa: S301  just made
        assert copy.deepcopy(job) == job

    def test_has_no_other_attributes(self, job: Job) -> None:
        with pytest.raises(AttributeError, match="cost"):
            _ = job.cost  # type: ignore[attr-defined]  # there is none

    def test_shares_no_list_with_another(self) -> None:
        job = 'prompts: [a, b]\nparams: {clips: ["https://a.example"]}'
        first, second = jobs_of(f"{job}\nrepeat: 2")[-2:]
        clips = first.request["clips"]
        assert isinstance(clips, list)

        clips.append("https://b.example")

        assert second.request["clips"] == ["https://a.example"]


# ---- which job was first


def test_fingerprints_know_what_came_first_however_many_there_are() -> None:
    known = Fingerprints()
    digests = [number.to_bytes(4, "big") * 8 for number in range(5_000)]

    firsts = [known.first(digest, n) for n, digest in enumerate(digests)]
    again = [known.first(digest, 9_999) for digest in digests]

    assert firsts == again == [*range(5_000)]


class Alike:
    """A spec whose jobs have these digests, by the number of their cell."""

    spec = "alike"

    def __init__(self, digests: list[bytes]) -> None:
        self._digests = digests

    def cell(self, number: int) -> Cell:
        return Cell({}, {}, number)

    def digest(self, cell: Cell, _repeat: int) -> bytes:
        return self._digests[cell.alone or 0]


def test_digests_that_only_begin_alike_are_different_jobs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    digests = [b"the same" + end.encode() * 24 for end in "abab"]
    identities = Identities(Tally(print), "error")
    begin = identities.add(cast("Work", Alike(digests)))
    told: list[tuple[int, int]] = []

    def count(_self: object, _digest: bytes, number: int, first: int, _n: int) -> None:
        told.append((number - begin, first - begin))

    monkeypatch.setattr(duplicates.Identities, "_count", count)

    firsts = [identities.is_first(d, begin + n, 1) for n, d in enumerate(digests)]

    assert firsts == [True, True, False, False]
    assert told == [(2, 0), (3, 1)]


def test_no_field_is_made_before_somebody_asks_for_it() -> None:
    found = jobs_of(SWEEP)

    made_at_once = [job for job in found if job._pressed is None]  # noqa: SLF001

    assert len(found) == 36
    assert made_at_once == found[:1]  # further prompts are rendered, and no more


def test_prompts_with_and_without_references_are_rendered_for_themselves() -> None:
    found = jobs_of(
        """
prompts: ["${{ matrix.tag }} fox", a dog]
matrix: {axes: {tag: [a, b]}}
"""
    )

    texts = [job.prompt.text for job in found if job.prompt is not None]
    assert sorted(texts[:2]) == ["a fox", "b fox"]
    assert set(texts[2:]) == {"a dog"}


def test_a_prompt_that_cannot_be_rendered_makes_no_job() -> None:
    found = jobs_of(
        """
prompts: ["a lens of ${{ matrix.shot.mm }} mm"]
matrix: {axes: {shot: [{mm: 50}, {cm: 5}, {mm: 85}]}}
"""
    )

    texts = [job.prompt.text for job in found if job.prompt is not None]
    assert texts == ["a lens of 50 mm", "a lens of 85 mm"]


class Strict(Checker):
    """A checker whose fast half refuses what the explaining half finds valid."""

    def is_valid(self, _value: Json) -> bool:
        return False


def test_what_nobody_can_explain_is_refused_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checks, "Checker", Strict)

    found = expand_job("prompts: [a fox, a dog]")

    assert (found.jobs, found.errors) == ([], ["E-SCHEMA"])
    assert found.only("E-SCHEMA").jobs == 2
