"""Runs through the Python API, on the embedded sandbox and its real sockets."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from foxbatch import api
from foxbatch.errors import (
    ExitCode,
    InvalidError,
    LedgerError,
    OriginError,
    RunDirError,
    UsageError,
)
from foxbatch.events import Event, RunStarted, SubmitAccepted
from foxbatch.sandbox import EmbeddedSandbox, SandboxOptions
from foxbatch.state import Phase

pytestmark = pytest.mark.anyio

MANIFEST = """\
foxbatch: 1
name: small
provider: sandbox
jobs:
  - id: shot
    model: veo-3.1-fast
    prompts: {prompts}
    params: {{duration: 4, resolution: 720p, generate_audio: false}}
"""
OPTIONS = api.RunOptions(speed=200, environ={"PATH": ""})

WriteManifest = Callable[..., Path]


@pytest.fixture
def anyio_backend() -> str:
    """Use asyncio: the embedded sandbox needs real sockets and real time."""
    return "asyncio"


@pytest.fixture
def write(tmp_path: Path) -> WriteManifest:
    """Return a writer of manifests with the given prompts."""

    def write_manifest(*prompts: str, more: str = "") -> Path:
        path = tmp_path / "small.yaml"
        path.write_text(MANIFEST.format(prompts=json.dumps(prompts)) + more)
        return path

    return write_manifest


class Listener:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.beginning: api.Beginning | None = None
        self.facts: list[Event] = []

    def begins(self, beginning: api.Beginning) -> None:
        self.beginning = beginning

    def happened(self, fact: Event) -> None:
        self.facts.append(fact)


async def test_a_run_ends_with_files_records_and_a_summary(
    write: WriteManifest,
) -> None:
    listener = Listener()
    wanted = api.load_manifest(write("A fox", "A hare"))

    summary = await api.run(wanted, OPTIONS, audience=[listener])

    assert summary.exit_code == ExitCode.DONE
    assert (summary.submitted, summary.reused) == (2, 0)
    assert summary.counts == {"done": 2}
    assert summary.credits is not None
    assert listener.beginning is not None
    assert listener.beginning.plan.counts["submit"] == 2
    accepted = [f for f in listener.facts if isinstance(f, SubmitAccepted)]
    assert len(accepted) == 2
    records = api.results(summary.run_dir)
    assert [record.prompt.text for record in records if record.prompt] == [
        "A fox",
        "A hare",
    ]
    for record in records:
        (stored,) = record.artifacts
        assert (summary.run_dir / stored.path).stat().st_size == stored.bytes
        assert (stored.media.width, stored.media.height) == (1280, 720)
        assert stored.media.duration_s == pytest.approx(4, abs=0.05)
        assert stored.media.audio_codec is None
        assert stored.mismatch == ()
    assert (summary.run_dir / "manifests").is_dir()


async def test_collect_accepts_the_failures_that_the_manifest_accepts(
    write: WriteManifest,
) -> None:
    path = write("A fox [sandbox:fail service_error]", more="accept: {failed: 100%}\n")
    first = await api.run(api.load_manifest(path), OPTIONS)

    again = await api.collect(first.run_dir, OPTIONS)

    assert first.counts == again.counts == {"failed": 1}
    assert first.exit_code == again.exit_code == ExitCode.DONE


async def test_collect_needs_no_manifest(write: WriteManifest) -> None:
    """It was kept; where it is lost, nothing about failures is known."""
    path = write("A fox [sandbox:fail service_error]", more="accept: {failed: 100%}\n")
    first = await api.run(api.load_manifest(path), OPTIONS)
    for kept in (first.run_dir / "manifests").iterdir():
        kept.unlink()

    again = await api.collect(first.run_dir, OPTIONS)

    assert again.exit_code == ExitCode.FAILED_JOBS


async def test_what_was_kept_is_put_back_where_it_was_changed(
    write: WriteManifest,
) -> None:
    path = write("A fox", "A hare")
    one = replace(OPTIONS, max_new=1)
    first = await api.run(api.load_manifest(path), one)
    kept = {file: file.read_bytes() for file in (first.run_dir / "manifests").iterdir()}
    for file in kept:
        file.write_bytes(b"changed")

    await api.run(api.load_manifest(path), OPTIONS)

    assert {file: file.read_bytes() for file in kept} == kept


async def test_what_only_the_results_tell_of_is_not_bought_again(
    write: WriteManifest,
) -> None:
    """An older copy of the ledger file has taken its place."""
    loaded = api.load_manifest(write("A fox", "A hare"))
    first = await api.run(loaded, OPTIONS)
    (ledger,) = (first.run_dir / "ledger").iterdir()
    lines = ledger.read_bytes().splitlines(keepends=True)
    begun = next(n for n, line in enumerate(lines) if b"submit.intended" in line)
    ledger.write_bytes(b"".join(lines[:begun]))

    with pytest.raises(
        LedgerError, match=r"tells of task .* of a-[\w-]+ .*, and 1 more,"
    ):
        await api.run(loaded, OPTIONS)
    (first.run_dir / "results.jsonl").unlink()
    again = await api.run(loaded, OPTIONS)

    assert again.submitted == 2


@pytest.mark.skipif(os.name == "nt", reason="a file in use cannot be removed")
async def test_a_run_whose_lock_is_removed_buys_no_more(write: WriteManifest) -> None:
    path = write("A fox", "A hare", "An owl", more="limits: {in_flight: 1}\n")
    accepted: list[Event] = []

    class Meddler:
        def begins(self, beginning: api.Beginning) -> None:
            self.lock = beginning.run_dir / ".lock"

        def happened(self, fact: Event) -> None:
            if isinstance(fact, SubmitAccepted):
                accepted.append(fact)
                self.lock.unlink()

    with pytest.raises(RunDirError, match="lock was removed or replaced"):
        await api.run(api.load_manifest(path), OPTIONS, audience=[Meddler()])

    assert len(accepted) == 1


async def test_a_button_knows_its_reasons(write: WriteManifest) -> None:
    stop = api.StopButton()
    stop.press()

    summary = await api.run(api.load_manifest(write("A fox")), OPTIONS, stop=stop)

    assert (summary.exit_code, summary.counts) == (ExitCode.INTERRUPTED, {"new": 1})
    with pytest.raises(ValueError, match="no reason"):
        stop.press("enough")  # type: ignore[arg-type]


async def test_a_second_run_reuses_everything_and_writes_no_ledger_file(
    write: WriteManifest,
) -> None:
    wanted = api.load_manifest(write("A fox"))
    first = await api.run(wanted, OPTIONS)

    second = await api.run(wanted, OPTIONS)

    assert (second.submitted, second.reused) == (0, 1)
    assert len(list((first.run_dir / "ledger").iterdir())) == 1


async def test_one_more_prompt_buys_one_more_job(write: WriteManifest) -> None:
    await api.run(api.load_manifest(write("A fox")), OPTIONS)

    summary = await api.run(api.load_manifest(write("A hare", "A fox")), OPTIONS)

    assert (summary.submitted, summary.reused) == (1, 1)


async def test_a_job_that_is_wrong_stops_everything_before_it_starts(
    write: WriteManifest, tmp_path: Path
) -> None:
    path = write("A fox")
    path.write_text(path.read_text().replace("duration: 4", "duration: 5"))

    with pytest.raises(InvalidError) as caught:
        await api.run(api.load_manifest(path), OPTIONS)

    assert caught.value.problems[0].position.line == 8
    assert not (tmp_path / "runs").exists()


class TestHeldJobs:
    """A submission whose answer was lost waits for a person."""

    @pytest.fixture
    async def run_dir(self, write: WriteManifest) -> Path:
        """Return a run directory with one done and one held job."""
        wanted = api.load_manifest(write("A hare", "A fox [sandbox:lost-reply]"))
        summary = await api.run(wanted, OPTIONS)
        assert summary.exit_code == ExitCode.HELD
        assert summary.counts == {"done": 1, "held": 1}
        assert any(command.startswith("foxbatch settle") for command in summary.next)
        return summary.run_dir

    def held(self, run_dir: Path) -> api.JobStatus:
        (job,) = (j for j in api.status(run_dir).jobs if j.phase is Phase.HELD)
        return job

    def unclaimed_task(self, run_dir: Path) -> str:
        """Return the task that the sandbox made and nobody heard of."""
        known = {job.task for job in api.status(run_dir).jobs}
        stored = (run_dir / ".sandbox" / "tasks.jsonl").read_text()
        created: set[str] = set(re.findall(r"task-unified-\d+-[a-z0-9]{8}", stored))
        (task,) = created - known
        return task

    @pytest.mark.usefixtures("run_dir")
    async def test_the_next_run_does_not_buy_it_again(self, tmp_path: Path) -> None:
        again = await api.run(api.load_manifest(tmp_path / "small.yaml"), OPTIONS)

        assert again.submitted == 0
        assert again.exit_code == ExitCode.HELD

    async def test_it_becomes_the_task_that_a_person_found(self, run_dir: Path) -> None:
        job, task = self.held(run_dir), self.unclaimed_task(run_dir)
        shown: list[str] = []

        def agree(question: str) -> bool:
            shown.append(question)
            return True

        settled = await api.settle(
            run_dir,
            job.job[:8],
            "task",
            task=task,
            why="seen in the console",
            options=OPTIONS,
            ask=agree,
        )
        summary = await api.collect(run_dir, OPTIONS)

        assert settled.job == job.name
        assert task in shown[0]
        assert "veo-3.1-fast" in shown[0]
        assert summary.counts == {"done": 2}

    async def test_it_is_bought_again_when_a_person_says_so(
        self, run_dir: Path, tmp_path: Path
    ) -> None:
        await api.settle(run_dir, self.held(run_dir).name, "buy_again", options=OPTIONS)

        again = await api.run(api.load_manifest(tmp_path / "small.yaml"), OPTIONS)

        # The same prompt loses its reply again: bought twice, and held once more.
        assert again.counts == {"done": 1, "held": 1}
        state = api.read_ledger(run_dir).state
        assert state.bought() == 3
        assert not any(job.unexplained_purchases() for job in state.jobs.values())

    async def test_it_is_given_up_when_a_person_says_so(
        self, run_dir: Path, tmp_path: Path
    ) -> None:
        job = self.held(run_dir).job

        await api.settle(run_dir, job, "write_off", why="not worth it", options=OPTIONS)
        again = await api.run(api.load_manifest(tmp_path / "small.yaml"), OPTIONS)

        assert again.counts == {"done": 1, "failed": 1}
        assert again.submitted == 0
        assert again.exit_code == ExitCode.FAILED_JOBS
        assert not any("--retry-failed" in command for command in again.next)
        (record,) = (r for r in api.results(run_dir) if r.phase is Phase.FAILED)
        assert record.error is not None
        assert record.error.error_class == "written_off"

    async def test_saying_no_decides_nothing(self, run_dir: Path) -> None:
        job = self.held(run_dir).job

        with pytest.raises(UsageError, match="nothing was decided"):
            await api.settle(
                run_dir, job, "write_off", options=OPTIONS, ask=lambda _: False
            )

        assert self.held(run_dir).job == job

    async def test_a_task_of_another_job_is_refused(self, run_dir: Path) -> None:
        (other,) = (j.task for j in api.status(run_dir).jobs if j.phase is Phase.DONE)

        with pytest.raises(UsageError, match="belongs to attempt"):
            await api.settle(
                run_dir, self.held(run_dir).job, "task", task=other, options=OPTIONS
            )

    @pytest.mark.parametrize(
        ("task", "message"),
        [
            pytest.param("task-unified-1-abcdefgh", "does not know it", id="unknown"),
            pytest.param("../../etc", "is no task id", id="no id at all"),
            pytest.param(None, "is no task id", id="missing"),
        ],
    )
    async def test_a_task_that_cannot_be_is_refused(
        self, run_dir: Path, task: str | None, message: str
    ) -> None:
        with pytest.raises(UsageError, match=message):
            await api.settle(
                run_dir, self.held(run_dir).job, "task", task=task, options=OPTIONS
            )

    async def test_a_task_of_another_time_is_refused(self, run_dir: Path) -> None:
        task = self.unclaimed_task(run_dir)
        (ledger,) = (run_dir / "ledger").iterdir()
        earlier = (datetime.now(UTC) - timedelta(hours=1)).isoformat(
            "T", "milliseconds"
        )
        text = ledger.read_text()
        now = re.findall(r'"at":"([^"]+)"', text)[0]
        ledger.write_text(text.replace(now[:13], earlier[:13]))

        with pytest.raises(UsageError, match="was created at"):
            await api.settle(
                run_dir, self.held(run_dir).job, "task", task=task, options=OPTIONS
            )

    @pytest.mark.parametrize("name", ["", "nothing-like-it"])
    async def test_a_name_that_fits_no_held_job_lists_those_there_are(
        self, run_dir: Path, name: str
    ) -> None:
        with pytest.raises(UsageError) as caught:
            await api.settle(run_dir, name, "write_off", options=OPTIONS)

        assert self.held(run_dir).job in caught.value.hint

    async def test_another_machine_may_still_be_waiting(self, run_dir: Path) -> None:
        (ledger,) = (run_dir / "ledger").iterdir()
        kept = [
            line
            for line in ledger.read_text().splitlines(keepends=True)
            if "run.ended" not in line and "submit.unknown" not in line
        ]
        renumbered = [
            re.sub(
                r'"seq":\d+',
                f'"seq":{seq}',
                re.sub(r'"(boot|machine)":"[^"]*"', r'"\1":"x"', line),
            )
            for seq, line in enumerate(kept, start=1)
        ]
        ledger.write_text("".join(renumbered))
        job = self.held(run_dir)

        assert job.maybe_alive
        with pytest.raises(UsageError, match="another machine"):
            await api.settle(run_dir, job.job, "write_off", options=OPTIONS)
        await api.settle(run_dir, job.job, "write_off", options=OPTIONS, force=True)


class TestWhereARunLives:
    async def test_in_the_repository_of_the_manifest(
        self, write: WriteManifest, tmp_path: Path
    ) -> None:
        (tmp_path / "repository" / ".git").mkdir(parents=True)
        (tmp_path / "repository" / "manifests").mkdir()
        path = write("A fox").rename(tmp_path / "repository" / "manifests" / "a.yaml")

        run_dir = api.default_run_dir(api.load_manifest(path))

        assert run_dir == tmp_path / "repository" / "runs" / "small@sandbox"

    async def test_where_it_was_before_there_was_a_repository(
        self, write: WriteManifest, tmp_path: Path
    ) -> None:
        (tmp_path / "sub").mkdir()
        path = write("A fox").rename(tmp_path / "sub" / "a.yaml")
        first = await api.run(api.load_manifest(path), OPTIONS)
        (tmp_path / ".git").mkdir()

        again = await api.run(api.load_manifest(path), OPTIONS)

        assert again.run_dir == first.run_dir
        assert again.submitted == 0

    async def test_a_manifest_stands_for_its_run_directory(
        self, write: WriteManifest
    ) -> None:
        path = write("A fox")
        with pytest.raises(UsageError, match="nothing was run there yet"):
            api.find_run_dir(path)
        summary = await api.run(api.load_manifest(path), OPTIONS)

        assert api.find_run_dir(path) == summary.run_dir
        assert api.find_run_dir(summary.run_dir) == summary.run_dir

    async def test_another_service_is_refused(
        self, write: WriteManifest, tmp_path: Path
    ) -> None:
        path = write("A fox")
        options = replace(OPTIONS, out=tmp_path / "out")
        await api.run(api.load_manifest(path), options)
        keyed = {"FOXAPI_API_KEY": "sk-1", "FOXAPI_BASE_URL": "http://127.0.0.1:9"}

        with pytest.raises(OriginError) as caught:
            await api.run(
                api.load_manifest(path, provider="foxapi"),
                replace(options, environ=keyed, yes=True),
            )

        assert "the embedded sandbox" in str(caught.value)
        assert "127.0.0.1:9" in str(caught.value)
        assert "--out" in caught.value.hint


class TestConsent:
    """A service that costs money is asked only after somebody agreed."""

    KEYED = replace(OPTIONS, environ={"FOXAPI_API_KEY": "sk-1"})

    async def test_nobody_to_ask_is_a_refusal(self, write: WriteManifest) -> None:
        wanted = api.load_manifest(write("A fox"), provider="foxapi")

        with pytest.raises(UsageError, match="would buy 1 job") as caught:
            await api.run(wanted, self.KEYED)

        assert "--yes" in caught.value.hint

    async def test_no_buys_nothing(self, write: WriteManifest) -> None:
        wanted = api.load_manifest(write("A fox"), provider="foxapi")
        asked: list[api.Beginning] = []

        def refuse(beginning: api.Beginning) -> bool:
            asked.append(beginning)
            return False

        with pytest.raises(UsageError, match="nothing was bought"):
            await api.run(wanted, self.KEYED, confirm=refuse)

        (beginning,) = asked
        assert beginning.paid
        assert beginning.plan.estimate.unpriced == 1
        assert not list(api.default_run_dir(wanted).glob("ledger/*"))


async def test_the_start_of_a_run_says_who_and_what(write: WriteManifest) -> None:
    listener = Listener()
    options = replace(OPTIONS, environ={"FOXBATCH_ACTOR": "nightly"})

    await api.run(api.load_manifest(write("A fox")), options, audience=[listener])

    started = listener.facts[0]
    assert isinstance(started, RunStarted)
    assert started.actor == "nightly"
    assert started.manifests[0].name == "small"
    assert started.versions.keys() == {"foxbatch", "python"}


@pytest.mark.parametrize(
    ("environ", "actor"),
    [
        pytest.param(
            {
                "GITHUB_RUN_ID": "7",
                "GITHUB_SERVER_URL": "https://git.example",
                "GITHUB_REPOSITORY": "a/b",
            },
            "https://git.example/a/b/actions/runs/7",
            id="a workflow run",
        ),
        pytest.param({"CI_JOB_URL": "https://ci/1"}, "https://ci/1", id="a CI job"),
    ],
)
async def test_in_ci_the_actor_is_the_run_itself(
    write: WriteManifest, environ: dict[str, str], actor: str
) -> None:
    listener = Listener()
    options = replace(OPTIONS, environ=environ)

    await api.run(api.load_manifest(write("A fox")), options, audience=[listener])

    assert isinstance(listener.facts[0], RunStarted)
    assert listener.facts[0].actor == actor


async def test_a_pressed_button_stops_the_run_and_leaves_tasks_running(
    write: WriteManifest,
) -> None:
    stop = api.StopButton()

    class Presser(Listener):
        def happened(self, fact: Event) -> None:
            if isinstance(fact, SubmitAccepted):
                stop.press("interrupted")

    wanted = api.load_manifest(write("A fox", "A hare"))
    slow = replace(OPTIONS, speed=1)
    summary = await api.run(wanted, slow, audience=[Presser()], stop=stop)

    assert summary.exit_code == ExitCode.INTERRUPTED
    assert summary.counts == {"new": 1, "running": 1}
    assert summary.next[0].startswith("foxbatch run ")


async def test_stop_after_ends_with_work_running(write: WriteManifest) -> None:
    wanted = api.load_manifest(write("A fox"))
    options = replace(OPTIONS, speed=1, stop_after_s=0.3)

    summary = await api.run(wanted, options)

    assert summary.exit_code == ExitCode.REMOTE
    assert summary.counts == {"running": 1}


async def test_collect_works_with_a_copied_directory_and_no_manifest(
    write: WriteManifest, tmp_path: Path
) -> None:
    wanted = api.load_manifest(write("A fox"))
    left = await api.run(wanted, replace(OPTIONS, detach=True))
    assert left.counts == {"running": 1}
    moved = left.run_dir.rename(tmp_path / "elsewhere")
    (tmp_path / "small.yaml").unlink()

    summary = await api.collect(moved, OPTIONS)

    assert summary.counts == {"done": 1}
    assert summary.submitted == 0


async def test_what_is_no_longer_wanted_is_collected_but_not_bought(
    write: WriteManifest,
) -> None:
    first = replace(OPTIONS, detach=True)
    await api.run(api.load_manifest(write("A fox", "A hare")), first)

    summary = await api.run(api.load_manifest(write("A hare")), OPTIONS)

    assert summary.submitted == 0
    assert summary.counts == {"done": 2}
    plan = api.plan(api.load_manifest(write("A hare")))
    assert plan.counts["orphan"] == 1


async def test_a_provider_of_nobody_is_reported_at_its_line(
    write: WriteManifest,
) -> None:
    path = write("A fox")
    path.write_text(path.read_text().replace("provider: sandbox", "provider: sndbox"))

    with pytest.raises(InvalidError) as caught:
        api.load_manifest(path)

    (problem,) = caught.value.problems
    assert (problem.code, problem.position.line) == ("E-PROVIDER-UNKNOWN", 3)
    assert "sandbox" in problem.hint


HEAD = "foxbatch: 1\nname: t\nprovider: sandbox\n"


@pytest.fixture
def problems(tmp_path: Path) -> Callable[[str], list[tuple[int, str]]]:
    """Return what finds the line and code of everything wrong with a manifest."""

    def find(text: str) -> list[tuple[int, str]]:
        path = tmp_path / "m.yaml"
        path.write_text(text)
        try:
            found = api.check(api.load_manifest(path)).problems
        except InvalidError as error:
            found = error.problems
        return [(problem.position.line, problem.code) for problem in found]

    return find


Find = Callable[[str], list[tuple[int, str]]]


WITH_FILE = """\
foxbatch: 1
name: files
provider: sandbox
defaults:
  model: veo-3.1-fast
  params: {duration: 4, resolution: 720p, generate_audio: false}
