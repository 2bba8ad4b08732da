"""What a person gets who installs foxbatch."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import foxbatch

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source archive, and the wheel from nothing but the source archive."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*build, str(CHECKOUT)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> dict[str, bytes]:
    """Return what the wheel holds, by name."""
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_wheel_holds_the_schemas_of_the_checkout(wheel: dict[str, bytes]) -> None:
    home = CHECKOUT / "schemas"
    expected = {
        f"foxbatch/_schemas/{path.relative_to(home).as_posix()}": path.read_bytes()
        for path in home.rglob("*.json")
    }

    shipped = {
        name: content
        for name, content in wheel.items()
        if name.startswith("foxbatch/_schemas/")
    }

    assert expected
    assert shipped == expected


def test_wheel_holds_what_problem_codes_mean(wheel: dict[str, bytes]) -> None:
    page = CHECKOUT / "docs" / "problems.md"

    assert wheel["foxbatch/_docs/problems.md"] == page.read_bytes()


def test_wheel_holds_every_file_of_the_package(wheel: dict[str, bytes]) -> None:
    expected = {
        path.relative_to(CHECKOUT).as_posix()
        for path in (CHECKOUT / "foxbatch").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert {"foxbatch/__init__.py", "foxbatch/py.typed"} <= expected
    assert expected <= wheel.keys()


def test_wheel_brings_nothing_but_the_package_and_its_description(
    wheel: dict[str, bytes],
) -> None:
    tops = {name.split("/")[0] for name in wheel}

    assert tops == {"foxbatch", f"foxbatch-{foxbatch.__version__}.dist-info"}


def test_source_archive_can_be_tested_by_whoever_unpacks_it(dist: Path) -> None:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        tops = {name.split("/")[1] for name in archive.getnames()}

    assert {"schemas", "manifests", "tests", "Makefile", "LICENSE"} <= tops


def test_package_imports_nothing_before_it_is_used() -> None:
    """Every command pays for what `import foxbatch` loads."""
    code = "import sys, foxbatch; print(*sys.modules, sep='\\n')"

    run = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )

    loaded = {name for name in run.stdout.split() if name.startswith("foxbatch")}
    assert loaded == {"foxbatch"}


@pytest.mark.parametrize("name", foxbatch.__all__)
def test_public_name_can_be_imported(name: str) -> None:
    assert getattr(foxbatch, name) is getattr(foxbatch, name)
    assert name in dir(foxbatch)


def test_unknown_name_is_an_attribute_error() -> None:
    misspelt = "rnu"

    with pytest.raises(AttributeError, match="no attribute 'rnu'"):
        getattr(foxbatch, misspelt)
