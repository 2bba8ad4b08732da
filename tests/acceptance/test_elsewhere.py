"""From the wheel, in somebody else's empty folder."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.acceptance.conftest import MakeShell, Shell

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what the wheel holds, and nothing of the checkout."""
    made = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    subprocess.run(
        [*build, "--outdir", str(made), str(ROOT)], check=True, capture_output=True
    )
    (wheel,) = made.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(made / "site")
    return made / "site"


@pytest.fixture
def terminal(shell: MakeShell, installed: Path) -> Shell:
    """Return a shell in an empty folder that knows only the wheel."""
    return shell(PYTHONPATH=str(installed))


def test_init_and_run_work_in_an_empty_folder(terminal: Shell, installed: Path) -> None:
    init = terminal.run("init")
    valid = terminal.run("validate", "manifests/first.yaml", "--strict")
    done = terminal.run("run", "manifests/first.yaml", "--speed", "100")
    shown = terminal.run("results", "manifests/first.yaml", "--format", "jsonl")

    assert init.returncode == 0, init.stderr
    assert valid.returncode == 0, valid.stderr
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in shown.stdout.splitlines()]
    assert {record["phase"] for record in records} == {"done"}
    folder = terminal.folder
    mine = (folder / ".foxbatch" / "manifest.schema.json").read_text()
    assert json.loads(mine) == checkout_schema("manifest.editor")
    modeline, *_ = (folder / "manifests" / "first.yaml").read_text().splitlines()
    assert "../.foxbatch/manifest.schema.json" in modeline
    assert (folder / ".env.example").is_file()
    assert ".sandbox/" in (folder / ".gitignore").read_text()
    assert (installed / "foxbatch" / "_schemas").is_dir()


def test_a_second_init_changes_nothing(terminal: Shell) -> None:
    terminal.run("init")
    (terminal.folder / "manifests" / "first.yaml").write_text("mine")
    before = {p: p.read_bytes() for p in terminal.folder.rglob("*") if p.is_file()}

    again = terminal.run("init")

    assert again.returncode == 0, again.stderr
    after = {p: p.read_bytes() for p in terminal.folder.rglob("*") if p.is_file()}
    assert after == before


@pytest.mark.parametrize("name", ["manifest", "provider", "ledger", "models/veo-3.1"])
def test_the_wheel_knows_the_schemas_of_the_checkout(
    terminal: Shell, name: str
) -> None:
    shown = terminal.run("schema", name)

    file = "manifest.editor" if name == "manifest" else name
    assert json.loads(shown.stdout) == checkout_schema(file)


def checkout_schema(name: str) -> object:
    return json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text())