jobs:
  - id: animate
    prompts: [The flowers sway]
    params:
      generation_type: image-to-video
      image_urls: [{path: refs/flowers.png}]
  - {id: plain, prompts: [A fox]}
"""


class TestLocalFiles:
    @pytest.fixture
    def manifest(self, tmp_path: Path) -> Path:
        """Return a manifest with a job that needs a file and one that does not."""
        (tmp_path / "refs").mkdir()
        (tmp_path / "refs" / "flowers.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        path = tmp_path / "files.yaml"
        path.write_text(WITH_FILE)
        return path

    async def test_a_run_that_would_upload_is_refused_before_anything_is_sent(
        self, manifest: Path
    ) -> None:
        wanted = api.load_manifest(manifest)
        listener = Listener()

        with pytest.raises(UsageError) as caught:
            await api.run(wanted, OPTIONS, audience=[listener])

        assert re.fullmatch(
            r"animate/the-flowers-sway-\w{4}-r1 needs the file refs/flowers.png for "
            "image_urls, and uploads are not built yet",
            str(caught.value),
        )
        assert "address (URL)" in caught.value.hint
        assert caught.value.exit_code == ExitCode.USAGE
        assert listener.beginning is None
        assert not (api.default_run_dir(wanted) / "ledger").exists()

    async def test_the_jobs_without_files_can_be_run_alone(
        self, manifest: Path
    ) -> None:
        wanted = api.load_manifest(manifest)
        options = replace(OPTIONS, choice=api.Choice(only=("plain",)))

        ended = await api.run(wanted, options)

        assert (ended.exit_code, ended.submitted) == (ExitCode.DONE, 1)
        state = api.read_ledger(ended.run_dir).state
        planned = [job.planned for job in state.jobs.values() if job.planned]
        (request,) = [one.request for one in planned if one.spec == "animate"]
        sha256 = "4c4b6a3be1314ab86138bef4314dde022e600960d8689a2c8f8631802d20dab6"
        assert request["image_urls"] == [{"path": "refs/flowers.png", "sha256": sha256}]


async def test_merged_jobs_are_bought_once_and_the_record_names_both(
    tmp_path: Path,
) -> None:
    manifest = tmp_path / "twice.yaml"
    text = WITH_FILE.replace("id: animate", "id: first").split("    params:\n")[0]
    manifest.write_text(
        text.replace("The flowers sway", "A fox")
        + "  - {id: second, prompts: [{id: fox, text: A fox}]}\nduplicates: merge\n"
    )

    ended = await api.run(api.load_manifest(manifest), OPTIONS)

    (record,) = api.results(ended.run_dir)
    assert (ended.submitted, record.spec) == (1, "first")
    assert [(also.spec, also.name) for also in record.also] == [("second", "fox-r1")]
    plan = api.plan(api.load_manifest(manifest))
    assert plan.counts["keep"] == 1


class TestAllProblemsAtOnce:
    def test_a_misspelt_name_does_not_hide_what_is_wrong_with_the_jobs(
        self, problems: Find
    ) -> None:
        assert problems("""\
