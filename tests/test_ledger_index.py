"""Jobs one after the other, as the files say. `property/` has the laws of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from foxbatch.errors import LedgerError
from foxbatch.events import SubmitIntended, encode
from foxbatch.ledger_index import LedgerIndex
from foxbatch.state import JobState, fold
from tests.facts import (
    ACCEPTED,
    FIRST,
    JOB,
    LATER_RUN,
    PLANNED,
    RESULTS,
    RUN,
    STARTED,
    file_of,
)

INTENDED = SubmitIntended(job=JOB, attempt=FIRST)
BEFORE = file_of(RUN, [STARTED, PLANNED, INTENDED, ACCEPTED])
AFTER = file_of(LATER_RUN, [STARTED, RESULTS])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, facts in enumerate((BEFORE, AFTER)):
        (tmp_path / f"{number}.jsonl").write_bytes(b"".join(map(encode, facts)))
    return tmp_path


def test_a_job_is_what_all_files_say_of_it(folder: Path) -> None:
    index = LedgerIndex(folder)

    assert list(index.jobs()) == [fold([*BEFORE, *AFTER]).jobs[JOB]]
    assert index.names == {RUN: "0.jsonl", LATER_RUN: "1.jsonl"}


def test_no_folder_says_nothing(tmp_path: Path) -> None:
    nowhere = tmp_path / "none"

    assert list(LedgerIndex(nowhere).jobs()) == []
    assert list(LedgerIndex(nowhere, [JOB]).jobs()) == [JobState(JOB)]


def test_a_line_that_is_damaged_is_refused_with_its_place(folder: Path) -> None:
    with (folder / "0.jsonl").open("ab") as file:
        file.write(b"nonsense\n")

    with pytest.raises(LedgerError, match=r"0\.jsonl:5: not a JSON object"):
        LedgerIndex(folder)


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_emptied, "1.jsonl was changed while it was read: not a JSON object"),
        (Path.unlink, "1.jsonl cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_changes_between_the_passes_is_no_silence(
    folder: Path, change: Callable[[Path], None], said: str
) -> None:
    index = LedgerIndex(folder)
    change(folder / "1.jsonl")

    with pytest.raises(LedgerError, match=said):
        list(index.jobs())
