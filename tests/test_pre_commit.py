"""The hooks that other repositories use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from foxbatch.yaml12 import parse
from tests.cli import MANIFEST, Type

ROOT = Path(__file__).parents[1]
HOOKS = ROOT / ".pre-commit-hooks.yaml"


def hooks() -> dict[str, dict[str, str]]:
    value = parse(HOOKS.read_bytes(), file=HOOKS.name).value
    assert isinstance(value, list)
    found = [
        {key: str(said) for key, said in hook.items()}
        for hook in value
        if isinstance(hook, dict)
    ]
    return {hook["id"]: hook for hook in found}


@pytest.mark.parametrize("name", ["foxbatch-validate", "foxbatch-fix"])
def test_a_hook_is_a_command_that_takes_manifests(
    name: str, tmp_path: Path, type_: Type
) -> None:
    manifest = tmp_path / "sea.yaml"
    manifest.write_text(MANIFEST)
    program, *words = hooks()[name]["entry"].split()

    ended = type_(*words, manifest, manifest)

    assert program == "foxbatch"
    assert ended.code == 0


@pytest.mark.parametrize("name", ["foxbatch-validate", "foxbatch-fix"])
def test_a_hook_looks_at_manifests_only(name: str) -> None:
    files = re.compile(hooks()[name]["files"])

    assert files.search("manifests/sweeps/sea.yaml")
    assert files.search("manifests/sea.yml")
    assert not files.search("manifests/prompts.txt")
    assert not files.search("docs/manifests/sea.yaml")


def test_the_page_names_every_hook() -> None:
    page = (ROOT / "docs" / "how-to" / "ci.md").read_text(encoding="utf-8")

    assert all(name in page for name in hooks())