foxbatch: 1
nmae: t
provider: sandbox
limit: {in_flight: 3}
jobs:
  - id: a
    model: veo-3
    prompts: [A dog]
    params: {durtion: 4, generate_audio: false}
  - id: b
    model: veo-3.1
    prompts: [A dog]
    params: {resolution: 720, generate_audio: false}
""") == [
            (2, "E-KEY-UNKNOWN"),
            (4, "E-KEY-UNKNOWN"),
            (7, "E-MODEL-UNKNOWN"),
            (9, "E-KEY-UNKNOWN"),
            (13, "E-TYPE"),
        ]

    def test_an_unknown_provider_does_not_hide_other_problems(
        self, problems: Find
    ) -> None:
        text = """\
foxbatch: 1
name: t
provider: sandbx
poll: {wait: soon}
jobs:
  - {id: a, model: veo-3.1, prompts: [A dog, {lines: none.txt}]}
"""

        assert problems(text) == [
            (3, "E-PROVIDER-UNKNOWN"),
            (4, "E-PATTERN"),
            (6, "E-FILE-MISSING"),
        ]

    def test_without_a_provider_the_combinations_are_judged(
        self, problems: Find
    ) -> None:
        text = """\
foxbatch: 1
name: t
jobs:
  - {id: a, model: veo-3.1, prompts: [A dog, A dog], params: {duration: 5}}
