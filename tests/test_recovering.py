"""A machine was lost with its disk; its log is what is left."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxbatch import api
from foxbatch.errors import UsageError
from foxbatch.events import SubmitAccepted, SubmitSettled
from foxbatch.ledger import read_facts
from foxbatch.sandbox import EmbeddedSandbox, SandboxOptions
from tests.cli import MANIFEST, Ended, Type

JOB, OTHER = "k2anpmevwnfbwmgffdxy", "abcdefghijklmnopqrst"


def told(*lines: str) -> list[tuple[int, str, str, float | None]]:
    found = api.read_log(lines)
    return [(one.line, one.job, one.task, one.credits) for one in found]


class TestLines:
    @pytest.mark.parametrize(
        "line",
        [
            f"accepted job={JOB} task=t-1 credits=28",
            f"2026-11-26T19:52:31.1234567Z accepted job={JOB} task=t-1 credits=28",
            f"\x1b[36maccepted\x1b[0m job={JOB} task=\x1b[1mt-1\x1b[0m credits=28",
            f"\x1b]8;;https://ci\x07accepted job={JOB} task=t-1 credits=28",
            f'{{"log":"accepted job={JOB} task=t-1 credits=28\\n","stream":"stderr"}}',
            f"[build]\taccepted job={JOB} task=t-1 credits=28\r",
        ],
        ids=["bare", "with a time", "in colour", "a link", "in JSON", "with a prefix"],
    )
    def test_a_line_is_found_whatever_stands_around_it(self, line: str) -> None:
        assert told("something", line) == [(2, JOB, "t-1", 28.0)]

    @pytest.mark.parametrize(
        ("said", "known"),
        [
            (" credits=unknown", None),
            ("", None),
            (" credits=0.125", 0.125),
            (" credits=1e+20", 1e20),
            (" credits=1e999", None),
            (" credits=..", None),
        ],
    )
    def test_credits_are_known_where_they_are_a_number(
        self, said: str, known: float | None
    ) -> None:
        assert told(f"accepted job={JOB} task=t{said}") == [(1, JOB, "t", known)]

    def test_several_of_a_line_and_each_once(self) -> None:
        """As an error tells them that could not be written down."""
        line = f"accepted job={JOB} task=a; accepted job={OTHER} task=b"

        assert told(line, line) == [(1, JOB, "a", None), (1, OTHER, "b", None)]

    @pytest.mark.parametrize(
        "line",
        [
            "",
            f"accepted job={JOB}",
            f"accepted job={JOB[:-1]} task=t",
            f"accepted job={JOB}x task=t",
            f"accepted job={JOB} task=..",
            f"accepted job={JOB} task={'t' * 257}",
            f"unaccepted job={JOB} task=t",
        ],
    )
    def test_what_only_looks_like_one_is_none(self, line: str) -> None:
        assert told(line) == []


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Give a folder with a manifest, and a service that outlives every machine."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sea.yaml").write_text(MANIFEST.replace("sandbox", "foxapi"))
    monkeypatch.setenv("FOXAPI_API_KEY", "sk-test")
    monkeypatch.setenv("FOXBATCH_ACTOR", "Ada")
    with EmbeddedSandbox(SandboxOptions(speed=200)) as sandbox:
        monkeypatch.setenv("FOXAPI_BASE_URL", sandbox.url)
        yield tmp_path


RUN_DIR = Path("runs/sea@foxapi")


@pytest.fixture
def log(service: Path, type_: Type) -> Ended:
    """Return what a run said whose disk was lost after it had submitted everything."""
    ended = type_("run", "sea.yaml", "--yes", "--detach")
    assert ended.err.count("accepted job=") == 2
    (service / "ci.log").write_text(
        "".join(f"2026-11-26T19:52:31Z {line}\n" for line in ended.err.splitlines())
    )
    shutil.rmtree(RUN_DIR)
    return ended


def recovered(run_dir: Path = RUN_DIR) -> list[SubmitSettled]:
    facts = [
        fact
        for path in sorted((run_dir / "ledger").iterdir())
        for fact in read_facts(path, on_torn=pytest.fail)
    ]
    assert not any(isinstance(fact, SubmitAccepted) for fact in facts)
    return [fact for fact in facts if isinstance(fact, SubmitSettled)]


def test_the_tasks_of_a_lost_machine_are_fetched(log: Ended, type_: Type) -> None:
    ended = type_("recover", "--from-log", "ci.log", "sea.yaml", "--yes")
    collected = type_("collect", RUN_DIR, "--format", "json")
    again = type_("run", "sea.yaml", "--yes", "--format", "json")

    assert ended.code == 0
    assert "2 tasks written down; foxbatch collect runs/sea@foxapi" in ended.err
    assert json.loads(collected.out)["counts"] == {"done": 2}
    assert json.loads(again.out)["submitted"] == 0
    facts = recovered()
    assert {fact.task for fact in facts} == set(re.findall(r"task=(\S+)", log.err))
    assert {(fact.who, fact.credits) for fact in facts} == {("Ada", 28)}
    assert all(re.fullmatch(r"line \d+ of ci\.log", fact.why) for fact in facts)
    state = api.read_ledger(RUN_DIR).state
    assert state.bought() == 2
    assert api.verify(RUN_DIR).findings == ()


@pytest.mark.usefixtures("log")
def test_the_same_log_adds_nothing(type_: Type) -> None:
    type_("recover", "--from-log", "ci.log", "sea.yaml", "--yes")
    files = sorted((RUN_DIR / "ledger").iterdir())

    again = type_("recover", "--from-log", "ci.log", RUN_DIR)

    assert (again.code, sorted((RUN_DIR / "ledger").iterdir())) == (0, files)
    assert "0 tasks written down, 2 known before" in again.err


@pytest.mark.usefixtures("log")
def test_two_people_who_recover_the_same_log_bought_nothing_twice(
    service: Path, type_: Type
) -> None:
    for name in ("a", "b"):
        type_("recover", "--from-log", "ci.log", "sea.yaml", "--yes", "--out", name)
    for path in (service / "b" / "ledger").iterdir():
        shutil.copy(path, service / "a" / "ledger")

    assert api.status(service / "a").problems == ()


def test_what_turns_up_after_all_bought_nothing_twice(
    service: Path, type_: Type
) -> None:
    """The disk was found again, and both are put together."""
    ended = type_("run", "sea.yaml", "--yes", "--detach", "--out", "found")
    (service / "ci.log").write_text(ended.err)
    type_("recover", "--from-log", "ci.log", "sea.yaml", "--yes")
    for path in (service / "found" / "ledger").iterdir():
        shutil.copy(path, RUN_DIR / "ledger")

    assert api.status(RUN_DIR).problems == ()
    assert json.loads(type_("collect", RUN_DIR, "--format", "json").out)["counts"] == {
        "done": 2
    }


def test_a_held_attempt_becomes_the_task_that_the_log_names(
    service: Path, type_: Type
) -> None:
    """The ledger was saved while the submission was under way."""
    ended = type_("run", "sea.yaml", "--yes", "--detach")
    (service / "ci.log").write_text(ended.err)
    (ledger,) = (RUN_DIR / "ledger").iterdir()
    kept = [
        line
        for line in ledger.read_text().splitlines()
        if json.loads(line)["event"] in ("run.started", "job.planned")
        or json.loads(line)["event"] == "submit.intended"
    ]
    ledger.write_text(
        "".join(
            json.dumps(json.loads(line) | {"seq": seq}) + "\n"
            for seq, line in enumerate(kept, start=1)
        )
    )
    assert len(api.held(RUN_DIR)) == 2

    type_("recover", "--from-log", "ci.log", RUN_DIR, "--yes")

    assert api.held(RUN_DIR) == ()
    state = api.read_ledger(RUN_DIR).state
    assert [len(job.attempts) for job in state.jobs.values()] == [1, 1]
    assert state.bought() == 2


def test_lines_of_other_jobs_are_told(log: Ended, service: Path, type_: Type) -> None:
    (service / "ci.log").write_text(f"{log.err}\naccepted job={OTHER} task=t-9\n")

    ended = type_("recover", "--from-log", "ci.log", "sea.yaml", "--yes")

    assert ended.code == 0
    assert f"job {OTHER} is none of this run's" in ended.err
    assert "its task t-9" in ended.err
    assert "2 tasks written down" in ended.err


@pytest.mark.usefixtures("log")
def test_it_is_shown_and_confirmed(type_: Type) -> None:
    ended = type_("recover", "--from-log", "ci.log", "sea.yaml")

    assert ended.code == 2
    assert "nobody is there to confirm 2 tasks" in ended.err
    assert ended.err.count(", 28 credits") == 2
    assert not (RUN_DIR / "ledger").exists()


@pytest.mark.usefixtures("log")
def test_saying_no_writes_nothing(service: Path) -> None:
    lines = (service / "ci.log").read_text().splitlines()
    wanted = api.load_manifest("sea.yaml")

    with pytest.raises(UsageError, match="nothing was written down"):
        api.recover(RUN_DIR, lines, wanted=wanted, ask=lambda _: False)

    assert not (RUN_DIR / "ledger").exists()


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("all is well\n", ["sea.yaml"], "has no line such as `accepted job="),
        (f"accepted job={OTHER} task=t\n", ["sea.yaml"], "none of 1 tasks in ci.log"),
        (f"accepted job={OTHER} task=t\n", ["."], "there is no ledger left in ."),
        (None, ["sea.yaml"], "ci.log cannot be read: No such file"),
    ],
    ids=["no line", "another manifest's", "a lost directory", "no log"],
)
def test_a_log_that_helps_nobody_is_refused(
    service: Path, type_: Type, text: str | None, words: list[str], message: str
) -> None:
    if text is not None:
        (service / "ci.log").write_text(text)

    ended = type_("recover", "--from-log", "ci.log", *words, "--yes")

    assert ended.code == 2
    assert message in ended.err


@pytest.mark.usefixtures("log")
def test_a_directory_of_another_service_is_left_alone(
    service: Path, type_: Type
) -> None:
    (service / "pretend.yaml").write_text(MANIFEST)
    type_("run", "pretend.yaml", "--out", "mine", "--speed", "500")

    ended = type_(
        "recover", "--from-log", "ci.log", "sea.yaml", "--out", "mine", "--yes"
    )

    assert ended.code == 4
    assert "belongs to the embedded sandbox, not to foxapi" in ended.err
    assert len(list((service / "mine" / "ledger").iterdir())) == 1


def test_a_log_in_utf_16_and_one_that_is_piped_are_read(
    log: Ended, service: Path, type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    (service / "ci.log").write_text(log.err, encoding="utf-16")
    wide = type_("recover", "--from-log", "ci.log", "sea.yaml", "--yes", "--out", "a")
    monkeypatch.setattr(sys, "stdin", io.StringIO(log.err))
    piped = type_("recover", "--from-log", "-", "sea.yaml", "--yes")

    assert "2 tasks written down" in wide.err
    assert "2 tasks written down" in piped.err
    assert {fact.why.partition(" of ")[2] for fact in recovered()} == {"standard input"}


def test_many_tasks_are_cut_where_they_are_shown(service: Path, type_: Type) -> None:
    (service / "sea.yaml").write_text(
        MANIFEST.replace("- id: sea", "- id: sea\n    repeat: 15")
    )
    jobs = api.expand(api.load_manifest("sea.yaml"))
    lines = [f"accepted job={job.id} task=t-{job.index}\n" for job in jobs]
    (service / "ci.log").write_text("".join(lines))

    ended = type_("recover", "--from-log", "ci.log", "sea.yaml")
    done = type_("recover", "--from-log", "ci.log", "sea.yaml", "--yes")

    assert "and 10 more\n" in ended.err
    assert "30 tasks written down" in done.err
    assert len(recovered(Path("runs/sea@sandbox"))) == 30
