"""Facts on one line each: what is written is read, what is not known is refused."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from foxbatch.events import (
    WORDS,
    Event,
    StatusSeen,
    SubmitAccepted,
    decode,
    encode,
    word,
)
from tests.facts import (
    ACCEPTED,
    ENDED,
    EVERY_KIND,
    FAILED,
    FIRST,
    JOB,
    RUN,
    STATUS,
    TASK,
    stamped,
)


def line(**fields: object) -> bytes:
    """Return the line of a fact that is whole but for *fields*; None leaves out."""
    whole: dict[str, object] = json.loads(encode(stamped(ENDED))) | fields
    kept = {name: value for name, value in whole.items() if value is not None}
    return json.dumps(kept).encode()


def test_there_is_a_fact_of_every_kind_to_test_with() -> None:
    assert [type(event) for event in EVERY_KIND] == list(get_args(Event))


def test_the_words_are_the_format() -> None:
    assert [word(event) for event in EVERY_KIND] == [
        "run.started",
        "job.planned",
        "submit.intended",
        "submit.accepted",
        "submit.refused",
        "submit.unknown",
        "submit.settled",
        "status.seen",
        "results.seen",
        "watch.ended",
        "artifact.stored",
        "job.succeeded",
        "job.failed",
        "batch.halted",
        "account.seen",
        "run.ended",
    ]
    assert {word(event) for event in EVERY_KIND} == WORDS


@pytest.mark.parametrize("event", EVERY_KIND, ids=word)
def test_what_was_written_is_read(event: Event) -> None:
    written = encode(stamped(event))

    assert decode(written) == stamped(event)
    assert written.endswith(b"}\n")
    assert written.count(b"\n") == 1


def test_a_fact_is_spelled_like_this() -> None:
    fact = SubmitAccepted(job=JOB, attempt=FIRST, task=TASK)

    assert json.loads(encode(stamped(fact))) == {
        "event": "submit.accepted",
        "v": 1,
        "seq": 1,
        "at": "2026-01-02T03:04:05.000Z",
        "run": RUN,
        "job": JOB,
        "attempt": FIRST,
        "task": TASK,
    }


def test_ids_that_many_facts_say_are_in_memory_once() -> None:
    bought, seen = decode(encode(stamped(ACCEPTED))), decode(encode(stamped(STATUS)))

    assert isinstance(bought, SubmitAccepted)
    assert isinstance(seen, StatusSeen)
    assert bought.run is seen.run
    assert bought.job is seen.job
    assert bought.attempt is seen.attempt


def test_a_failure_class_is_called_class_in_the_file() -> None:
    assert json.loads(encode(stamped(FAILED)))["class"] == "content"


def test_the_order_of_keys_and_the_line_ends_of_windows_mean_nothing() -> None:
    fields = json.loads(encode(stamped(ACCEPTED)))
    turned = json.dumps(dict(reversed(fields.items()))).encode()

    assert decode(turned + b"\r\n") == stamped(ACCEPTED)


def test_a_field_that_a_newer_foxbatch_added_is_passed_over() -> None:
    assert decode(line(mood="good")) == stamped(ENDED)


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        pytest.param(b"", "not a JSON object", id="empty"),
        pytest.param(b"\0\0\0", "not a JSON object", id="NULs"),
        pytest.param(b"[1]", "not a JSON object", id="a list"),
        pytest.param(b"<<<<<<< HEAD", "not a JSON object", id="a merge conflict"),
        pytest.param(line()[:-1], "not a JSON object", id="cut"),
        pytest.param(
            line(why="\xff").replace(b"\\u00ff", b"\xff"), "utf-8", id="bytes"
        ),
        pytest.param(line(event="job.sold"), "unknown event 'job.sold'", id="word"),
        pytest.param(line(event=None), "unknown event None", id="no word"),
        pytest.param(line(event=["x"]), r"unknown event \['x'\]", id="a list of words"),
        pytest.param(line(why=None), "a run.ended that is not complete", id="field"),
        pytest.param(line(why=3), "a run.ended that is not complete", id="type"),
        pytest.param(line(v=2), "format 2, .* up to 1", id="newer"),
        pytest.param(
            line(v=2, event="job.sold", why=None),
            "format 2, .* up to 1",
            id="newer with a new word",
        ),
        pytest.param(line(v=None), "v, seq, at and run are incomplete", id="no v"),
        pytest.param(line(v=0), "v, seq, at and run are incomplete", id="v 0"),
        pytest.param(line(seq=None), "v, seq, at and run are incomplete", id="no seq"),
        pytest.param(line(at=None), "v, seq, at and run are incomplete", id="no at"),
        pytest.param(line(run=None), "v, seq, at and run are incomplete", id="no run"),
    ],
)
def test_what_is_no_known_fact_is_refused_with_the_reason(
    damaged: bytes, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        decode(damaged)
