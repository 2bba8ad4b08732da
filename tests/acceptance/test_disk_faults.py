"""Every call to the disk of a real run fails once, and nothing is bought twice.

The suite tries a spread of the calls. All of them, each with every fault:

    EVERY_DISK_FAULT=1 python -m pytest tests/acceptance/test_disk_faults.py
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import httpx
import pytest

from foxbatch import api
from foxbatch.cli import main
from foxbatch.errors import ExitCode
from foxbatch.sandbox import EmbeddedSandbox, SandboxOptions
from foxbatch.state import Phase
from tests.disk_faults import Fault, FaultyDisk

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="handles get their names from /proc"
)

EVERYTHING = bool(os.environ.get("EVERY_DISK_FAULT"))
JOBS = 2
STRIDE = 1 if EVERYTHING else 31
FAULTS: tuple[Fault, ...] = get_args(Fault)
MANIFEST = """\
foxbatch: 1
name: sea
provider: ./service.yaml
jobs:
  - id: sea
    model: veo-3.1-fast
    prompts: [A calm sea {case}, A stormy sea {case}]
    params: {{duration: 4, resolution: 720p, generate_audio: false}}
"""


SERVICE = """\
foxbatch: 1
like: foxapi
id: service
base_url: {url}
polling: {{first_s: 0.05, interval_s: 0.05}}
"""


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with EmbeddedSandbox(SandboxOptions(speed=400)) as sandbox:
        yield sandbox.url


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOXBATCH_KEY_SERVICE", "sk-sandbox")
    monkeypatch.setenv("PATH", "")  # no git: it is slow, and nothing of this


def made(service: str) -> dict[str, int]:
    """Return how many tasks the service made of each request."""
    answer = httpx.get(f"{service}/sandbox/stats")
    found: dict[str, int] = answer.json()["by_request_digest"]
    return found


class Case:
    """One manifest of its own, run on a disk that fails and then on one that works."""

    def __init__(self, home: Path, name: str, service: str) -> None:
        self.home = home / name
        self.home.mkdir()
        self.service = service
        self.manifest = self.home / "sea.yaml"
        self.manifest.write_text(MANIFEST.format(case=name))
        (self.home / "service.yaml").write_text(SERVICE.format(url=service))
        self.run_dir = self.home / "out"

    def run(self, disk: FaultyDisk | None = None) -> int:
        command = ["run", str(self.manifest), "--out", str(self.run_dir), "--yes"]
        if disk is None:
            return main(command)
        with disk.used():
            return main(command)


def not_recovered(case: Case, said: str) -> set[str]:
    """Take back what the log of the first run tells; return what is still not done."""
    log = case.home / "log"
    log.write_text(said)
    main(["recover", "--from-log", str(log), str(case.run_dir), "--yes"])
    main(["collect", str(case.run_dir)])
    return told_in(said) & held_in(case)


def told_in(log: str) -> set[str]:
    """Return the jobs of which a log tells the task."""
    return set(re.findall(r"accepted job=(\S+) task=", log))


def held_in(case: Case) -> set[str]:
    state = api.read_ledger(case.run_dir).state
    return {job.id for job in state.jobs.values() if job.phase() is Phase.HELD}


def touched_after(disk: FaultyDisk) -> list[tuple[str, str]]:
    """Return what was still tried with the file whose write or fsync failed."""
    assert disk.failed is not None
    act, path = disk.calls[disk.failed]
    if act not in ("write", "fsync") or not path.endswith(".jsonl"):
        return []
    rest = disk.calls[disk.failed + 1 :]
    if disk.fault == "short":
        rest = rest[1:]  # half a write tells nothing: the other half is tried
    return [call for call in rest if call in {("fsync", path), ("write", path)}]


@pytest.fixture(scope="module")
def calls(
    tmp_path_factory: pytest.TempPathFactory, service: str
) -> list[tuple[str, str]]:
    """Return what a run asks of a healthy disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOXBATCH_KEY_SERVICE", "sk-sandbox")
        patch.setenv("PATH", "")
        case = Case(tmp_path_factory.mktemp("healthy"), "healthy", service)
        disk = FaultyDisk(case.run_dir)
        assert case.run(disk) == ExitCode.DONE
    return disk.calls


def test_a_run_touches_the_disk_in_every_way(calls: list[tuple[str, str]]) -> None:
    """Or the faults below would be none."""
    acts = {act for act, _ in calls}

    assert {"create", "open", "write", "fsync", "mkdir", "replace"} <= acts
    assert len(calls) > 60


@pytest.mark.parametrize("fault", FAULTS)
def test_a_disk_that_fails_stops_the_run_and_loses_nothing(
    tmp_path: Path,
    service: str,
    fault: Fault,
    calls: list[tuple[str, str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    offset = FAULTS.index(fault) * STRIDE // len(FAULTS)
    wrong: list[str] = []
    for nth in range(1 + offset, len(calls) + 1, STRIDE):
        case = Case(tmp_path, f"{fault}-{nth}", service)
        disk = FaultyDisk(case.run_dir, nth=nth, fault=fault)
        before = made(service)

        said = check(case, disk, before, capsys)

        if said:
            where = disk.calls[disk.failed] if disk.failed is not None else "no call"
            wrong.append(f"{fault} at call {nth} {where}: {said}")
    assert not wrong, "\n".join(wrong)


def check(
    case: Case,
    disk: FaultyDisk,
    before: dict[str, int],
    capsys: pytest.CaptureFixture[str],
) -> str:
    """Run twice, and return what must not have happened."""
    capsys.readouterr()
    code = case.run(disk)
    err = capsys.readouterr().err
    if disk.failed is None or disk.calls[disk.failed][0] == "mkdir":
        # Fewer calls than in another order; or the folder was there already.
        wrong = "" if code in (ExitCode.DONE, ExitCode.RUN_DIR) else f"{code}: {err}"
    else:
        wrong = said_wrongly(case, disk, code, err)
    return wrong or done_wrongly(case, before, err)


def said_wrongly(case: Case, disk: FaultyDisk, code: int, err: str) -> str:
    """Return what is wrong with how a run ended whose disk failed."""
    goes_on = "type the same command again" in err or "recover --from-log" in err
    if code != ExitCode.RUN_DIR:
        return f"exit code {code}: {err[-1500:]}"
    if str(case.home) not in err or not goes_on:
        return f"it does not say what to do: {err}"
    again = touched_after(disk)
    return f"tried again: {again}" if again else ""


def done_wrongly(case: Case, before: dict[str, int], err: str) -> str:
    """Go on where the disk works, and return what is lost or bought twice."""
    code = case.run()
    after = made(case.service)
    tasks = {one: n for one, n in after.items() if n != before.get(one, 0)}
    state = api.read_ledger(case.run_dir).state
    phases = [job.phase() for job in state.jobs.values()]
    held = phases.count(Phase.HELD)
    wanted = ExitCode.HELD if held else ExitCode.DONE
    told = f"exit code {code}, {phases}, {tasks}"
    if any(count > 1 for count in tasks.values()) or code != wanted:
        return told
    if phases.count(Phase.DONE) + held != JOBS or len(tasks) < JOBS - held:
        return told
    if told_in(err) & held_in(case) and (lost := not_recovered(case, err)):
        return f"the log tells of tasks, and they are not taken back: {lost}"
    found = [one.message for one in api.verify(case.run_dir).findings if one.wrong]
    return f"verify: {found}" if found else ""
