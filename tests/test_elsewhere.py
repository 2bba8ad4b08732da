"""What another run directory has bought is taken over, and not bought again."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from foxbatch import api
from foxbatch.access import SANDBOX_ORIGIN
from foxbatch.clock import SystemClock
from foxbatch.errors import ExitCode, LedgerError, UsageError
from foxbatch.events import (
    Event,
    JobFact,
    JobPlanned,
    JobSucceeded,
    RunId,
    RunStarted,
    SubmitAccepted,
    SubmitIntended,
    SubmitSettled,
)
from foxbatch.ledger import LedgerWriter, read_facts
from foxbatch.lock import DirLock
from foxbatch.planner import Action, Choice, Plan
from foxbatch.sandbox import EmbeddedSandbox, SandboxOptions
from foxbatch.state import Attempt, Phase
from tests import facts
from tests.facts import FIRST, JOB, RUN
from tests.test_api import MANIFEST

pytestmark = pytest.mark.anyio

EMBEDDED = api.RunOptions(speed=200, environ={"PATH": ""})
FRESH = replace(EMBEDDED, choice=Choice(fresh=True))
LOST = "A fox [sandbox:lost-reply]"
FAILING = "A fox [sandbox:fail service_error]"

Write = Callable[..., api.Wanted]


@pytest.fixture
def anyio_backend() -> str:
    """Use asyncio: the sandbox needs real sockets and real time."""
    return "asyncio"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a writer of manifests: the same jobs under the name that is given."""

    def write_manifest(
        name: str, *prompts: str, provider: str = "sandbox", more: str = ""
    ) -> api.Wanted:
        text = MANIFEST.format(prompts=json.dumps(prompts)) + more
        path = tmp_path / f"{name}.yaml"
        path.write_text(text.replace("name: small", f"name: {name}"))
        return api.load_manifest(path, provider=provider)

    return write_manifest


@pytest.fixture
def service() -> Iterator[api.RunOptions]:
    """Give access to one service that all directories share."""
    with EmbeddedSandbox(SandboxOptions(speed=200)) as sandbox:
        key = {"FOXAPI_API_KEY": "sk-test", "FOXAPI_BASE_URL": sandbox.url}
        yield api.RunOptions(environ={"PATH": "", **key}, yes=True)


def only_attempt(run_dir: Path) -> Attempt:
    (job,) = api.read_ledger(run_dir).state.jobs.values()
    (attempt,) = job.attempts.values()
    return attempt


def actions(plan: Plan) -> list[tuple[str, Action]]:
    return [(job.phase.value, job.action) for job in plan.jobs]


async def test_another_name_buys_nothing_and_has_the_files(write: Write) -> None:
    first = await api.run(write("old", "A fox", "A hare"), EMBEDDED)
    renamed = write("new", "A fox", "A hare")

    plan = api.plan(renamed, options=EMBEDDED)
    second = await api.run(renamed, EMBEDDED)
    third = await api.run(renamed, EMBEDDED)

    assert actions(plan) == [("done", Action.ELSEWHERE)] * 2
    assert "runs/old@sandbox" in plan.jobs[0].reason
    assert (second.submitted, second.reused) == (0, 2)
    assert second.exit_code == third.exit_code == ExitCode.DONE
    assert second.credits is None
    old, new = api.results(first.run_dir), api.results(second.run_dir)
    for mine, theirs in zip(new, old, strict=True):
        assert mine.artifacts == theirs.artifacts
        assert mine.task is None  # only the sandbox of the other directory knows it
        assert mine.reported_model == theirs.reported_model
        path = mine.artifacts[0].path
        assert (second.run_dir / path).samefile(first.run_dir / path)
    assert api.read_ledger(second.run_dir).state.bought() == 0
    assert len(list((second.run_dir / "ledger").iterdir())) == 1


async def test_the_new_directory_stands_by_itself(write: Write) -> None:
    first = await api.run(write("old", "A fox"), EMBEDDED)
    second = await api.run(write("new", "A fox"), EMBEDDED)

    shutil.rmtree(first.run_dir)

    assert (await api.run(write("new", "A fox"), EMBEDDED)).counts == {"done": 1}
    third = await api.run(write("third", "A fox"), EMBEDDED)
    assert third.submitted == 0
    assert only_attempt(third.run_dir).bought_in == "old@sandbox"
    assert only_attempt(second.run_dir).bought_in == "old@sandbox"


