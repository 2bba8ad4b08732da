"""One spelling for each value: laws that no list of examples could cover."""

from __future__ import annotations

import json
import random

from hypothesis import given, strategies as st

from foxbatch.canonical import Json, encode, equal, job_digest, job_id, number
from tests.property.strategies import json_values


def read(content: bytes) -> Json:
    """Return what a reader with doubles only, such as a browser, finds."""
    value: Json = json.loads(content, parse_int=float)
    return value


def shuffled(value: Json, rng: random.Random) -> Json:
    """Return *value* with the keys of every mapping in another order."""
    if isinstance(value, list):
        return [shuffled(item, rng) for item in value]
    if isinstance(value, dict):
        items = [(key, shuffled(item, rng)) for key, item in value.items()]
        rng.shuffle(items)
        return dict(items)
    return value


@given(json_values)
def test_what_is_encoded_reads_back_as_an_equal_value(value: Json) -> None:
    assert equal(read(encode(value)), value)


@given(json_values)
def test_encoding_what_was_encoded_changes_nothing(value: Json) -> None:
    assert encode(read(encode(value))) == encode(value)


@given(json_values, st.randoms(use_true_random=False))
def test_the_order_of_keys_means_nothing(value: Json, rng: random.Random) -> None:
    assert encode(shuffled(value, rng)) == encode(value)
    assert equal(shuffled(value, rng), value)


@given(json_values, json_values)
def test_values_are_equal_exactly_when_their_spellings_are(
    left: Json, right: Json
) -> None:
    assert equal(left, right) is (encode(left) == encode(right))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_read_back_exactly_and_as_short_as_can_be(value: float) -> None:
    text = number(value)

    assert float(text) == value
    digits = len(text.partition("e")[0].replace(".", "").replace("-", "").strip("0"))
    assert digits <= len(repr(value).partition("e")[0].replace(".", "").strip("0-"))


@given(st.dictionaries(st.characters(exclude_categories=["Cs"]), st.none()))
def test_keys_stand_in_the_order_of_their_utf16_units(value: dict[str, Json]) -> None:
    keys = list(json.loads(encode(value)))

    assert keys == sorted(keys, key=lambda key: key.encode("utf-16-be"))


@given(
    st.dictionaries(st.text("abc", max_size=2), json_values, max_size=3),
    st.dictionaries(st.text("abc", max_size=2), json_values, max_size=3),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_jobs_are_the_same_exactly_when_what_is_sent_is(
    one: dict[str, Json], other: dict[str, Json], repeat: int, again: int
) -> None:
    def identity(request: dict[str, Json], count: int) -> str:
        full = job_digest(provider="p", endpoint="/e", request=request, repeat=count)
        return job_id(full)

    same = equal(one, other) and repeat == again
    assert (identity(one, repeat) == identity(other, again)) is same
