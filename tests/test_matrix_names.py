"""Names of jobs and paths of their files: safe, unique, and never by position."""

from __future__ import annotations

import re

import pytest

from foxbatch.matrix import Prompt
from foxbatch.matrix.expansion import prepare
from foxbatch.matrix.names import Names
from tests.matrices import expand_job, expand_text, one_job, read


def test_names_do_not_depend_on_positions() -> None:
    job = "prompts: [a cat on a mat, a dog]\nmatrix: {axes: {seed: [1, 2]}}"
    more = "prompts: [an owl, a dog, a cat on a mat]\nmatrix: {axes: {seed: [7, 2, 1]}}"

    before = {job.id: (job.name, job.prompt) for job in expand_job(job).jobs}
    after = {job.id: (job.name, job.prompt) for job in expand_job(more).jobs}

    assert before.items() <= after.items()


@pytest.mark.parametrize(
    ("axis", "names"),
    [
        pytest.param("duration: [4, 8]", ["4s", "8s"], id="seconds"),
        pytest.param("aspect_ratio: [16:9]", ["16x9"], id="ratios"),
        pytest.param("seed: [1, -5]", ["seed1", "seed-5"], id="numbers"),
        pytest.param("cfg: [0.5, 1.0]", ["cfg0.5", "cfg1"], id="fractions"),
        pytest.param("sound: [true, false]", ["sound", "no-sound"], id="flags"),
        pytest.param("seed: [null]", ["seed-null"], id="null"),
        pytest.param(
            "mood: [Golden Hour, golden hour]",
            ["golden-hour-lhkh", "golden-hour-o4rd"],
            id="texts that look alike get a mark",
        ),
        pytest.param("mood: [été, 日]", ["ete", "74a5"], id="other scripts"),
        pytest.param("mood: ['../..', 'a/b']", ["4wvr", "a-b"], id="no folders"),
        pytest.param(
            "shot: [{name: Wide, x: 1}, {x: 2}, [1]]",
            ["wide", "shot-lyvq", "shot-bafj"],
            id="mappings and lists",
        ),
        pytest.param(
            "mood: [an extremely long description of a mood]",
            ["an-extremely-long-6unm"],
            id="long texts are cut at a word",
        ),
        pytest.param(
            "mood: [xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx]",
            ["xxxxxxxxxxxxxxxxxxxxxxxxxxxx-jqqe"],
            id="long words too",
        ),
    ],
)
def test_short_forms_of_values(axis: str, names: list[str]) -> None:
    text = one_job(f"prompts: [{{id: p, text: x}}]\nmatrix: {{axes: {{{axis}}}}}")
    _, (expansion,) = prepare(read(text), print)
    namer = Names("beach", expansion.product)

    found = [namer.plain(cell, 1) for cell in expansion.walk()]

    assert found == [f"p-{name}-r1" for name in names]


@pytest.mark.parametrize(
    "axes",
    [
        pytest.param("{a: [x, x-y], b: [y-z, z]}", id="joined text is ambiguous"),
        pytest.param("{a: [x, x-y], b: [y-y, y]}", id="also from the right"),
        pytest.param("{a: [A b, a-b], b: [B, b]}", id="case and spaces"),
    ],
)
def test_names_are_unique_however_values_look(axes: str) -> None:
    outcome = expand_job(
        f"""
        params: {{prompt: "${{{{ matrix.a }}}} / ${{{{ matrix.b }}}}"}}
        matrix: {{axes: {axes}}}
        """
    )

    assert len(outcome.jobs) == len(set(outcome.names)) == 4


def test_lone_includes_have_a_piece_of_their_id_in_the_name() -> None:
    outcome = expand_job("""
        prompts: [{id: p, text: x}]
        matrix: {axes: {seed: [1]}, include: [{seed: 2}, {seed: 2, duration: 4}]}
    """)

    first, *alone = outcome.jobs
    assert first.name == "p-seed1-r1"
    assert [job.name for job in alone] == [
        f"p-seed2-{alone[0].id[:6]}-r1",
        f"p-seed2-4s-{alone[1].id[:6]}-r1",
    ]


def test_includes_without_axes_are_named_by_what_they_say() -> None:
    outcome = expand_job("""
        matrix:
          include: [{prompt: cat, seed: 1}, {prompt: cat, seed: 2}, {prompt: a dog}]
    """)

    assert outcome.names == ["cat-5bjl-seed1-r1", "cat-5bjl-seed2-r1", "a-dog-dck6-r1"]


def test_includes_that_look_alike_are_told_apart_by_their_ids() -> None:
    outcome = expand_job("""
        params: {prompt: "${{ matrix.a }}, ${{ matrix.b }}"}
        matrix: {include: [{a: x-y, b: z}, {a: x, b: y-z}]}
    """)

    assert outcome.names == [f"x-y-z-{job.id[:6]}-r1" for job in outcome.jobs]