async def test_a_pressed_button_is_heard_while_files_are_taken_over(
    write: Write,
) -> None:
    prompts = [f"Fox {n}" for n in range(4)]
    await api.run(write("old", *prompts), EMBEDDED)
    stop = api.StopButton()

    class Impatient:
        def begins(self, _: api.Beginning) -> None:
            pass

        def happened(self, fact: Event) -> None:
            if isinstance(fact, JobSucceeded):
                stop.press()

    renamed = write("new", *prompts)
    left = await api.run(renamed, EMBEDDED, audience=[Impatient()], stop=stop)
    done = await api.run(renamed, EMBEDDED)

    assert left.exit_code == ExitCode.INTERRUPTED
    assert left.counts == {"new": 3, "done": 1}
    assert (done.submitted, done.counts) == (0, {"done": 4})


async def test_one_more_job_is_all_that_is_bought(write: Write) -> None:
    await api.run(write("old", "A fox"), EMBEDDED)

    second = await api.run(write("new", "A fox", "A hare"), EMBEDDED)

    assert (second.submitted, second.counts) == (1, {"done": 2})


async def test_fresh_buys_all_the_same_and_says_so_in_what_goes_on(
    write: Write,
) -> None:
    await api.run(write("old", "A fox"), EMBEDDED)
    renamed = write("new", "A fox")

    plan = api.plan(renamed, choice=Choice(fresh=True), options=EMBEDDED)
    left = await api.run(renamed, replace(FRESH, stop_after_s=0.01, speed=20))
    done = await api.run(renamed, FRESH)

    assert actions(plan) == [("new", Action.SUBMIT)]
    assert any(command.endswith("--fresh") for command in left.next)
    assert (done.exit_code, done.counts) == (ExitCode.DONE, {"done": 1})
    assert only_attempt(done.run_dir).accepted is not None


@pytest.mark.parametrize("fault", ["missing", "changed", "same size"])
async def test_a_lost_file_of_the_embedded_sandbox_is_made_anew(
    write: Write, fault: str
) -> None:
    first = await api.run(write("old", "A fox"), EMBEDDED)
    (video,) = (first.run_dir / "artifacts").rglob("*.mp4")
    whole = video.read_bytes()
    if fault == "missing":
        video.unlink()
    else:
        video.write_bytes(b"x" * (len(whole) if fault == "same size" else 3))

    second = await api.run(write("new", "A fox"), EMBEDDED)

    assert (second.submitted, second.counts) == (1, {"done": 1})


async def test_a_lost_file_is_fetched_from_the_service(
    write: Write, service: api.RunOptions
) -> None:
    first = await api.run(write("old", "A fox", provider="foxapi"), service)
    for video in (first.run_dir / "artifacts").rglob("*.mp4"):
        video.write_bytes(b"x" * video.stat().st_size)

    renamed = write("new", "A fox", provider="foxapi")
    second = await api.run(renamed, service)

    assert (second.submitted, second.counts) == (0, {"done": 1})
    assert only_attempt(second.run_dir).task == only_attempt(first.run_dir).task

    for video in (first.run_dir / "artifacts").rglob("*.mp4"):
        video.unlink()
    shutil.rmtree(second.run_dir)
    (job,) = api.plan(renamed, options=service).jobs
    assert "which has lost a file" in job.reason


async def test_what_runs_there_is_asked_for_from_here(
    write: Write, service: api.RunOptions
) -> None:
    first = await api.run(
        write("old", "A fox", provider="foxapi"), replace(service, detach=True)
    )
    renamed = write("new", "A fox", provider="foxapi")

    plan = api.plan(renamed, options=service)
    second = await api.run(renamed, service)

    assert actions(plan) == [("running", Action.ELSEWHERE)]
    assert (second.submitted, second.counts) == (0, {"done": 1})
    taken = only_attempt(second.run_dir)
    assert taken.task == only_attempt(first.run_dir).task
    assert taken.bought_in == "old@foxapi"
    assert (second.credits, taken.counts_as_bought) == (None, False)
    kinds = [
        type(fact)
        for path in (second.run_dir / "ledger").iterdir()
        for fact in read_facts(path, on_torn=pytest.fail)
    ]
    assert SubmitSettled in kinds
    assert SubmitAccepted not in kinds


async def test_what_another_account_bought_is_not_ours(
    write: Write, service: api.RunOptions
) -> None:
    await api.run(write("old", "A fox", provider="foxapi"), service)
    environ = {**service.environ, "FOXAPI_API_KEY": "sk-other"}
    other = replace(service, environ=environ)
    renamed = write("new", "A fox", provider="foxapi")

    plan = api.plan(renamed, options=other)
    same = replace(other, same_account=True)
    second = await api.run(renamed, same)

    assert actions(plan) == [("new", Action.SUBMIT)]
    assert second.submitted == 0


