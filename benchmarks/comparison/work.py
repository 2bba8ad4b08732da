"""The requests that everybody makes, and in which forms contenders read them."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import av

Json: TypeAlias = str | int | bool
"""What these requests are made of."""

IN_FLIGHT = 16
POLL_S = 0.25  # five seconds of the service, at the sandbox's speed of 20
PATIENCE_S = 60
ATTEMPTS = 3  # tasks for one job, where the service says that one failed
SPEED = 20

_PARAMS: Mapping[str, Json] = {
    "model": "veo-3.1-fast",
    "generation_type": "text-to-video",
    "resolution": "720p",
    "duration": 4,
    "aspect_ratio": "16:9",
    "generate_audio": False,
}
_SECONDS = 4.0

_PROVIDER = """\
foxbatch: 1
id: comparison
title: The sandbox, asked as often as the scripts ask it
like: foxapi
base_url: {url}
key_env: FOXBATCH_KEY_COMPARISON
paid: false
limits: {{in_flight: {in_flight}, requests_per_second: 200, downloads: {in_flight}}}
polling: {{first_s: {poll_s}, interval_s: {poll_s}, missing_gap_s: 2}}
"""

_MANIFEST = """\
foxbatch: 1
name: comparison
provider: ./provider.yaml
order: declared
jobs:
  - id: clips
    model: {model}
    params: {params}
    prompts: {prompts}
    output: ${{{{ matrix.prompt_id }}}}
limits: {{in_flight: {in_flight}, requests_per_second: 200, downloads: {in_flight}}}
retry: {{attempts: {attempts}, classes: [service, capacity, timeout]}}
poll: {{wait: {patience_s}s}}
"""


@dataclass(frozen=True)
class Wanted:
    """One job: its name, and the exact body of its request."""

    name: str
    request: Mapping[str, Json]

    @property
    def digest(self) -> str:
        """What the sandbox counts it by."""
        text = json.dumps(self.request, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def wanted(number: int) -> list[Wanted]:
    """Return so many jobs, each with a prompt of its own."""
    return [
        Wanted(f"p{n:04}", {**_PARAMS, "prompt": f"A fox looks at lantern number {n}"})
        for n in range(1, number + 1)
    ]


def write(jobs: list[Wanted], folder: Path, url: str) -> None:
    """Write them for every contender: lines, bodies, and a manifest with a provider."""
    for name in ("bodies", "tasks", "videos"):
        (folder / name).mkdir()
    lines = [json.dumps({"name": job.name, "request": job.request}) for job in jobs]
    (folder / "requests.jsonl").write_text("".join(f"{line}\n" for line in lines))
    for job in jobs:
        (folder / "bodies" / f"{job.name}.json").write_text(json.dumps(job.request))
    params = {name: value for name, value in _PARAMS.items() if name != "model"}
    prompts = [{"id": job.name, "text": job.request["prompt"]} for job in jobs]
    (folder / "comparison.yaml").write_text(
        _MANIFEST.format(
            model=_PARAMS["model"],
            params=json.dumps(params),
            prompts=json.dumps(prompts),
            in_flight=IN_FLIGHT,
            attempts=ATTEMPTS,
            patience_s=PATIENCE_S,
        )
    )
    (folder / "provider.yaml").write_text(
        _PROVIDER.format(url=url, in_flight=IN_FLIGHT, poll_s=POLL_S)
    )


def is_whole(path: Path) -> bool:
    """Return whether a file is a video of the asked length, to its last frame."""
    try:
        with av.open(io.BytesIO(path.read_bytes()), "r") as container:
            stream = container.streams.video[0]
            frames = len(list(container.decode(stream)))
            rate = float(stream.average_rate or 0)
    except (av.FFmpegError, IndexError, OSError):
        return False
    return rate > 0 and abs(frames / rate - _SECONDS) < 0.3


def whole_files(jobs: list[Wanted], files: Path) -> set[str]:
    """Return the names of jobs that have a whole file somewhere below *files*."""
    found: set[str] = set()
    for job in jobs:
        if any(is_whole(path) for path in files.rglob(f"{job.name}*.mp4")):
            found.add(job.name)
    return found
