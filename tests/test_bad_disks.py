"""Disks that are full or read-only, before and during a run: real ones, small."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.acceptance.plain_service import KEY, PlainService
from tests.cli import Ended, Type

MANIFEST = """\
foxbatch: 1
name: disks
provider: ./quick.yaml
jobs:
  - id: fox
    model: veo-3.1-fast
    prompts: [A fox in the snow, A fox in the rain, A fox at sea]
    params: {duration: 4, resolution: 720p, generate_audio: false}
"""
PROVIDER = """\
foxbatch: 1
like: foxapi
id: quick
base_url: {url}
key_env: FOXBATCH_KEY_QUICK
polling: {{first_s: 0.2, interval_s: 0.2}}
"""
FILM_BYTES = 200_000
FILM = b"\0\0\0\x18ftypisom".ljust(FILM_BYTES, b"\0")


class Quick(PlainService):
    """Says nothing of how long it takes: so it is asked soon."""

    def _view(
        self,
        task: str,
        status: str,
        progress: int,
        results: list[dict[str, str]] | None,
    ) -> dict[str, object]:
        view = super()._view(task, status, progress, results)
        return {key: value for key, value in view.items() if key != "task_info"}


Mount: TypeAlias = Callable[..., None]


@pytest.fixture
def mount() -> Iterator[Mount]:
    """Give a function that mounts a small disk, or mounts it in another way."""
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root of a Linux can mount a small disk")
    mounted: list[Path] = []

    def mount(place: Path, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "none", str(place)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
        if "remount" not in options:
            mounted.append(place)

    yield mount
    for place in reversed(mounted):
        if place.is_mount():
            subprocess.run(["umount", "-l", str(place)], check=True)


@dataclass
class Buyer:
    """Types the same command again and again.

    Attributes:
        folder: The run directory.
        run: Runs the command.
    """

    folder: Path
    run: Callable[[], Ended]


Beside: TypeAlias = Callable[[PlainService], Buyer]


@pytest.fixture
def beside(type_: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Beside:
    """Give a function that writes the manifest for a service."""

    def beside(service: PlainService) -> Buyer:
        monkeypatch.setenv("FOXBATCH_KEY_QUICK", KEY)
        (tmp_path / "quick.yaml").write_text(PROVIDER.format(url=service.url))
        manifest, folder = tmp_path / "disks.yaml", tmp_path / "run"
        manifest.write_text(MANIFEST)
        folder.mkdir()
        options = ("--yes", "--out", folder, "--format", "json")
        return Buyer(folder, lambda: type_("run", manifest, *options))

    return beside


def assert_all_is_there(buyer: Buyer, service: PlainService) -> None:
    done = buyer.run()
    assert done.code == 0, done.err
    assert json.loads(done.out)["counts"] == {"done": 3}
    assert [len(tasks) for tasks in service.created.values()] == [1] * 3
    films = list((buyer.folder / "artifacts").rglob("*.mp4"))
    assert [each.stat().st_size for each in films] == [FILM_BYTES] * 3


def test_a_disk_that_fills_up_stops_the_run_and_nothing_is_lost(
    beside: Beside, mount: Mount
) -> None:
    with Quick(FILM) as service:
        buyer = beside(service)
        mount(buyer.folder, f"size={FILM_BYTES * 3 // 2}")

        stopped = buyer.run()
        mount(buyer.folder, "remount,size=4m")

        assert stopped.code == 4, stopped.err
        assert "No space left on device" in stopped.err
        assert "Make room" in stopped.err
        assert_all_is_there(buyer, service)


def test_on_a_full_disk_nothing_is_bought(beside: Beside, mount: Mount) -> None:
    with Quick(FILM) as service:
        buyer = beside(service)
        mount(buyer.folder, "size=4m")
        filler = buyer.folder / "filler"
        filler.write_bytes(bytes(4 << 20))

        refused = buyer.run()

        assert refused.code == 4, refused.err
        assert "No space left on device" in refused.err
        assert service.requests == {}
        filler.unlink()
        assert_all_is_there(buyer, service)


@pytest.mark.parametrize(
    ("place", "said"),
    [(".", "Read-only file system"), ("artifacts", "cannot be written to")],
)
def test_on_a_read_only_disk_nothing_is_bought(
    beside: Beside, mount: Mount, place: str, said: str
) -> None:
    with Quick(FILM) as service:
        buyer = beside(service)
        (buyer.folder / place).mkdir(exist_ok=True)
        mount(buyer.folder / place, "size=4m,ro")

        refused = buyer.run()

        assert refused.code == 4, refused.err
        assert str(buyer.folder / place) in refused.err
        assert said in refused.err
        assert service.requests == {}
        mount(buyer.folder / place, "remount,rw")
        assert_all_is_there(buyer, service)


def test_a_disk_that_becomes_read_only_stops_the_run_and_nothing_is_lost(
    beside: Beside, mount: Mount
) -> None:
    class Service(Quick):
        def _answer(
            self, method: str, target: str, keys: list[str], body: bytes
        ) -> tuple[int, str, bytes]:
            if target.startswith("/files/") and not self.requests["files"]:
                mount(artifacts, "ro")
            return super()._answer(method, target, keys, body)

    with Service(FILM) as service:
        buyer = beside(service)
        artifacts = buyer.folder / "artifacts"
        artifacts.mkdir()

        stopped = buyer.run()
        subprocess.run(["umount", str(artifacts)], check=True)

        assert stopped.code == 4, stopped.err
        assert "Read-only file system" in stopped.err
        assert_all_is_there(buyer, service)
