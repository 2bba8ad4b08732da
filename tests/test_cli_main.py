"""The outermost edge: exit codes, help, and what is imported for them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from foxbatch.cli import _main, main
from foxbatch.cli._group import _HOME, SECTIONS, foxbatch_command
from foxbatch.errors import (
    ExitCode,
    InvalidError,
    LedgerError,
    Position,
    Problem,
    UsageError,
)
from tests.cli import MANIFEST, Type

COMMANDS = list(_HOME)
HEAVY = {
    "aiohttp",
    "av",
    "httpx",
    "jsonschema",
    "jsonschema_rs",
    "msgspec",
    "rich",
    "structlog",
    "yaml",
}


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(foxbatch_command)
    for name in COMMANDS:
        command = foxbatch_command.get_command(context, name)
        assert command is not None
        yield name, command


LATE = """
import os, signal, sys
class Late:
    def __del__(self, kill=os.kill, pid=os.getpid(), number=signal.SIGTERM):
        kill(pid, number)
late = Late()
from foxbatch.__main__ import main
sys.exit(main(["--help"]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_a_signal_while_python_takes_itself_apart_changes_no_exit_code() -> None:
    """It has put all handlers back by then; who started us wants the code."""
    ended = subprocess.run(
        [sys.executable, "-c", LATE], stdout=subprocess.DEVNULL, check=False
    )

    assert ended.returncode == 0


class TestHelp:
    def test_every_command_is_listed_in_a_section(self, type_: Type) -> None:
        ended = type_("--help")

        assert ended.code == 0
        listed = [name for section in SECTIONS.values() for name in section]
        assert listed == COMMANDS
        assert all(f"\n  {name} " in ended.out for name in COMMANDS)

    def test_no_command_at_all_shows_the_help(self, type_: Type) -> None:
        assert type_().out == type_("--help").out

    def test_summaries_are_the_first_lines_of_the_commands(self) -> None:
        summaries = {n: s for part in SECTIONS.values() for n, s in part.items()}

        told = {
            name: (command.help or "").partition("\n")[0]
            for name, command in commands()
        }

        assert told == summaries

    @pytest.mark.parametrize("name", COMMANDS)
    def test_help_of_a_command_has_an_example(self, name: str, type_: Type) -> None:
        ended = type_(name, "-h")

        assert ended.code == 0
        assert f"foxbatch {name}" in re.split("Examples?:", ended.out)[1]
        assert ended.out == type_(name, "--help").out

    def test_every_option_says_what_it_is_for(self) -> None:
        silent = [
            f"{name} {option.opts[0]}"
            for name, command in commands()
            for option in command.params
            if isinstance(option, click.Option) and not option.help
        ]

        assert silent == []

    def test_version_names_the_program(self, type_: Type) -> None:
        assert type_("--version").out.startswith("foxbatch 0.")

    @pytest.mark.parametrize(
        "words",
        [["--help"], ["--version"], ["run", "--help"], ["validate", "--help"]],
        ids=" ".join,
    )
    def test_help_loads_nothing_heavy(self, words: list[str]) -> None:
        """Help comes at once: a cold start must not wait for what help does not use."""
        code = (
            "import sys; from foxbatch.__main__ import main; main(sys.argv[1:]);"
            "print(*sys.modules, file=sys.stderr)"
        )

        run = subprocess.run(
            [sys.executable, "-c", code, *words],
            check=True,
            capture_output=True,
            text=True,
        )

        assert HEAVY.intersection(run.stderr.split()) == set()


def test_checking_a_manifest_loads_neither_client_nor_runner(tmp_path: Path) -> None:
    """Nor what explains mistakes and draws tables, where there is nothing to say."""
    path = tmp_path / "m.yaml"
    path.write_text(MANIFEST, encoding="utf-8")
    code = (
        "import sys; from foxbatch.__main__ import main; "
        "code = main(['validate', sys.argv[1]]);"
        "print(code, *sys.modules)"
    )

    run = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        check=True,
        capture_output=True,
        text=True,
    )

    code, *loaded = run.stdout.split()
    unused = HEAVY - {"jsonschema_rs", "msgspec", "yaml"}
    assert code == "0"
    unused |= {"anyio", "foxbatch.client", "foxbatch.runner"}
    assert unused.intersection(loaded) == set()


class TestWrongUsage:
    @pytest.mark.parametrize(
        ("words", "message", "hint"),
        [
            pytest.param(
                ["rnu"],
                "there is no command 'rnu'",
                "Did you mean run?",
                id="a misspelt command",
            ),
            pytest.param(
                ["xyzzy"],
                "there is no command 'xyzzy'",
                "Type `foxbatch --help` to see what there is.",
                id="a command that resembles nothing",
            ),
            pytest.param(
                ["run", "--detahc", "m.yaml"],
                "--detach",
                "Type `foxbatch run --help` to see how it is used.",
                id="a misspelt option",
            ),
            pytest.param(
                ["plan"],
                "Missing argument 'MANIFEST'",
                "Type `foxbatch plan --help` to see how it is used.",
                id="a missing argument",
            ),
            pytest.param(
                ["run", "m.yaml", "--stop-after", "soon"],
                "'soon' is not a duration such as 90s, 20m or 1h30m",
                "Type `foxbatch run --help` to see how it is used.",
                id="a value of the wrong kind",
            ),
            pytest.param(
                ["validate", "m.yaml", "--format", "jsno"],
                "'jsno' is not one of",
                "Type `foxbatch validate --help` to see how it is used.",
                id="a value that is no choice",
            ),
        ],
    )
    def test_it_is_said_with_what_to_do(
        self, words: list[str], message: str, hint: str, type_: Type
    ) -> None:
        ended = type_(*words)

        assert ended.code == 2
        assert ended.out == ""
        assert ended.err.startswith("error: ")
        assert message in ended.err
        assert ended.err.endswith(f"  try: {hint}\n")


def raising(error: BaseException) -> click.Command:
    @click.command()
    def command() -> None:
        raise error

    return command


class TestEndings:
    @pytest.mark.parametrize(
        ("error", "code"),
        [
            pytest.param(UsageError("no"), 2, id="wrong usage"),
            pytest.param(
                InvalidError((Problem("E-X", "no", Position("m.yaml")),)),
                3,
                id="a manifest that is not valid",
            ),
            pytest.param(LedgerError("no"), 4, id="a run directory"),
            pytest.param(click.UsageError("no"), 2, id="what click finds wrong"),
            pytest.param(click.Abort(), 130, id="a question that is interrupted"),
            pytest.param(KeyboardInterrupt(), 130, id="Ctrl-C"),
            pytest.param(ZeroDivisionError("no"), 70, id="a bug"),
            pytest.param(
                ExceptionGroup("", [ExceptionGroup("", [LedgerError("no")])]),
                4,
                id="an error that task groups wrapped",
            ),
            pytest.param(
                ExceptionGroup("", [LedgerError("no"), UsageError("no")]),
                2,
                id="the more urgent of two errors",
            ),
            pytest.param(
                ExceptionGroup("", [UsageError("no"), ZeroDivisionError()]),
                70,
                id="a bug beside an error",
            ),
            pytest.param(
                BaseExceptionGroup("", [KeyboardInterrupt()]),
                130,
                id="Ctrl-C that a task group wrapped",
            ),
        ],
    )
    def test_exit_code(
        self,
        error: BaseException,
        code: int,
        type_: Type,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(_main, "foxbatch_command", raising(error))

        ended = type_()

        assert ended.code == code
        assert ended.out == ""
        assert ended.err

    def test_bug_is_owned_up_to_with_its_place(
        self, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_main, "foxbatch_command", raising(KeyError("x")))

        ended = type_()

        assert ended.code == ExitCode.BUG
        assert "this is a bug in foxbatch: KeyError: 'x'" in ended.err
        assert "at test_cli_main.py" in ended.err
        assert "Traceback" not in ended.err

    def test_traceback_is_for_who_asks(
        self, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FOXBATCH_DEBUG", "1")
        monkeypatch.setattr(_main, "foxbatch_command", raising(KeyError("x")))

        assert "Traceback (most recent call last)" in type_().err

    @pytest.mark.parametrize("debug", ["", "1"], ids=["quiet", "with FOXBATCH_DEBUG"])
    def test_key_in_an_error_is_hidden(
        self, debug: str, type_: Type, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """Libraries quote headers in their errors: `Illegal header value b'…'`."""
        (tmp_path / "key").write_text("sk-from-a-file\n")
        (tmp_path / ".env").write_text("FOXAPI_API_KEY=sk-from-dotenv\n")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("FOXBATCH_DEBUG", debug)
        monkeypatch.setenv("FOXBATCH_KEY_OTHER", "sk-from-environ")
        monkeypatch.setenv("FOXAPI_API_KEY_FILE", str(tmp_path / "key"))
        error = ValueError("Bearer sk-from-a-file sk-from-dotenv sk-from-environ")
        monkeypatch.setattr(_main, "foxbatch_command", raising(error))

        ended = type_()

        assert "sk-from" not in ended.err
        assert "Bearer *** *** ***" in ended.err

    def test_escape_sequences_of_strangers_are_spelt_out(
        self, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        error = UsageError("name \x1b[2J\u202e", hint="\x07")
        monkeypatch.setattr(_main, "foxbatch_command", raising(error))

        ended = type_()

        assert ended.err == "error: name \\x1b[2J\\u202e\n  try: \\x07\n"


class TestPipes:
    def test_reader_who_has_seen_enough_is_no_error(self, tmp_path: Path) -> None:
        manifest = tmp_path / "sea.yaml"
        manifest.write_text(MANIFEST)
        command = [sys.executable, "-m", "foxbatch", "expand", str(manifest)]

        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            said = process.stderr.read()

        assert process.returncode == 0
        assert b"Error" not in said

    def test_run_goes_on_when_nobody_listens_to_it(self, tmp_path: Path) -> None:
        """`foxbatch run … 2>&1 | head` must not stop in the middle of a purchase."""
        manifest = tmp_path / "sea.yaml"
        manifest.write_text(MANIFEST)
        command = [sys.executable, "-m", "foxbatch", "run", str(manifest)]

        with subprocess.Popen(
            [*command, "--speed", "1000"], stderr=subprocess.PIPE
        ) as process:
            assert process.stderr is not None
            process.stderr.close()

        assert process.returncode == 0
        assert len(list(tmp_path.rglob("*.mp4"))) == 2

    def test_data_in_a_pipe_is_utf8_whatever_the_locale(self, tmp_path: Path) -> None:
        manifest = tmp_path / "sea.yaml"
        manifest.write_text(
            MANIFEST.replace("A calm", "Ein ruhiges Meer – 海"), "utf-8"
        )
        command = [sys.executable, "-m", "foxbatch", "expand", str(manifest)]

        run = subprocess.run(
            [*command, "--format", "jsonl"],
            check=True,
            capture_output=True,
            env={"PYTHONIOENCODING": "latin-1", "PATH": ""},
        )

        assert "– 海" in run.stdout.decode("utf-8")


def test_arguments_of_the_process_are_the_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["foxbatch", "--version"])

    assert main() == 0
    assert capsys.readouterr().out.startswith("foxbatch ")
