"""Laws about mistakes: one hides no other, and each is told once, at its root."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from foxbatch import api
from foxbatch.errors import InvalidError

SOUND = """\
foxbatch: 1
name: t
provider: sandbox
vars: {film: Kodak}
defaults: {model: veo-3.1-fast, params: {generate_audio: false}}
limits: {in_flight: 3}
jobs:
  - id: beach
    prompts:
      - A dog, ${{ vars.film }}
      - A cat
    matrix:
      axes: {seed: [1, 2], aspect_ratio: [16:9]}
      exclude: [{seed: 2}]
      include: [{seed: 1, resolution: 720p}]
    let: {mood: happy}
    params: {negative_prompt: "text, ${{ let.mood }}"}
    repeat: 2
    output: ${{ job.spec }}/${{ job.name }}
"""

# What is written instead of what, and the problems that this makes.
MISTAKES = {
    "an id with a blank": ("id: beach", "id: the beach", ["E-PATTERN"]),
    "a colon in a prompt": ("- A cat", "- A cat: slow", ["E-TEXT-MAPPING"]),
    "an unknown variable": ("vars.film", "vars.fim", ["E-REF-UNKNOWN"]),
    "an unknown let": ("let.mood", "let.moud", ["E-REF-UNKNOWN"]),
    "an unknown value": ("[16:9]", "[4:3]", ["E-ENUM"]),
    "a misspelt key of the matrix": ("exclude:", "exlude:", ["E-KEY-UNKNOWN"]),
    "an exclude of no axis": ("[{seed: 2}]", "[{sed: 2}]", ["E-EXCLUDE-KEY"]),
    "an exclude of no value": ("[{seed: 2}]", "[{seed: 9}]", ["E-EXCLUDE-DEAD"]),
    "an include of a wrong value": (
        "resolution: 720p",
        "resolution: 72p",
        ["E-ENUM"],
    ),
    "a value twice": ("seed: [1, 2]", "seed: [1, 2, 2]", ["E-AXIS-DUP"]),
    "no repeat": ("repeat: 2", "repeat: 0", ["E-RANGE"]),
    "a misspelt name in output": ("job.name", "job.nam", ["E-REF-UNKNOWN"]),
    "a misspelt key of defaults": ("params: {gen", "param: {gen", ["E-KEY-UNKNOWN"]),
    "a misspelt model": ("veo-3.1-fast", "veo-3.1-fsat", ["E-MODEL-UNKNOWN"]),
    "an unknown provider": ("sandbox", "sandbx", ["E-PROVIDER-UNKNOWN"]),
    "a wrong limit": ("in_flight: 3", "in_flight: 0", ["E-RANGE"]),
    "a misspelt top key": ("limits:", "limit:", ["E-KEY-UNKNOWN"]),
}


def codes(text: str, path: Path) -> list[str]:
    path.write_text(text)
    try:
        found = api.check(api.load_manifest(path)).problems
    except InvalidError as error:
        found = error.problems
    return sorted(one.code for one in found if one.code.startswith("E"))


def wrong(*mistakes: str) -> str:
    text = SOUND
    for mistake in mistakes:
        old, new, _ = MISTAKES[mistake]
        assert old in text
        text = text.replace(old, new)
    return text


def test_the_manifest_is_sound_without_a_mistake(tmp_path: Path) -> None:
    assert codes(SOUND, tmp_path / "m.yaml") == []


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_alone_is_told_once(mistake: str, tmp_path: Path) -> None:
    assert codes(wrong(mistake), tmp_path / "m.yaml") == MISTAKES[mistake][2]


# Without its service nothing is known about models and what they take.
NOT_TOLD = {
    "an unknown provider": {
        "a misspelt model",
        "an unknown value",
        "an include of a wrong value",
    },
}


@pytest.mark.parametrize(
    "pair",
    [
        pytest.param(pair, id=" and ".join(pair))
        for pair in itertools.combinations(MISTAKES, 2)
        if MISTAKES[pair[0]][0] != MISTAKES[pair[1]][0]
    ],
)
def test_of_two_mistakes_none_hides_the_other(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    hidden = set().union(*(NOT_TOLD.get(mistake, set()) for mistake in pair))
    wanted = [c for one in pair if one not in hidden for c in MISTAKES[one][2]]

    assert codes(wrong(*pair), tmp_path / "m.yaml") == sorted(wanted)
