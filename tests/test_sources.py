from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from foxbatch import sources
from foxbatch.errors import InvalidError, Position, Problem
from foxbatch.sources import Line, Sources, find_root

HERE = Position("m.yaml", 3, 5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A manifest's folder inside a repository, with a secret beside it."""
    (tmp_path / "secret.txt").write_text("secret\n", encoding="utf-8")
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / "shared.txt").write_text("shared\n", encoding="utf-8")
    manifests = tmp_path / "repo" / "manifests"
    manifests.mkdir()
    return manifests


def reader(folder: Path) -> Sources:
    return Sources(folder, find_root(folder))


def refused(folder: Path, path: str) -> Problem:
    """Return why *path* is not read."""
    with pytest.raises(InvalidError) as raised:
        reader(folder).lines(path, at=HERE)
    (problem,) = raised.value.problems
    assert problem.position == HERE
    return problem


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"a\nb\n", [(1, "a"), (2, "b")], id="one value per line"),
        pytest.param(b"a\r\nb\rc", [(1, "a"), (2, "b"), (3, "c")], id="any line end"),
        pytest.param(b"\xef\xbb\xbfa", [(1, "a")], id="no byte order mark"),
        pytest.param(b"# x\n\n  \n\t# y\na", [(5, "a")], id="comments and blanks"),
        pytest.param(b"\\#a\n  \\#b", [(1, "#a"), (2, "  #b")], id="an escaped hash"),
        pytest.param(b"a\\#b # c", [(1, "a\\#b # c")], id="only at the beginning"),
        pytest.param(b" a \n", [(1, " a ")], id="spaces are kept"),
        pytest.param(
            "a\u2028b\x85c".encode(),
            [(1, "a\u2028b\x85c")],
            id="only LF and CR end lines",
        ),
        pytest.param(b"", [], id="an empty file"),
    ],
)
def test_lines_are_read(
    content: bytes, expected: list[tuple[int, str]], folder: Path
) -> None:
    (folder / "p.txt").write_bytes(content)

    lines = reader(folder).lines("p.txt", at=HERE)

    assert [(line.number, line.text) for line in lines.items] == expected


def test_lines_remember_where_they_came_from(folder: Path) -> None:
    (folder / "p.txt").write_bytes(b"a \r\nb\nc\t\n")

    lines = reader(folder).lines("./p.txt", at=HERE)

    assert lines.path == "p.txt"
    assert lines.sha256 == hashlib.sha256(b"a \r\nb\nc\t\n").hexdigest()
    assert lines.trailing == (1, 3)


def test_a_file_is_read_once(folder: Path) -> None:
    (folder / "p.txt").write_bytes(b"a")
    one = reader(folder)
    before = one.lines("p.txt", at=HERE)

    (folder / "p.txt").write_bytes(b"b")

    assert one.lines("p.txt", at=HERE) is before


def test_files_anywhere_in_the_repository_can_be_read(folder: Path) -> None:
    assert reader(folder).lines("../shared.txt", at=HERE).items == (Line(1, "shared"),)


def test_the_root_is_the_git_top_level_or_the_folder(
    folder: Path, tmp_path: Path
) -> None:
    assert find_root(folder) == folder.parent.resolve()
    assert find_root(tmp_path) == tmp_path.resolve()


