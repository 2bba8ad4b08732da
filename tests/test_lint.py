"""What is valid and probably not meant: told once, where it stands, with a hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from foxbatch import api
from foxbatch.errors import Problem, Severity
from foxbatch.yaml12 import old_reading

HEAD = "foxbatch: 1\nname: sea\nprovider: sandbox\n"
PARAMS = "generate_audio: false"


def problems_of(text: str, folder: Path) -> tuple[Problem, ...]:
    path = folder / "m.yaml"
    path.write_text(text, encoding="utf-8")
    return api.check(api.load_manifest(path)).problems


def manifest(
    *lines: str, top: str = "", params: str = PARAMS, prompts: str = "[A dog]"
) -> str:
    """Return a manifest with one entry, the further *lines* of which are given."""
    job = [
        "- id: sea",
        "  model: veo-3.1-fast",
        f"  prompts: {prompts}".replace(": \n", ":\n"),
        f"  params: {{{params}}}",
        *(f"  {line}" for line in lines),
    ]
    return f"{HEAD}{top}\njobs:\n" + "\n".join(f"  {line}" for line in job) + "\n"


@pytest.mark.parametrize(
    ("text", "old"),
    [
        ("no", "false"),
        ("On", "true"),
        ("yEs", ""),
        ("y", "true"),
        ("true", ""),
        ("2024-01-01", "a date"),
        ("2024-01-01T10:00:00Z", "a date"),
        ("0755", "the number 493"),
        ("-010", "the number -8"),
        ("007", ""),
        ("08", "text"),
        ("1_000", "a number"),
        ("1_000.5", "a number"),
        ("1e3", "text"),
        ("1.5e+3", ""),
        ("12:30", "the number 750"),
        ("-1:30", "the number -90"),
        ("9:75", ""),
        ("0o17", "text"),
        ("0x1F", ""),
        ("-0x1F", "a number"),
        ("0b11", "the number 3"),
        ("0b_", ""),
        ("12", ""),
        (".5", ""),
        ("1" * 100_000, ""),
        ("a dog", ""),
    ],
    ids=lambda value: value[:20] or "as in 1.2",
)
def test_old_tools_read_some_scalars_otherwise(text: str, old: str) -> None:
    assert old_reading(text) == old


# What is odd: a manifest, the code, the characters it is about, words of the hint.
ODD = {
    "a word that was a boolean": (
        manifest(top="description: no"),
        ("N-YAML-OLD", "no", 'quotes: "no"'),
    ),
    "a number that was text": (
        manifest(top="limits: {requests_per_second: 1e1}"),
        ("N-YAML-OLD", "1e1", "Write 10.0"),
    ),
    "a number with a leading zero": (
        manifest(params=f"{PARAMS}, seed: 0755"),
        ("N-YAML-OLD", "0755", 'Write 755 if the number is meant, or "0755"'),
    ),
    "a key that was a boolean": (
        manifest(prompts='["A ${{ vars.on }}"]', top="vars: {on: dog}"),
        ("N-YAML-OLD", "on", '"on"'),
    ),
    "blanks at a line end": (
        manifest(top="x-a: 1 \nx-b: 2"),
        ("N-LINE-BLANKS", " ", "Remove"),
    ),
    "a character that turns text round": (
        manifest(prompts='["A \u202edog"]'),
        ("W-TEXT-BIDI", "\u202e", "Remove"),
    ),
    "a seed that is bought again": (
        manifest("repeat: 2", params=f"{PARAMS}, seed: 7"),
        ("W-SEED-REPEAT", "7", "axis"),
    ),
    "an axis of seeds that is bought again": (
        manifest("matrix: {axes: {seed: [1, 2]}}", "repeat: 2"),
        ("W-SEED-REPEAT", "[1, 2]", "axis"),
    ),
    "a seed of defaults that is bought again": (
        manifest("repeat: 2", top="defaults: {params: {seed: 5}}"),
        ("W-SEED-REPEAT", "5", "axis"),
    ),
    "double braces": (
        manifest(prompts='["A dog, {{ style }}"]'),
        ("W-TEMPLATE", "{{ style }}", "${{ vars.style }}"),
    ),
    "a shell's reference": (
        manifest(prompts='["A dog, ${style}"]'),
        ("W-TEMPLATE", "${style}", "${{ vars.style }}"),
    ),
    "a known name in braces": (
        manifest("matrix: {axes: {duration: [4]}}", prompts='["A dog, {duration} s"]'),
        ("W-TEMPLATE", "{duration}", "${{ matrix.duration }}"),
    ),
    "a known name in angle brackets": (
        manifest("let: {pace: slow}", prompts='["A dog <pace>, ${{ let.pace }}"]'),
        ("W-TEMPLATE", "<pace>", "${{ let.pace }}"),
    ),
    "a dotted name in braces": (
        manifest(
            top="vars: {a: dog, b: 'x {vars.a}'}",
            prompts=('["${{ vars.a }} ${{ vars.b }}"]'),
        ),
        ("W-TEMPLATE", "{vars.a}", "${{ vars.a }}"),
    ),
    "a leftover in a block": (
        manifest(prompts="\n    - |\n      A dog\n      {{ x }}"),
        ("W-TEMPLATE", "|", "${{ vars.x }}"),
    ),
    "a comment in a block": (
        manifest(
            prompts="\n    - {id: a, text: A cat}\n    - |\n      # One\n      A dog"
        ),
        ("N-TEXT-HASH", "|", "above"),
    ),
    "a comma between two prompts": (
        manifest(prompts="[A dog, in the snow]"),
        ("W-TEXT-COMMA", "in the snow", '"A dog, in the snow"'),
    ),
    "a form in a list": (
        manifest(
            "matrix: {axes: {mood: [{lines: x}]}}",
            prompts='["${{ matrix.mood.lines }}"]',
        ),
        ("W-AXIS-FORM", "{lines: x}", "mood: {lines: …}"),
    ),
    "a list that may be meant as an axis": (
        manifest(
            params=f"{PARAMS}, generation_type: reference-to-video, duration: 8, "
            'image_urls: ["https://x.y/a", "https://x.y/b"]',
        ),
        ("N-PARAM-LIST", '["https://x.y/a", "https://x.y/b"]', "image_urls: [[…]"),
    ),
    "prompts that differ in white space": (
        manifest(prompts='["A dog", "A  dog"]'),
        ("W-VALUE-ALIKE", '"A  dog"', "Remove one"),
    ),
    "prompts that differ in case": (
        manifest(prompts='["A dog", "a Dog"]'),
        ("W-VALUE-ALIKE", '"a Dog"', "Remove one"),
    ),
    "prompts that differ in Unicode": (
        manifest(prompts='["Caf\u00e9", "Cafe\u0301"]'),
        ("W-VALUE-ALIKE", '"Cafe\u0301"', "Remove one"),
    ),
    "values that differ in Unicode": (
        manifest(
            'matrix: {axes: {at: ["Caf\u00e9", "Cafe\u0301"]}}',
            prompts='["At ${{ matrix.at }}"]',
        ),
        ("W-VALUE-ALIKE", '"Cafe\u0301"', "Remove one"),
    ),
}


@pytest.mark.parametrize("name", sorted(ODD))
def test_what_is_odd_is_told_at_its_place(name: str, tmp_path: Path) -> None:
    text, (code, marked, hint) = ODD[name]

    (problem,) = problems_of(text, tmp_path)

    at = problem.position
    line = text.split("\n")[at.line - 1]
    assert problem.code == code
    assert line[at.column - 1 : at.end_column - 1] == marked
    assert hint in problem.hint
    assert problem.severity is {"N": Severity.NOTE, "W": Severity.WARNING}[code[0]]


# What looks like one of them and is meant.
FINE = {
    "a word that the model's schema lists": manifest(
        "matrix: {axes: {aspect_ratio: [16:9, 9:16]}}"
    ),
    "text in quotes": manifest(top='description: "no"'),
    "a word that an anchor holds": manifest(top="x-a: &a {b: 1}\nx-b: *a"),
    "blanks inside a block": manifest(prompts="\n    - |\n      A dog  \n      runs"),
    "blanks inside quotes": manifest(prompts='["A dog  \n      runs"]'),
    "braces around an unknown name": manifest(prompts='["A dog, {wet|dry} {x} <y>"]'),
    "a reference": manifest(
        "matrix: {axes: {duration: [4]}}", prompts='["A dog, ${{ matrix.duration }}"]'
    ),
    "an escaped reference": manifest(prompts='["A dog, $${{ vars.x }}"]'),
    "two prompts in capitals": manifest(prompts="[A dog, A cat]"),
    "two prompts in quotes": manifest(prompts='["A dog", "in the snow"]'),
    "two prompts on two lines": manifest(prompts="\n    - A dog\n    - in the snow"),
    "a hash in a block": manifest(prompts="\n    - |\n      A dog\n      #1"),
    "a seed that depends on the repeat": manifest(
        "repeat: 2", params=f"{PARAMS}, seed: '${{{{ repeat }}}}'"
    ),
    "a list that must have two values": manifest(
        params=f"{PARAMS}, generation_type: first-last-frame, "
        'image_urls: ["https://x.y/a", "https://x.y/b"]',
    ),
    "an axis of lists": manifest(
        'matrix: {axes: {image_urls: [["https://x.y/a", "https://x.y/b"]]}}',
        params=f"{PARAMS}, generation_type: reference-to-video, duration: 8",
    ),
    "a list of defaults that an axis replaces": manifest(
        'matrix: {axes: {image_urls: [["https://x.y/a"]]}}',
        params=f"{PARAMS}, generation_type: reference-to-video, duration: 8",
        top='defaults: {params: {image_urls: ["https://x.y/a", "https://x.y/b"]}}',
    ),
    "values of an axis that differ in case": manifest(
        "matrix: {axes: {at: [Sun, sun]}}", prompts='["At ${{ matrix.at }}"]'
    ),
    "an axis of mappings": manifest(
        "matrix: {axes: {shot: [{lines: 2, s: 4}]}}",
        prompts='["A ${{ matrix.shot.lines }}"]',
    ),
}


@pytest.mark.parametrize("name", sorted(FINE))
def test_what_is_meant_is_not_called_odd(name: str, tmp_path: Path) -> None:
    assert problems_of(FINE[name], tmp_path) == ()


def test_what_is_wrong_is_not_called_odd_as_well(tmp_path: Path) -> None:
    text = manifest("matrix: {axes: {aspect_ratio: [16:9, 4:3]}}")

    assert [one.code for one in problems_of(text, tmp_path)] == ["E-ENUM"]


def test_a_reference_in_a_text_file_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("A\nB ${{ vars.x }}\nC ${{ vars.y }}\n")

    (problem,) = problems_of(manifest(prompts="[{lines: p.txt}]"), tmp_path)

    assert (problem.code, problem.position.line) == ("W-TEMPLATE", 2)


def test_a_seed_of_defaults_is_told_once_for_all_entries(tmp_path: Path) -> None:
    entry = "  - {id: %s, model: veo-3.1-fast, prompts: [A %s]}\n"
    text = (
        f"{HEAD}defaults: {{repeat: 2, params: {{seed: 7, {PARAMS}}}}}\n"
        f"jobs:\n{entry % ('a', 'dog')}{entry % ('b', 'cat')}"
    )

    (problem,) = problems_of(text, tmp_path)

    assert problem.pointer == "/defaults/params/seed"


def test_a_list_of_references_is_no_list_of_values(tmp_path: Path) -> None:
    text = manifest(
        params=f"{PARAMS}, generation_type: reference-to-video, duration: 8, "
        "image_urls: ['${{ vars.a }}', '${{ vars.b }}']",
        top="vars: {a: https://x.y/a, b: https://x.y/b}",
    )

    assert problems_of(text, tmp_path) == ()
