"""What becomes of a task: how long it takes, how it ends, what a query shows.

Everything follows from the sandbox's seed, the request and how often that request
came before, never from the order of different requests or from a clock: the same
batch tells the same story however its requests interleave.

Words in a prompt order a particular story, for demonstrations and tests:

    [sandbox:slow 600]         takes 600 s (before the speed divides them)
    [sandbox:fail CODE]        ends failed with that code
    [sandbox:fail-once CODE]   only the first task for an equal request does
    [sandbox:empty-once]       completed, but the first query shows no results
    [sandbox:lost-reply]       the task is created, the connection aborted
    [sandbox:5xx]              the task is created, the answer is 502
"""

from __future__ import annotations

import hashlib
import math
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from foxbatch.sandbox.messages import Clip, Json, Task

TYPICAL_S: Mapping[str, float] = {"veo-3.1": 60.0, "veo-3.1-fast": 30.0}
"""Median time of a generation at 720p or 1080p."""

_SLOWER_IN_4K = 1.6
_SPREAD = 0.3  # sigma of the logarithm: nine in ten within 0.6 to 1.6 of the median
_PENDING_SHARE = 0.08  # of the whole time, before the work begins

_SIZES: Mapping[str, tuple[int, int]] = {
    "720p": (1280, 720),
    "1080p": (1920, 1080),
    "4k": (3840, 2160),
}
_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_WORDS = re.compile(r"\[sandbox:(?P<word>[a-z0-9-]+)(?: (?P<argument>[\w.-]+))?\]")

_MESSAGES: Mapping[str, str] = {
    "content_policy_violation": "The input was refused by the content filter.",
    "invalid_parameters": "A parameter was found to be wrong.",
    "image_processing_error": "An input image cannot be read.",
    "service_error": "Upstream failed.",
    "service_unavailable": "Upstream is down.",
    "generation_timeout": "The generation took too long.",
    "resource_exhausted": "Upstream has no capacity.",
    "quota_exceeded": "Upstream refused the rate of requests.",
}


@dataclass(frozen=True, slots=True)
class View:
    """A task as it stands at one moment."""

    status: Literal["pending", "processing", "completed", "failed"]
    progress: int
    code: str = ""  # why it failed

    @property
    def message(self) -> str:
        """Return a sentence about the failure."""
        return _MESSAGES.get(self.code, "The generation failed.")


def words(prompt: str) -> dict[str, str]:
    """Return the words that order a story, with their arguments ("" for none)."""
    return {found["word"]: found["argument"] or "" for found in _WORDS.finditer(prompt)}


def generation_s(asked: Mapping[str, Json], *, rng: random.Random) -> float:
    """Return how long the generation takes, in seconds of the real service."""
    ordered = words(str(asked["prompt"])).get("slow", "")
    try:
        slow_s = float(ordered)
    except ValueError:
        slow_s = math.nan
    if 0 <= slow_s < math.inf:
        return slow_s
    median_s = TYPICAL_S[str(asked["model"])]
    if asked["resolution"] == "4k":
        median_s *= _SLOWER_IN_4K
    return rng.lognormvariate(math.log(median_s), _SPREAD)


def dice(seed: int, digest: str, take: int, *, salt: int = 0) -> random.Random:
    """Return a generator that only depends on what was asked, and how often."""
    text = f"{seed}/{digest}/{take}/{salt}"
    return random.Random(text)


def task_id(now: float, rng: random.Random) -> str:
    """Return an id in the service's form; the caller sees to it that it is new."""
    return f"task-unified-{int(now)}-{''.join(rng.choices(_ID_LETTERS, k=8))}"


def view(task: Task, now: float) -> View:
    """Return what is known of *task* at *now* (Unix time)."""
    share = (now - task.created_at) / task.takes_s if task.takes_s else math.inf
    code = _failure_code(task)
    if share >= 1:
        return View("failed", 99, code) if code else View("completed", 100)
    progress = min(99, max(0, int(100 * share)))
    return View("pending" if share < _PENDING_SHARE else "processing", progress)


def clip_of(task: Task) -> Clip:
    """Return the recipe of the video that *task* results in.

    Takes of one request look different, as they would from the service, unless
    the request fixes the seed.
    """
    asked = task.asked
    width, height = _SIZES[str(asked["resolution"])]
    if asked["aspect_ratio"] == "9:16":
        width, height = height, width
    take = 1 if asked.get("seed") is not None else task.take
    return Clip(
        width=width,
        height=height,
        duration_s=int(str(asked["duration"])),
        audio=bool(asked["generate_audio"]),
        title=task.model,
        prompt=task.prompt,
        facts=tuple(_facts(asked)),
        look=hashlib.sha256(f"{task.digest}/{take}".encode()).hexdigest(),
    )


def _failure_code(task: Task) -> str:
    ordered = words(task.prompt)
    if task.take == 1 and "fail-once" in ordered:
        return ordered["fail-once"] or "service_error"
    return (ordered["fail"] or "service_error") if "fail" in ordered else ""


def _facts(asked: Mapping[str, Json]) -> list[str]:
    facts = [
        str(asked["resolution"]),
        str(asked["aspect_ratio"]),
        f"{asked['duration']} s",
        "sound" if asked["generate_audio"] else "silent",
    ]
    urls = asked["image_urls"]
    if isinstance(urls, list) and urls:
        facts.append(f"{asked['generation_type']}, {len(urls)} in")
    if asked.get("seed") is not None:
        facts.append(f"seed {asked['seed']}")
    return facts
