"""What happens to files: cut, padded, shuffled, mended by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from foxbatch.canonical import JobId
from foxbatch.errors import LedgerError
from foxbatch.events import Event, decode, encode, word
from foxbatch.ledger import LedgerWriter, read_facts, read_folder
from foxbatch.ledger_index import LedgerIndex
from foxbatch.results import in_order
from foxbatch.state import fold
from tests.facts import EVERY_KIND, SteppingClock, stamped
from tests.property.histories import JOBS, files

Files = list[tuple[Event, ...]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ledger")


def fill(folder: Path, contents: list[bytes]) -> None:
    """Make *contents* the only files of *folder*."""
    for path in folder.iterdir():
        path.unlink()
    for number, content in enumerate(contents):
        (folder / f"{number}.jsonl").write_bytes(content)


def text_of(facts: tuple[Event, ...]) -> bytes:
    return b"".join(map(encode, facts))


@pytest.mark.parametrize("kind", EVERY_KIND, ids=word)
def test_no_part_of_a_fact_is_a_fact(kind: Event) -> None:
    whole = encode(stamped(kind))

    for cut in range(len(whole) - 1):
        with pytest.raises(ValueError, match="not a JSON object"):
            decode(whole[:cut])


@given(written=files(), data=st.data(), nuls=st.sampled_from([0, 0, 1, 600]))
def test_a_file_cut_anywhere_gives_its_whole_facts_and_nothing_else(
    folder: Path, written: Files, data: st.DataObject, nuls: int
) -> None:
    whole = text_of(written[0])
    cut = data.draw(st.integers(0, len(whole)))
    fill(folder, [whole[:cut] + b"\0" * nuls])

    reading = read_folder(folder)

    ends = [len(text_of(written[0][: n + 1])) for n in range(len(written[0]))]
    complete = sum(end - 1 <= cut for end in ends)  # the line feed may be missing
    clean = cut in {0, *ends, *(end - 1 for end in ends)}
    assert reading.files == {"0.jsonl": complete}
    assert reading.state == fold(written[0][:complete])
    assert reading.torn == ([] if clean and not nuls else ["0.jsonl"])


@given(written=files(), data=st.data())
def test_a_line_that_is_lost_doubled_or_moved_is_refused(
    folder: Path, written: Files, data: st.DataObject
) -> None:
    lines = [encode(fact) for fact in written[0]]
    place = data.draw(st.integers(0, len(lines) - 1))
    doubled = [*lines[: place + 1], *lines[place:]]
    lost = [*lines[:place], *lines[place + 1 :]]
    moved = [*lost, lines[place]]

    for changed in (doubled, lost, moved):
        if changed != lines[: len(changed)]:
            fill(folder, [b"".join(changed)])
            with pytest.raises(LedgerError, match=r"where \d+ belongs"):
                read_folder(folder)


@given(written=files(), data=st.data())
def test_a_byte_that_is_no_text_is_refused_wherever_it_stands(
    folder: Path, written: Files, data: st.DataObject
) -> None:
    whole = text_of(written[0])
    place = data.draw(st.integers(0, len(whole) - 2))
    fill(folder, [whole[:place] + b"\xff" + whole[place + 1 :]])

    with pytest.raises(LedgerError, match="not a JSON object"):
        read_folder(folder)


@given(written=files(), data=st.data())
def test_shards_commute(folder: Path, written: Files, data: st.DataObject) -> None:
    """Files of machines and branches in one folder, and copies, also older ones."""
    copies = [
        facts[: data.draw(st.integers(0, len(facts)))]
        for facts in data.draw(st.lists(st.sampled_from(written), max_size=3))
    ]
    shuffled = data.draw(st.permutations([*written, *copies]))
    fill(folder, [text_of(facts) for facts in shuffled])

    state = read_folder(folder).state

    assert state == fold(fact for facts in written for fact in facts)


@given(written=files(), data=st.data(), at_a_time=st.integers(1, 3))
def test_job_by_job_is_the_same_as_all_at_once(
    folder: Path, written: Files, data: st.DataObject, at_a_time: int
) -> None:
    cut = data.draw(st.integers(0, len(text_of(written[0]))))
    nuls = b"\0" * data.draw(st.sampled_from([0, 0, 600]))
    first = data.draw(st.permutations([*JOBS, JobId("nobody")]))[:2]
    whole = [text_of(facts) for facts in written]
    fill(folder, [whole[0][:cut] + nuls, *whole[1:], *whole[:1]])
    reading = read_folder(folder)

    index = LedgerIndex(folder, first)
    found = list(index.jobs(at_a_time=at_a_time))
    every = list(LedgerIndex(folder).jobs())

    rest = [job for job in every if job.id not in first]
    assert [job.id for job in found] == [*first, *(job.id for job in rest)]
    assert found == [reading.state.jobs.get(job.id, job) for job in found]
    assert every == list(in_order(reading.state))
    assert (index.torn, index.names) == (reading.torn, reading.names)


@given(written=files(), data=st.data())
def test_what_is_read_early_and_then_the_rest_is_all(
    folder: Path, written: Files, data: st.DataObject
) -> None:
    facts = written[0]
    cut = data.draw(st.integers(0, len(facts)))
    fill(folder, [text_of(facts[:cut])])
    state = read_folder(folder).state

    for fact in facts[cut:]:
        state.join(fact)

    fill(folder, [text_of(facts)])
    assert state == read_folder(folder).state


@settings(max_examples=50)
@given(written=files(), data=st.data())
def test_what_the_writer_returns_is_what_a_reader_gets(
    folder: Path, written: Files, data: st.DataObject
) -> None:
    fill(folder, [])
    facts = list(written[0])
    ledger = LedgerWriter(folder, facts[0].run, SteppingClock(), fsync=lambda _: None)
    returned: list[Event] = []
    while facts:
        some = data.draw(st.integers(1, len(facts)))
        returned += ledger.append(*facts[:some])
        del facts[:some]
    ledger.close()

    assert list(read_facts(ledger.path, on_torn=pytest.fail)) == returned
    assert [fact.seq for fact in returned] == list(range(1, len(written[0]) + 1))
    assert list(folder.iterdir()) == [ledger.path]
