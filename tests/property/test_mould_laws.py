"""Jobs that are pressed from known parts are those that are made one by one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import cast

from hypothesis import given, reject, settings, strategies as st

from foxbatch.canonical import Json
from foxbatch.errors import InvalidError, Problem
from foxbatch.matrix import Job, expand
from foxbatch.provider import Provider, load_provider
from foxbatch.schema import entangled
from tests.matrices import read

SANDBOX = load_provider("sandbox", base=Path())

UNSET: Json = {"$unset": True}
AXES: dict[str, list[Json]] = {
    "duration": [4, 6, 8, 5, "8", UNSET],
    "aspect_ratio": ["16:9", "9:16", "1:1", UNSET],
    "seed": [1, 2, None, UNSET],
    "resolution": ["720p", "4k", "2160p"],
    "negative_prompt": ["%d {x}", 'a "b"', "日\n", None],
    "generate_audio": [True, False, UNSET],
    "generation_type": ["text-to-video", "image-to-video", "reference-to-video"],
    "image_urls": [["https://a.example/1"], [], None, UNSET],
    "enhance_prompt": [True, UNSET],
    "model": ["veo-3.1", "veo-3.1-fast", "kling"],
    "time": ["dawn", "dusk"],
    "shot": [{"text": "near", "seconds": 4}, {"text": "far", "seconds": 8, "mm": 50}],
}
PROMPTS: list[Json] = [
    "plain",
    "two",
    "costs $${{ 5 }}",
    "at ${{ matrix.time ?? 'noon' }}",
    "in a ${{ let.mood }} way",
    "called ${{ matrix.prompt_id }}",
    "take ${{ repeat }}",
    "${{ matrix.shot.text }} in ${{ matrix.time }} with ${{ matrix.shot.mm }}",
    "${{ matrix.seed }}",
    {"id": "shot", "text": "${{ matrix.shot.text }}"},
    " ",
]
PARAMS: dict[str, list[Json]] = {
    "generate_audio": [False],
    "duration": [4, "${{ matrix.shot.seconds ?? 6 }}", "${{ matrix.time }}"],
    "negative_prompt": ["not ${{ matrix.prompt }}"],
    "seed": ["${{ repeat }}", UNSET],
    "prompt": ["before ${{ matrix.prompt }}"],
}
OUTPUTS = [
    "${{ job.spec }}/${{ job.name }}",
    "${{ matrix.time }}/${{ job.id }}",
    "${{ matrix.prompt ?? 'none' }}-${{ repeat }}",
    "${{ let.mood }}/${{ job.name }}",
]


def some(pool: dict[str, list[Json]], most: int) -> st.SearchStrategy[dict[str, Json]]:
    """Return mappings of a few names to one of their values."""
    pairs = [(name, value) for name, values in pool.items() for value in values]
    return st.permutations(pairs).flatmap(
        lambda found: st.integers(0, most).map(lambda count: dict(found[:count]))
    )


@st.composite
def matrices(draw: st.DrawFn) -> dict[str, Json]:
    names = draw(st.permutations([*AXES]))[: draw(st.integers(1, 3))]
    axes = {
        name: draw(st.permutations(AXES[name]))[: draw(st.integers(1, 3))]
        for name in names
    }
    found: dict[str, Json] = {
        "axes": cast("Json", axes),
        "allow_unmatched": True,
        "allow_empty": True,
    }
    includes, excludes, samples = (draw(st.booleans()) for _ in range(3))
    if includes:
        found["include"] = [{**draw(some(AXES, 1)), "note": 1}]
    if excludes:
        found["exclude"] = [{names[0]: draw(st.sampled_from(AXES[names[0]][:3]))}]
    if samples:
        found["sample"] = {"num": draw(st.integers(1, 6))}
    if len({len(axes[name]) for name in names}) == 1 and len(names) > 1:
        found["zip"] = cast("Json", draw(st.sampled_from([[], [names]])))
    return found


@st.composite
def manifests(draw: st.DrawFn) -> str:
    """Return a manifest whose jobs are right, wrong, odd or twice there."""
    job: dict[str, Json] = {
        "id": "one",
        "prompts": draw(st.permutations(PROMPTS))[: draw(st.integers(1, 3))],
        "matrix": draw(matrices()),
        "let": {"mood": "${{ matrix.time ?? 'calm' }}"},
        "params": draw(some(PARAMS, 2)),
        "repeat": draw(st.sampled_from([1, 1, 2])),
        "output": draw(st.sampled_from(OUTPUTS)),
    }
    both: list[Json] = [job, {**job, "id": "two"}]
    jobs = both[: draw(st.sampled_from([1, 1, 2]))]
    return json.dumps(
        {
            "foxbatch": 1,
            "name": "laws",
            "provider": "sandbox",
            "duplicates": draw(st.sampled_from(["error", "merge"])),
            "limits": {"max_jobs": draw(st.sampled_from([1000, 5]))},
            "defaults": {"model": "veo-3.1-fast", "params": draw(some(AXES, 1))},
            "jobs": jobs,
        }
    )


def unknown_to_moulds() -> Provider:
    """The sandbox, with a word in its schemas that nobody can press jobs by."""
    models = {
        name: dataclasses.replace(model, schema={**model.schema, "$anchor": "plain"})
        for name, model in SANDBOX.models.items()
    }
    return dataclasses.replace(SANDBOX, models=models)


PLAIN = unknown_to_moulds()


def expanded(text: str, provider: Provider) -> tuple[list[Job], list[Problem]]:
    problems: list[Problem] = []
    try:
        manifest = read(text)
    except InvalidError:
        reject()
    return list(expand(manifest, provider, problems.append)), problems


def test_the_plain_way_is_taken_where_a_schema_is_not_understood() -> None:
    known = [entangled(dict(model.schema)) for model in SANDBOX.models.values()]
    unknown = [entangled(dict(model.schema)) for model in PLAIN.models.values()]

    assert all(names is not None and "model" in names for names in known)
    assert {*unknown} == {None}


@settings(max_examples=100, deadline=None)
@given(manifests())
def test_pressed_jobs_are_to_the_byte_what_they_are_made_one_by_one(text: str) -> None:
    """Every field, every problem with its count, and their order."""
    assert expanded(text, SANDBOX) == expanded(text, PLAIN)


@settings(max_examples=100, deadline=None)
@given(manifests())
def test_no_job_is_there_twice_also_where_nobody_looks(text: str) -> None:
    """What is thought to differ by its axes alone does differ."""
    jobs, problems = expanded(text, SANDBOX)

    if "E-PARAM-CONFLICT" not in {problem.code for problem in problems}:
        assert len({job.digest for job in jobs}) == len(jobs)
