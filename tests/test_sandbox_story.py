"""How long tasks take, who waits for whom, what progress shows: same seed, same."""

from __future__ import annotations

import json
import math
from statistics import median
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from foxbatch.sandbox import Request, Sandbox, SandboxOptions, handle
from foxbatch.sandbox.messages import ORDINARY, Task, Twist
from foxbatch.sandbox.service.catalogue import Model, models
from foxbatch.sandbox.service.story import (
    FAILURES,
    generation_s,
    throw,
    typical_s,
    view,
)
from tests.pretend import START, VEO, Service
from tests.smallest import ALL, accepted, smallest, veo


def lengths(model: Model, body: dict[str, Any], count: int = 400) -> list[float]:
    asked = accepted(body)
    return sorted(
        generation_s(model, asked, ORDINARY, throw(0, "d", take))
        for take in range(count)
    )


def task(twist: Twist = ORDINARY, **changes: Any) -> Task:  # noqa: ANN401
    """Return a task that is worked on from 0 to 100."""
    fields: dict[str, Any] = {
        "id": "task-x",
        "model": "veo-3.1",
        "created_at": 0.0,
        "starts_at": 0.0,
        "ends_at": 100.0,
        "keeps_s": 10.0,
        "asked": "{}",
        "digest": "d",
        "take": 1,
        "credits": 1,
        "owner": "",
        "twist": twist,
    }
    return Task(**{**fields, **changes})


# ---- Durations


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)
def test_durations_spread_around_the_median_of_each_model(model: Model) -> None:
    body = smallest(model)

    took = lengths(model, body)

    typical = typical_s(model, accepted(body))
    assert median(took) == pytest.approx(typical, rel=0.08)
    logs = [math.log(seconds) for seconds in took]
    mean = sum(logs) / len(logs)
    spread = (sum((value - mean) ** 2 for value in logs) / len(logs)) ** 0.5
    assert spread == pytest.approx(0.3, rel=0.2)
    assert 2 < typical < 700


@pytest.mark.parametrize(
    ("body", "typical"),
    [
        (veo("veo-3.1"), 60),
        (veo("veo-3.1-fast"), 30),
        (veo("veo-3.1-lite"), 36),
        (veo("veo-3.1", resolution="4k"), 96),
        (veo("veo-3.1-fast", duration=4), 30),
        ({"model": "wan2.5-t2v", "prompt": "x"}, 75),
        ({"model": "wan2.5-t2v", "prompt": "x", "duration": 20}, 150),
        ({"model": "gpt-image-2", "prompt": "x"}, 18),
    ],
)
def test_typical_durations(body: dict[str, Any], typical: float) -> None:
    model = models()[body["model"]]

    assert typical_s(model, accepted(body)) == pytest.approx(typical)


@pytest.mark.parametrize(
    ("twist", "seconds"),
    [
        (Twist(born="completed"), 0),
        (Twist(born="failed"), 0),
        (Twist(takes_s=7.5, slower=9), 7.5),
        (Twist(unending=True), 10 * 365 * 24 * 3600),
    ],
)
def test_the_story_may_say_how_long_it_takes(twist: Twist, seconds: float) -> None:
    model = models()["veo-3.1"]

    assert generation_s(model, accepted(veo()), twist, throw(0, "d", 1)) == seconds


def test_slower_is_a_factor() -> None:
    model, asked = models()["veo-3.1"], accepted(veo())

    usual, slow = (
        generation_s(model, asked, twist, throw(0, "d", 1))
        for twist in (ORDINARY, Twist(slower=3))
    )

    assert slow == pytest.approx(3 * usual)


@pytest.mark.parametrize("speed", [0.5, 7, 60])
def test_speed_divides_every_duration_of_the_service(speed: float) -> None:
    slow, fast = Service(), Service(speed=speed)

    (usual,), (hurried,) = (
        [service.sandbox.tasks[service.task()]] for service in (slow, fast)
    )

    took, hurry = usual.ends_at - usual.starts_at, hurried.ends_at - hurried.starts_at
    assert hurry == pytest.approx(took / speed, abs=1e-6)
    assert hurried.keeps_s == usual.keeps_s / speed == 24 * 3600 / speed


