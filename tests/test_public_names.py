"""What can be imported from `foxbatch` itself, and that it is told."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import foxbatch

PAGE = Path(__file__).resolve().parents[1] / "docs" / "python-api.md"
NAMES = [name for name in foxbatch.__all__ if not name.startswith("__")]


def headings() -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(r"^### `(\w+)", text, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_can_be_imported(name: str) -> None:
    found = getattr(foxbatch, name)

    assert found.__doc__


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_has_its_heading_in_the_documentation(name: str) -> None:
    assert name in headings()


def test_the_documentation_has_no_heading_for_what_is_not_public() -> None:
    assert set(headings()) <= set(NAMES)


def test_dir_shows_the_public_names_and_nothing_else() -> None:
    assert dir(foxbatch) == sorted(foxbatch.__all__)


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'purchase'"):
        _ = foxbatch.purchase  # type: ignore[attr-defined]


def test_no_public_name_is_a_module_too() -> None:
    """Importing that module would put it in the place of the name."""
    modules = {found.name for found in pkgutil.iter_modules(foxbatch.__path__)}

    assert modules.isdisjoint(NAMES)


def test_a_name_is_the_same_object_where_it_comes_from() -> None:
    api = importlib.import_module("foxbatch.api")

    assert foxbatch.run is api.run
    assert foxbatch.read_results is api.results


def test_importing_foxbatch_imports_none_of_its_modules() -> None:
    code = "import foxbatch, sys; print(*(m for m in sys.modules if 'foxbatch.' in m))"

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == []
