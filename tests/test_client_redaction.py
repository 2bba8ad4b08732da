"""Secrets in every spelling, and what only looks like one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from foxbatch.canonical import Json
from foxbatch.client.redaction import (
    MAX_REPLY_CHARACTERS,
    mapped,
    redact,
    without_secrets,
)

KEY = "sk-invented-for-this-test"


class TestRedact:
    @pytest.mark.parametrize(
        "text",
        [
            f"key {KEY} is wrong",
            f'{{"headers": {{"Authorization": "Bearer {KEY}"}}}}',
            "authorization: bearer abcdefghijklmnop",
            "Authorization=Basic dXNlcjpwYXNzd29yZA==",
            "sent Bearer abcdefghijklmnop here",
            "another key sk-abcdefghijklmnop",
        ],
    )
    def test_nothing_that_looks_like_a_key_is_left(self, text: str) -> None:
        shown = redact(text, (KEY,))

        assert "***" in shown
        assert "invented" not in shown
        assert "abcdefghijklmnop" not in shown
        assert "dXNlcjpwYXNz" not in shown

    @pytest.mark.parametrize("key", ['quo"te\\', "per%cent/slash"])
    def test_other_spellings_of_a_key_go_too(self, key: str) -> None:
        text = json.dumps({"key": key})

        assert key not in redact(text, (key,))
        assert json.dumps(key)[1:-1] not in redact(text, (key,))

    def test_it_is_redacted_before_it_is_cut(self) -> None:
        text = "x" * (MAX_REPLY_CHARACTERS - 5) + KEY

        shown = redact(text, (KEY,))

        assert "sk-" not in shown
        assert len(shown) < MAX_REPLY_CHARACTERS + 10

    def test_ordinary_text_stays_as_it_is(self) -> None:
        text = '{"id": "task-unified-1", "message": "bearer of news; risk-averse"}'

        assert redact(text, (KEY,)) == text


def test_a_key_is_found_in_any_spelling() -> None:
    key = 'ab/"c\\-d'
    spellings = [
        key,
        json.dumps(key)[1:-1],
        json.dumps(json.dumps(key)[1:-1])[1:-1],
        "".join(f"\\u{ord(each):04X}" for each in key),
        "".join(f"%{ord(each):02x}" for each in key),
        "".join(f"%25{ord(each):02X}" for each in key),
        "ab\\/%22c\\u005c\\u002dd",
    ]

    for spelling in spellings:
        assert without_secrets(f"<{spelling}>", (key,)) == "<***>"


def test_a_word_that_is_too_short_for_a_secret_hides_nothing() -> None:
    assert redact("https://cdn.test/test.mp4", ("test",)) == "https://cdn.test/test.mp4"


def _nested(depth: int) -> Json:
    value: Json = KEY
    for _ in range(depth):
        value = [value]
    return value


class TestMapped:
    def test_every_text_is_changed_also_keys(self) -> None:
        value: Json = {"a": ["b", 1, None, {"c": True}], "d": 1.5}

        changed = mapped(value, str.upper)

        assert changed == {"A": ["B", 1, None, {"C": True}], "D": 1.5}

    def test_what_is_nested_too_deeply_is_left_out(self) -> None:
        kept = mapped(_nested(64), str)
        left_out = mapped(_nested(100_000), str)

        assert KEY in str(kept)
        assert "(cut)" in str(left_out)

    @given(
        st.recursive(
            st.none() | st.integers() | st.text() | st.just(f"a {KEY} b"),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        )
    )
    def test_no_key_survives_and_nothing_else_changes(self, value: Json) -> None:
        shown = mapped(value, lambda text: without_secrets(text, (KEY,)))

        expected = json.dumps(value).replace(KEY, "***")
        assert json.dumps(shown) == expected


def test_a_text_of_nothing_but_escapes_takes_no_time() -> None:
    """Quadratic, it would take minutes."""
    text = "\\" * 400_000 + "%25" * 400_000 + "sk-" * 400_000

    assert without_secrets(text, (KEY, '"\\%/kkk')) == text
