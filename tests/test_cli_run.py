"""run, collect, status, results, settle: a whole batch on the embedded sandbox."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli import MANIFEST, Ended, Type

FAST = ("--speed", "1000")
DROPPED = MANIFEST.replace("A calm sea", '"A lost sea [sandbox:lost-reply]"')
REFUSED = MANIFEST.replace(
    "A calm sea", '"A sea [sandbox:fail content_policy_violation]"'
)
SLOW = MANIFEST.replace("A calm sea", '"A sea [sandbox:slow 600]"')


@pytest.fixture
def sea(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with one manifest; name it as a person there would."""
    monkeypatch.chdir(tmp_path)
    Path("sea.yaml").write_text(MANIFEST)
    return Path("sea.yaml")


def phases(type_: Type, run: object) -> dict[str, int]:
    found = json.loads(type_("status", run, "--format", "json").out)["phases"]
    assert isinstance(found, dict)
    return found


class TestRun:
    def test_says_what_it_does_and_where_everything_is(
        self, sea: Path, type_: Type
    ) -> None:
        ended = type_("run", sea, *FAST)

        assert (ended.code, ended.out) == (0, "")
        lines = ended.err.splitlines()
        assert lines[0] == "sea: 2 jobs, 2 to submit · the embedded sandbox"
        accepted = [line for line in lines if line.startswith("accepted job=")]
        assert len(accepted) == 2
        assert all(line.endswith(" credits=28") for line in accepted)
        assert "✓ All 2 jobs are done" in lines
        assert "  files    runs/sea@sandbox/" in lines
        assert "  next     foxbatch report runs/sea@sandbox" in lines
        assert Path("runs/sea@sandbox/results.jsonl").is_file()

    def test_again_it_submits_nothing_and_says_so(self, sea: Path, type_: Type) -> None:
        type_("run", sea, *FAST)

        ended = type_("run", sea, *FAST)

        assert ended.code == 0
        assert "✓ Nothing to submit: all 2 jobs are done\n" in ended.err
        assert "accepted" not in ended.err

    def test_json_is_exactly_one_object(self, sea: Path, type_: Type) -> None:
        ended = type_("run", sea, *FAST, "--format", "json")

        summary = json.loads(ended.out)
        assert ended.out.count("\n") == 1
        assert summary["run_dir"].endswith("sea@sandbox")
        assert summary["counts"] == {"done": 2}
        assert (summary["exit_code"], summary["submitted"]) == (0, 2)
        assert summary["credits"] == 56

    def test_failures_are_named_with_their_reasons(
        self, sea: Path, type_: Type
    ) -> None:
        sea.write_text(REFUSED)

        ended = type_("run", sea, *FAST)

        assert ended.code == 10
        assert "\n✗ 1 of 2 jobs failed\n" in ended.err
        told = ended.err.partition("✗ 1 of")[2]
        assert "  failed   sea/a-sea-sandbox-fail" in told
        assert "content: " in told
        assert "foxbatch run sea.yaml --retry-failed" in told

    @pytest.mark.parametrize(
        ("flag", "submitted"),
        [
            pytest.param("--retry-failed", 1, id="every class"),
            pytest.param("--retry-failed=content,timeout", 1, id="its class"),
            pytest.param("--retry-failed=timeout", 0, id="another class"),
        ],
    )
    def test_failed_jobs_are_bought_again_when_asked(
        self, flag: str, submitted: int, sea: Path, type_: Type
    ) -> None:
        """Standing before the manifest, the flag must not take it for its value."""
        sea.write_text(REFUSED)
        type_("run", sea, *FAST)

        ended = type_("run", flag, sea, *FAST, "--format", "json")

        assert json.loads(ended.out)["submitted"] == submitted

    def test_only_and_max_new_bound_what_is_bought(
        self, sea: Path, type_: Type
    ) -> None:
        type_("run", sea, *FAST, "--only", "*stormy*")
        assert len(list(Path().rglob("*.mp4"))) == 1

        type_("run", sea, *FAST, "--max-new", "0")
        assert len(list(Path().rglob("*.mp4"))) == 1

    def test_out_names_the_directory(self, sea: Path, type_: Type) -> None:
        type_("run", sea, *FAST, "--out", "elsewhere")

        assert Path("elsewhere/results.jsonl").is_file()
        assert not Path("runs").exists()

    def test_key_that_is_missing_is_wrong_usage(self, sea: Path, type_: Type) -> None:
        ended = type_("run", sea, "--provider", "foxapi")

        assert ended.code == 2
        assert "FOXAPI_API_KEY is not set" in ended.err

    def test_nobody_to_ask_buys_nothing(
        self, sea: Path, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FOXAPI_API_KEY", "sk-secret-key")

        ended = type_("run", sea, "--provider", "foxapi")

        assert ended.code == 2
        assert "would buy 2 jobs" in ended.err
        assert "--yes" in ended.err
        assert "sk-secret" not in ended.err

    def test_address_in_a_strangers_dotenv_gets_no_key(
        self, sea: Path, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FOXAPI_API_KEY", "sk-secret-key")
        Path(".env").write_text("FOXAPI_BASE_URL=https://evil.example\n")

        ended = type_("run", sea, "--provider", "foxapi", "--yes")

        assert ended.code == 2
        assert "the key is not sent to evil.example" in ended.err

    def test_dotenv_is_not_put_into_the_environment(
        self, sea: Path, type_: Type
    ) -> None:
        Path(".env").write_text("FOXBATCH_SEEN=1\n")

        type_("run", sea, *FAST)

        assert "FOXBATCH_SEEN" not in os.environ

    def test_the_sandbox_misbehaves_as_it_is_told(self, sea: Path, type_: Type) -> None:
        Path("lost.yaml").write_text(
            "foxbatch: 1\nrules: [{name: lost, on: submit, do: {drop: true}}]\n"
        )

        ended = type_("run", sea, *FAST, "--faults", "lost.yaml")

        assert ended.code == 11
        assert phases(type_, sea)["held"] == 2

    @pytest.mark.parametrize(
        ("options", "code", "said"),
        [
            (("--faults", "flake"), 2, "Did you mean flaky?"),
            (
                ("--faults", "wrong.yaml"),
                3,
                'error: the file has no "rules"',
            ),
            (
                ("--provider", "foxapi", "--faults", "flaky"),
                2,
                "FoxAPI cannot be told what to do wrong",
            ),
        ],
        ids=["no such plan", "a plan that is wrong", "another service"],
    )
    def test_a_fault_plan_that_cannot_be_is_refused_before_anything(
        self,
        options: tuple[str, ...],
        code: int,
        said: str,
        *,
        sea: Path,
        type_: Type,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("FOXAPI_API_KEY", "sk-secret-key")
        Path("wrong.yaml").write_text("foxbatch: 1\n")

        ended = type_("run", sea, *options, "--yes")

        assert (ended.code, ended.out) == (code, "")
        assert said in ended.err
        assert not list(Path().rglob("*.jsonl"))

    def test_stop_after_leaves_the_rest_running(self, sea: Path, type_: Type) -> None:
        sea.write_text(SLOW)

        ended = type_("run", sea, "--speed", "100", "--stop-after", "2s")

        assert ended.code == 12
        assert "foxbatch run sea.yaml" in ended.err
        assert phases(type_, sea)["running"] == 1

    def test_detach_leaves_what_is_submitted_and_collect_fetches_it(
        self, sea: Path, type_: Type
    ) -> None:
        left = type_("run", sea, *FAST, "--detach")
        assert left.code == 0
        assert not list(Path().rglob("*.mp4"))

        ended = type_("collect", sea, "--format", "json")

        assert ended.code == 0
        assert json.loads(ended.out)["counts"] == {"done": 2}
        assert "2 to go on with" in ended.err

    def test_logs_are_for_who_asks(self, sea: Path, type_: Type) -> None:
        quiet = type_("run", sea, *FAST, "--out", "quiet")

        facts = type_("run", sea, *FAST, "-v", "--out", "facts")
        bodies = type_("run", sea, *FAST, "-vv", "--out", "bodies")

        assert "submit.accepted" not in quiet.err
        assert facts.err.count("submit.accepted") == 2
        assert "[info     ] submit.accepted" in facts.err
        assert "request=" not in facts.err
        assert "request=" in bodies.err
        assert facts.out == bodies.out == ""
        assert "submit.intended" not in facts.err
        assert "submit.intended" in bodies.err

    def test_a_log_file_keeps_what_was_there(
        self, sea: Path, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FOXBATCH_LOG", "json")
        monkeypatch.setenv("FOXAPI_API_KEY", "a-calm-sea")
        log = Path("film.log")

        first = type_("run", sea, *FAST, "--log-file", log)
        type_("collect", sea, "--log-file", log)

        lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
        words = [line["event"] for line in lines]
        assert words.count("run.planned") == 2
        assert words.count("submit.accepted") == 2
        assert "{" not in first.err
        assert "a-calm-sea" not in log.read_text("utf-8")

    def test_a_log_file_that_cannot_be_made_is_said_before_the_run(
        self, sea: Path, type_: Type
    ) -> None:
        ended = type_("run", sea, *FAST, "--log-file", "no/such/folder.log")

        assert ended.code == 2
        assert "no/such/folder.log cannot be written" in ended.err
        assert not Path("runs").exists()

    def test_logs_can_be_json(
        self, sea: Path, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FOXBATCH_LOG", "json")
        sea.write_text(REFUSED)

        ended = type_("run", sea, *FAST)

        lines = [json.loads(one) for one in ended.err.splitlines() if one[:1] == "{"]
        assert lines[0]["event"] == "run.planned"
        (failed,) = (line for line in lines if line["event"] == "job.failed")
        assert (failed["level"], failed["class"]) == ("warning", "content")

    def test_key_is_in_no_log(
        self, sea: Path, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not even when a stranger's manifest names its jobs like the key."""
        monkeypatch.setenv("FOXAPI_API_KEY", "a-calm-sea")

        ended = type_("run", sea, *FAST, "-vv")

        logged = [one for one in ended.err.splitlines() if "[info" in one]
        assert logged
        assert "a-calm-sea" not in "".join(logged)
        assert "***" in "".join(logged)

    @pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
    def test_ctrl_c_stops_in_an_orderly_way(self, sea: Path, type_: Type) -> None:
        sea.write_text(SLOW)
        command = [sys.executable, "-m", "foxbatch", "run", str(sea)]
        with subprocess.Popen(
            [*command, "--speed", "2"], stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            while not process.stderr.readline().startswith("accepted"):
                pass

            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            told = process.stderr.read()

        assert process.returncode == 130
        assert time.monotonic() - began < 5
        assert "interrupted: no further submission begins" in told
        assert "Interrupted; the same command goes on" in told
        assert "foxbatch run sea.yaml" in told
        assert "held" not in phases(type_, sea)


class TestLook:
    @pytest.fixture
    def run(self, sea: Path, type_: Type) -> Path:
        type_("run", sea, *FAST)
        return Path("runs/sea@sandbox")

    def test_status_takes_a_directory_or_its_manifest(
        self, run: Path, sea: Path, type_: Type
    ) -> None:
        by_directory, by_manifest = type_("status", run), type_("status", sea)

        assert by_directory.code == by_manifest.code == 0
        assert by_directory.out.splitlines()[0].split() == [
            "JOB",
            "NAME",
            "PHASE",
            "TASK",
            "SINCE",
            "ERROR",
        ]
        assert "● 2 done   runs/sea@sandbox\n" in by_directory.out
        assert by_manifest.out == by_directory.out

    def test_watch_ends_when_nothing_runs(self, run: Path, type_: Type) -> None:
        assert type_("status", run, "--watch").out == "● 2 done   runs/sea@sandbox\n"

    def test_results_table_names_files_and_what_is_in_them(
        self, run: Path, type_: Type
    ) -> None:
        ended = type_("results", run)

        assert ended.out.count("artifacts/sea/") == 2
        assert ended.out.count("1280×720 4 s h264 silent") == 2
        assert ended.err == "2 records\n"

    def test_results_jsonl_is_the_file_that_the_run_wrote(
        self, run: Path, type_: Type
    ) -> None:
        ended = type_("results", run, "--format", "jsonl")

        found = sorted(ended.out.splitlines())
        assert found == sorted((run / "results.jsonl").read_text().splitlines())

    def test_results_csv_has_a_row_per_file(self, run: Path, type_: Type) -> None:
        ended = type_("results", run, "--format", "csv")

        rows = list(csv.DictReader(io.StringIO(ended.out)))
        assert [row["param.duration"] for row in rows] == ["4", "4"]

    def test_results_of_a_failed_job_say_why(self, sea: Path, type_: Type) -> None:
        sea.write_text(REFUSED)
        type_("run", sea, *FAST)

        assert "content: content_policy_violation" in type_("results", sea).out

    @pytest.mark.parametrize("command", ["status", "results", "collect"])
    def test_nothing_was_run_yet(self, command: str, sea: Path, type_: Type) -> None:
        ended = type_(command, sea)

        assert ended.code == 2
        assert "nothing was run there yet" in ended.err

    def test_damaged_ledger_is_refused(self, run: Path, type_: Type) -> None:
        (ledger,) = (run / "ledger").glob("*.jsonl")
        ledger.write_text("{}\n" + ledger.read_text())

        ended = type_("status", run)

        assert ended.code == 4
        assert ":1: " in ended.err


class TestSettle:
    @pytest.fixture
    def held(self, sea: Path, type_: Type) -> tuple[Ended, str]:
        sea.write_text(DROPPED)
        ended = type_("run", sea, *FAST)
        status = json.loads(type_("status", sea, "--format", "json").out)
        (job,) = (job["job"] for job in status["jobs"] if job["phase"] == "held")
        return ended, job

    def test_held_job_is_told_and_never_bought_again_by_itself(
        self, held: tuple[Ended, str], sea: Path, type_: Type
    ) -> None:
        ended, job = held

        again = type_("run", sea, *FAST, "--format", "json")

        assert ended.code == again.code == 11
        assert "✗ 1 of 2 jobs may have been bought" in ended.err
        assert f"foxbatch settle runs/sea@sandbox {job}" in ended.err
        assert json.loads(again.out)["submitted"] == 0
        assert f"settle runs/sea@sandbox {job}" in type_("status", sea).out

    @pytest.mark.parametrize(
        ("flag", "phase"),
        [("--buy-again", "new"), ("--write-off", "failed")],
        ids=["bought again by the next run", "given up"],
    )
    def test_decision_is_written_down(
        self, flag: str, phase: str, held: tuple[Ended, str], type_: Type
    ) -> None:
        ended = type_("settle", "sea.yaml", held[1][:8], flag, "--yes", "--why", "sure")

        assert ended.code == 0
        assert ended.err
        assert phases(type_, "sea.yaml") == {phase: 1, "done": 1}

    def test_job_that_is_to_be_bought_again_is(
        self, held: tuple[Ended, str], sea: Path, type_: Type
    ) -> None:
        type_("settle", sea, held[1], "--buy-again", "--yes")

        ended = type_("plan", sea)

        assert "to be bought again, as settled" in ended.out

    @pytest.mark.parametrize(
        ("flags", "message"),
        [
            pytest.param([], "say what became of the job", id="no decision"),
            pytest.param(
                ["--buy-again", "--write-off"],
                "only one thing can have become",
                id="two",
            ),
            pytest.param(
                ["--buy-again"], "nobody is there to confirm", id="nobody to ask"
            ),
        ],
    )
    def test_undecided_is_wrong_usage(
        self,
        flags: list[str],
        message: str,
        held: tuple[Ended, str],
        type_: Type,
    ) -> None:
        ended = type_("settle", "sea.yaml", held[1], *flags)

        assert ended.code == 2
        assert message in ended.err
        assert phases(type_, "sea.yaml")["held"] == 1

    def test_job_that_is_not_held_is_refused(
        self, held: tuple[Ended, str], sea: Path, type_: Type
    ) -> None:
        ended = type_("settle", sea, "nobody", "--write-off", "--yes")

        assert held
        assert ended.code == 2
