"""The gallery on a real socket: who may ask, what is answered, what is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec
import pytest

from foxbatch import api
from foxbatch.clock import SystemClock
from foxbatch.events import JobPlanned, JobSucceeded, StatusSeen
from foxbatch.report.ratings import append, read_opinion, read_ratings
from foxbatch.report.serving import Showing
from foxbatch.report.watching import Watching
from tests.browser.galleries import make_run, some_fail
from tests.cli import MANIFEST, Type
from tests.growing import Growing

PATIENCE_S = 20.0


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("finished"), fate=some_fail)


@pytest.fixture
def growing(finished: Path, tmp_path: Path) -> Growing:
    return Growing(finished, tmp_path / "run")


@pytest.fixture
def shown(growing: Growing) -> Iterator[httpx.Client]:
    """A client that knows the token, of a gallery whose jobs are only planned."""
    growing.tell(1 + sum(isinstance(fact, JobPlanned) for fact in growing.facts))
    with opened(growing.path) as client:
        yield client


class opened:  # noqa: N801  a context, used like a function
    """Serve run directories; give a client that knows the token."""

    def __init__(self, *run_dirs: Path) -> None:
        runs = [(path.name, path) for path in run_dirs]
        self._showing = Showing(Watching("A title", runs), who="ada")

    def __enter__(self) -> httpx.Client:
        url = httpx.URL(self._showing.__enter__().url)
        headers = {"X-Foxbatch-Token": url.params["token"]}
        base = f"http://127.0.0.1:{url.port}"
        self._client = httpx.Client(
            base_url=base, headers=headers, timeout=PATIENCE_S
        ).__enter__()
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._showing.__exit__()


class Listening:
    """The events of one page, as they come."""

    def __init__(self, client: httpx.Client, since: str, *, last: str = "") -> None:
        headers = {"Last-Event-ID": last} if last else {}
        self._stream = client.stream(
            "GET", "/events", params={"since": since}, headers=headers
        )

    def __enter__(self) -> Self:
        self._lines = self._stream.__enter__().iter_lines()
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.__exit__(None, None, None)

    def next(self, name: str) -> Any:  # noqa: ANN401
        """Return what the next event of that name says."""
        heard = ""
        for line in self._lines:
            heard = line[7:] if line.startswith("event: ") else heard
            if line.startswith("data: ") and heard == name:
                return json.loads(line[6:])
        raise AssertionError("the stream has ended")


def moment(client: httpx.Client) -> str:
    return str(client.get("/data").headers["X-Foxbatch-Moment"])


def cells(client: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/data").json()["cells"]
    return found


class TestWhoMayAsk:
    def test_the_token_becomes_a_cookie_and_leaves_the_address(
        self, shown: httpx.Client
    ) -> None:
        token = shown.headers.pop("X-Foxbatch-Token")

        reply = shown.get("/", params={"token": token})

        assert reply.status_code == 303
        assert reply.headers["Location"] == "/"
        cookie = reply.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        page = shown.get("/")  # with the cookie
        assert page.status_code == 200
        assert f'<meta name="foxbatch-live" content="{token}" data-who="ada">' in (
            page.text
        )
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert shown.get("/data").status_code == 200

    @pytest.mark.parametrize(
        "path", ["/", "/data", "/details?cell=0", "/events", "/ratings", "/files/0/x"]
    )
    def test_without_a_token_nothing_is_told(
        self, shown: httpx.Client, path: str
    ) -> None:
        del shown.headers["X-Foxbatch-Token"]

        reply = shown.get(path)

        assert reply.status_code == 403
        assert "foxbatch view" in reply.text

    @pytest.mark.parametrize(
        "headers",
        [
            pytest.param({"Host": "evil.example"}, id="another name"),
            pytest.param({"Host": "127.0.0.1:1"}, id="another port"),
            pytest.param({"X-Foxbatch-Token": "x"}, id="another token"),
            pytest.param({"Sec-Fetch-Site": "cross-site"}, id="another site"),
            pytest.param({"Sec-Fetch-Site": "same-site"}, id="another port's page"),
        ],
    )
    def test_a_request_from_elsewhere_is_refused(
        self, shown: httpx.Client, headers: dict[str, str]
    ) -> None:
        assert shown.get("/data", headers=headers).status_code == 403

    def test_a_wrong_token_in_the_address_is_refused(self, shown: httpx.Client) -> None:
        assert shown.get("/", params={"token": "x"}).status_code == 403

    def test_nothing_but_ratings_can_be_sent(self, shown: httpx.Client) -> None:
        assert shown.post("/data").status_code == 405
        assert shown.delete("/ratings").status_code == 405


class TestWhatIsAnswered:
    def test_the_gallery_is_that_of_a_report(
        self, shown: httpx.Client, growing: Growing
    ) -> None:
        growing.tell_the_rest()

        gallery = shown.get("/data").json()

        records = api.results(growing.path)
        assert [cell["job"] for cell in gallery["cells"]] == [r.job for r in records]
        assert [cell["phase"] for cell in gallery["cells"]] == [
            record.phase for record in records
        ]
        assert gallery["title"] == "A title"
        details = shown.get("/details", params={"cell": 3}).json()
        assert json.loads(details["request"]) == records[3].request

    @pytest.mark.parametrize("cell", ["-1", "12", "x", ""])
    def test_there_are_no_details_of_what_is_not_there(
        self, shown: httpx.Client, cell: str
    ) -> None:
        shown.get("/data")

        assert shown.get("/details", params={"cell": cell}).status_code == 404

    def test_a_part_of_a_film_is_given(
        self, shown: httpx.Client, growing: Growing
    ) -> None:
        growing.tell_the_rest()
        file = next(cell["files"][0] for cell in cells(shown) if cell["files"])

        reply = shown.get(f"/files/0/{file['path']}", headers={"Range": "bytes=4-7"})

        assert reply.status_code == 206
        assert reply.content == b"ftyp"
        assert reply.headers["Content-Type"] == "video/mp4"
        assert "sandbox" in reply.headers["Content-Security-Policy"]

    @pytest.mark.parametrize(
        "path",
        [
            "0/results.jsonl",
            "0/artifacts/../results.jsonl",
            "0/artifacts/%2e%2e/results.jsonl",
            "0/artifacts%2f..%2fresults.jsonl",
            "0/",
            "1/results.jsonl",
            "x/results.jsonl",
            "0//etc/passwd",
        ],
    )
    def test_only_files_that_a_cell_names_are_given(
        self, shown: httpx.Client, growing: Growing, path: str
    ) -> None:
        growing.tell_the_rest()
        shown.get("/data")

        assert shown.get(f"/files/{path}").status_code == 404

    def test_a_link_out_of_the_run_is_not_followed(
        self, shown: httpx.Client, growing: Growing
    ) -> None:
        growing.tell_the_rest()
        file = next(cell["files"][0] for cell in cells(shown) if cell["files"])
        outside = growing.path.parent / "secret"
        outside.write_text("secret")
        (growing.path / file["path"]).unlink()
        (growing.path / file["path"]).symlink_to(outside)

        assert shown.get(f"/files/0/{file['path']}").status_code == 404


class TestRatings:
    def rating(self, client: httpx.Client) -> dict[str, object]:
        cell = next(cell for cell in cells(client) if cell["files"])
        return {"job": cell["job"], "sha256": cell["files"][0]["sha256"], "stars": 4}

    def test_they_are_kept_in_the_run(
        self, shown: httpx.Client, growing: Growing
    ) -> None:
        growing.tell_the_rest()
        rating = self.rating(shown)

        reply = shown.post("/ratings", json=rating)

        (line,) = read_ratings(growing.path)
        assert line.who == "ada"
        (read,) = shown.get("/ratings").json()
        assert reply.json() == read
        assert {**read, **rating} == read

    def test_a_cookie_alone_sends_none(
        self, shown: httpx.Client, growing: Growing
    ) -> None:
        growing.tell_the_rest()
        rating = self.rating(shown)
        token = shown.headers.pop("X-Foxbatch-Token")
        shown.get("/", params={"token": token})

        assert shown.post("/ratings", json=rating).status_code == 403
        assert read_ratings(growing.path) == []

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"stars": 6}, id="too many stars"),
            pytest.param({"job": "nobody"}, id="no such job"),
            pytest.param({"job": "../x"}, id="no job"),
        ],
    )
    def test_what_makes_no_sense_is_refused(
        self, shown: httpx.Client, growing: Growing, change: dict[str, object]
    ) -> None:
        growing.tell_the_rest()

        reply = shown.post("/ratings", json={**self.rating(shown), **change})

        assert reply.status_code == 400
        assert reply.text

    def test_each_run_keeps_its_own(self, finished: Path, tmp_path: Path) -> None:
        one, two = tmp_path / "one", tmp_path / "two"
        for path in (one, two):
            Growing(finished, path).tell_the_rest()
        (two / "ledger").rename(tmp_path / "away")

        with opened(two, one) as client:
            shown = self.rating(client)
            assert client.post("/ratings", json=shown).status_code == 200

        assert len(read_ratings(one)) == 1
        assert read_ratings(two) == []

    def test_they_are_told_to_all_who_watch(
        self, shown: httpx.Client, growing: Growing
    ) -> None:
        growing.tell_the_rest()
        rating = self.rating(shown)
        kept = [shown.post("/ratings", json={**rating, "stars": 1}).json()]
        since = moment(shown)

        with Listening(shown, since) as one, Listening(shown, since) as other:
            one.next("state")
            other.next("state")
            kept.append(shown.post("/ratings", json=rating).json())
            told = [one.next("ratings"), other.next("ratings")]
            # Another foxbatch on the same directory, as somebody else.
            line = append(growing.path, "zoe", read_opinion(as_json(rating)), CLOCK)
            heard = one.next("ratings")

        assert told == [kept[1:]] * 2
        assert heard == [json.loads(as_json(line))]
        assert shown.get("/ratings").json() == [*kept, *heard]


CLOCK = SystemClock()
as_json = msgspec.json.encode


class TestWhatIsTold:
    def test_a_fact_changes_its_cell_alone(
        self, shown: httpx.Client, growing: Growing
    ) -> None:
        before = cells(shown)
        with Listening(shown, moment(shown)) as page:
            told = growing.tell_until(StatusSeen)

            news = page.next("cells")

        assert isinstance(told, StatusSeen)
        changed = {before[place]["job"]: cell for place, cell in news["cells"]}
        assert told.job in changed
        assert len(changed) < len(before)
        assert "axes" not in news

    def test_many_facts_are_told_together_and_none_is_lost(
        self, shown: httpx.Client, growing: Growing
    ) -> None:
        seen = {cell["job"]: cell for cell in cells(shown)}
        with Listening(shown, moment(shown)) as page:
            growing.tell_until(JobSucceeded)
            growing.tell_the_rest()
            fates = {record.job: record.phase for record in api.results(growing.path)}
            while any(seen[job]["phase"] != fates[job] for job in fates):
                for _, cell in page.next("cells")["cells"]:
                    seen[cell["job"]] = cell

        assert list(seen.values()) == cells(shown)

    def test_a_page_that_was_away_hears_only_what_it_missed(
        self, shown: httpx.Client, growing: Growing
    ) -> None:
        growing.tell_until(JobSucceeded)
        then = moment(shown)
        told = growing.tell_until(JobSucceeded)
        assert isinstance(told, JobSucceeded)

        with Listening(shown, "nothing", last=then) as page:
            news = page.next("cells")

        assert told.job in [cell["job"] for _, cell in news["cells"]]
        assert len(news["cells"]) < 12

    def test_a_page_of_another_server_begins_anew(self, shown: httpx.Client) -> None:
        with Listening(shown, "1234-1") as page:
            assert page.next("anew") == {}

    def test_new_jobs_bring_their_axes(self, growing: Growing) -> None:
        growing.tell(4)
        with opened(growing.path) as client, Listening(client, moment(client)) as page:
            before = client.get("/data").json()
            growing.tell(9)

            news = page.next("cells")

        assert len(before["cells"]) == 3
        assert [place for place, _ in news["cells"]] == list(range(3, 12))
        values = {axis["id"]: axis["values"] for axis in news["axes"]}
        assert values["prompt"] == ["fox", "boat"]
        assert len(news["prompts"]) == 6

    def test_a_ledger_that_was_replaced_begins_the_page_anew(
        self, shown: httpx.Client, growing: Growing
    ) -> None:
        with Listening(shown, moment(shown)) as page:
            growing.ledger.write_bytes(b"".join(growing._lines[:5]))  # noqa: SLF001

            assert page.next("anew") == {}

        assert len(cells(shown)) == 4

    def test_a_damaged_ledger_is_told_and_the_page_stays(
        self, shown: httpx.Client, growing: Growing
    ) -> None:
        with Listening(shown, moment(shown)) as page:
            with growing.ledger.open("ab") as file:
                file.write(b"no fact\n")

            while (said := page.next("state"))["state"] != "damaged":
                pass

        assert growing.ledger.name in said["why"]
        assert len(cells(shown)) == 12

    def test_the_end_is_told(self, growing: Growing) -> None:
        growing.tell_the_rest()
        context = opened(growing.path)
        client = context.__enter__()
        with Listening(client, moment(client)) as page:
            assert page.next("state") == {"state": "ended", "why": ""}
            context._showing.__exit__()  # noqa: SLF001

            assert page.next("state")["state"] == "gone"
        client.close()


def test_ten_thousand_looks_read_the_ledger_once(
    growing: Growing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read is not read again, however often somebody looks."""
    growing.tell_until(JobSucceeded)
    watching = Watching("x", [("run", growing.path)])
    assert watching.look()
    read: list[int] = []
    opens = Path.open

    def counted(path: Path, *arguments: Any, **more: Any) -> Any:  # noqa: ANN401
        read.append(1)
        return opens(path, *arguments, **more)

    monkeypatch.setattr(Path, "open", counted)
    for _ in range(1000):
        assert not watching.look()

    assert read == []


