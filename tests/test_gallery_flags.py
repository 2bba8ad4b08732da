"""What is not as asked reaches the gallery."""

from __future__ import annotations

from pathlib import Path

import msgspec

from foxbatch.canonical import JobId
from foxbatch.report import RunOf, gallery
from tests.test_results import STORY, record_of


def test_a_cell_says_what_is_not_as_asked(tmp_path: Path) -> None:
    flags = ("asked for seed 7, got 9",)
    plain = record_of(*STORY)
    record = msgspec.structs.replace(plain, job=JobId("other"), flags=flags)
    run = RunOf(path=tmp_path, label="sea", records=[plain, record])

    shown = gallery("sea", [run], beside=tmp_path)

    assert [cell.flags for cell in shown.cells] == [plain.flags, flags]