async def test_without_a_key_a_plan_takes_any_account_for_ours(
    write: Write, service: api.RunOptions
) -> None:
    await api.run(write("old", "A fox", provider="foxapi"), service)
    renamed = write("new", "A fox", provider="foxapi")

    keyless = api.plan(renamed, options=EMBEDDED)
    await api.run(renamed, service)
    known = api.plan(write("new", "A hare", provider="foxapi"), options=EMBEDDED)

    assert actions(keyless) == [("done", Action.ELSEWHERE)]
    assert actions(known)[0] == ("new", Action.SUBMIT)


async def test_a_rehearsal_is_no_purchase(
    write: Write, service: api.RunOptions
) -> None:
    await api.run(write("film", "A fox"), EMBEDDED)

    bought = await api.run(write("film", "A fox", provider="foxapi"), service)

    assert bought.submitted == 1


async def test_a_pretend_task_stays_with_its_own_sandbox(write: Write) -> None:
    slow = replace(EMBEDDED, speed=20, detach=True)
    first = await api.run(write("old", "A fox"), slow)

    second = await api.run(write("new", "A fox"), EMBEDDED)

    assert (second.submitted, second.exit_code) == (0, ExitCode.REMOTE)
    (problem,) = second.problems
    assert "whose sandbox alone knows it" in problem
    await api.collect(first.run_dir, EMBEDDED)
    assert (await api.run(write("new", "A fox"), EMBEDDED)).counts == {"done": 1}


async def test_what_is_held_there_is_not_bought_here(write: Write) -> None:
    first = await api.run(write("old", LOST), EMBEDDED)
    renamed = write("new", LOST)

    second = await api.run(renamed, EMBEDDED)

    assert (second.submitted, second.exit_code) == (0, ExitCode.HELD)
    assert "settle it there" in second.problems[0]
    (job,) = api.status(first.run_dir).jobs
    await api.settle(first.run_dir, job.job, "write_off", options=EMBEDDED)
    third = await api.run(renamed, EMBEDDED)
    assert (third.submitted, third.exit_code) == (0, ExitCode.FAILED_JOBS)
    (record,) = api.results(third.run_dir)
    assert record.error is not None
    assert record.error.error_class == "written_off"


@pytest.mark.parametrize("damaged", [False, True])
async def test_a_task_that_another_directory_knows_settles_nothing(
    write: Write, service: api.RunOptions, damaged: bool
) -> None:
    """Unless nobody can tell any more what that directory knows."""
    old = await api.run(write("old", "A hare", provider="foxapi"), service)
    new = await api.run(write("new", LOST, provider="foxapi"), service)
    task, (held,) = only_attempt(old.run_dir).task, api.held(new.run_dir)
    if damaged:
        (ledger,) = (old.run_dir / "ledger").iterdir()
        ledger.write_bytes(ledger.read_bytes() + b"nonsense\n")

    deciding = api.settle(new.run_dir, held.job, "task", task=task, options=service)

    if damaged:
        assert (await deciding).decision == "task"
    else:
        with pytest.raises(UsageError, match=r"belongs to a-hare.* in .*old@foxapi"):
            await deciding


async def test_what_failed_there_is_not_bought_by_another_name(write: Write) -> None:
    await api.run(write("old", FAILING), EMBEDDED)
    renamed = write("new", FAILING)

    plan = api.plan(renamed, options=EMBEDDED)
    second = await api.run(renamed, EMBEDDED)
    choice = Choice(retry_failed=frozenset({"*"}))
    third = await api.run(renamed, replace(EMBEDDED, choice=choice))

    assert actions(plan) == [("failed", Action.ELSEWHERE)]
    assert (second.submitted, second.counts) == (0, {"failed": 1})
    assert third.submitted == 1
    (job,) = api.read_ledger(third.run_dir).state.jobs.values()
    assert not job.unexplained_purchases()


async def test_a_failure_there_that_the_policy_retries_is_retried(
    write: Write,
) -> None:
    await api.run(write("old", FAILING), EMBEDDED)
    again = "retry: {attempts: 2, classes: [service]}\n"
    renamed = write("new", FAILING, more=again)

    plan = api.plan(renamed, options=EMBEDDED)
    second = await api.run(renamed, EMBEDDED)

    assert actions(plan) == [("failed", Action.RETRY)]
    assert second.submitted == 1


def pretend(run_dir: Path, wanted: JobPlanned, *story: Event) -> None:
    """Write a ledger of the embedded sandbox's in which *story* happened to a job."""
    writer = LedgerWriter(run_dir / "ledger", RUN, SystemClock())
    started = RunStarted(origin=SANDBOX_ORIGIN)
    about = [
        msgspec.structs.replace(fact, job=wanted.job)
        for fact in story
        if isinstance(fact, JobFact)
    ]
    writer.append(started, bare(wanted), *about)
    writer.close()


