"""Which texts a page holds, and how much of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from foxbatch.canonical import Digest
from foxbatch.report import texts
from foxbatch.report.texts import LONGEST, Texts
from foxbatch.results import Media, StoredFile


def stored(path: str, kind: str = "json") -> StoredFile:
    return StoredFile(
        path=path, sha256=Digest("0" * 64), bytes=1, media=Media(kind=kind)
    )


def test_a_short_text_is_there_whole(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"fox": "🦊"}', encoding="utf-8")

    assert Texts().of(tmp_path, stored("a.json")) == ('{"fox": "🦊"}', False)


def test_of_a_long_text_there_is_the_beginning(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("🦊" * (LONGEST + 1), encoding="utf-8")

    text, more = Texts().of(tmp_path, stored("a.txt", "file"))

    assert (text, more) == ("🦊" * LONGEST, True)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param(b"", "", id="empty"),
        pytest.param(b"caf\xe9", "caf\ufffd", id="no UTF-8"),
        pytest.param(b"\xef\xbb\xbfa", "a", id="a byte order mark"),
        pytest.param(b"a\0b", None, id="bytes of something else"),
    ],
)
def test_bytes_become_text(tmp_path: Path, content: bytes, text: str | None) -> None:
    (tmp_path / "a.txt").write_bytes(content)

    assert Texts().of(tmp_path, stored("a.txt", "file")) == (text, False)


@pytest.mark.parametrize(
    "file",
    [
        stored("film.mp4", "video"),
        stored("gone.json"),
        stored("folder.json"),
        stored("../outside.json"),
    ],
    ids=lambda file: file.path,
)
def test_what_is_no_text_of_the_run_is_not_read(
    tmp_path: Path, file: StoredFile
) -> None:
    run_dir = tmp_path / "run"
    (run_dir / "folder.json").mkdir(parents=True)
    (run_dir / "film.mp4").write_bytes(b"film")
    (tmp_path / "outside.json").write_text("secret")

    assert Texts().of(run_dir, file) == (None, False)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such files there")
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_neither_links_that_lead_out_nor_pipes_are_read(
    tmp_path: Path, kind: str
) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (tmp_path / "outside.json").write_text("secret")
    if kind == "link":
        (run_dir / "a.json").symlink_to(tmp_path / "outside.json")
    else:
        os.mkfifo(run_dir / "a.json")

    assert Texts().of(run_dir, stored("a.json")) == (None, False)


def test_a_page_holds_only_so_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "MOST", 5)
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.txt").write_text(f"{name}aa")
    found = Texts()

    said = [found.of(tmp_path, stored(f"{name}.txt", "file")) for name in "abcab"]

    assert said == [
        ("aaa", False), ("ba", True), (None, False), ("aaa", False), ("ba", True),
    ]  # fmt: skip
