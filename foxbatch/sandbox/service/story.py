"""What becomes of a task: how long it takes, how it ends, what a query shows.

Everything follows from the sandbox's seed, the request and how often that request
came before, never from the order of different requests or from a clock: the same
batch tells the same story however its requests interleave. (Only waiting for a free
worker, where there are few, depends on who came first.)

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
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import msgspec

from foxbatch.sandbox.messages import Json, Task, Twist
from foxbatch.sandbox.service.catalogue import Model
from foxbatch.sandbox.service.sizes import duration_s

# Median seconds of a generation by what is made; for a video, at five seconds.
_TYPICAL_S: Mapping[str, float] = {
    "video": 75.0,
    "image": 18.0,
    "audio": 12.0,
    "archive": 40.0,
    "words": 15.0,
    "transcript": 15.0,
    "voice": 20.0,
    "custom_voice": 20.0,
    "character": 30.0,
    "profile": 240.0,
}
_LLM_S = 6.0
_VEO_S = 60.0  # whatever the length
_PACE: Mapping[str, float] = {
    "pro": 1.8,
    "hd": 1.3,
    "fast": 0.5,
    "turbo": 0.5,
    "flash": 0.5,
    "lite": 0.6,
    "upscale": 2.5,
}
_SLOWER_IN_4K = 1.6
_SPREAD = 0.3  # sigma of the logarithm: nine in ten within 0.6 to 1.6 of the median
_PENDING_SHARE = 0.08  # of the work's time, before a query calls it processing
_STUCK_AT = 40
_FAILED_AT = 99
_UNENDING_S = 10.0 * 365 * 24 * 3600

_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_WORDS = re.compile(r"\[sandbox:(?P<word>[a-z0-9-]+)(?: (?P<argument>[\w.-]+))?\]")

FAILURES: Mapping[str, str] = {
    "content_policy_violation": "The input was refused by the content filter.",
    "invalid_parameters": "A parameter was found to be wrong.",
    "image_processing_error": "An input image cannot be read.",
    "image_dimension_mismatch": "An input image has the wrong size.",
    "request_cancelled": "The request was cancelled.",
    "resource_not_found": "An input file is gone.",
    "model_unavailable": "The model is switched off.",
    "model_not_support_capability": "The model cannot take this input.",
    "generation_failed": "The generation failed.",
    "generation_failed_no_content": "Upstream returned nothing.",
    "service_error": "Upstream failed.",
    "service_unavailable": "Upstream is down.",
    "generation_timeout": "The generation took too long.",
    "resource_exhausted": "Upstream has no capacity.",
    "quota_exceeded": "Upstream refused the rate of requests.",
    "upstream_error": "Upstream failed.",
    "rate_limited": "Upstream refused the rate of requests.",
    "unknown_error": "Something failed that has no name.",
}
"""Every code that a failed task is known to have, with a sentence for it."""


@dataclass(frozen=True, slots=True)
class View:
    """A task as it stands at one moment.

    Attributes:
        word: What a query calls the status.
        progress: From 0 to 100; None where a query does not tell it.
        code: Why it failed, or "".
    """

    status: Literal["pending", "processing", "completed", "failed"]
    word: str
    progress: int | None
    code: str = ""

    @property
    def message(self) -> str:
        """Return a sentence about the failure."""
        return FAILURES.get(self.code, "The generation failed.")


def words(prompt: str) -> dict[str, str]:
    """Return the words that order a story, with their arguments ("" for none)."""
    return {found["word"]: found["argument"] or "" for found in _WORDS.finditer(prompt)}


def ordered(prompt: str, take: int, twist: Twist) -> Twist:
    """Return *twist* with what the words in *prompt* order for its nth *take*."""
    said = words(prompt) if "[sandbox:" in prompt else {}
    if "fail" in said or ("fail-once" in said and take == 1):
        code = said.get("fail") or said.get("fail-once") or "service_error"
        twist = replace(twist, fails=code)
    if "empty-once" in said:
        twist = replace(twist, empty_looks=max(1, twist.empty_looks))
    slow_s = _seconds(said.get("slow", ""))
    return twist if slow_s is None else replace(twist, takes_s=slow_s)


def _seconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return min(value, _UNENDING_S) if 0 <= value < math.inf else None


def typical_s(model: Model | None, asked: Mapping[str, Json]) -> float:
    """Return the median time of a generation; for None, of an answer by an LLM."""
    if model is None:
        return _LLM_S
    median_s = _VEO_S
    if not model.name.startswith("veo-3.1"):
        median_s = _TYPICAL_S[model.makes]
        if model.makes == "video":
            median_s *= (duration_s(model, asked) / 5) ** 0.5
    median_s *= _pace(model.name)
    return median_s * (_SLOWER_IN_4K if asked.get("resolution") == "4k" else 1.0)


@cache
def _pace(name: str) -> float:
    return math.prod(_PACE.get(part, 1.0) for part in name.lower().split("-"))


def generation_s(
    model: Model | None, asked: Mapping[str, Json], twist: Twist, dice: bytes
) -> float:
    """Return how long the work takes, in seconds of the real service."""
    if twist.born in {"completed", "failed"}:
        return 0.0
    if twist.unending:
        return _UNENDING_S
    if twist.takes_s is not None:
        return twist.takes_s
    median_s = typical_s(model, asked) * twist.slower
    return median_s * math.exp(_SPREAD * _normal(dice))


def _normal(dice: bytes) -> float:
    """Return a number from the standard normal distribution (Box and Muller)."""
    first = (int.from_bytes(dice[:8], "big") + 1) / 2**64  # never 0
    second = int.from_bytes(dice[8:16], "big") / 2**64
    return math.sqrt(-2 * math.log(first)) * math.cos(math.tau * second)


def throw(seed: int, digest: str, take: int, *, again: int = 0) -> bytes:
    """Return dice: bytes that only depend on what was asked, and how often.

    A `random.Random` for each task would take longer than all else about it.
    """
    return hashlib.sha256(f"{seed}/{digest}/{take}/{again}".encode()).digest()


def task_id(now: float, dice: bytes, *, family: str) -> str:
    """Return an id in the service's form; the caller sees to it that it is new."""
    letters = "".join([_ID_LETTERS[byte % 36] for byte in dice[16:24]])
    return f"task-{family}-{int(now)}-{letters}"


