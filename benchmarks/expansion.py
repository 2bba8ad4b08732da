"""How fast a manifest becomes jobs, as ratios; `benchmarks/README.md` says of what."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

from foxbatch import api
from foxbatch.canonical import Json
from foxbatch.schema import load_schema

PROMPT = "A golden retriever on the beach at {time}, {film}"
FILM = "Kodak Portra"
TIMES = ["sunrise", "noon", "sunset", "dusk", "night"]
DURATIONS = [4, 8]
RATIOS = ["16:9", "9:16"]
ROUNDS = 3
SOME = 100_000  # jobs

# Linux counts what the parent had to the child's `ru_maxrss`; not so VmHWM.
_COUNT = """
import pathlib, resource, sys
from foxbatch import api
for _ in api.expand(api.load_manifest(sys.argv[1])):
    pass
status = pathlib.Path("/proc/self/status")
if status.exists():
    print(status.read_text().partition("VmHWM:")[2].split()[0])
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def manifest(folder: Path, jobs: int) -> Path:
    """Write a manifest of four axes that gives *jobs* jobs, a multiple of 20 000."""
    seeds = min(jobs // 20, 1_000)
    audio = [f"noise {number}" for number in range(jobs // 20 // seeds)]
    axes: dict[str, Json] = {
        "time": [*TIMES],
        "negative_prompt": [*audio],
        "duration": [*DURATIONS],
        "aspect_ratio": [*RATIOS],
        "seed": {"range": {"from": 1, "through": seeds}},
    }
    written: Json = {
        "foxbatch": 1,
        "name": "benchmark",
        "provider": "sandbox",
        "defaults": {"model": "veo-3.1-fast", "params": {"generate_audio": False}},
        "jobs": [
            {
                "id": "sweep",
                "prompts": [PROMPT.format(time="${{ matrix.time }}", film=FILM)],
                "matrix": {"axes": axes},
            }
        ],
        "limits": {"max_jobs": jobs},
    }
    path = folder / f"{jobs}.yaml"
    path.write_text(json.dumps(written), encoding="utf-8")
    return path


def requests(jobs: int, render: Callable[[str], str]) -> Iterator[dict[str, Json]]:
    """Yield the same requests, made as one would without foxbatch."""
    seeds = range(1, jobs // 20 + 1)
    for moment, duration, ratio, seed in itertools.product(
        TIMES, DURATIONS, RATIOS, seeds
    ):
        yield {
            "model": "veo-3.1-fast",
            "prompt": render(moment),
            "generate_audio": False,
            "negative_prompt": "noise 0",
            "duration": duration,
            "aspect_ratio": ratio,
            "seed": seed,
        }


def rival() -> tuple[str, Callable[[str], str]]:
    """Return what renders the rival's prompts, and its name."""
    if importlib.util.find_spec("jinja2") is None:
        name = "str.format + json + sha256 (jinja2 is not installed)"
        return name, lambda moment: PROMPT.format(time=moment, film=FILM)
    jinja2 = importlib.import_module("jinja2")
    text = PROMPT.format(time="{{ time }}", film="{{ film }}")
    template = jinja2.Template(text)
    return "jinja2 + json + sha256", lambda moment: str(
        template.render(time=moment, film=FILM)
    )


def plain_digests(jobs: int, render: Callable[[str], str]) -> int:
    """Digest the requests one by one, and return how many different ones there are."""
    return len(
        {
            hashlib.sha256(
                json.dumps(one, sort_keys=True, separators=(",", ":")).encode()
            ).digest()
            for one in requests(jobs, render)
        }
    )


def per_second(work: Callable[[], int]) -> float:
    """Return how many things *work*, which counts them, does in a second of CPU."""
    start = time.process_time()
    return work() / (time.process_time() - start)


def compared(one: Callable[[], int], other: Callable[[], int]) -> tuple[float, float]:
    """Return the median speed of *one*, and by how much it beats *other*, in turn."""
    pairs = [(per_second(one), per_second(other)) for _ in range(ROUNDS)]
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    return statistics.median(mine for mine, _ in pairs), ratio


def expand(path: Path) -> int:
    """Return how many jobs there are."""
    return sum(1 for _ in api.expand(api.load_manifest(path)))


def check_with_jsonschema(jobs: int, render: Callable[[str], str]) -> int:
    """Return how many requests are valid, checked by the validator that explains."""
    from jsonschema.validators import Draft202012Validator

    validator = Draft202012Validator(load_schema("models/veo-3.1"))
    few = itertools.islice(requests(jobs, render), 500)
    return sum(validator.is_valid(cast("object", one)) for one in few)


def first_job_ms(path: Path) -> float:
    """Return how long the first job takes after the manifest was read."""
    wanted = api.load_manifest(path)
    start = time.perf_counter()
    next(api.expand(wanted))
    return 1_000 * (time.perf_counter() - start)


def peak_mb(path: Path) -> float:
    """Return the peak of memory of a process that expands a manifest."""
    run = subprocess.run(
        [sys.executable, "-c", _COUNT, str(path)],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(run.stdout) / 1024


def main() -> None:
    """Measure and print, a line for each comparison."""
    name, render = rival()
    with tempfile.TemporaryDirectory() as folder:
        some, many = (manifest(Path(folder), n) for n in (SOME, 1_000_000))
        speed, ratio = compared(
            lambda: expand(some), lambda: plain_digests(SOME, render)
        )
        print(f"expansion     {ratio:6.1f} times {name}; {speed:,.0f} jobs/s")
        speed, ratio = compared(
            lambda: api.check(api.load_manifest(some)).jobs,
            lambda: check_with_jsonschema(SOME, render),
        )
        print(f"checked jobs  {ratio:6.1f} times jsonschema; {speed:,.0f} jobs/s")
        first = statistics.median(first_job_ms(many) for _ in range(ROUNDS))
        print(f"first job     {first:6.1f} ms of 1,000,000, after reading")
        more = peak_mb(many) - peak_mb(some)
        print(f"memory        {more:+6.1f} MB from {SOME:,} to 1,000,000 jobs")


if __name__ == "__main__":
    main()
