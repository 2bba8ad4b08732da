"""Held jobs: what is known about them, and decisions about one or many."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import anyio
import click
import pytest

from foxbatch import api, canonical
from foxbatch.cli._options import complete_held
from foxbatch.cli.settle import settle_command
from foxbatch.clock import SystemClock
from foxbatch.errors import UnreachableError, UsageError
from foxbatch.events import SubmitSettled
from foxbatch.ledger import read_facts
from tests.cli import Type

pytestmark = pytest.mark.anyio

MANIFEST = """\
foxbatch: 1
name: lost
provider: sandbox
jobs:
  - id: sea
    model: veo-3.1-fast
    prompts:
      - {id: calm, text: A calm sea}
      - {id: one, text: "A sea [sandbox:lost-reply]"}
      - {id: two, text: "A wide sea [sandbox:lost-reply]"}
    params: {duration: 4, resolution: 720p, generate_audio: false}
"""
OPTIONS = api.RunOptions(speed=200, environ={"PATH": "", "FOXBATCH_ACTOR": "Ada"})


@pytest.fixture
def anyio_backend() -> str:
    """Use asyncio: the embedded sandbox needs real sockets and real time."""
    return "asyncio"


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a run directory with one done and two held jobs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOXBATCH_ACTOR", "Ada")
    path = tmp_path / "lost.yaml"
    path.write_text(MANIFEST)
    summary = anyio.run(api.run, api.load_manifest(path), OPTIONS)
    assert summary.counts == {"done": 1, "held": 2}
    return Path("runs") / summary.run_dir.name


def unclaimed(run_dir: Path) -> dict[str, str]:
    """Return the tasks that the sandbox made and nobody heard of, by their prompt."""
    known = {job.task for job in api.status(run_dir).jobs}
    stored = (run_dir / ".sandbox" / "tasks.jsonl").read_text().splitlines()
    found = {}
    for line in stored:
        match = re.search(r"task-unified-\d+-[a-z0-9]{8}", line)
        if match and match[0] not in known and "lost-reply" in line:
            found["two" if "A wide sea" in line else "one"] = match[0]
    assert set(found) == {"one", "two"}
    return found


def held(run_dir: Path, label: str) -> api.HeldJob:
    (job,) = (one for one in api.held(run_dir) if one.name.startswith(label))
    return job


async def test_the_evidence_of_a_held_job_is_all_that_is_known(run_dir: Path) -> None:
    job = held(run_dir, "one")

    (record,) = (r for r in api.results(run_dir) if r.job == job.job)
    assert job.prompt == "A sea [sandbox:lost-reply]"
    assert job.model == "veo-3.1-fast"
    assert "broke" in job.why
    assert job.request_sha256 == canonical.digest(record.request)  # type: ignore[arg-type]  # JSON
    assert job.submitted == record.times.submitted
    assert job.credits == 28  # as much as the one that was accepted
    assert not job.maybe_alive


async def test_several_jobs_are_settled_with_one_question(run_dir: Path) -> None:
    tasks, asked = unclaimed(run_dir), []

    def agree(question: str) -> bool:
        asked.append(question)
        return True

    settled = await api.settle_all(
        run_dir,
        [
            api.Ruling(
                job=held(run_dir, "one").job, decision="task", task=tasks["one"]
            ),
            api.Ruling(job=held(run_dir, "two").name, decision="write_off"),
        ],
        options=OPTIONS,
        why="the console says so",
        ask=agree,
    )

    assert [one.decision for one in settled] == ["task", "write_off"]
    (question,) = asked
    assert tasks["one"] in question
    assert "it is given up" in question
    files = sorted((run_dir / "ledger").iterdir())
    assert len(files) == 2
    facts = [fact for f in files for fact in read_facts(f, on_torn=pytest.fail)]
    decided = [fact for fact in facts if isinstance(fact, SubmitSettled)]
    assert {(fact.who, fact.why) for fact in decided} == {
        ("Ada", "the console says so")
    }
    records = (run_dir / "results.jsonl").read_text().splitlines()
    phases = sorted(json.loads(line)["phase"] for line in records)
    assert phases == ["done", "failed", "running"]
    assert (await api.collect(run_dir, OPTIONS)).counts == {"done": 2, "failed": 1}


@pytest.mark.parametrize("wrong", ["job", "task", "one of them"])
async def test_several_decisions_are_written_together_or_not_at_all(
    run_dir: Path, wrong: str
) -> None:
    one, two = held(run_dir, "one").job, held(run_dir, "two").job
    task = unclaimed(run_dir)["one"]
    mine = api.Ruling(job=one, decision="task", task=task)
    other = {
        "job": api.Ruling(job=one[:8], decision="write_off"),
        "task": api.Ruling(job=two, decision="task", task=task),
        "one of them": api.Ruling(
            job=two, decision="task", task="task-unified-1-abcdefgh"
        ),
    }[wrong]

    with pytest.raises(UsageError):
        await api.settle_all(run_dir, [mine, other], options=OPTIONS)

    assert len(api.held(run_dir)) == 2


class Hurried(SystemClock):
    """Waits for nothing, and remembers for how long it should have."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await super().sleep(0)


def away(folder: Path, when: str) -> api.RunOptions:
    """Return options for a service that answers questions with 502 at that time."""
    plan = folder / "away.yaml"
    plan.write_text(
        "foxbatch: 1\ntitle: Away\nrules:\n  - name: away\n    on: query\n"
        f"    when: {when}\n    do: {{answer: {{status: 502, form: html}}}}\n"
    )
    return replace(OPTIONS, faults=str(plan))