def test_without_git_the_project_is_where_init_was_typed(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    (tmp_path / ".foxbatch").mkdir()

    assert find_root(folder) == tmp_path.resolve()


def test_git_says_more_than_init_about_where_the_project_is(tmp_path: Path) -> None:
    folder = tmp_path / "sub" / "manifests"
    folder.mkdir(parents=True)
    (tmp_path / "sub" / ".foxbatch").mkdir()
    (tmp_path / ".git").mkdir()

    assert find_root(folder) == tmp_path.resolve()


@pytest.mark.parametrize(
    "path",
    [
        "../../secret.txt",
        "/etc/passwd",
        "sub/../../../secret.txt",
        "C:/secret.txt",
        "..\\..\\secret.txt",
        "a\0b",
    ],
)
def test_no_path_leaves_the_repository(path: str, folder: Path) -> None:
    assert refused(folder, path).code == "E-PATH-ESCAPE"


def test_without_git_no_path_leaves_the_manifests_folder(folder: Path) -> None:
    (folder.parent / ".git").rmdir()

    assert refused(folder, "../shared.txt").code == "E-PATH-ESCAPE"


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_no_link_leaves_the_repository(kind: str, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "secret.txt" if kind == "file" else tmp_path
    (folder / "link").symlink_to(target)

    path = "link" if kind == "file" else "link/secret.txt"

    assert refused(folder, path).code == "E-PATH-ESCAPE"


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_inside_the_repository_is_followed(folder: Path) -> None:
    (folder / "link.txt").symlink_to("../shared.txt")

    assert reader(folder).lines("link.txt", at=HERE).items == (Line(1, "shared"),)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_links_in_a_circle_are_a_file_that_cannot_be_read(folder: Path) -> None:
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")

    assert refused(folder, "a").code == "E-FILE-MISSING"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("../.env", id="a file of secrets"),
        pytest.param("../.git/config", id="a file in a hidden folder"),
        pytest.param("../.git/../.env", id="a hidden folder on the way"),
        pytest.param(".gone", id="one that does not exist"),
        pytest.param("...", id="three dots, which lead nowhere"),
    ],
)
def test_no_hidden_file_is_read_into_a_prompt(path: str, folder: Path) -> None:
    (folder.parent / ".env").write_text("KEY=secret\n", encoding="utf-8")
    (folder.parent / ".git" / "config").write_text("secret\n", encoding="utf-8")

    problem = refused(folder, path)

    assert problem.code == "E-PATH-HIDDEN"
    assert "begins with a dot" in problem.message
    assert problem.hint == ("Copy it to a file whose name does not begin with a dot.")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
@pytest.mark.parametrize("kind", ["to a file", "to a folder", "with a dot"])
def test_no_link_leads_to_a_hidden_file(kind: str, folder: Path) -> None:
    (folder.parent / ".git" / "config").write_text("secret\n", encoding="utf-8")
    link, target, path = {
        "to a file": ("link.txt", "../.git/config", "link.txt"),
        "to a folder": ("link", "../.git", "link/config"),
        "with a dot": (".link", "../shared.txt", ".link"),
    }[kind]
    (folder / link).symlink_to(target)

    assert refused(folder, path).code == "E-PATH-HIDDEN"


def test_a_project_in_a_hidden_folder_is_read(tmp_path: Path) -> None:
    folder = tmp_path / ".cache" / "project"
    folder.mkdir(parents=True)
    (folder / "p.txt").write_text("a", encoding="utf-8")

    assert reader(folder).lines("./p.txt", at=HERE).items == (Line(1, "a"),)


def test_the_record_of_a_run_is_not_read_into_a_prompt(folder: Path) -> None:
    ledger = folder.parent / "runs" / "sea@sandbox" / "ledger"
    ledger.mkdir(parents=True)
    (ledger / "a.jsonl").write_text("{}\n", encoding="utf-8")

    problem = refused(folder, "../runs/sea@sandbox/ledger/a.jsonl")

    assert problem.code == "E-PATH-HIDDEN"
    assert problem.message.endswith("it is the ledger of a run")


def test_a_hint_names_no_hidden_neighbour(folder: Path) -> None:
    (folder / ".env").touch()

    assert refused(folder, "env").hint == "Paths start at the manifest's folder."


@pytest.mark.parametrize("character", ["\0", "\x0c", "\x1b", "\x7f", "\ufffe"])
def test_a_control_character_is_no_text(character: str, folder: Path) -> None:
    content = f"\ufeffone\r\ntw{character}o"
    (folder / "p.txt").write_bytes(content.encode())

    problem = refused(folder, "p.txt")

    assert problem.code == "E-TEXT"
    assert f"U+{ord(character):04X}" in problem.message
    assert str(problem.related[0].position) == "p.txt:2:3"


def test_a_missing_file_is_named_with_its_neighbour(folder: Path) -> None:
    (folder / "prompts.txt").write_text("x", encoding="utf-8")

    problem = refused(folder, "promts.txt")

    assert problem.code == "E-FILE-MISSING"
    assert problem.hint.endswith("Did you mean prompts.txt?")


def test_a_file_in_a_missing_folder_has_no_neighbours(folder: Path) -> None:
    assert refused(folder, "gone/p.txt").hint == "Paths start at the manifest's folder."


