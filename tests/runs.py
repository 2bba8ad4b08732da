"""Run directories made by real runs on the embedded sandbox."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import anyio

from foxbatch import api
from tests.cli import MANIFEST


def made_run(folder: Path, *, detach: bool = False) -> Path:
    """Run two jobs below *folder* and return the run directory.

    Args:
        folder: Gets the manifest too.
        detach: Leave when the jobs are bought: nothing is downloaded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "sea.yaml"
    path.write_text(MANIFEST)
    options = api.RunOptions(speed=1000, environ={"PATH": ""}, detach=detach)
    return anyio.run(partial(api.run, api.load_manifest(path), options)).run_dir
