"""The pictures of the gallery in README and docs, made from a real run.

`UPDATE_PICTURES=1` writes them anew; otherwise they only have to be made as they were.
"""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import anyio
import pytest

from foxbatch import api
from tests.browser.conftest import OpenPage

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
SIZE = {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the manifest of the README, and write its gallery."""
    folder = tmp_path_factory.mktemp("pictures")
    shutil.copy(ROOT / "manifests" / "quickstart.yaml", folder)
    wanted = api.load_manifest(folder / "quickstart.yaml")
    options = api.RunOptions(speed=500, environ={"PATH": ""})
    summary = anyio.run(api.run, wanted, options)
    return api.report([summary.run_dir], title="quickstart").path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_grid(
    report: Path, open_page: OpenPage, scheme: Literal["light", "dark"]
) -> None:
    page = open_page(report, viewport=SIZE, color_scheme=scheme)
    page.locator(".cell canvas").nth(11).wait_for()

    keep(page, f"gallery-{scheme}.webp")


def test_the_charts(report: Path, open_page: OpenPage) -> None:
    page = open_page(
        report,
        at="show=charts&by=cell.duration",
        viewport=SIZE,
        color_scheme="light",
        reduced_motion="reduce",
    )
    page.locator("canvas").nth(4).wait_for()

    keep(page, "gallery-charts.webp")


def keep(page: Page, name: str) -> None:
    """Write a picture of *page* if that is asked for; else look at the kept one."""
    from PIL import Image

    page.wait_for_load_state("networkidle")
    shown = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
    if "UPDATE_PICTURES" in os.environ:
        shown.save(IMAGES / name, quality=80, method=6)
    with Image.open(IMAGES / name) as kept:
        assert kept.size == shown.size
    colours = shown.convert("RGB").getcolors(1 << 24)
    assert colours is not None
    assert len(colours) > 500, "there is hardly anything to see"
