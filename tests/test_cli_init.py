"""What a folder holds after `foxbatch init`, and that it works at once."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli import Type

EDITORS = Path(__file__).parents[1] / "schemas" / "manifest.editor.schema.json"
FILES = [
    "manifests/first.yaml",
    ".foxbatch/manifest.schema.json",
    ".env.example",
    ".gitignore",
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def git(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *words], capture_output=True, check=False)


def test_files_are_written_and_the_next_commands_told(
    folder: Path, type_: Type
) -> None:
    ended = type_("init")

    assert (ended.code, ended.out) == (0, "")
    assert ended.err.splitlines() == [
        *(f"wrote    {name}" for name in FILES),
        "",
        "next",
        "  foxbatch plan manifests/first.yaml",
        "  foxbatch run manifests/first.yaml",
    ]
    assert all((folder / name).is_file() for name in FILES)


@pytest.mark.usefixtures("folder")
def test_folder_that_was_empty_can_be_run(type_: Type) -> None:
    type_("init")

    valid = type_("validate", "manifests/first.yaml", "--strict")
    ended = type_("run", "manifests/first.yaml", "--speed", "1000")

    assert valid.code == 0
    assert ended.code == 0
    assert len(list(Path().rglob("*.mp4"))) == 4


@pytest.mark.usefixtures("folder")
def test_manifest_points_an_editor_to_the_schema(type_: Type) -> None:
    type_("init")

    manifest = Path("manifests/first.yaml")
    (modeline,) = manifest.read_text("utf-8").splitlines()[:1]
    schema = manifest.parent / modeline.partition("$schema=")[2]

    assert schema.read_bytes() == EDITORS.read_bytes()


@pytest.mark.usefixtures("folder")
def test_another_folder_is_made_and_named_in_the_next_commands(type_: Type) -> None:
    ended = type_("init", "my film")

    assert "  cd 'my film'\n" in ended.err
    assert all((Path("my film") / name).is_file() for name in FILES)


def test_what_exists_is_kept(folder: Path, type_: Type) -> None:
    type_("init")
    before = {name: (folder / name).read_bytes() + b"# mine\n" for name in FILES}
    for name, content in before.items():
        (folder / name).write_bytes(content)

    ended = type_("init")

    assert ended.err.splitlines()[:4] == [f"kept     {name}" for name in FILES]
    assert {name: (folder / name).read_bytes() for name in FILES} == before


@pytest.mark.parametrize(
    "before",
    [b"node_modules/\n.env\n", b"node_modules/\n.env", b"a/\r\n.env\r\n"],
    ids=["lines", "no last line end", "Windows line ends"],
)
def test_gitignore_is_extended_and_nothing_in_it_changed(
    before: bytes, folder: Path, type_: Type
) -> None:
    path = folder / ".gitignore"
    path.write_bytes(before)

    ended = type_("init")

    after = path.read_bytes()
    assert "extended .gitignore" in ended.err
    assert after.startswith(before)
    assert [line.strip() for line in after.splitlines()].count(b".env") == 1
    assert after.splitlines()[2:4] == [
        b"",
        b"# foxbatch: keys and large files stay out; runs/*/ledger/ belongs in",
    ]


@pytest.mark.parametrize("place", [".", "films"], ids=["its top", "a folder in it"])
@pytest.mark.usefixtures("folder")
def test_git_takes_the_ledger_and_leaves_keys_and_films(
    place: str, type_: Type
) -> None:
    if git("init", "--quiet").returncode:
        pytest.skip("git is not installed")
    type_("init", place)
    manifest = Path(place) / "manifests/first.yaml"
    type_("run", manifest, "--speed", "1000")
    (Path(place) / ".env").write_text("FOXAPI_API_KEY=x")

    git("add", "--all")

    added = git("ls-files").stdout.decode().split()
    assert any("/ledger/" in name for name in added)
    assert any(name.endswith("results.jsonl") for name in added)
    refused = (".mp4", "/.lock", "/.env", "tasks.jsonl")
    assert [name for name in added if name.endswith(refused)] == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is forbidden")
def test_folder_that_cannot_be_written_is_said(folder: Path, type_: Type) -> None:
    folder.chmod(0o500)

    ended = type_("init")

    assert ended.code == 4
    assert "cannot be written" in ended.err


def test_file_where_a_folder_belongs_is_said(folder: Path, type_: Type) -> None:
    (folder / "manifests").write_text("")

    ended = type_("init")

    assert ended.code == 4
    assert "manifests cannot be written" in ended.err
