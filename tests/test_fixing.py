"""Fixes are made in the text: everything else stays as it is, to the byte."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from foxbatch import api
from foxbatch.errors import Edit, InvalidError, Position, Problem, UsageError
from foxbatch.manifest import mend, read_manifest
from tests.cli import MANIFEST, Type

DECK = Path(__file__).parent / "examples" / "decks" / "slides.txt"
SLIDES = DECK.read_text(encoding="utf-8").splitlines()
HEAD = "foxbatch: 1\nname: deck\nprovider: sandbox\n"
JOB = (
    "jobs:\n"
    "  - id: deck\n"
    "    model: veo-3.1-fast\n"
    "    params: {generate_audio: false}\n"
    "    prompts:\n"
)


def fixed(path: Path, content: str | bytes) -> list[str]:
    """Write a manifest, mend it, and return the codes of what was mended."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return [problem.code for problem in api.fix_manifest(path)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deck.yaml"


class TestMend:
    def test_edits_are_made_from_the_last_to_the_first(self) -> None:
        problems = [
            _change((1, 1, 2), "aa"),
            _change((2, 3, 4), ""),
            _change((1, 4, 4), "d"),
        ]

        mended = mend(b"abc\nxyz\n", problems)

        assert mended.content == b"aabcd\nxy\n"
        assert [one.position.column for one in mended.done] == [1, 4, 3]

    def test_line_ends_and_a_byte_order_mark_stay(self) -> None:
        content = "\ufeffa: no\r\nb: é\rc: x".encode()

        mended = mend(content, [_change((1, 4, 6), '"no"'), _change((3, 4, 5), "y")])

        assert mended.content == '\ufeffa: "no"\r\nb: é\rc: y'.encode()

    def test_a_fix_that_touches_another_is_left_for_later(self) -> None:
        first, second = _change((1, 1, 4), "x"), _change((1, 3, 6), "y")

        mended = mend(b"abcdef", [first, second])

        assert (mended.content, mended.done) == (b"xdef", (first,))

    def test_a_fix_is_made_as_a_whole_or_not_at_all(self) -> None:
        edits = (*_change((1, 6, 7), "z").fix, *_change((1, 1, 2), "z").fix)
        both = Problem("N-X", "x", edits[0].position, fix=edits)

        mended = mend(b"abcdef", [_change((1, 1, 4), "x"), both])

        assert mended.content == b"xdef"

    def test_what_has_no_fix_is_not_called_mended(self) -> None:
        problem = Problem("E-X", "x", Position("m.yaml"))

        assert mend(b"a", [problem]).done == ()


def _change(at: tuple[int, int, int], text: str) -> Problem:
    line, start, end = at
    position = Position("m.yaml", line, start, line, end)
    return Problem("N-X", "x", position, fix=(Edit(position, text),))


