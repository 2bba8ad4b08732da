"""What the sandbox tells about itself: counts that add up, and lists that end."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, strategies as st

from foxbatch.sandbox import Clip, Reply
from tests.pretend import START, Service, said

ARABIC_THREE = "\N{ARABIC-INDIC DIGIT THREE}"
PAGES = ("stats", "tasks", "recent", "overview")


def page(service: Service, name: str, **query: str) -> dict[str, object]:
    reply = service.send("GET", f"/sandbox/{name}", key=None, query=query)
    assert reply.status == 200
    return said(reply)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_needs_no_key_and_is_not_counted(name: str) -> None:
    service = Service(keys={"sk-a": None}, requests_per_s=1)
    empty = page(service, name)

    again = page(service, name)

    assert again == empty
    assert not service.sandbox.requests
    assert not service.sandbox.accounts


def test_statistics_count_everything() -> None:
    service = Service()
    task = service.task(prompt="[sandbox:slow 10]")
    service.task(prompt="[sandbox:slow 10]")
    service.later(20)
    service.submit(key="sk-other")
    service.submit(duration=5)
    service.submit(prompt="[sandbox:lost-reply]")
    service.query(task)
    service.ask("none")
    service.get("/elsewhere")
    service.get(f"/files/{task}/0.mp4", key=None)

    stats = said(service.get("/sandbox/stats"))

    digests: dict[str, int] = stats.pop("by_request_digest")
    assert sorted(digests.values()) == [1, 1, 2]
    by_key: dict[str, dict[str, int]] = stats.pop("by_key")
    assert sorted(by_key.values(), key=str) == [
        {"created": 1, "credits_reserved": 80, "credits_used": 0},
        {"created": 3, "credits_reserved": 80, "credits_used": 160},
    ]
    assert stats == {
        "created": 4,
        "billed_credits": 4 * 80,
        "requests": {
            "POST /v1/videos/generations": {"200": 3, "422": 1, "dropped": 1},
            "GET /v1/tasks/{id}": {"200": 1, "404": 1},
            "GET /files/{id}/{name}": {"200": 1},
            "other": {"404": 1},
        },
        "faults": {},
        "uploads": 0,
        "callbacks": {},
        "in_flight": 2,
        "in_flight_peak": 2,
    }


def test_a_route_is_counted_by_its_name_however_many_paths_it_has() -> None:
    service = Service()
    for number in range(500):
        service.ask(f"task-{number}")
        service.get(f"/x/{number}")

    assert len(service.sandbox.requests) == 2


class TestTasks:
    def test_they_are_listed_newest_first(self) -> None:
        service = Service()
        older = service.task(prompt="A")
        service.later(9)
        newer = service.task(prompt="B")

        listed = said(service.get("/sandbox/tasks"))

        assert [task["id"] for task in listed["tasks"]] == [newer, older]
        first = listed["tasks"][0]
        assert (listed["total"], first["prompt"], first["status"]) == (
            2,
            "B",
            "pending",
        )
        assert first["request_digest"] in service.sandbox.takes
        assert (first["take"], first["created"]) == (1, int(START) + 9)

    @pytest.mark.parametrize(
        ("query", "prompts"),
        [
            ({}, "43210"),
            ({"limit": "2"}, "43"),
            ({"limit": "2", "offset": "1"}, "32"),
            ({"offset": "4"}, "0"),
            ({"offset": "5"}, ""),
            ({"limit": "0"}, ""),
            ({"offset": "999999999"}, ""),
        ],
    )
    def test_a_part_can_be_asked_for(self, query: dict[str, str], prompts: str) -> None:
        service = Service()
        for number in range(5):
            service.task(prompt=str(number))

        listed = said(service.get("/sandbox/tasks", **query))

        assert "".join(task["prompt"] for task in listed["tasks"]) == prompts
        assert listed["total"] == 5

    @pytest.mark.parametrize("name", ["limit", "offset"])
    @pytest.mark.parametrize("text", ["-1", "x", "", "9" * 5000, ARABIC_THREE])
    def test_what_is_no_number_is_refused(self, name: str, text: str) -> None:
        reply = Service().get("/sandbox/tasks", **{name: text})

        assert reply.status == 422


class TestRecent:
    def test_requests_are_numbered_and_come_oldest_first(self) -> None:
        service = Service()
        service.submit()
        service.ask("x")

        told = said(service.get("/sandbox/recent"))

        assert (told["seq"], told["now"]) == (2, START)
        first, second = told["entries"]
        (task,) = service.sandbox.tasks
        assert first == {
            "seq": 1,
            "at": START,
            "method": "POST",
            "route": "POST /v1/videos/generations",
            "path": "/v1/videos/generations",
            "status": 200,
            "model": "veo-3.1-fast",
            "task": task,
            "fault": "",
            "credits": 80,
        }
        assert (second["seq"], second["status"], second["credits"]) == (2, 404, 0)

    @pytest.mark.parametrize(
        ("after", "numbers"),
        [("0", [1, 2, 3]), ("2", [3]), ("3", [])],
    )
    def test_only_what_is_new_can_be_asked_for(
        self, after: str, numbers: list[int]
    ) -> None:
        service = Service()
        for _ in range(3):
            service.ask("x")

        entries = said(service.get("/sandbox/recent", after=after))["entries"]

        assert [entry["seq"] for entry in entries] == numbers

    @pytest.mark.parametrize("after", ["-1", "x", "9" * 5000, ARABIC_THREE])
    def test_what_is_no_number_is_refused(self, after: str) -> None:
        assert Service().get("/sandbox/recent", after=after).status == 422

    def test_only_the_last_are_kept_and_long_paths_are_cut(self) -> None:
        service = Service()
        for _ in range(250):
            service.get("/" + "x" * 10_000)

        told = said(service.get("/sandbox/recent"))

        assert [told["entries"][0]["seq"], told["seq"]] == [51, 250]
        assert {len(entry["path"]) for entry in told["entries"]} == {200}

    def test_bytes_that_are_no_text_are_shown_as_something(self) -> None:
        service = Service()
        service.get("/\udcff\udcfe")

        (entry,) = said(service.get("/sandbox/recent"))["entries"]

        assert entry["path"] == "/??"


class TestOverview:
    def test_it_shows_the_newest_tasks_with_their_results(self) -> None:
        service = Service(credits=10_000)
        for number in range(60):
            service.task(prompt=f"Fox {number}")
        newest = service.task(prompt="[sandbox:slow 1]")
        service.later(1)

        told = said(service.get("/sandbox/overview"))

        assert (told["created"], len(told["tasks"])) == (61, 50)
        assert told["tasks"][0] == {
            "id": newest,
            "created": int(START),
            "model": "veo-3.1-fast",
            "status": "completed",
            "progress": 100,
            "credits_reserved": 80,
            "prompt": "[sandbox:slow 1]",
            "results": [f"http://sandbox.invalid/files/{newest}/0.mp4"],
            "fault": "",
        }
        assert told["tasks"][1]["results"] == []
        (account,) = told["accounts"]
        assert (account["credits"], account["used"]) == (10_000, 80)
        assert told["plan"] is None

    @given(
        steps=st.lists(
            st.tuples(
                st.sampled_from(["A fox", "[sandbox:fail x]", "[sandbox:slow 0]"]),
                st.floats(0, 20),
            ),
            max_size=20,
        ),
        looks=st.sets(st.integers(0, 20)),
    )
    def test_the_counts_are_those_of_the_tasks_whenever_one_looks(
        self, steps: list[tuple[str, float]], looks: set[int]
    ) -> None:
        service = Service()
        for number, (prompt, wait_s) in enumerate(steps):
            service.submit(prompt=prompt)
            service.later(wait_s)
            if number in looks:
                service.get("/sandbox/overview")

        told = said(service.get("/sandbox/overview"))
        listed = said(service.get("/sandbox/tasks"))["tasks"]

        assert told["by_status"] == Counter(task["status"] for task in listed)
        assert told["in_flight"] == sum(
            count
            for word, count in told["by_status"].items()
            if word in {"pending", "processing"}
        )

    def test_it_names_the_plan(self) -> None:
        told = said(Service("storm").get("/sandbox/overview"))

        assert told["plan"]["name"] == "storm"

    def test_a_link_on_it_leads_to_the_file(self) -> None:
        service = Service()
        service.task(prompt="[sandbox:slow 0]")

        (task,) = said(service.get("/sandbox/overview"))["tasks"]
        reply: Reply = service.file(task["results"][0])

        assert isinstance(reply.media, Clip)