def test_a_folder_is_not_read(folder: Path) -> None:
    (folder / "p").mkdir()

    assert refused(folder, "p").message == "p is a folder"


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in folders")
def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "p")

    assert refused(folder, "p").message == "p is not a regular file"


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything"
)
def test_a_file_without_permission_says_so(folder: Path) -> None:
    (folder / "p.txt").touch(mode=0o000)

    assert "Permission denied" in refused(folder, "p.txt").message


def test_a_path_through_a_file_cannot_be_read(folder: Path) -> None:
    (folder / "p.txt").touch()

    assert refused(folder, "p.txt/x").code == "E-FILE-MISSING"


def test_a_large_file_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_BYTES", 4)
    (folder / "p.txt").write_bytes(b"12345")

    assert refused(folder, "p.txt").code == "E-FILE-SIZE"


def test_a_byte_that_is_not_utf8_is_found(folder: Path) -> None:
    (folder / "p.txt").write_bytes(b"\xef\xbb\xbfone\r\ntw\xffo")

    problem = refused(folder, "p.txt")

    assert problem.code == "E-UTF8"
    assert problem.message == "p.txt is not UTF-8: byte 0xFF at offset 10, line 2"
    assert str(problem.related[0].position) == "p.txt:2:3"


# ---- patterns


def names(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("x", encoding="utf-8")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param("p/*.txt", ["p/Z.txt", "p/a.txt", "p/b.txt", "p/é.txt"], id="*"),
        pytest.param("p/?.txt", ["p/Z.txt", "p/a.txt", "p/b.txt", "p/é.txt"], id="?"),
        pytest.param("p/[!ab].txt", ["p/Z.txt", "p/é.txt"], id="[!…]"),
        pytest.param("p/[A-Z].TXT", [], id="case matters"),
        pytest.param("*/a.txt", ["p/a.txt", "q/a.txt"], id="a folder"),
        pytest.param("./p//[a]*", ["p/a.txt"], id="another spelling"),
        pytest.param("../*.txt", ["../shared.txt"], id="beside the folder"),
        pytest.param("p/a.txt", ["p/a.txt"], id="a path"),
        pytest.param("p/gone.txt", ["p/gone.txt"], id="a path that leads nowhere"),
        pytest.param("p/.*", [], id="nothing hidden"),
        pytest.param("*/.hidden.txt", [], id="hidden below a pattern"),
        pytest.param("gone/*", [], id="a missing folder"),
        pytest.param("p/a.txt/*", [], id="no folder"),
        pytest.param("p/s*", [], id="a folder is no file"),
    ],
)
def test_a_pattern_matches_files_in_the_order_of_their_bytes(
    pattern: str, expected: list[str], folder: Path
) -> None:
    names(folder, *(f"p/{name}.txt" for name in ["b", "é", "a", "Z", ".hidden"]))
    names(folder, "q/a.txt", "p/sub/c.txt", "p/.git/d.txt")
    sources = reader(folder)

    if expected:
        assert sources.matching(pattern, at=HERE) == expected
    else:
        with pytest.raises(InvalidError) as raised:
            sources.matching(pattern, at=HERE)
        (problem,) = raised.value.problems
        assert problem.code in {"E-GLOB-EMPTY", "E-PATH-HIDDEN"}