def test_songs_are_kept_for_three_days() -> None:
    service = Service()
    service.post("/v1/audio/generations", {"model": "suno-v4", "prompt": "x"})

    (song,) = service.sandbox.tasks.values()

    assert song.keeps_s == 72 * 3600


# ---- Workers


class TestWorkers:
    def spans(self, service: Service) -> list[tuple[float, float]]:
        return [
            (one.starts_at - START, one.ends_at - START)
            for one in service.sandbox.tasks.values()
        ]

    def test_others_wait_for_their_turn_in_order(self) -> None:
        service = Service(workers=2)
        for seconds in (10, 30, 20, 5):
            service.task(prompt=f"[sandbox:slow {seconds}]")

        assert self.spans(service) == [(0, 10), (0, 30), (10, 30), (30, 35)]

    def test_without_workers_nobody_waits(self) -> None:
        service = Service()
        for _ in range(3):
            service.task(prompt="[sandbox:slow 10]")

        assert self.spans(service) == [(0, 10)] * 3

    def test_a_task_without_work_neither_waits_nor_frees_a_worker(self) -> None:
        service = Service(workers=1)
        for seconds in (10, 0, 10):
            service.task(prompt=f"[sandbox:slow {seconds}]")

        assert self.spans(service) == [(0, 10), (0, 0), (10, 20)]

    def test_who_waits_is_pending_without_progress(self) -> None:
        service = Service(workers=1)
        service.task(prompt="[sandbox:slow 50]")
        waiting = service.task(prompt="[sandbox:slow 10]")
        service.later(49)

        told = service.query(waiting)

        assert (told["status"], told["progress"]) == ("pending", 0)

    @given(
        arrivals=st.lists(
            st.tuples(st.floats(0, 30), st.integers(0, 40)), min_size=1, max_size=25
        ),
        workers=st.integers(1, 4),
    )
    def test_no_more_are_at_work_than_there_are_workers(
        self, arrivals: list[tuple[float, int]], workers: int
    ) -> None:
        """At any moment; nobody idles while a task waits, and order is kept."""
        service = Service(workers=workers)
        for wait_s, seconds in arrivals:
            service.later(wait_s)
            service.task(prompt=f"[sandbox:slow {seconds}]")

        tasks = [t for t in service.sandbox.tasks.values() if t.ends_at > t.starts_at]
        starts = [t.starts_at for t in tasks]
        assert starts == sorted(starts)
        for one in tasks:
            at_work = [t for t in tasks if t.starts_at <= one.starts_at < t.ends_at]
            assert len(at_work) <= workers
            if one.starts_at > one.created_at:
                assert any(t.ends_at == one.starts_at for t in tasks)


# ---- What a query shows


@pytest.mark.parametrize(
    ("now", "status", "progress"),
    [
        (-50, "pending", 0),
        (0, "pending", 0),
        (7.9, "pending", 7),
        (8, "processing", 8),
        (50, "processing", 50),
        (99.99, "processing", 99),
        (100, "completed", 100),
        (1e9, "completed", 100),
    ],
)
def test_a_task_goes_from_pending_to_completed(
    now: float, status: str, progress: int
) -> None:
    seen = view(task(), now)

    assert (seen.status, seen.word, seen.progress) == (status, status, progress)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("steady", [0, 30, 59, 60, 90, 99, 100]),
        ("stuck", [0, 30, 40, 40, 40, 40, 100]),
        ("back", [0, 30, 59, 20, 50, 59, 100]),
        ("low", [0, 30, 40, 40, 40, 40, 40]),
        ("missing", [None] * 7),
    ],
)
def test_progress_has_every_form_that_was_seen(
    form: Any,  # noqa: ANN401
    told: list[int | None],
) -> None:
    one = task(Twist(progress=form))

    seen = [view(one, now).progress for now in (0, 30, 59.5, 60, 90, 99.9, 100)]

    assert seen == told