class TestSlides:
    """Prompts as people paste them: none loses a word, whatever YAML makes of it."""

    @pytest.mark.parametrize("slide", SLIDES, ids=range(len(SLIDES)))
    def test_a_prompt_goes_in_whole_or_is_refused_until_it_is_mended(
        self, slide: str, path: Path
    ) -> None:
        path.write_text(
            f"{HEAD}{JOB}      - {slide}\n      - A fox\n", encoding="utf-8"
        )
        refused = _is_refused(path)

        codes = [problem.code for problem in api.fix_manifest(path)]

        assert _prompts(path) == [slide.strip(), "A fox"]
        assert not refused or codes

    def test_a_whole_deck_goes_in_at_once(self, path: Path) -> None:
        path.write_text(
            HEAD + JOB + "".join(f"      - {slide}\n" for slide in SLIDES),
            encoding="utf-8",
        )

        api.fix_manifest(path)

        assert _prompts(path) == [slide.strip() for slide in SLIDES]

    def test_each_line_that_stops_the_parser_is_told_at_once(self, path: Path) -> None:
        slides = ["[Wide] a fox", "A fox: one: two", "fine", "@handle"]
        path.write_text(HEAD + JOB + "".join(f"      - {slide}\n" for slide in slides))

        with pytest.raises(InvalidError) as caught:
            api.load_manifest(path)

        lines = [problem.position.line for problem in caught.value.problems]
        assert lines == [9, 10, 12]
        assert all("in quotes" in problem.hint for problem in caught.value.problems)

    def test_what_stops_the_parser_elsewhere_is_told_beside_it(
        self, path: Path
    ) -> None:
        path.write_text(f"{HEAD}x-a: [\n{JOB}      - [Wide] a fox\n")

        with pytest.raises(InvalidError) as caught:
            api.load_manifest(path)

        assert [one.position.line for one in caught.value.problems] == [6, 10]

    @pytest.mark.parametrize(
        ("written", "line"),
        [
            ("- text: A sign: no dogs: none", '- text: "A sign: no dogs: none"'),
            (
                "- {id: a, text: A fox, in the snow}",
                '- {id: a, text: "A fox, in the snow"}',
            ),
            ("- A fox #1 of 2", '- "A fox #1 of 2"'),
            ('- "A fox', '- "A fox"'),
            ("- A \"red\" fox: 'x'", "- 'A \"red\" fox: ''x'''"),
            ("- {txt: A fox}", "- {text: A fox}"),
        ],
    )
    def test_other_ways_to_write_a_prompt(
        self, written: str, line: str, path: Path
    ) -> None:
        fixed(path, f"{HEAD}{JOB}      {written}\n")

        assert path.read_text().splitlines()[-1].strip() == line
        assert not _is_refused(path)

    @pytest.mark.parametrize(
        "written",
        [
            pytest.param("- A fox # a remark", id="what may be a comment"),
            pytest.param("- &a A fox\n      - *a", id="an anchor that is used"),
            pytest.param('- "A fox\n        runs', id="a quote over several lines"),
            pytest.param("- |\n        - [a] b: c: d", id="the inside of a block"),
            pytest.param("- Camera:\n          slow", id="a colon over several lines"),
            pytest.param("- [a,\n         b]", id="a list over several lines"),
            pytest.param("- - a: 1", id="a list of mappings"),
            pytest.param("- {a, b: c}", id="braces around several keys"),
            pytest.param("- {txet: A fox}", id="braces around a key and its value"),
        ],
    )
    def test_what_somebody_has_to_decide_is_left(
        self, written: str, path: Path
    ) -> None:
        content = f"{HEAD}{JOB}      {written}\n"

        assert fixed(path, content) == []
        assert path.read_text() == content

    def test_a_block_that_looks_like_prompts_is_not_touched(self, path: Path) -> None:
        block = "x-a: |\n  prompts:\n    - [a] b: c: d\n"
        path.write_text(f"{HEAD}{block}{JOB}      - [Wide] a fox\n")

        api.fix_manifest(path)

        assert block in path.read_text()
        assert _prompts(path) == ["[Wide] a fox"]


def _prompts(path: Path) -> object:
    (spec,) = read_manifest(path).specs
    return spec.prompts


def _is_refused(path: Path) -> bool:
    try:
        read_manifest(path)
    except InvalidError:
        return True
    return False


ODD = (
    f"{HEAD}description: no   # why not\n"
    "vars: {when: 2024-01-01, num: 0o17, code: 0755}\n"
    f"limits: {{requests_per_second: 1e1}}  \n{JOB}"
    "      - A fox of ${{ vars.when }} ${{ vars.num }} ${{ vars.code }}\n"
)


