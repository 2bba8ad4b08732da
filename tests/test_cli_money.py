"""Budgets, canaries and failures as somebody types them, on the embedded sandbox."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import MANIFEST, Type

FAST = ("--speed", "1000")
BUDGET = "budget: {credits: 100}\n"


@pytest.fixture
def sea(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with one manifest of two jobs, 28 credits each."""
    monkeypatch.chdir(tmp_path)
    Path("sea.yaml").write_text(MANIFEST + BUDGET)
    return Path("sea.yaml")


class TestBudget:
    def test_without_prices_nothing_is_sent(self, sea: Path, type_: Type) -> None:
        ended = type_("run", sea, *FAST)

        assert (ended.code, ended.out) == (2, "")
        assert "what 2 jobs cost is not known" in ended.err
        assert "--canary" in ended.err
        assert not list(Path().rglob("*.jsonl"))

    def test_buying_without_knowing_has_to_be_allowed(
        self, sea: Path, type_: Type
    ) -> None:
        ended = type_("run", sea, *FAST, "--allow-unpriced")

        assert ended.code == 0
        assert "budget   100 credits: 0 spent or set aside, 100 left" in ended.err

    def test_the_plan_says_what_its_estimate_is_based_on(
        self, sea: Path, type_: Type
    ) -> None:
        type_("run", sea, *FAST, "--allow-unpriced")

        table = type_("plan", sea, "--set", "jobs.sea.repeat=2").out
        said = type_("plan", sea, "--set", "jobs.sea.repeat=2", "--format", "json").out

        assert "estimate  about 56 credits, from 2 bought here\n" in table
        assert "budget    100 credits: 56 spent or set aside, 44 left\n" in table
        plan = json.loads(said)
        (kind,) = plan["estimate"]["kinds"]
        assert plan["estimate"]["most"] == 56
        assert kind["jobs"] == 2
        assert kind["price"] == {"low": 28, "usual": 28, "high": 28, "measured": 2}
        assert plan["budgets"] == [
            {
                "jobs": None,
                "credits": 100,
                "per": "directory",
                "used_jobs": 2,
                "used_credits": 56,
                "unpriced": 0,
            }
        ]

    def test_the_next_that_does_not_fit_ends_the_run(
        self, sea: Path, type_: Type
    ) -> None:
        type_("run", sea, *FAST, "--allow-unpriced")

        ended = type_("run", sea, *FAST, "--set", "jobs.sea.repeat=3")

        assert ended.code == 7
        assert (
            "✗ Stopped: the next job does not fit into the budget of 100 credits: 84"
            " are spent or set aside, and it takes 28\n"
        ) in ended.err

    def test_one_run_may_be_bounded_by_itself(self, sea: Path, type_: Type) -> None:
        ended = type_("run", sea, *FAST, "--max-credits", "30", "--allow-unpriced")

        assert ended.code == 7
        assert "budget of 30 credits per run" in ended.err
        assert "● 1 done   ● 1 new" in ended.err

    @pytest.mark.parametrize("typed", ["0", "-3", "much", "nan", "inf"])
    def test_an_amount_is_more_than_nothing(
        self, typed: str, sea: Path, type_: Type
    ) -> None:
        ended = type_("run", sea, "--max-credits", typed)

        assert ended.code == 2
        assert f"'{typed}' is no amount of credits; write such as 500" in ended.err


class TestStatus:
    def test_it_says_what_is_used_reserved_and_left(
        self, sea: Path, type_: Type
    ) -> None:
        lost = MANIFEST.replace("A stormy sea", '"A lost sea [sandbox:lost-reply]"')
        sea.write_text(lost + "budget: {credits: 100, jobs: 3, per: day}\n")
        ran = type_("run", sea, *FAST, "--allow-unpriced", "--max-credits", "300")

        told = type_("status", sea).out
        status = json.loads(type_("status", sea, "--format", "json").out)

        assert ran.code == 11
        assert (
            "spent: 2 purchases, 56 credits, 28 of them for what is not over yet\n"
            "budget: 3 jobs and 100 credits per day: 2 bought, 1 left;"
            " 56 spent or set aside, 44 left (28 not over yet)\n"
            "budget: 300 credits per run: 56 spent or set aside, 244 left"
            " (28 not over yet)\n"
            "tasks take: veo-3.1-fast, resolution=720p, duration=4,"
            " generate_audio=False: about "
        ) in told
        assert status["budgets"][0] == {
            "per": "day",
            "jobs": 3,
            "credits": 100,
            "used_jobs": 2,
            "used_credits": 56,
            "reserved_credits": 28,
            "left_jobs": 1,
            "left_credits": 44,
            "unpriced": 0,
        }
        assert status["spent"]["credits"] is None
        assert [one["tasks"] for one in status["lengths"]] == [1]

    def test_collecting_later_does_not_change_the_budget(
        self, sea: Path, type_: Type
    ) -> None:
        type_("run", sea, *FAST, "--allow-unpriced")
        type_("collect", sea)

        told = type_("status", sea).out

        assert "budget: 100 credits: 56 spent or set aside, 44 left\n" in told