def test_ctrl_c_leaves_nothing_behind(finished: Path, tmp_path: Path) -> None:
    run = Growing(finished, tmp_path / "run")
    run.tell_the_rest()
    before = {path for path in run.path.rglob("*") if ".posters" not in path.parts}
    command = [sys.executable, "-m", "foxbatch", "view", str(run.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert httpx.get(url).status_code == 303

        process.send_signal(signal.SIGINT)

        assert process.wait(PATIENCE_S) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    after = {path for path in run.path.rglob("*") if ".posters" not in path.parts}
    assert after == before


def test_a_damaged_ledger_is_refused_at_once(growing: Growing, type_: Type) -> None:
    growing.ledger.write_bytes(b"no fact\n")

    ended = type_("view", growing.path)

    assert ended.code == 4
    assert "not a JSON object" in ended.err


def test_without_aiohttp_the_extra_is_named(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "aiohttp.py").write_text("raise ImportError('not here')\n")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "foxbatch", "view", str(finished)]

    ended = subprocess.run(
        command, env=environ, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 2
    assert "pip install 'foxbatch[view]'" in ended.stderr


def test_a_run_shows_itself_while_it_goes_on(tmp_path: Path) -> None:
    opened, programs = tmp_path / "opened", tmp_path / "bin"
    programs.mkdir()
    for name in ("xdg-open", "open"):
        opener = programs / name
        opener.write_text(f'#!/bin/sh\necho "$@" >> {opened}\n')
        opener.chmod(0o755)
    (tmp_path / "sea.yaml").write_text(MANIFEST)
    environ = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "BROWSER": str(programs / "open"),
    }
    command = [sys.executable, "-m", "foxbatch", "run", "sea.yaml", "--view"]

    ended = subprocess.run(
        [*command, "--speed", "1000"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert "the gallery: http://127.0.0.1:" in ended.stderr
    told = ended.stderr.split("the gallery: ")[1].split()[0]
    assert told in opened.read_text()
    with pytest.raises(httpx.ConnectError):  # nobody is there to look any longer
        httpx.get(told)