def test_a_job_of_nothing_but_params_is_named_after_its_spec() -> None:
    assert expand_job("params: {prompt: x}").names == ["beach-r1"]


def test_a_long_name_is_cut_and_carries_a_piece_of_its_id() -> None:
    axes = ", ".join(f"{name}: [{name * 25}]" for name in "abcde")
    uses = " ".join(f"${{{{ matrix.{name} }}}}" for name in "abcde")
    outcome = expand_job(f'params: {{prompt: "{uses}"}}\nmatrix: {{axes: {{{axes}}}}}')

    (job,) = outcome.jobs
    assert len(job.name) <= 100
    assert job.name.endswith(f"-{job.id[:6]}-r1")


def test_labels_that_happen_to_be_equal_are_made_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from foxbatch.matrix import slugs

    real = slugs.fingerprint
    monkeypatch.setattr(
        slugs,
        "fingerprint",
        lambda value, length=4: "same" if length == 4 else real(value, length),
    )

    first, second, third = slugs.labels(["a cat", "a, cat", "dog"], ["", "", ""])

    assert first != second
    assert re.fullmatch(r"a-cat-\w{8}", first)
    assert third == "dog-same"


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        pytest.param("${{ job.spec }}/${{ job.name }}", "beach/p-r1", id="the default"),
        pytest.param("${{ vars.path }}", "etc-passwd", id="a value makes no folder"),
        pytest.param("a/${{ vars.up }}/b", "a/vdfe/b", id="and no way up"),
        pytest.param("${{ vars.con }}/x", "_CON/x", id="no reserved names"),
        pytest.param("${{ vars.empty }}/x", "ckxd/x", id="an empty value is marked"),
        pytest.param(
            "take ${{ repeat }}. ", "take 1", id="no dots and spaces at the end"
        ),
        pytest.param("${{ matrix.prompt }}", "a-fox-p-16x9", id="the prompt"),
        pytest.param("x-${{ matrix.prompt_id }}", "x-p", id="the label"),
    ],
)
def test_output_paths_are_safe(output: str, expected: str) -> None:
    outcome = expand_job(
        f"""
        prompts: [{{id: p, text: "a fox: p, 16:9"}}]
        let: {{x: 7}}
        params: {{seed: "${{{{ let.x }}}}"}}
        output: "{output}"
        """,
        top='vars: {path: /etc/passwd, up: .., con: CON, empty: ""}',
    )

    (job,) = outcome.jobs
    assert job.output == expected


@pytest.mark.parametrize(
    "output",
    [
        pytest.param("/etc/x", id="absolute"),
        pytest.param("a/../../x", id="a way up"),
        pytest.param("./x", id="a dot"),
        pytest.param("a//x", id="an empty step"),
        pytest.param("a/", id="no name"),
        pytest.param(".partial/x", id="where downloads grow"),
        pytest.param("C:\\\\x", id="another system's folders"),
        pytest.param("what?", id="a character of few systems"),
    ],
)
def test_an_output_path_that_could_leave_its_folder_is_refused(output: str) -> None:
    outcome = expand_job(f'prompts: [x]\noutput: "{output}"')

    assert (outcome.jobs, outcome.errors) == ([], ["E-OUTPUT-PATH"])


def test_an_output_of_the_defaults_is_blamed_there() -> None:
    outcome = expand_text("""
foxbatch: 1
name: defaults
provider: sandbox
defaults: {model: toy-1, output: "${{ job.nam }}"}
jobs:
  - {id: a, prompts: [x]}
""")

    assert outcome.only("E-REF-UNKNOWN").pointer == "/defaults/output"


def test_a_long_output_path_is_bounded() -> None:
    outcome = expand_job(f"prompts: [x]\noutput: {'a' * 300}/{'b' * 90}/{'c' * 90}")

    (job,) = outcome.jobs
    assert len(job.output) <= 200
    assert job.output.endswith(f"-{job.id}")
    assert max(map(len, job.output.split("/"))) <= 120


def test_a_long_step_of_a_path_is_cut_with_a_mark() -> None:
    (job,) = expand_job(f"prompts: [x]\noutput: {'a' * 150}").jobs

    assert len(job.output) == 120


@pytest.mark.parametrize("letter", ["日", "é", "e\u0301", "🦊"])
def test_a_step_in_any_script_is_a_name_that_disks_take(letter: str) -> None:
    (job,) = expand_job(f"prompts: [x]\noutput: {letter * 90}/{letter * 20}").jobs

    folder, name = job.output.split("/")
    assert len(folder.encode()) <= 240
    assert name == letter * 20


def test_a_prompt_of_params_is_labelled_by_its_text() -> None:
    (job,) = expand_job("params: {prompt: A golden retriever}").jobs

    assert job.prompt == Prompt("a-golden-retriever-gohq", "A golden retriever")