def bare(wanted: JobPlanned) -> JobPlanned:
    return msgspec.structs.replace(wanted, v=0, seq=0, at="", run=RunId(""))


INTENDED = SubmitIntended(job=JOB, attempt=FIRST)


async def test_what_was_refused_there_was_not_bought(
    write: Write, tmp_path: Path
) -> None:
    wanted = write("new", "A fox")
    (job,) = api.plan(wanted, options=EMBEDDED).jobs
    old = tmp_path / "runs" / "old@sandbox"
    pretend(old, job.wanted, INTENDED, facts.REFUSED, facts.FAILED)

    (planned,) = api.plan(wanted, options=EMBEDDED).jobs

    assert (planned.phase, planned.action) == (Phase.NEW, Action.SUBMIT)


async def test_what_is_being_submitted_there_is_left_alone(
    write: Write, tmp_path: Path
) -> None:
    wanted = write("new", "A fox")
    (job,) = api.plan(wanted, options=EMBEDDED).jobs
    old = tmp_path / "runs" / "old@sandbox"
    pretend(old, job.wanted, INTENDED)
    (path,) = (old / "ledger").iterdir()
    here = json.dumps(socket.gethostname())
    path.write_text(path.read_text().replace('"v":1', f'"host":{here},"v":1', 1))

    with DirLock(old):
        summary = await api.run(wanted, EMBEDDED)

    assert (summary.submitted, summary.exit_code) == (0, ExitCode.REMOTE)
    assert "being submitted in" in summary.problems[0]


async def test_what_failed_here_and_there_is_for_the_policy_here(
    write: Write,
) -> None:
    await api.run(write("old", FAILING), EMBEDDED)
    await api.run(write("new", FAILING), FRESH)

    choice = Choice(retry_failed=frozenset({"service"}))
    again = await api.run(write("new", FAILING), replace(EMBEDDED, choice=choice))

    assert again.submitted == 1


async def test_of_several_directories_the_one_that_has_most_is_taken(
    write: Write,
) -> None:
    await api.run(write("a-slow", "A fox"), replace(EMBEDDED, speed=20, detach=True))
    await api.run(write("b-done", "A fox"), FRESH)
    await api.run(write("c-slow", "A fox"), replace(FRESH, speed=20, detach=True))

    (job,) = api.plan(write("new", "A fox"), options=EMBEDDED).jobs

    assert job.elsewhere is not None
    assert job.elsewhere.folder == "b-done@sandbox"


async def test_a_damaged_ledger_beside_it_stops_the_run(write: Write) -> None:
    first = await api.run(write("old", "A fox"), EMBEDDED)
    (ledger,) = (first.run_dir / "ledger").iterdir()
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join([lines[0], b"{}\n", *lines[2:]]))

    with pytest.raises(LedgerError) as caught:
        await api.run(write("new", "A fox"), EMBEDDED)

    assert "--fresh" in caught.value.hint
    assert (await api.run(write("new", "A fox"), FRESH)).counts == {"done": 1}


async def test_a_folder_that_holds_something_else_is_passed_over(
    write: Write, tmp_path: Path
) -> None:
    for name, content in (("empty", ""), ("strange", "{}\n"), ("headless", None)):
        ledger = tmp_path / "runs" / name / "ledger"
        ledger.mkdir(parents=True)
        if content is not None:
            (ledger / "x.jsonl").write_text(content)

    summary = await api.run(write("new", "A fox"), EMBEDDED)

    assert summary.counts == {"done": 1}


async def test_a_directory_outside_runs_looks_at_nothing(
    write: Write, tmp_path: Path
) -> None:
    await api.run(write("old", "A fox"), EMBEDDED)

    apart = await api.run(write("new", "A fox"), replace(EMBEDDED, out=tmp_path / "x"))
    beside = replace(EMBEDDED, out=tmp_path / "runs" / "x")

    assert apart.submitted == 1
    assert (await api.run(write("new", "A fox"), beside)).submitted == 0


async def test_files_are_copied_where_they_cannot_be_linked(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await api.run(write("old", "A fox"), EMBEDDED)

    def no_links(*_: object, **__: object) -> None:
        raise OSError("another disk")

    monkeypatch.setattr("os.link", no_links)
    second = await api.run(write("new", "A fox"), EMBEDDED)

    (old,), (new,) = (
        list((run_dir / "artifacts").rglob("*.mp4"))
        for run_dir in (first.run_dir, second.run_dir)
    )
    assert not old.samefile(new)
    assert old.read_bytes() == new.read_bytes()
