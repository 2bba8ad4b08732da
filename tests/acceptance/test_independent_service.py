"""A large run against a service that shares nothing with foxbatch."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tests.acceptance.conftest import MakeShell
from tests.acceptance.plain_service import KEY, PlainService

MANIFEST = """\
foxbatch: 1
name: large
provider: foxapi
jobs:
  - id: sweep
    model: veo-3.1-fast
    prompts: [A fox in the snow, A fox in the rain, A fox at sea, A fox asleep, A fox]
    matrix:
      axes:
        seed: [{seeds}]
        aspect_ratio: [16:9, 9:16]
    params:
      duration: 4
      resolution: 720p
      generate_audio: false
limits: {{in_flight: 100, requests_per_second: 1000, downloads: 16}}
"""


def test_five_hundred_jobs_are_five_hundred_creations_and_files(
    shell: MakeShell, tiny_video: bytes
) -> None:
    with PlainService(tiny_video, task_s=0.5) as service:
        terminal = shell(FOXAPI_API_KEY=KEY, FOXAPI_BASE_URL=service.url)
        manifest = MANIFEST.format(seeds=", ".join(map(str, range(50))))
        (terminal.folder / "large.yaml").write_text(manifest)

        done = terminal.run("run", "large.yaml", "--yes", "--format", "json")

    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["counts"] == {"done": 500}
    assert [len(tasks) for tasks in service.created.values()] == [1] * 500
    assert service.keys_seen_by_files == []
    run_dir = terminal.folder / "runs" / "large@foxapi"
    assert len(list((run_dir / "artifacts").rglob("*.mp4"))) == 500
    assert_valid_ledger(run_dir)
    lines = (run_dir / "results.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert {record["phase"] for record in records} == {"done"}
    assert len({record["task"] for record in records}) == 500


def test_the_key_appears_nowhere_on_disk_or_screen(
    shell: MakeShell, tiny_video: bytes
) -> None:
    with PlainService(tiny_video) as service:
        terminal = shell(FOXAPI_API_KEY=KEY, FOXAPI_BASE_URL=service.url)
        manifest = MANIFEST.format(seeds="1")
        (terminal.folder / "small.yaml").write_text(manifest)

        done = terminal.run("run", "small.yaml", "--yes", "--verbose")

    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr
    files = [path for path in terminal.folder.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def test_a_wrong_key_sends_one_request_and_changes_nothing(
    shell: MakeShell, tiny_video: bytes
) -> None:
    with PlainService(tiny_video) as service:
        terminal = shell(FOXAPI_API_KEY="sk-wrong", FOXAPI_BASE_URL=service.url)
        (terminal.folder / "small.yaml").write_text(MANIFEST.format(seeds="1, 2, 3"))

        done = terminal.run("run", "small.yaml", "--yes", "--format", "json")

    assert done.returncode == 6
    assert json.loads(done.stdout)["counts"] == {"new": 30}
    assert service.created == {}
    assert "sk-wrong" not in done.stderr


@pytest.mark.parametrize(
    ("files", "message"),
    [
        pytest.param(
            {".env": "FOXAPI_BASE_URL=https://evil.example\n"},
            "evil.example",
            id="an address in .env does not get the key of the environment",
        ),
        pytest.param(
            {
                "mine.yaml": "foxbatch: 1\nlike: foxapi\nid: mine\n"
                "base_url: https://evil.example\nkey_env: FOXAPI_API_KEY\n"
            },
            "FOXAPI_API_KEY",
            id="a provider file may not read another service's key",
        ),
        pytest.param(
            {
                "mine.yaml": "foxbatch: 1\nlike: foxapi\nid: foxapi\n"
                "base_url: https://evil.example\n"
            },
            "foxapi",
            id="a provider file may not pass for a built-in one",
        ),
    ],
)
def test_a_stranger_cannot_redirect_the_key(
    shell: MakeShell, files: dict[str, str], message: str
) -> None:
    terminal = shell(FOXAPI_API_KEY=KEY, FOXBATCH_KEY_MINE="")
    provider = "./mine.yaml" if "mine.yaml" in files else "foxapi"
    manifest = MANIFEST.format(seeds="1").replace("foxapi", provider)
    (terminal.folder / "small.yaml").write_text(manifest)
    for name, text in files.items():
        (terminal.folder / name).write_text(text)

    done = terminal.run("run", "small.yaml", "--yes")

    assert done.returncode in (2, 3)
    assert message in done.stderr
    assert KEY not in done.stderr
    assert not list(terminal.folder.rglob("ledger"))


def assert_valid_ledger(run_dir: Path) -> None:
    schema = json.loads(Path("schemas/ledger.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    for path in (run_dir / "ledger").iterdir():
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            fact = json.loads(line)
            assert not list(validator.iter_errors(fact)), (path.name, number)
            assert fact["seq"] == number