def test_a_missing_progress_is_no_field_at_all() -> None:
    service = Service()
    name = service.task()
    old = service.sandbox.tasks[name]
    fields = {field: getattr(old, field) for field in Task.__slots__}
    fields["twist"] = Twist(progress="missing")
    service.sandbox.tasks[name] = Task(**fields)

    assert "progress" not in service.query(name)


@pytest.mark.parametrize(
    ("twist", "status", "word", "progress", "code"),
    [
        (Twist(fails="x"), "failed", "failed", 99, "x"),
        (Twist(fails="x", progress="low"), "failed", "failed", 40, "x"),
        (Twist(word="cancelled"), "completed", "cancelled", 100, ""),
        (Twist(word="odd", fails="x"), "failed", "odd", 99, "x"),
    ],
)
def test_how_a_task_ends(
    twist: Twist, status: str, word: str, progress: int, code: str
) -> None:
    seen = view(task(twist), 100)

    assert (seen.status, seen.word, seen.progress, seen.code) == (
        status,
        word,
        progress,
        code,
    )


def test_a_task_born_processing_is_never_pending() -> None:
    assert view(task(Twist(born="processing")), 0).status == "processing"


def test_every_known_failure_has_a_sentence_and_so_have_others() -> None:
    seen = [view(task(Twist(fails=code)), 100).message for code in [*FAILURES, "odd"]]

    assert seen == [*FAILURES.values(), "The generation failed."]


@given(
    times=st.lists(st.floats(-10, 200), max_size=20).map(sorted),
    wait_s=st.floats(0, 50),
    work_s=st.floats(0, 100),
    born=st.sampled_from(["pending", "processing"]),
)
def test_time_never_turns_back(
    times: list[float],
    wait_s: float,
    work_s: float,
    born: Any,  # noqa: ANN401
) -> None:
    one = task(Twist(born=born), starts_at=wait_s, ends_at=wait_s + work_s)
    order = ["pending", "processing", "completed"]

    seen = [view(one, now) for now in times]

    assert [order.index(s.status) for s in seen] == sorted(
        order.index(s.status) for s in seen
    )
    progress = [s.progress for s in seen if s.progress is not None]
    assert progress == sorted(progress)
    assert all((s.progress == 100) is (s.status == "completed") for s in seen)


# ---- The same story


def stories(bodies: list[dict[str, Any]], seed: int) -> dict[tuple[str, int], object]:
    """Submit *bodies* in their order, and return what became of each."""
    sandbox = Sandbox(options=SandboxOptions(seed=seed))
    for body in bodies:
        request = Request(
            method="POST",
            path="/v1/videos/generations",
            headers={"content-type": "application/json"},
            body=json.dumps(body).encode(),
        )
        handle(sandbox, request, START)
        handle(sandbox, Request(method="GET", path="/v1/tasks/x"), START)
    return {(t.digest, t.take): t for t in sandbox.tasks.values()}


@settings(max_examples=50)
@given(
    prompts=st.lists(st.integers(0, 5), min_size=1, max_size=15),
    data=st.data(),
    seed=st.integers(0, 3),
)
def test_the_same_seed_tells_the_same_story_however_requests_interleave(
    prompts: list[int], data: st.DataObject, seed: int
) -> None:
    bodies = [{**VEO, "prompt": f"Fox {number}"} for number in prompts]
    shuffled = data.draw(st.permutations(bodies))

    assert stories(bodies, seed) == stories(shuffled, seed)


def test_another_seed_tells_another_story() -> None:
    first, second = (stories([dict(VEO)], seed) for seed in (1, 2))

    assert first.keys() == second.keys()
    assert first != second


def test_equal_requests_take_different_times() -> None:
    service = Service()

    ends = {service.sandbox.tasks[service.task()].ends_at for _ in range(20)}

    assert len(ends) == 20