class TestFiles:
    def test_notes_are_cleared_and_no_value_changes(self, path: Path) -> None:
        path.write_text(ODD)
        before = read_manifest(path).document.value

        codes = [problem.code for problem in api.fix_manifest(path)]

        assert codes == [*["N-YAML-OLD"] * 3, "N-YAML-OLD", "N-LINE-BLANKS"]
        assert read_manifest(path).document.value == before
        assert 'description: "no"   # why not\n' in path.read_text()
        assert '{when: "2024-01-01", num: 15, code: 0755}' in path.read_text()

    def test_a_second_time_changes_nothing(self, path: Path) -> None:
        fixed(path, ODD)
        before = path.stat()

        again = api.fix_manifest(path)

        assert again == ()
        assert path.stat().st_mtime_ns == before.st_mtime_ns

    def test_windows_files_stay_windows_files(self, path: Path) -> None:
        content = ("\ufeff" + ODD.replace("\n", "\r\n")).encode()

        fixed(path, content)

        text = path.read_bytes().decode()
        assert text.startswith("\ufefffoxbatch: 1\r\n")
        assert text.count("\n") == text.count("\r\n") == ODD.count("\n")
        assert 'description: "no"   # why not\r\n' in text

    def test_what_is_hidden_by_a_problem_is_mended_with_it(self, path: Path) -> None:
        content = f"{HEAD}descripton: no\n{JOB}      - [Wide] a fox: one: two\n"

        assert fixed(path, content) == ["E-YAML-SYNTAX", "E-KEY-UNKNOWN", "N-YAML-OLD"]
        assert 'description: "no"\n' in path.read_text()

    def test_a_link_and_the_rights_of_the_file_stay(self, path: Path) -> None:
        path.write_text(ODD)
        path.chmod(0o640)
        link = path.with_name("link.yaml")
        link.symlink_to(path)

        api.fix_manifest(link)

        assert link.is_symlink()
        assert path.stat().st_mode & 0o777 == 0o640
        assert 'description: "no"' in path.read_text()

    @pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX")
    def test_a_file_that_cannot_be_written_is_said(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path.write_text(ODD)

        def full(_path: Path, _chunks: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("foxbatch.api.mending.write_whole", full)

        with pytest.raises(UsageError, match="cannot be written: no space left"):
            api.fix_manifest(path)
        assert path.read_text() == ODD

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("params: {generate_audoi: false}", "params: {generate_audio: false}"),
            ("mdoel: veo-3.1-fast", "model: veo-3.1-fast"),
            ("- id: 7", '- id: "7"'),
        ],
    )
    def test_slips_in_keys_and_names_are_mended(
        self, before: str, after: str, path: Path
    ) -> None:
        name = after.split(":", maxsplit=1)[0]
        lines = [
            before if line.strip().startswith(name) else line.strip("\n")
            for line in f"{JOB}      - A fox".splitlines()
        ]
        content = HEAD + "\n".join(
            line if line != before else f"{_indent_of(name)}{line}" for line in lines
        )

        fixed(path, content)

        assert f"{after}\n" in path.read_text()
        assert not _is_refused(path)

    def test_a_key_that_is_right_for_another_model_is_not_renamed(
        self, path: Path
    ) -> None:
        defaults = "defaults: {params: {generate_audoi: false}}\n"
        content = f"{HEAD}{defaults}{JOB}      - A fox\n"

        assert fixed(path, content) == []

    def test_a_key_whose_right_name_is_there_already_is_not_renamed(
        self, path: Path
    ) -> None:
        content = f"{HEAD}descripton: b\ndescription: a\n{JOB}      - A fox\n"

        assert fixed(path, content) == []


def _indent_of(name: str) -> str:
    return "  " if name.startswith("-") else "    "


class TestCommand:
    def test_says_what_it_changed_and_ends_by_what_is_left(
        self, path: Path, type_: Type
    ) -> None:
        path.write_text(ODD)

        ended = type_("validate", "--fix", "--strict", path)

        assert ended.code == 3
        assert (
            f"{path}:4:14: fixed: no is text, and tools of YAML 1.1 read false; it "
            in (ended.err)
        )
        assert ended.out.count("[N-YAML-OLD]") == 1
        assert "0755" in ended.out

    def test_several_changes_of_one_problem_are_one_line(
        self, path: Path, type_: Type
    ) -> None:
        path.write_text("x-a: 1 \nx-b: 2 \n" + MANIFEST)

        ended = type_("validate", "--fix", path)

        told = f"{path}:1:7: fixed: 2 lines end in blanks that mean nothing"
        assert ended.err.startswith(f"{told} [N-LINE-BLANKS]\n")
        assert path.read_text() == "x-a: 1\nx-b: 2\n" + MANIFEST

    def test_a_sound_file_is_not_touched(self, path: Path, type_: Type) -> None:
        path.write_text(MANIFEST)

        ended = type_("validate", "--fix", path)

        assert (ended.code, ended.out) == (0, "")
        assert path.read_text() == MANIFEST

    def test_a_file_that_is_not_there_is_said_once(
        self, path: Path, type_: Type
    ) -> None:
        ended = type_("validate", "--fix", path)

        assert ended.code == 3
        assert ended.out.count("there is no such file") == 1

    def test_standard_input_is_no_file(self, type_: Type) -> None:
        ended = type_("validate", "--fix", "-")

        assert ended.code == 2
        assert "standard input is none" in ended.err

    def test_a_wrong_override_is_no_reason_to_change_the_file(
        self, path: Path, type_: Type
    ) -> None:
        path.write_text(ODD)

        ended = type_("validate", "--fix", path, "--set", "vars.film=Kodak")

        assert ended.code == 2
        assert path.read_text() == ODD
