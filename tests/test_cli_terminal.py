"""What a person at a real terminal sees, and can do."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from foxbatch.cli._terminal import NobodyReadsError, Terminal, prepare
from foxbatch.errors import ExitCode
from foxbatch.ledger import read_folder
from tests.cli import MANIFEST

pty = pytest.importorskip("pty", reason="terminals are POSIX")

SLOW = MANIFEST.replace("A calm sea", '"A sea [sandbox:slow 6000]"')
TRAFFIC = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
PATIENCE_S = 60
FULL = Path("/dev/full")


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&-", "<&- >&- 2>&-"])
def test_a_run_that_is_started_without_a_stream_is_a_run(
    tmp_path: Path, closed: str
) -> None:
    """And what a library says to a stream that is not there is in no file of ours."""
    (tmp_path / "sea.yaml").write_text(MANIFEST)
    typed = [sys.executable, "-m", "foxbatch", "run", "sea.yaml", "--speed", "500"]

    ended = subprocess.run(
        ["bash", "-c", f'exec "$@" {closed}', "bash", *typed, "--out", "out"],
        cwd=tmp_path,
        timeout=PATIENCE_S,
        check=False,
    )

    assert ended.returncode == 0
    (facts,) = read_folder(tmp_path / "out" / "ledger").files.values()
    assert facts > 3


class AtTerminal:
    """A command with a terminal of its own."""

    def __init__(self, words: list[str], folder: Path, **environ: str) -> None:
        kept = {k: v for k, v in os.environ.items() if k not in {"CI", "NO_COLOR"}}
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "foxbatch", *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=folder,
            env=kept | {"TERM": "xterm-256color", "COLUMNS": "100"} | environ,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = ""

    def read_until(self, awaited: str | None) -> str:
        """Read until *awaited* is there, or to the end; return all that was seen."""
        while awaited is None or awaited not in self.plain:
            ready, _, _ = select.select([self._master], [], [], PATIENCE_S)
            assert ready, f"silent after: {self.plain}"
            try:
                piece = os.read(self._master, 65536)
            except OSError:  # EIO is how Linux says that the other side has closed
                break
            if not piece:
                break
            self.seen += piece.decode("utf-8", "replace")
        return self.plain

    @property
    def plain(self) -> str:
        return TRAFFIC.sub("", self.seen).replace("\r\n", "\n")

    def type_(self, text: str) -> None:
        os.write(self._master, text.encode())

    def press(self, keys: str) -> None:
        """Press keys as people do: again, if nothing happened.

        What is typed before a program waits for single keys is thrown away.
        """
        heard = False
        while not heard:
            self.type_(keys)
            heard = bool(select.select([self._master], [], [], PATIENCE_S / 30)[0])

    def interrupt(self) -> None:
        """Press Ctrl-C as people do: again, if nothing happened.

        A signal just before `input` waits for the keyboard is not noticed by Python
        before it wakes up.
        """
        alive = True
        while alive:
            self.process.send_signal(signal.SIGINT)
            alive = not select.select([self._master], [], [], PATIENCE_S / 10)[0]

    def end(self) -> int:
        self.read_until(None)
        os.close(self._master)
        return self.process.wait(PATIENCE_S)


Open = Callable[..., AtTerminal]


@pytest.fixture
def at_terminal(tmp_path: Path) -> Iterator[Open]:
    (tmp_path / "sea.yaml").write_text(MANIFEST)
    (tmp_path / "slow.yaml").write_text(SLOW)
    opened: list[AtTerminal] = []

    def start(*words: str, **environ: str) -> AtTerminal:
        opened.append(AtTerminal(list(words), tmp_path, **environ))
        return opened[-1]

    yield start
    for one in opened:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def test_run_moves_and_ends_with_what_came_of_it(at_terminal: Open) -> None:
    running = at_terminal("run", "sea.yaml", "--speed", "50")

    assert running.end() == 0
    assert "━━━━" in running.plain
    assert re.search(r"of 16 in flight", running.plain)
    assert running.plain.count("accepted job=") == 2
    assert "✓ All 2 jobs are done\n" in running.plain
    assert "\x1b[1;32m✓" in running.seen


@pytest.mark.parametrize(
    "environ",
    [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"CI": "true"}],
    ids=["NO_COLOR", "TERM=dumb", "CI"],
)
def test_nothing_moves_and_nothing_is_coloured_where_that_is_unwanted(
    environ: dict[str, str], at_terminal: Open
) -> None:
    listing = at_terminal("plan", "sea.yaml", **environ)

    assert listing.end() == 0
    assert "\x1b" not in listing.seen
    assert "jobs      2: 2 submit\n" in listing.plain


def test_run_says_in_lines_how_it_goes_where_nothing_may_move(
    at_terminal: Open,
) -> None:
    running = at_terminal("run", "sea.yaml", "--speed", "1000", NO_COLOR="1")

    assert running.end() == 0
    assert "\x1b" not in running.seen
    assert "━" not in running.seen
    assert "✓ All 2 jobs are done\n" in running.plain


def test_table_is_coloured_and_fits(at_terminal: Open) -> None:
    listing = at_terminal("expand", "sea.yaml", COLUMNS="52")

    assert listing.end() == 0
    assert "\x1b[1m" in listing.seen
    assert max(map(len, listing.plain.splitlines())) <= 52
    assert "…" in listing.plain


def test_problem_is_coloured(at_terminal: Open) -> None:
    checking = at_terminal("validate", "sea.yaml", "--provider", "sandbx")

    assert checking.end() == 2
    assert "\x1b[1;31merror: " in checking.seen


def test_status_is_watched_until_nothing_runs(at_terminal: Open) -> None:
    assert at_terminal("run", "sea.yaml", "--speed", "1000").end() == 0

    watching = at_terminal("status", "sea.yaml", "--watch")

    assert watching.end() == 0
    assert "● 2 done" in watching.plain


@pytest.mark.parametrize(
    ("typed", "code"), [("n\n", 2), ("\n", 2), ("\x03", 130)], ids=["n", "Return", "^C"]
)
def test_paid_run_asks_first_and_only_yes_buys(
    typed: str, code: int, at_terminal: Open, tmp_path: Path
) -> None:
    """With no answer but yes, the service is never even asked for its name."""
    asking = at_terminal(
        "run", "sea.yaml", "--provider", "foxapi", FOXAPI_API_KEY="sk-secret-key"
    )
    asking.read_until("Submit them? [y/N]")

    if typed == "\x03":
        asking.interrupt()
    else:
        asking.type_(typed)

    assert asking.end() == code
    assert "2 new jobs on foxapi, which costs money" in asking.plain
    assert "2 × veo-3.1-fast, 720p, 4 s, silent" in asking.plain
    assert "estimate: not known" in asking.plain
    assert "sk-secret" not in asking.plain
    assert list((tmp_path / "runs/sea@foxapi").rglob("*.jsonl")) == []


def test_second_ctrl_c_stops_at_once(at_terminal: Open) -> None:
    running = at_terminal("run", "slow.yaml", "--speed", "1")
    running.read_until("accepted job=")

    running.process.send_signal(signal.SIGINT)
    running.process.send_signal(signal.SIGINT)

    assert running.end() == 130


def test_held_job_is_settled_after_a_question(
    at_terminal: Open, tmp_path: Path
) -> None:
    lost = MANIFEST.replace("A calm sea", '"A lost sea [sandbox:lost-reply]"')
    (tmp_path / "lost.yaml").write_text(lost)
    running = at_terminal("run", "lost.yaml", "--speed", "1000")
    assert running.end() == 11
    found = re.search(r"foxbatch settle \S+ (\w+)", running.plain)
    assert found is not None

    asking = at_terminal("settle", "lost.yaml", found[1], "--write-off")
    asking.read_until("Write that down? [y/N]")
    asking.type_("y\n")

    assert asking.end() == 0
    assert "given up" in asking.plain


def test_one_key_decides_about_each_held_job(at_terminal: Open, tmp_path: Path) -> None:
    prompts = ", ".join(f'"Sea {n} [sandbox:lost-reply]"' for n in range(4))
    (tmp_path / "lost.yaml").write_text(
        MANIFEST.replace("A calm sea, A stormy sea", prompts)
    )
    assert at_terminal("run", "lost.yaml", "--speed", "1000").end() == 11
    stored = (tmp_path / "runs/sea@sandbox/.sandbox/tasks.jsonl").read_text()
    made = re.findall(r"(task-unified-\d+-[a-z0-9]{8}).*(Sea \d)", stored)
    task_of = {prompt: task for task, prompt in made}

    asking = at_terminal("settle", "lost.yaml")
    for number, key in enumerate("bwts", start=1):
        asking.read_until(f"{number} of 4")
        asking.seen = asking.seen[asking.seen.index(f"{number} of 4") :]
        asking.read_until("[q]uit")
        time.sleep(0.5)  # until it waits for a key; pressing would echo before that
        asking.press(f"x{key}")  # a key that means nothing is passed over
        if key == "t":
            asking.read_until("skip)")
            asking.type_("task-unified-1-abcdefgh\n")
            asking.read_until("does not know it")
            shown = re.search(r"prompt +(Sea \d)", asking.plain)
            assert shown is not None
            asking.type_(f"{task_of[shown[1]]}\n")
    asking.read_until("Write that down? [y/N]")
    asking.type_("y\n")

    assert asking.end() == 11
    assert asking.plain.count("If you agree") == 3
    for said in ("fetches it", "buys it again", "it is given up"):
        assert said in asking.plain
    again = at_terminal("settle", "lost.yaml")
    again.read_until("[q]uit")
    assert "1 of 1" in again.plain
    time.sleep(0.5)
    again.press("q")
    assert again.end() == 11
    assert "nothing is to be decided" in again.plain


def test_no_task_is_no_decision(at_terminal: Open, tmp_path: Path) -> None:
    lost = MANIFEST.replace("A calm sea", '"A lost sea [sandbox:lost-reply]"')
    (tmp_path / "lost.yaml").write_text(lost)
    assert at_terminal("run", "lost.yaml", "--speed", "1000").end() == 11

    asking = at_terminal("settle", "lost.yaml")
    asking.read_until("[q]uit")
    time.sleep(0.5)
    asking.press("t")
    asking.read_until("skip)")
    asking.type_("\n")

    assert asking.end() == 11
    assert "nothing is to be decided" in asking.plain


class TestStreams:
    def test_data_that_nobody_reads_ends_the_command(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w", buffering=1) as stream:
            monkeypatch.setattr(sys, "stdout", stream)

            with pytest.raises(NobodyReadsError):
                Terminal({}).emit("x")

    @pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
    @pytest.mark.parametrize("words", ["--version", "--help", "run --help", "models"])
    def test_data_on_a_full_disk_is_no_bug(self, words: str) -> None:
        with FULL.open("w") as full:
            ended = subprocess.run(
                [sys.executable, "-m", "foxbatch", *words.split()],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )

        assert ended.returncode == ExitCode.RUN_DIR
        assert "standard output cannot be written: No space left" in ended.stderr

    def test_words_that_nobody_reads_end_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w", buffering=1) as stream:
            monkeypatch.setattr(sys, "stderr", stream)
            terminal = Terminal({})

            terminal.say("x")
            terminal.say("y")

            assert terminal.stderr.fileno() == writer

    def test_stream_takes_any_text(self, tmp_path: Path) -> None:
        with (tmp_path / "out").open("w", encoding="latin-1") as stream:
            prepare(stream)

            stream.write("海 \udcff")

        assert (tmp_path / "out").read_text("utf-8") == "海 \\udcff"


class TestProgram:
    """Commands to type next are such as the shell would find."""

    @pytest.fixture
    def script(self, tmp_path: Path) -> Path:
        path = tmp_path / ".venv" / "bin" / "foxbatch"
        path.parent.mkdir(parents=True)
        path.touch(mode=0o755)
        return path

    def typed(
        self, monkeypatch: pytest.MonkeyPatch, script: Path, called: str, path: str
    ) -> str:
        monkeypatch.chdir(script.parents[2])
        monkeypatch.setattr(sys, "argv", [called])
        monkeypatch.setenv("PATH", path)
        return Terminal({}).program

    def test_its_name_does_where_the_shell_finds_it(
        self, monkeypatch: pytest.MonkeyPatch, script: Path
    ) -> None:
        typed = self.typed(monkeypatch, script, str(script), str(script.parent))

        assert typed == "foxbatch"

    def test_a_launcher_of_windows_is_known_by_its_name(
        self, monkeypatch: pytest.MonkeyPatch, script: Path
    ) -> None:
        """It is called foxbatch.exe, and says that it is called foxbatch."""
        script.unlink()
        launcher = str(script.with_suffix(".exe"))
        monkeypatch.setattr(shutil, "which", lambda _: launcher)

        typed = self.typed(monkeypatch, script, str(script), str(script.parent))

        assert typed == "foxbatch"

    @pytest.mark.parametrize("called", [".venv/bin/foxbatch", "{}"])
    def test_its_path_is_needed_elsewhere(
        self, monkeypatch: pytest.MonkeyPatch, script: Path, called: str
    ) -> None:
        typed = self.typed(monkeypatch, script, called.format(script), "/nowhere")

        assert typed == ".venv/bin/foxbatch"

    def test_its_whole_path_is_needed_from_another_folder(
        self, monkeypatch: pytest.MonkeyPatch, script: Path, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(sys, "argv", [str(script)])
        monkeypatch.setenv("PATH", "/nowhere")
        (tmp_path / "other").mkdir()
        monkeypatch.chdir(tmp_path / "other")

        assert Terminal({}).program == str(script)

    def test_a_module_goes_by_its_name(
        self, monkeypatch: pytest.MonkeyPatch, script: Path
    ) -> None:
        typed = self.typed(monkeypatch, script, "/x/__main__.py", "/nowhere")

        assert typed == "foxbatch"
