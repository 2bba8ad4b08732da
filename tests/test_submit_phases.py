"""What a run makes of each way a submission ends: phase, exit code, and one POST."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests import peers
from tests.cli import MANIFEST, Type
from tests.peers import Certificate, Handler, Peer, says
from tests.sockets import PATIENCE_S
from tests.submitting import (
    ACCEPTED,
    KEY,
    Trust,
    reply,
)

pytestmark = pytest.mark.usefixtures("impatient")

BUY = (
    MANIFEST.replace("sandbox", "foxapi").replace(", A stormy sea", "")
    + "retry: {unreachable: 0.1, busy: 0.1}\n"
)


@contextmanager
def no_peer() -> Iterator[Peer]:
    """Give a peer at whose place nobody listens."""
    peer = Peer(says())
    peer.close()
    yield peer


def at(handler: Handler) -> Callable[[], AbstractContextManager[Peer]]:
    return lambda: Peer(handler)


@pytest.fixture
def run(
    type_: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Give a function that buys one job and returns exit code, phase and words."""

    def run(url: str, *options: str) -> tuple[int, str, str]:
        monkeypatch.setenv("FOXAPI_API_KEY", KEY)
        monkeypatch.setenv("FOXAPI_BASE_URL", url)
        monkeypatch.chdir(tmp_path)
        Path("sea.yaml").write_text(BUY)
        ended = type_("run", "sea.yaml", "--yes", "--detach", *options)
        shown = type_("status", "sea.yaml", "--format", "json")
        assert shown.out, ended.err + shown.err
        status = json.loads(shown.out)
        (job,) = status["jobs"]
        assert KEY not in ended.out + ended.err
        return ended.code, job["phase"], ended.err

    return run


Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("place", "code", "phase", "posts", "words"),
    [
        pytest.param(
            no_peer, 8, "new", 0, "could not be made: refused", id="nobody listens"
        ),
        pytest.param(at(says(ACCEPTED)), 0, "running", 1, "", id="accepted"),
        pytest.param(at(says(b"")), 11, "held", 1, "broke", id="no answer"),
        pytest.param(at(peers.resets), 11, "held", 1, "broke", id="reset"),
        pytest.param(at(peers.silent), 11, "held", 1, "no answer", id="silence"),
        pytest.param(
            at(says(reply("502 Bad"))), 11, "held", 1, "status 502", id="bad gateway"
        ),
        pytest.param(at(says(reply("200 OK"))), 6, "held", 1, "200", id="no id"),
        pytest.param(at(says(reply("400 No"))), 10, "failed", 1, "", id="bad input"),
        pytest.param(at(says(reply("401 No"))), 6, "new", 1, "401", id="bad key"),
        pytest.param(
            at(says(reply("302 There", b"", "Location: /there"))),
            6,
            "new",
            1,
            "it redirects to /there",
            id="bad address",
        ),
    ],
)
def test_one_submission(
    run: Run,
    *,
    place: Callable[[], AbstractContextManager[Peer]],
    code: int,
    phase: str,
    posts: int,
    words: str,
) -> None:
    with place() as peer:
        ended = run(peer.url())

    assert ended[:2] == (code, phase), ended[2]
    assert words in ended[2]
    assert peer.posts == posts


def test_what_failed_in_the_handshake_is_bought_once_by_the_next_run(
    run: Run, ours: Certificate, trusted: Trust
) -> None:
    with Peer(peers.over_tls(ours.context, says(ACCEPTED))) as peer:
        first = run(peer.url("https"))
        before = peer.posts
        trusted(ours)
        second = run(peer.url("https"))

    assert first[:2] == (8, "new")
    assert "TLS failed: self-signed certificate" in first[2]
    assert (second[:2], before, peer.posts) == ((0, "running"), 0, 1)


def test_what_is_held_is_not_sent_again_by_the_next_run(run: Run) -> None:
    with Peer(peers.resets) as peer:
        first, second = run(peer.url()), run(peer.url())

    assert first[:2] == second[:2] == (11, "held")
    assert peer.posts == 1


@pytest.mark.skipif(os.name == "nt", reason="signals are another matter there")
@pytest.mark.parametrize(
    ("handler", "scheme", "phase"),
    [
        pytest.param(peers.deaf, "https", "new", id="while it connects"),
        pytest.param(peers.silent, "http", "held", id="under way"),
    ],
)
def test_only_a_submission_that_began_is_held_after_an_interruption(
    type_: Type, tmp_path: Path, handler: Handler, scheme: str, phase: str
) -> None:
    (tmp_path / "sea.yaml").write_text(BUY)
    command = [sys.executable, "-m", "foxbatch", "run", "sea.yaml", "--yes"]
    with Peer(handler) as peer:
        environ = {**os.environ, "FOXAPI_API_KEY": KEY}
        environ["FOXAPI_BASE_URL"] = peer.url(scheme)
        with subprocess.Popen(
            command, cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True
        ) as process:
            for _what in ("a look at the account", "the submission"):
                assert peer.arrived.acquire(timeout=PATIENCE_S)
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            while "interrupted" not in process.stderr.readline():
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE_S)

    status = type_("status", tmp_path / "sea.yaml", "--format", "json")
    assert process.returncode == 130
    assert [job["phase"] for job in json.loads(status.out)["jobs"]] == [phase]
    assert peer.posts == (phase == "held")
