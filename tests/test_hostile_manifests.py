"""Manifests of a stranger: each is a clear problem, soon and in little memory."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from foxbatch import api
from foxbatch.cli._sources import Sources
from foxbatch.cli.problems import as_text
from foxbatch.errors import InvalidError, Position, Problem
from foxbatch.manifest import read_content
from foxbatch.yaml12 import MAX_BYTES
from tests.cli import MANIFEST, Type

HEAD = "foxbatch: 1\nname: s\nprovider: sandbox\njobs:\n"
JOB = (
    "  - {id: a, model: veo-3.1-fast, prompts: [A], params: {generate_audio: false}}\n"
)
DIGITS = "1" * 100_000


class _Endless(io.BytesIO):
    """A stream without an end, which counts what it gave."""

    given = 0

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size >= 0, "it was asked for everything"
        self.given += size
        return b"a" * size


class TestFiles:
    def test_a_file_that_is_too_large_is_not_read(self, tmp_path: Path) -> None:
        path = tmp_path / "big.yaml"
        with path.open("wb") as file:
            file.truncate(100_000_000)

        assert len(read_content(path)) == MAX_BYTES + 1

    def test_standard_input_is_not_read_to_its_end(
        self, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        raw = _Endless()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(raw, encoding="utf-8"))

        ended = type_("validate", "-")

        assert ended.code == 3
        assert "[E-YAML-SIZE]" in ended.out
        assert raw.given <= MAX_BYTES + 1

    @pytest.mark.skipif(os.name == "nt", reason="needs POSIX")
    @pytest.mark.parametrize("name", ["fifo", "/dev/zero", "/dev/null"])
    @pytest.mark.parametrize("command", ["validate", "expand", "plan", "run"])
    def test_a_device_or_a_pipe_is_not_opened(
        self,
        command: str,
        name: str,
        tmp_path: Path,
        type_: Type,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        os.mkfifo("fifo")

        ended = type_(command, name)

        assert ended.code == 3
        assert f"{name} cannot be read: it is no regular file" in ended.out + ended.err
        assert "Write - to read what another program prints." in ended.out + ended.err

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            pytest.param("a\0b", "embedded null byte", id="a NUL in the name"),
            pytest.param("a" * 5_000, "file name too long", id="a very long name"),
            pytest.param(".", "it is a folder", id="a folder"),
        ],
    )
    def test_a_name_that_no_file_has_is_a_problem(
        self, name: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)

        with pytest.raises(InvalidError) as caught:
            api.load_manifest(name)

        assert why in caught.value.problems[0].message

    @pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
    def test_a_hundred_megabytes_take_little_time_and_memory(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "big.yaml"
        with path.open("wb") as file:
            file.truncate(100_000_000)
        code = (
            "import sys; from foxbatch.cli import main; "
            "code = main(['validate', sys.argv[1]]); "
            "print(*[line for line in open('/proc/self/status') if 'VmHWM' in line]); "
            "sys.exit(code)"
        )

        done = subprocess.run(
            [sys.executable, "-c", code, str(path)],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )

        assert done.returncode == 3
        assert int(done.stdout.split()[-2]) < 150_000  # kilobytes at most, ever


HOSTILE = {
    "a number of 100,000 digits": (f"x-a: {DIGITS}\n", "E-NUMBER"),
    "a number with 100,000 zeros": (f"x-a: 1{'0' * 100_000}e1\n", "E-NUMBER"),
    "100,000 octal digits": (f"x-a: 0o{'7' * 100_000}\n", "E-NUMBER"),
    "100,000 hexadecimal digits": (f"x-a: 0x{'f' * 100_000}\n", "E-NUMBER"),
    "a number of 100,000 digits as a limit": (
        f"limits: {{in_flight: {DIGITS}}}\n",
        "E-NUMBER",
    ),
    "a number of 100,000 digits as a key": (
        f"vars: {{? {DIGITS} : x}}\n",
        "E-YAML-KEY",
    ),
    "a NUL": ("x-a: a\0b\n", "E-TEXT"),
    "a NUL that is escaped": ('x-a: "a\\0b"\n', "E-TEXT"),
    "a NUL in a key": ('vars: {"a\\0b": x}\n', "E-TEXT"),
    "a turned name of a variable": ("vars: {a\u202eb: x}\n", "E-PATTERN"),
    "a turned key": ("k\u202ey: 1\n", "E-KEY-UNKNOWN"),
    "deep nesting": (f"x-a: {'[' * 50_000}\n", "E-YAML-DEPTH"),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_what_is_hostile_is_a_short_problem(
    name: str, tmp_path: Path, type_: Type
) -> None:
    content, code = HOSTILE[name]
    path = tmp_path / "m.yaml"
    path.write_text(f"{HEAD}{JOB}{content}", encoding="utf-8")
    begun = time.monotonic()

    ended = type_("validate", path)

    assert ended.code == 3
    assert f"[{code}]" in ended.out
    assert len(ended.out) < 5_000
    assert "\u202e" not in ended.out
    assert time.monotonic() - begun < 5  # about 0.1 on an idle machine


@pytest.mark.parametrize("form", ["json", "github", "sarif"])
def test_machines_get_it_too(form: str, tmp_path: Path, type_: Type) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(f"{HEAD}{JOB}x-a: {DIGITS}\n")

    ended = type_("validate", path, "--format", form)

    assert ended.code == 3
    assert len(ended.out) < 5_000


@pytest.mark.parametrize(
    ("override", "code"),
    [
        (f"limits.in_flight={DIGITS}", 3),
        (f"vars.x={DIGITS}", 2),
        ("name=a\x01b", 3),
        ("name=a\u202eb", 3),
        (f"{'a.' * 5_000}b=1", 2),
        (f"limits={'[' * 5_000}", 3),
    ],
    ids=["digits", "digits nowhere", "control", "turned", "a long path", "deep"],
)
def test_a_hostile_override_is_refused(
    override: str, code: int, tmp_path: Path, type_: Type
) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(MANIFEST)

    ended = type_("validate", path, "--set", override)

    assert ended.code == code
    assert "\u202e" not in ended.out + ended.err


def test_a_turned_text_in_a_name_is_refused_with_its_spelling(
    tmp_path: Path, type_: Type
) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(MANIFEST.replace("name: sea", "name: s\u202eea"), encoding="utf-8")

    ended = type_("validate", path)

    assert ended.code == 3
    assert 'name "s\\u202eea" does not have the right form' in ended.out


def test_lines_that_stop_the_parser_are_looked_at_a_thousand_at_most() -> None:
    from foxbatch.manifest.prose import unreadable_prose

    text = "prompts:\n" + "  - [x] a: b\n" * 3_000

    assert len(unreadable_prose(text, "m.yaml")) == 1_000


def test_a_thousand_problems_are_shown_and_the_rest_is_counted() -> None:
    problems = [Problem("E-X", "x", Position("m.yaml", n)) for n in range(1, 1_501)]

    text = as_text(problems, Sources({"m.yaml": ""}), width=80).plain

    assert text.count("error: x") == 1_000
    assert "and 500 more, which --format json has" in text
    assert text.endswith("1,500 errors in 1 file\n")
