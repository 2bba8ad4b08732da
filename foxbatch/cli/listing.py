"""Jobs and cells of a matrix as a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from foxbatch.cli._tables import Cell, Column, show_table
from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import count

if TYPE_CHECKING:
    from foxbatch.canonical import Json
    from foxbatch.matrix import Job, MatrixCell


def show_jobs(terminal: Terminal, jobs: Sequence[Job]) -> None:
    """Print one line per job."""
    columns = [
        Column("JOB", style="cyan", whole=True),
        Column("NAME", style="bold", cut=True, whole=True),
        Column("MODEL", rank=1),
        Column("CELL", cut=True, rank=2),
        Column("PROMPT", style="dim", cut=True, whole=True),
    ]
    rows: list[list[Cell]] = [
        [
            job.id,
            f"{job.spec}/{job.name}",
            job.model,
            in_words(job.cell),
            job.prompt.text if job.prompt else "",
        ]
        for job in jobs
    ]
    show_table(terminal, columns, rows)
    terminal.say(count(len(jobs), "job"))


def show_cells(terminal: Terminal, found: Sequence[MatrixCell]) -> None:
    """Print one line per cell of a matrix."""
    columns = [
        Column("SPEC", style="bold"),
        Column("INDEX", right=True),
        Column("CELL", cut=True),
    ]
    rows = [[cell.spec, str(cell.index), in_words(cell.cell)] for cell in found]
    show_table(terminal, columns, rows)
    terminal.say(count(len(found), "cell"))


def in_words(cell: dict[str, Json]) -> str:
    """Return such as `duration=4 aspect_ratio=16:9`."""
    return " ".join(f"{name}={_plain(value)}" for name, value in cell.items())


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