class TestCanary:
    def test_it_stops_after_the_first_where_nobody_can_be_asked(
        self, sea: Path, type_: Type
    ) -> None:
        ended = type_("run", sea, *FAST, "--canary")

        assert ended.code == 2
        assert "the rest: 1 job, about 28 credits, from 1 bought here\n" in ended.err
        assert "--yes does" in ended.err
        assert "● 1 done   ● 1 new" in ended.err

    def test_yes_goes_on(self, sea: Path, type_: Type) -> None:
        ended = type_("run", sea, *FAST, "--canary", "--yes")

        assert ended.code == 0
        assert ended.err.count("accepted job=") == 2

    def test_yes_does_not_go_on_beyond_the_budget(self, sea: Path, type_: Type) -> None:
        ended = type_("run", sea, *FAST, "--canary", "--yes", "--max-credits", "50")

        assert ended.code == 7
        assert (
            "✗ Stopped: the rest (1 job, up to 28 credits) does not fit into the budget"
            " of 50 credits per run: 22 credits are left\n"
        ) in ended.err

    @pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
    @pytest.mark.parametrize(
        ("typed", "code", "done"),
        [(b"y\n", 0, 2), (b"n\n", 2, 1), (b"\x03", 130, 1)],
        ids=["yes", "no", "Ctrl-C"],
    )
    def test_on_a_terminal_it_asks(
        self, typed: bytes, code: int, done: int, sea: Path
    ) -> None:
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "foxbatch", "run", str(sea), "--canary", *FAST]
        environ = {**os.environ, "TERM": "dumb"}
        with subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environ,
            start_new_session=True,
            preexec_fn=own_terminal,  # noqa: PLW1509  no threads here
        ) as process:
            os.close(theirs)
            said = b""
            while b"Submit the rest? [y/N]" not in said:
                said += os.read(ours, 4096)
            os.write(ours, typed)
            said += drained(ours)
        os.close(ours)

        assert process.returncode == code, said.decode()
        assert len(list(Path().rglob("*.mp4"))) <= done


def own_terminal() -> None:
    """Make standard input the terminal that Ctrl-C comes from."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def drained(handle: int) -> bytes:
    """Return what is still to be read, until the other side is closed."""
    said = b""
    while True:
        try:
            more = os.read(handle, 4096)
        except OSError:
            return said
        if not more:
            return said
        said += more


class TestFailures:
    @pytest.fixture
    def bad(self, sea: Path) -> Path:
        wrong = MANIFEST.replace("A calm sea", '"A sea [sandbox:fail service_error]"')
        sea.write_text(wrong + "limits: {in_flight: 1}\norder: declared\n")
        return sea

    def test_fail_fast_leaves_the_rest(self, bad: Path, type_: Type) -> None:
        ended = type_("run", bad, *FAST, "--fail-fast")

        assert ended.code == 10
        assert "✗ 1 of 2 jobs failed; stopped: sea/" in ended.err
        assert "--fail-fast stops at the first that does" in ended.err
        assert "● 1 failed   ● 1 new" in ended.err

    def test_a_slice_that_fails_as_a_whole_waits(self, bad: Path, type_: Type) -> None:
        ended = type_("run", bad, *FAST, "--set", "retry.pause_after=1")

        assert ended.code == 10
        assert "paused 1 job with model=veo-3.1-fast failed" in ended.err
        assert "✗ 1 of 2 jobs failed; paused: 1 job with" in ended.err

    def test_buying_failed_jobs_again_says_what_it_costs(
        self, bad: Path, type_: Type
    ) -> None:
        type_("run", bad, *FAST)

        ended = type_("run", bad, *FAST, "--retry-failed=service")

        assert (
            "  again    1 failed job (1 service); they cost 28 credits, and again about"
            " 28 credits, from 2 bought here\n"
        ) in ended.err

    def test_the_plan_says_what_buying_them_again_costs(
        self, bad: Path, type_: Type
    ) -> None:
        type_("run", bad, *FAST)

        nothing = type_("plan", bad, "--retry-failed=content")
        table = type_("plan", bad, "--retry-failed", "--exit-code")
        said = json.loads(type_("plan", bad, "--retry-failed", "--format", "json").out)
        wrong = type_("plan", bad, "--retry-failed=contents")

        assert "again " not in nothing.out
        assert table.code == 20
        assert (
            "again     1 failed job (1 service); they cost 28 credits, and again about"
            " 28 credits, from 2 bought here\n"
        ) in table.out
        assert said["retries"] == {
            "jobs": 1,
            "classes": {"service": 1},
            "cost_credits": 28,
            "cost_known": 1,
            "estimate": 28,
            "unpriced": 0,
        }
        assert wrong.code == 2
        assert "there is no failure class 'contents'" in wrong.err

    def test_what_the_manifest_accepts_is_no_failure(
        self, bad: Path, type_: Type
    ) -> None:
        ended = type_("run", bad, *FAST, "--set", "accept.failed=50%")

        assert ended.code == 0
        assert "✓ Done; 1 failed, which the manifest accepts\n" in ended.err
