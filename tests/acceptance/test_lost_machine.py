"""A machine is lost in the middle of a run, with its disk; its log was kept."""

from __future__ import annotations

import json
import shutil

from foxbatch import api
from tests.acceptance.conftest import MakeShell, served_sandbox, stats

JOBS = 24
MANIFEST = """\
foxbatch: 1
name: lost
provider: foxapi
jobs:
  - id: sweep
    model: veo-3.1-fast
    prompts: [A fox in the snow, A fox in the rain, A fox at sea, A fox at home]
    matrix:
      axes:
        seed: [1, 2, 3]
        aspect_ratio: [16:9, 9:16]
    params: {duration: 4, resolution: 720p, generate_audio: false}
limits: {in_flight: 4, requests_per_second: 20}
"""


def test_what_the_log_of_a_lost_machine_names_is_fetched_and_not_bought_again(
    shell: MakeShell,
) -> None:
    home = shell()
    with served_sandbox(home, "--speed", "40") as url:
        terminal = shell(FOXAPI_API_KEY="sk-test-lost", FOXAPI_BASE_URL=url)
        folder = terminal.folder
        (folder / "lost.yaml").write_text(MANIFEST)
        run_dir = folder / "runs" / "lost@foxapi"
        log: list[str] = []
        with terminal.start("run", "lost.yaml", "--yes") as process:
            assert process.stderr is not None
            while sum("accepted" in line for line in log) < JOBS // 2:
                log.append(process.stderr.readline())
            process.kill()
            log += process.stderr.readlines()
        shutil.rmtree(run_dir)
        made = stats(url)["created"]
        (folder / "ci.log").write_text("".join(log))
        tasks = {one.job: one.task for one in api.read_log(log)}

        recovered = terminal.run(
            "recover", "--from-log", "ci.log", "lost.yaml", "--yes"
        )
        collected = terminal.run("collect", "lost.yaml", "--format", "json")
        done = terminal.run("run", "lost.yaml", "--yes", "--format", "json")
        verified = terminal.run("verify", "lost.yaml", "--format", "json")
        service = stats(url)

    assert recovered.returncode == 0, recovered.stderr
    assert json.loads(collected.stdout)["counts"] == {"done": len(tasks)}
    assert json.loads(done.stdout)["counts"] == {"done": JOBS}
    assert json.loads(done.stdout)["submitted"] == JOBS - len(tasks)
    assert isinstance(made, int)
    assert service["created"] == made + JOBS - len(tasks)
    records = {record.job: record for record in api.results(run_dir)}
    assert {job: records[job].task for job in tasks} == tasks
    assert json.loads(verified.stdout)["findings"] == []
