"""validate, expand, plan: what a manifest means, before anything is sent."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import MANIFEST, Type

GOOD = Path(__file__).parent / "examples" / "good"
WRONG = MANIFEST.replace("prompts", "promts")
NOTED = MANIFEST.replace("resolution: 720p", "resolution: 2160p")


@pytest.fixture
def sea(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with one manifest; name it as a person there would."""
    monkeypatch.chdir(tmp_path)
    Path("sea.yaml").write_text(MANIFEST)
    return Path("sea.yaml")


def say_on_stdin(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", stdin)


class TestValidate:
    def test_valid_manifest_is_a_quiet_line_on_stderr(
        self, sea: Path, type_: Type
    ) -> None:
        ended = type_("validate", sea)

        assert (ended.code, ended.out) == (0, "")
        assert ended.err == "sea.yaml: 2 jobs, valid\n"

    def test_all_problems_of_all_manifests_are_shown(
        self, sea: Path, type_: Type
    ) -> None:
        Path("a.yaml").write_text(WRONG)
        Path("b.yaml").write_text(WRONG)

        ended = type_("validate", "a.yaml", sea, "b.yaml", "c.yaml")

        assert ended.code == 3
        assert "a.yaml:7:5: error" in ended.out
        assert "b.yaml:7:5: error" in ended.out
        assert "c.yaml cannot be read" in ended.out
        assert ended.out.endswith("3 errors in 3 files\n")
        assert ended.err == "sea.yaml: 2 jobs, valid\n"

    def test_stdin_is_shown_with_its_lines(
        self, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        say_on_stdin(WRONG, monkeypatch)

        ended = type_("validate", "-")

        assert ended.code == 3
        assert "<stdin>:7:5: error" in ended.out
        assert "7 |     promts: [A calm sea, A stormy sea]\n" in ended.out

    def test_json_is_one_object(self, sea: Path, type_: Type) -> None:
        Path("a.yaml").write_text(WRONG)

        ended = type_("validate", sea, "a.yaml", "--format", "json")

        found = json.loads(ended.out)
        assert ended.code == 3
        assert found["valid"] is False
        assert found["manifests"] == [
            {"file": "sea.yaml", "jobs": 2},
            {"file": "a.yaml", "jobs": None},
        ]
        assert [problem["code"] for problem in found["problems"]] == ["E-KEY-UNKNOWN"]
        assert ended.err == ""

    @pytest.mark.parametrize(
        ("form", "start"), [("github", "::error file="), ("sarif", '{\n  "$schema"')]
    )
    def test_other_formats(self, form: str, start: str, sea: Path, type_: Type) -> None:
        sea.write_text(WRONG)

        ended = type_("validate", sea, "--format", form)

        assert ended.code == 3
        assert ended.out.startswith(start)

    def test_notes_change_the_exit_code_only_when_strict(
        self, sea: Path, type_: Type
    ) -> None:
        sea.write_text(NOTED)

        easy, strict = type_("validate", sea), type_("validate", sea, "--strict")

        assert "note: " in easy.out
        assert (easy.code, strict.code) == (0, 3)
        assert (easy.err, strict.err) == ("sea.yaml: 2 jobs, valid\n", "")

    def test_another_provider_can_be_checked_against(
        self, sea: Path, type_: Type
    ) -> None:
        assert type_("validate", sea, "--provider", "foxapi").code == 0

    def test_misspelt_provider_names_the_right_one(
        self, sea: Path, type_: Type
    ) -> None:
        ended = type_("validate", sea, "--provider", "foxapy")

        assert ended.code == 2
        assert "Did you mean foxapi?" in ended.err


class TestExpand:
    def test_combinations_are_chosen_and_counted(
        self, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(GOOD)

        lines = type_("expand", "chosen.yaml", "--format", "jsonl").out.splitlines()

        jobs = list(map(json.loads, lines))
        assert [job["name"] for job in jobs] == [
            "fast-4s-16x9-r1",
            "fast-6s-16x9-r1",
            "fast-8s-9x16-r1",
            "slow-6s-16x9-r1",
            "slow-8s-16x9-r1",
            "slow-8s-16x9-r2",
            "sway-r1",
        ]
        seeded = [job["name"] for job in jobs if "seed" in job["request"]]
        assert seeded == ["slow-6s-16x9-r1"]
        sha256 = hashlib.sha256((GOOD / "refs" / "flowers.png").read_bytes())
        assert jobs[-1]["request"]["image_urls"] == [
            {"path": "refs/flowers.png", "sha256": sha256.hexdigest()}
        ]

    def test_table_in_a_pipe_is_never_cut(self, sea: Path, type_: Type) -> None:
        prompt = "A calm sea, " * 40
        sea.write_text(MANIFEST.replace("A calm sea", f'"{prompt}"'))

        ended = type_("expand", sea)

        header, first, second = ended.out.splitlines()
        assert header.split() == ["JOB", "NAME", "MODEL", "CELL", "PROMPT"]
        assert prompt.strip() in first
        assert second.endswith("A stormy sea")
        assert ended.err == "2 jobs\n"

    def test_jsonl_has_the_promised_fields(self, sea: Path, type_: Type) -> None:
        ended = type_("expand", sea, "--format", "jsonl")

        jobs = [json.loads(line) for line in ended.out.splitlines()]
        assert ended.err == ""
        assert list(jobs[1]) == [
            "job",
            "spec",
            "name",
            "index",
            "cell",
            "prompt",
            "repeat",
            "provider",
            "endpoint",
            "request",
            "output",
            "origin",
        ]
        assert [job["index"] for job in jobs] == [0, 1]
        assert jobs[1]["request"]["prompt"] == "A stormy sea"

    def test_only_selects(self, sea: Path, type_: Type) -> None:
        ended = type_("expand", sea, "--only", "sea/*stormy*", "--format", "jsonl")

        (job,) = ended.out.splitlines()
        assert json.loads(job)["prompt"]["text"] == "A stormy sea"

    @pytest.mark.parametrize(
        ("which", "number"),
        [
            pytest.param("seed=2", 2, id="a value of an axis"),
            pytest.param("model=veo-*", 4, id="the model, by a glob"),
            pytest.param("duration=4", 4, id="a parameter"),
            pytest.param("generate_audio=false", 4, id="a parameter that is no text"),
            pytest.param("prompt_id=a-calm-sea-*", 2, id="the label of a prompt"),
            pytest.param("duration=8", 0, id="a value that no job has"),
        ],
    )
    def test_only_selects_by_value(
        self, which: str, number: int, sea: Path, type_: Type
    ) -> None:
        sea.write_text(MANIFEST + "    matrix: {axes: {seed: [1, 2]}}\n")

        ended = type_("expand", sea, "--only", which, "--format", "jsonl")

        assert len(ended.out.splitlines()) == number

    def test_only_selects_by_the_start_of_an_id(self, sea: Path, type_: Type) -> None:
        first, _ = type_("expand", sea, "--format", "jsonl").out.splitlines()
        job = json.loads(first)["job"]

        four = type_("expand", sea, "--only", job[:4], "--format", "jsonl")
        three = type_("expand", sea, "--only", job[:3], "--format", "jsonl")

        assert four.out.splitlines() == [first]
        assert three.out == ""

    @pytest.mark.parametrize(
        ("which", "hint"),
        [
            ("see", "Did you mean sea?"),
            ("zzz", "there are sea."),
            ("duration=9", "duration is 4."),
            ("duratoin=4", "Did you mean duration?"),
        ],
    )
    @pytest.mark.parametrize("command", ["expand", "plan"])
    def test_a_choice_that_names_nothing_is_told(
        self, command: str, which: str, hint: str, sea: Path, type_: Type
    ) -> None:
        ended = type_(command, sea, "--only", which)

        assert ended.code == 0
        assert f"--only '{which}' names none of 2 jobs. " in ended.err
        assert hint in ended.err

    @pytest.mark.parametrize("command", ["validate", "expand", "plan"])
    def test_values_go_before_those_of_the_manifest(
        self, command: str, sea: Path, type_: Type
    ) -> None:
        ended = type_(command, sea, "--set", "jobs.sea.repeat=3")

        assert ended.code == 0
        assert "6" in ended.out + ended.err

    def test_a_value_that_is_wrong_is_shown_with_its_option(
        self, sea: Path, type_: Type
    ) -> None:
        ended = type_("validate", sea, "--set", "jobs.sea.repeat=none")

        assert ended.code == 3
        assert "--set jobs.sea.repeat:1:1: error: " in ended.out
        assert "1 | none\n" in ended.out

    def test_what_cannot_be_set_is_wrong_usage(self, sea: Path, type_: Type) -> None:
        ended = type_("expand", sea, "--set", "jobs.sea.repaet=3")

        assert ended.code == 2
        assert "Did you mean jobs.sea.repeat?" in ended.err

    def test_cells_are_not_rendered(self, sea: Path, type_: Type) -> None:
        sea.write_text(MANIFEST + "    matrix: {axes: {seed: [1, 2]}}\n")

        lines = type_("expand", sea, "--cells", "--format", "jsonl").out.splitlines()
        table = type_("expand", sea, "--cells").out.splitlines()

        assert len(lines) == 4
        assert json.loads(lines[1]) == {"spec": "sea", "index": 1, "cell": {"seed": 2}}
        assert table[2].split() == ["sea", "1", "seed=2"]

    @pytest.mark.parametrize("flags", [[], ["--cells"]], ids=["jobs", "cells"])
    def test_problems_go_to_stderr(
        self, flags: list[str], sea: Path, type_: Type
    ) -> None:
        sea.write_text(MANIFEST + "    matrix: {axes: {seed: []}}\n")

        ended = type_("expand", sea, *flags)

        assert ended.code == 3
        assert "[E-AXIS-EMPTY]" in ended.err
        assert "E-AXIS-EMPTY" not in ended.out


class TestPlan:
    def test_table_says_what_why_and_at_which_price(
        self, sea: Path, type_: Type
    ) -> None:
        ended = type_("plan", sea)

        assert ended.code == 0
        assert ended.out.count("new    submit  not bought yet") == 2
        assert "jobs      2: 2 submit\n" in ended.out
        assert "estimate  not known: nothing like it was bought here yet\n" in ended.out
        assert "run dir   runs/sea@sandbox\n" in ended.out
        assert "pace      16 in flight, 50 requests/s" in ended.out
        assert "retry     failed jobs are not bought again; no budget\n" in ended.out

    def test_policy_of_the_manifest_is_shown(self, sea: Path, type_: Type) -> None:
        sea.write_text(
            MANIFEST
            + "retry: {attempts: 3, classes: [timeout, capacity]}\nbudget: {jobs: 9}\n"
        )

        ended = type_("plan", sea)

        assert "up to 3 attempts for capacity, timeout\n" in ended.out
        assert "budget    9 jobs: 0 bought, 9 left\n" in ended.out

    def test_json_is_one_object(self, sea: Path, type_: Type) -> None:
        found = json.loads(type_("plan", sea, "--format", "json").out)

        assert found["counts"]["submit"] == 2
        assert set(found["counts"]) >= {"adopt", "download", "settle", "retry", "keep"}
        estimate = found["estimate"]
        (kind,) = estimate.pop("kinds")
        assert estimate == {
            "jobs": 2,
            "credits": 0.0,
            "most": 0.0,
            "unpriced": 2,
            "measured": 0,
        }
        assert (kind["jobs"], kind["price"]) == (2, None)
        assert found["budgets"] == []
        assert {"job", "name", "phase", "action", "reason"} <= set(found["jobs"][0])

    def test_merged_jobs_and_files_that_cannot_be_uploaded_are_told(
        self, type_: Type, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.chdir(GOOD)

        plan = type_("plan", "chosen.yaml", "--out", tmp_path, "--format", "jsonl")
        run = type_("run", "chosen.yaml", "--out", tmp_path)

        jobs = {job["name"]: job for job in map(json.loads, plan.out.splitlines())}
        assert jobs["fast-8s-9x16-r1"]["also"] == [
            {"spec": "still", "name": "again-r1"}
        ]
        assert jobs["sway-r1"]["also"] == []
        assert jobs["sway-r1"]["reason"] == (
            "not bought yet; uploads are not built yet: refs/flowers.png"
        )
        assert (run.code, run.out) == (2, "")
        assert "animate/sway-r1 needs the file refs/flowers.png for image_urls" in (
            run.err
        )

    def test_jsonl_is_one_job_per_line(self, sea: Path, type_: Type) -> None:
        lines = type_("plan", sea, "--format", "jsonl").out.splitlines()

        assert [json.loads(line)["action"] for line in lines] == ["submit", "submit"]

    def test_exit_code_tells_whether_there_is_anything_to_submit(
        self, sea: Path, type_: Type
    ) -> None:
        nothing = ["--only", "nothing"]

        assert type_("plan", sea, "--exit-code").code == 20
        assert type_("plan", sea, "--exit-code", *nothing).code == 0

    def test_price_that_was_paid_before_is_known(self, sea: Path, type_: Type) -> None:
        type_("run", sea, "--speed", "1000", "--max-new", "1")

        ended = type_("plan", sea)

        assert "estimate  about 28 credits, from 1 bought here\n" in ended.out
        assert "1 submit, 1 keep" in ended.out


def test_expansion_is_the_same_wherever_it_is_typed(sea: Path, type_: Type) -> None:
    """Ids hang on content, and nothing on the folder that the shell is in."""
    here = type_("expand", sea, "--format", "jsonl").out
    command = [sys.executable, "-m", "foxbatch", "expand", str(sea.resolve())]

    there = subprocess.run(
        [*command, "--format", "jsonl"],
        check=True,
        capture_output=True,
        cwd="/",
        text=True,
    )

    ids = [json.loads(line)["job"] for line in here.splitlines()]
    assert [json.loads(line)["job"] for line in there.stdout.splitlines()] == ids


class TestWhatIsOdd:
    @pytest.mark.parametrize("command", ["expand", "plan", "run"])
    def test_is_told_in_a_few_lines_on_stderr(
        self, sea: Path, type_: Type, command: str
    ) -> None:
        unused = "".join(f"  unused_{number}: x\n" for number in range(5))
        sea.write_text(f"{MANIFEST}vars:\n{unused}")

        ended = type_(command, sea)

        told = [line for line in ended.err.splitlines() if "sea.yaml" in line]
        assert [line.partition(": ")[2] for line in told[:3]] == [
            f"warning: nothing refers to vars.unused_{number} [W-VAR-UNUSED]"
            for number in range(3)
        ]
        assert told[3] == "and 2 more: foxbatch validate sea.yaml says what to do"
        assert "unused" not in ended.out

    def test_is_told_of_cells_as_well(self, sea: Path, type_: Type) -> None:
        sea.write_text(MANIFEST.replace("resolution: 720p", "resolution: 720p "))

        ended = type_("expand", "--cells", sea)

        assert "N-LINE-BLANKS" in ended.err or not ended.err.startswith("sea")

    def test_cells_of_a_wrong_matrix_are_not_printed(
        self, sea: Path, type_: Type
    ) -> None:
        matrix = "    matrix: {axes: {a: [1]}, exclude: [{a: 2}]}\n"
        sea.write_text(MANIFEST.replace("    prompts:", f"{matrix}    prompts:"))

        ended = type_("expand", "--cells", "--format", "jsonl", sea)

        assert (ended.code, ended.out) == (3, "")
        assert "E-EXCLUDE-DEAD" in ended.err