def asked_of(task: Task) -> dict[str, Json]:
    """Return the request that *task* was made for, its defaults filled in."""
    asked: dict[str, Json] = msgspec.json.decode(task.asked)
    return asked


def view(task: Task, now: float) -> View:
    """Return what is known of *task* at *now* (Unix time)."""
    twist = task.twist
    if now >= task.ends_at:
        return _ended(twist)
    work_s = task.ends_at - task.starts_at
    share = max(0.0, (now - task.starts_at) / work_s) if work_s else 0.0
    is_pending = share < _PENDING_SHARE and twist.born == "pending"
    progress = _progress(twist, share)
    if is_pending:
        return View("pending", "pending", progress)
    return View("processing", "processing", progress)


def _ended(twist: Twist) -> View:
    progress: int | None = _FAILED_AT if twist.fails else 100
    if twist.progress in {"low", "missing"}:
        progress = _STUCK_AT if twist.progress == "low" else None
    if twist.fails:
        return View("failed", twist.word or "failed", progress, twist.fails)
    return View("completed", twist.word or "completed", progress)


def _progress(twist: Twist, share: float) -> int | None:
    progress = min(99, int(100 * share))
    match twist.progress:
        case "missing":
            return None
        case "stuck" | "low":
            return min(progress, _STUCK_AT)
        case "back":  # a sawtooth: up to 60, then from 20 again
            return progress if progress < 60 else progress - 40  # noqa: PLR2004
        case "steady":
            return progress