async def test_a_service_that_does_not_help_now_is_asked_again(
    run_dir: Path, tmp_path: Path
) -> None:
    clock, options = Hurried(), away(tmp_path, "{first: 2}")

    settled = await api.settle(
        run_dir,
        held(run_dir, "one").job,
        "task",
        task=unclaimed(run_dir)["one"],
        options=options,
        clock=clock,
    )

    assert settled.decision == "task"
    assert clock.waits == [0.5, 1.0]


async def test_nothing_is_decided_while_the_service_is_away(
    run_dir: Path, tmp_path: Path
) -> None:
    clock, options = Hurried(), away(tmp_path, "{}")

    with pytest.raises(UnreachableError, match="now: status 502") as refused:
        await api.settle(
            run_dir,
            held(run_dir, "one").job,
            "task",
            task=unclaimed(run_dir)["one"],
            options=options,
            clock=clock,
        )

    assert refused.value.exit_code == 8
    assert len(clock.waits) == 3
    assert len(api.held(run_dir)) == 2


def rewrite(run_dir: Path, old: str, new: str) -> None:
    (ledger,) = (run_dir / "ledger").iterdir()
    ledger.write_text(ledger.read_text().replace(old, new))


async def test_a_task_of_another_model_is_refused(run_dir: Path) -> None:
    task = unclaimed(run_dir)["one"]
    rewrite(run_dir, '"model":"veo-3.1-fast"', '"model":"veo-3.1"')

    with pytest.raises(UsageError, match=r"is one of model veo-3\.1-fast"):
        await api.look_up(run_dir, held(run_dir, "one").job, task, options=OPTIONS)


async def test_a_model_that_only_the_service_knows_is_shown(run_dir: Path) -> None:
    task = unclaimed(run_dir)["one"]
    name = held(run_dir, "one").name

    same = await api.look_up(run_dir, name, task, options=OPTIONS)
    await api.settle(run_dir, name, "task", task=task, options=OPTIONS)

    assert f"task {task}" in same
    assert "model veo-3.1-fast," in same
    with pytest.raises(UsageError, match="belongs to attempt"):
        await api.look_up(run_dir, held(run_dir, "two").job, task, options=OPTIONS)


async def test_what_no_plan_describes_can_be_settled_all_the_same(
    run_dir: Path,
) -> None:
    """A ledger file is missing: nothing but the attempt is known."""
    (ledger,) = (run_dir / "ledger").iterdir()
    lines = [
        line for line in ledger.read_text().splitlines() if "job.planned" not in line
    ]
    renumbered = [
        json.dumps(json.loads(line) | {"seq": seq})
        for seq, line in enumerate(lines, start=1)
    ]
    ledger.write_text("\n".join(renumbered) + "\n")
    job = api.held(run_dir)[0]

    assert (job.model, job.prompt, job.credits) == ("", "", None)
    await api.settle(run_dir, job.job, "write_off", options=OPTIONS)

    assert len(api.held(run_dir)) == 1


# ---- The command


def test_without_a_terminal_the_evidence_is_printed(run_dir: Path, type_: Type) -> None:
    ended = type_("settle", "lost.yaml")

    assert ended.code == 11
    for job in api.held(run_dir):
        assert job.job in ended.out
        assert job.request_sha256[:16] in ended.out
        assert job.prompt in ended.out
    assert (
        f"settle runs/lost@sandbox {api.held(run_dir)[0].job} --buy-again" in ended.err
    )


def test_all_held_jobs_are_settled_alike(run_dir: Path, type_: Type) -> None:
    ended = type_("settle", "lost.yaml", "--all", "--write-off", "--yes")
    again = type_("settle", "lost.yaml", "--all", "--write-off")

    assert (ended.code, ended.err.count("it is given up")) == (0, 2)
    assert api.held(run_dir) == ()
    assert (again.code, again.err) == (0, "nothing is to be decided\n")
    assert type_("settle", "lost.yaml").code == 0


def test_named_jobs_are_settled_alike(run_dir: Path, type_: Type) -> None:
    jobs = [job.job for job in api.held(run_dir)]

    ended = type_("settle", run_dir, *jobs, "--buy-again", "--yes")

    assert (ended.code, ended.err.count("the next run buys it again")) == (0, 2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--write-off"], "name jobs, or type --all"),
        (["one", "--all", "--write-off"], "--all names every job already"),
        (["--all", "--task", "t"], "one task cannot be 2 jobs"),
        (["one", "two", "--task", "t"], "one task cannot be 2 jobs"),
        (["nobody"], "no held job is called 'nobody'"),
        (["one-r1"], "say what became of the job"),
        (["one-r1", "--task", "t", "--buy-again"], "only one thing"),
    ],
)
@pytest.mark.usefixtures("run_dir")
def test_what_makes_no_sense_is_refused(
    type_: Type, words: list[str], message: str
) -> None:
    ended = type_("settle", "lost.yaml", *words, "--yes")

    assert ended.code == 2
    assert message in ended.err


def completions(run: object, incomplete: str) -> list[str]:
    context = click.Context(settle_command)
    context.params["run"] = str(run)
    found = complete_held(context, settle_command.params[1], incomplete)
    return [item.value for item in found]


def test_held_jobs_are_completed(run_dir: Path, tmp_path: Path) -> None:
    jobs = [job.job for job in api.held(run_dir)]

    assert completions(run_dir, "") == jobs
    assert completions("lost.yaml", jobs[1][:4]) == [jobs[1]]
    assert completions(tmp_path, "") == []