"""

        assert problems(text) == [(1, "E-KEY-MISSING"), (4, "E-AXIS-DUP")]

    def test_a_misspelt_key_is_judged_as_if_it_were_right(self, problems: Find) -> None:
        assert problems(f"""\
{HEAD}vars: {{film: Kodak}}
jobs:
  - id: a
    model: veo-3.1
    prompst: ["A dog, ${{{{ vars.film }}}}"]
    params: {{duration: 5}}
  - id: b
    model: veo-3.1
    prompts: [A dog]
    params: {{duration: 5, generate_audio: false}}
""") == [(8, "E-KEY-UNKNOWN"), (9, "E-ENUM"), (13, "E-ENUM")]

    def test_a_key_that_yaml_met_twice_spoils_itself_only(self, problems: Find) -> None:
        assert problems(f"""\
{HEAD}description: one
description: two
jobs:
  - id: a
    model: veo-3.1
    prompts: [A dog]
    params: {{duration: 5, duration: 4}}
  - id: b
    model: veo-3.1
    prompts: [A dog]
    params: {{duration: 5, generate_audio: false}}
""") == [(5, "E-YAML-DUP-KEY"), (10, "E-YAML-DUP-KEY"), (14, "E-ENUM")]

    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param("vars: {n: 99999999999999999999}", id="a variable is wrong"),
            pytest.param("vars: [n]", id="vars are wrong"),
            pytest.param("var: {n: 4}", id="vars are misspelt"),
            pytest.param("var: []", id="vars are misspelt and wrong"),
            pytest.param(
                "defaults: {model: veo-3.1, params: {seed: {$unset: 1}}}",
                id="a default is wrong",
            ),
            pytest.param("defaults: {modle: veo-3.1}", id="a default is misspelt"),
            pytest.param("defaults: {mood: dark}", id="a default has no meaning"),
            pytest.param("defaults: veo-3.1", id="defaults are wrong"),
            pytest.param("defualts: {model: veo-3.1}", id="defaults are misspelt"),
            pytest.param("limit: {max_jobs: 5}", id="limits are misspelt"),
            pytest.param("limits: {max_job: 5}", id="the limit is misspelt"),
            pytest.param("limits: {max_jobs: five}", id="the limit is wrong"),
            pytest.param("1: x", id="anything may be missing"),
        ],
    )
    def test_what_depends_on_something_wrong_is_not_judged(
        self, problems: Find, wrong: str
    ) -> None:
        """Only the root cause is said: no missing model, no unknown variable, …."""
        value = 4 if wrong.startswith("de") else "'${{ vars.n }}'"
        job = f"prompts: [A dog], params: {{duration: {value}, generate_audio: true}}"
        text = f"{HEAD}{wrong}\njobs:\n  - {{id: a, {job}}}\n"
        if not wrong.startswith("de"):
            text = text.replace("{id: a", "{id: a, model: veo-3.1")
        if wrong.startswith("limit"):
            text = text.replace("'${{ vars.n }}'", "4").replace(
                "{id", "{repeat: 2000, id"
            )

        assert [line for line, _ in problems(text)] == [4]

    def test_what_overrides_a_wrong_default_is_judged(self, problems: Find) -> None:
        assert problems(f"""\
{HEAD}defaults: {{model: [veo-3.1], repeat: 0, params: {{seed: {{$unset: 1}}}}}}
jobs:
  - {{id: a, prompts: [A dog], params: {{duration: 5}}}}
  - id: b
    model: veo-3.1
    prompts: [A dog]
    repeat: 1
    params: {{duration: 5, generate_audio: false, seed: 1}}