def not_matched(folder: Path, pattern: str) -> str:
    with pytest.raises(InvalidError) as raised:
        reader(folder).matching(pattern, at=HERE)
    (problem,) = raised.value.problems
    return problem.code


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("../../*.txt", "E-PATH-ESCAPE"),
        ("/*", "E-PATH-ESCAPE"),
        ("p/../../../*", "E-PATH-ESCAPE"),
        ("p\\*", "E-PATH-ESCAPE"),
        ("../.git/*", "E-PATH-HIDDEN"),
    ],
)
def test_no_pattern_leaves_the_repository(
    pattern: str, code: str, folder: Path
) -> None:
    names(folder, "p/a.txt")

    assert not_matched(folder, pattern) == code


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
@pytest.mark.parametrize(
    ("link", "target", "pattern", "code"),
    [
        ("a.txt", "../../secret.txt", "*.txt", "E-PATH-ESCAPE"),
        ("out", "../..", "out/*.txt", "E-PATH-ESCAPE"),
        ("out", "../..", "*/secret.txt", "E-PATH-ESCAPE"),
        ("git", "../.git", "*/config", "E-PATH-HIDDEN"),
    ],
)
def test_no_link_leads_a_pattern_elsewhere(
    link: str, target: str, pattern: str, code: str, folder: Path
) -> None:
    (folder / link).symlink_to(target)

    assert not_matched(folder, pattern) == code


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_to_nothing_is_matched_and_cannot_be_read(folder: Path) -> None:
    (folder / "a.txt").symlink_to("gone.txt")

    assert reader(folder).matching("*.txt", at=HERE) == ["a.txt"]
    assert refused(folder, "a.txt").code == "E-FILE-MISSING"


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything"
)
def test_a_folder_without_permission_says_so(folder: Path) -> None:
    (folder / "p").mkdir(mode=0o000)

    assert not_matched(folder, "p/*") == "E-FILE-MISSING"


@pytest.mark.parametrize(("bound", "most"), [("MAX_FILES", 2), ("MAX_NAMES", 5)])
def test_a_pattern_is_bounded(
    bound: str, most: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(folder, *(f"{a}/{b}.txt" for a in "pq" for b in "abc"))
    monkeypatch.setattr(sources, bound, most)

    assert not_matched(folder, "*/*.txt") == "E-GLOB-SIZE"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_not_utf8_is_refused(folder: Path) -> None:
    (folder / os.fsdecode(b"a\xff.txt")).touch()

    assert not_matched(folder, "*.txt") == "E-UTF8"


def test_a_text_has_one_kind_of_line_end(folder: Path) -> None:
    (folder / "p.txt").write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n")
    one = reader(folder)

    text = one.text("./p.txt", at=HERE)

    assert (text.path, text.text) == ("p.txt", "a\nb\nc\n")
    assert one.text("./p.txt", at=HERE) is text


# ---- files of any type


def refused_file(folder: Path, path: str) -> Problem:
    """Return why the file at *path* is not used."""
    with pytest.raises(InvalidError) as raised:
        reader(folder).file(path, at=HERE)
    (problem,) = raised.value.problems
    return problem


def test_a_file_has_a_digest_and_a_beginning(folder: Path) -> None:
    content = bytes(range(256)) * 10_000
    (folder / "a.png").write_bytes(content)

    found = reader(folder).file("./a.png", at=HERE)

    assert found.path == "a.png"
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert found.head == content[:64]


def test_the_digest_of_a_file_is_taken_once(folder: Path) -> None:
    (folder / "a.png").write_bytes(b"a")
    sources = reader(folder)
    first = sources.file("a.png", at=HERE)

    (folder / "a.png").write_bytes(b"b")

    assert sources.file("a.png", at=HERE) is first


@pytest.mark.parametrize(
    ("path", "code"),
    [
        pytest.param("../../secret.txt", "E-PATH-ESCAPE", id="outside"),
        pytest.param("/etc/passwd", "E-PATH-ESCAPE", id="absolute"),
        pytest.param("link.png", "E-PATH-ESCAPE", id="a link that leads outside"),
        pytest.param("../.git/config", "E-PATH-HIDDEN", id="hidden"),
        pytest.param("gone.png", "E-FILE-MISSING", id="missing"),
        pytest.param("..", "E-FILE-MISSING", id="a folder"),
    ],
)
def test_a_file_is_confined_as_texts_are(path: str, code: str, folder: Path) -> None:
    (folder / "link.png").symlink_to(folder.parent.parent / "secret.txt")

    assert refused_file(folder, path).code == code


def test_a_file_has_at_most_50_mb(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sources.MAX_UPLOAD_BYTES == 50_000_000
    monkeypatch.setattr(sources, "MAX_UPLOAD_BYTES", 3_000_000)
    (folder / "fits.mp4").write_bytes(bytes(3_000_000))
    (folder / "large.mp4").write_bytes(bytes(3_000_001))

    problem = refused_file(folder, "large.mp4")

    assert reader(folder).file("fits.mp4", at=HERE).head == bytes(64)
    assert (problem.code, problem.message) == (
        "E-FILE-SIZE",
        "large.mp4 is larger than 3 MB",
    )