""") == [(4, "E-TYPE"), (4, "E-RANGE"), (4, "E-ENUM"), (11, "E-ENUM")]

    def test_what_is_wrong_in_defaults_is_said_once_for_all_entries(
        self, problems: Find
    ) -> None:
        assert problems(f"""\
{HEAD}defaults: {{model: veo-3.1, params: {{generate_audio: "${{{{ x"}}}}
jobs:
  - {{id: a, prompts: [A dog]}}
  - {{id: b, prompts: [A cat]}}
""") == [(4, "E-REF-SYNTAX")]

    def test_problems_of_a_text_file_come_after_those_of_the_manifest(
        self, problems: Find, tmp_path: Path
    ) -> None:
        (tmp_path / "a.txt").write_text("A fox\nA fox\n")
        text = f"{HEAD}jobs:\n  - {{id: a, model: v, prompts: [{{lines: a.txt}}]}}\n"

        assert problems(text) == [(5, "E-MODEL-UNKNOWN"), (2, "E-AXIS-DUP")]

    async def test_nothing_is_run_while_anything_is_wrong(
        self, write: WriteManifest, tmp_path: Path
    ) -> None:
        """The first entry alone would be fine."""
        path = write("A fox", more="  - {id: b, modle: veo-3.1, prompts: [x]}\n")

        with pytest.raises(InvalidError):
            await api.run(api.load_manifest(path), OPTIONS)

        assert not (tmp_path / "runs").exists()

    def test_expanding_says_at_the_end_what_was_noticed_while_reading(
        self, write: WriteManifest
    ) -> None:
        path = write("A fox")
        path.write_text(path.read_text().replace("duration: 4", "duration: 5"))

        with pytest.raises(InvalidError) as caught:
            list(api.expand(api.load_manifest(path)))

        assert [problem.code for problem in caught.value.problems] == ["E-ENUM"]


async def test_a_branch_that_bought_the_same_is_loud(
    write: WriteManifest, tmp_path: Path
) -> None:
    """Two machines that did not know of each other; their files are put together."""
    wanted = api.load_manifest(write("A fox"))
    mine = await api.run(wanted, replace(OPTIONS, out=tmp_path / "mine"))
    # Another seed: with the same one a second sandbox gives the same task its id.
    theirs = await api.run(wanted, replace(OPTIONS, out=tmp_path / "theirs", seed=1))
    for ledger in (theirs.run_dir / "ledger").iterdir():
        ledger.rename(mine.run_dir / "ledger" / ledger.name)

    again = await api.run(wanted, replace(OPTIONS, out=mine.run_dir))

    (problem,) = again.problems
    assert "was bought 2 times without a recorded reason" in problem
    assert problem in api.status(mine.run_dir).problems
    for ledger in (mine.run_dir / "ledger").iterdir():
        assert f"ledger/{ledger.name}" in problem


async def test_a_missing_ledger_file_is_loud(
    write: WriteManifest, tmp_path: Path
) -> None:
    wanted = api.load_manifest(write("A fox"))
    slow = replace(OPTIONS, detach=True, speed=1)
    left = await api.run(wanted, slow)
    (first,) = (left.run_dir / "ledger").iterdir()
    await api.run(wanted, replace(slow, detach=False, stop_after_s=0.5))
    first.rename(tmp_path / "lost")

    problems = api.status(left.run_dir).problems

    assert any("a file is missing" in problem for problem in problems)


class TestAProviderFile:
    """A service that somebody describes in the checkout."""

    FILE = (
        "foxbatch: 1\nlike: foxapi\nid: mine\npaid: false\nbase_url: {}\n"
        "key_env: FOXBATCH_KEY_MINE\n"
    )

    @pytest.fixture
    def url(self) -> Iterator[str]:
        with EmbeddedSandbox(SandboxOptions(speed=200)) as sandbox:
            yield sandbox.url

    async def test_it_is_kept_so_that_collect_needs_nothing_else(
        self, write: WriteManifest, tmp_path: Path, url: str
    ) -> None:
        (tmp_path / "mine.yaml").write_text(self.FILE.format(url))
        options = replace(OPTIONS, environ={"FOXBATCH_KEY_MINE": "sk-mine"})
        wanted = api.load_manifest(write("A fox"), provider=str(tmp_path / "mine.yaml"))
        left = await api.run(wanted, replace(options, detach=True))
        (tmp_path / "mine.yaml").unlink()

        summary = await api.collect(left.run_dir, options)

        assert summary.counts == {"done": 1}
        for kept in (left.run_dir / "manifests").iterdir():
            kept.unlink()
        with pytest.raises(RunDirError, match="cannot be read"):
            await api.collect(left.run_dir, options)

    async def test_another_key_is_another_account_unless_a_person_says_so(
        self, write: WriteManifest, tmp_path: Path, url: str
    ) -> None:
        (tmp_path / "mine.yaml").write_text(self.FILE.format(url))
        wanted = api.load_manifest(write("A fox"), provider=str(tmp_path / "mine.yaml"))
        first = replace(OPTIONS, environ={"FOXBATCH_KEY_MINE": "sk-1"})
        second = replace(OPTIONS, environ={"FOXBATCH_KEY_MINE": "sk-2"})
        await api.run(wanted, first)

        with pytest.raises(OriginError) as caught:
            await api.run(wanted, second)
        summary = await api.run(wanted, replace(second, same_account=True))

        assert "--same-account" in caught.value.hint
        assert summary.submitted == 0

    async def test_the_directory_of_another_account_is_left_as_it_was(
        self, write: WriteManifest, tmp_path: Path, url: str
    ) -> None:
        (tmp_path / "mine.yaml").write_text(self.FILE.format(url))
        mine = str(tmp_path / "mine.yaml")
        first = replace(OPTIONS, environ={"FOXBATCH_KEY_MINE": "sk-1"})
        second = replace(OPTIONS, environ={"FOXBATCH_KEY_MINE": "sk-2"})
        run_dir = (
            await api.run(api.load_manifest(write("A fox"), provider=mine), first)
        ).run_dir
        before = {path: path.stat().st_mtime_ns for path in run_dir.rglob("*")}

        with pytest.raises(OriginError):
            await api.run(api.load_manifest(write("A hare"), provider=mine), second)

        assert before == {path: path.stat().st_mtime_ns for path in run_dir.rglob("*")}

    async def test_its_key_may_stand_in_a_file(
        self, write: WriteManifest, tmp_path: Path, url: str
    ) -> None:
        (tmp_path / "mine.yaml").write_text(self.FILE.format(url))
        (tmp_path / "key").write_text("sk-mine\n")
        wanted = api.load_manifest(write("A fox"), provider=str(tmp_path / "mine.yaml"))
        named = {"FOXBATCH_KEY_MINE_FILE": str(tmp_path / "key")}

        summary = await api.run(wanted, replace(OPTIONS, environ=named))

        assert summary.counts == {"done": 1}

    async def test_a_key_file_that_cannot_be_read_is_named(
        self, write: WriteManifest, tmp_path: Path, url: str
    ) -> None:
        (tmp_path / "mine.yaml").write_text(self.FILE.format(url))
        wanted = api.load_manifest(write("A fox"), provider=str(tmp_path / "mine.yaml"))
        named = {"FOXBATCH_KEY_MINE_FILE": str(tmp_path / "none")}

        with pytest.raises(UsageError, match="cannot be read"):
            await api.run(wanted, replace(OPTIONS, environ=named))


@pytest.mark.parametrize("glob", ["foks*", "[", ""])
async def test_a_glob_that_names_no_job_is_no_success(
    write: WriteManifest, glob: str
) -> None:
    options = replace(OPTIONS, choice=api.Choice(only=(glob,)))

    wanted = api.load_manifest(write("A fox", "A hare"))
    with pytest.raises(UsageError, match="names none of 2 jobs") as caught:
        await api.run(wanted, options)

    assert "shot" in caught.value.hint
    assert not api.default_run_dir(wanted).exists()


async def test_a_glob_that_is_nearly_right_is_told_so(write: WriteManifest) -> None:
    options = replace(OPTIONS, choice=api.Choice(only=("shto",)))

    with pytest.raises(UsageError) as caught:
        await api.run(api.load_manifest(write("A fox")), options)

    assert "Did you mean shot?" in caught.value.hint


@pytest.mark.parametrize("key", ["sk-very-secret", 'sk-"very\\secret'])
async def test_a_key_in_a_prompt_is_not_sent(write: WriteManifest, key: str) -> None:
    keyed = {"FOXAPI_API_KEY": key, "FOXAPI_BASE_URL": "http://[::1]:9"}
    wanted = api.load_manifest(write(f"A fox {key}"), provider="foxapi")

    with pytest.raises(UsageError, match="would send the API key") as caught:
        await api.run(wanted, replace(OPTIONS, environ=keyed))

    assert "secret" not in str(caught.value)
    assert not list(api.default_run_dir(wanted).glob("ledger/*"))


async def test_the_next_command_means_the_same_jobs_in_the_same_place(
    write: WriteManifest, tmp_path: Path
) -> None:
    """Without --out it would buy everything again, elsewhere."""
    path = write("A fox")
    options = replace(
        OPTIONS,
        speed=1,
        stop_after_s=0.3,
        out=tmp_path / "my runs",
        choice=api.Choice(only=("shot",)),
    )

    wanted = api.load_manifest(
        path, provider="sandbox", overrides=["description=two words"]
    )
    summary = await api.run(wanted, options)

    words = (
        f"--provider sandbox --out '{tmp_path / 'my runs'}' "
        "--set 'description=two words' --only shot"
    )
    (run,) = api.read_ledger(tmp_path / "my runs").state.runs.values()
    assert run.started is not None
    assert run.started.overrides == ("description=two words",)
    assert summary.next[0] == f"foxbatch run {path} {words}"
    assert summary.reason == "stopped in time, as asked; the same command goes on"


async def test_a_directory_that_no_run_was_in_cannot_be_collected(
    tmp_path: Path,
) -> None:
    with pytest.raises(RunDirError, match="holds no run yet"):
        await api.collect(tmp_path, OPTIONS)


async def test_what_cannot_be_kept_is_said_before_anything_is_sent(
    write: WriteManifest,
) -> None:
    wanted = api.load_manifest(write("A fox"))
    run_dir = api.default_run_dir(wanted)
    run_dir.mkdir(parents=True)
    (run_dir / "manifests").write_text("in the way")

    with pytest.raises(RunDirError, match="cannot be written"):
        await api.run(wanted, OPTIONS)

    assert not (run_dir / "ledger").exists()
