"""One spelling for each value, and the identities that are cut from it."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from typing import cast

import pytest

from foxbatch.canonical import (
    MAX_SAFE_INTEGER,
    Digest,
    Json,
    digest,
    encode,
    equal,
    job_digest,
    job_id,
    number,
    sha256,
)


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        # RFC 8785, appendix B
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"),
        ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_numbers_are_spelled_as_in_ecmascript(bits: str, text: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))

    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-1.5, "-1.5"),
        (100.0, "100"),
        (0.1, "0.1"),
        (0.00001, "0.00001"),
        (1e-7, "1e-7"),
        (1.25e-9, "1.25e-9"),
        (123456.789, "123456.789"),
        (MAX_SAFE_INTEGER, "9007199254740991"),
        (-MAX_SAFE_INTEGER, "-9007199254740991"),
    ],
)
def test_everyday_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        float("-inf"),
        MAX_SAFE_INTEGER + 1,
        -MAX_SAFE_INTEGER - 1,
    ],
)
def test_what_json_cannot_carry_exactly_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON number"):
        encode([value])


def test_vector_of_the_manifest_language() -> None:
    value: Json = {"b": [1.0, 2.5, 1e21, 0.1], "a": "é\n", "€": True, "z": None}

    text = encode(value).decode()

    assert text == '{"a":"é\\n","b":[1,2.5,1e+21,0.1],"z":null,"€":true}'


def test_keys_are_sorted_by_utf16_units_not_by_code_points() -> None:
    # RFC 8785, section 3.2.3: the smiley is above U+FB33 but its surrogates are below.
    keys = ["€", "\r", "\ufb33", "1", "😀", "\x80", "ö"]

    text = encode(dict.fromkeys(keys))

    assert list(json.loads(text)) == ["\r", "1", "\x80", "ö", "€", "😀", "\ufb33"]


def test_strings_are_escaped_as_little_as_possible() -> None:
    text = encode('€$\x0f\nA\'B"\\\\"/\x7f\u2028\x1b\b\t\f\r')

    expected = '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/\x7f\u2028\\u001b\\b\\t\\f\\r"'
    assert text.decode() == expected


def test_text_is_not_normalised() -> None:
    assert encode("é") != encode("e\u0301")


@pytest.mark.parametrize(
    ("value", "text"),
    [({}, "{}"), ([], "[]"), ("", '""'), (None, "null"), (False, "false")],
)
def test_empty_values(value: Json, text: str) -> None:
    assert encode(value).decode() == text


@pytest.mark.parametrize("value", ["\ud83d", {"\ude00": 1}], ids=["value", "key"])
def test_half_a_surrogate_pair_is_refused(value: Json) -> None:
    with pytest.raises(UnicodeEncodeError):
        encode(value)


@pytest.mark.parametrize(
    "value", [(1, 2), b"x", {1}, [object()]], ids=["tuple", "bytes", "set", "object"]
)
def test_what_is_no_json_is_refused_and_not_left_out(value: object) -> None:
    with pytest.raises(TypeError, match="is no kind of JSON value"):
        encode({"a": cast("Json", value)})


def test_digests_are_of_the_canonical_bytes() -> None:
    expected = hashlib.sha256(b'{"a":1,"b":[]}').hexdigest()

    assert digest({"b": [], "a": 1.0}) == sha256(b'{"a":1,"b":[]}') == expected


REQUEST: dict[str, Json] = {"prompt": "A dune", "model": "veo-3.1", "duration": 8}


def identity(
    *,
    provider: str = "foxapi",
    endpoint: str = "/v1/videos/generations",
    request: dict[str, Json] = REQUEST,
    repeat: int = 1,
) -> str:
    full = job_digest(
        provider=provider, endpoint=endpoint, request=request, repeat=repeat
    )
    return job_id(full)


# Frozen: a change of one of these buys every job of every user again.
@pytest.mark.parametrize(
    ("compute", "expected"),
    [
        pytest.param(identity, "6qeirhevrajaqhuiiy5b", id="plain"),
        pytest.param(
            lambda: identity(repeat=2), "e77doc6ydwpuplz7cyta", id="second repeat"
        ),
        pytest.param(
            lambda: identity(provider="sandbox"),
            "6g5hipaeow7quyth7bfh",
            id="another provider",
        ),
        pytest.param(
            lambda: identity(endpoint="/v1/images/generations"),
            "xtzmcyghtrkhf3cgnqmr",
            id="another endpoint",
        ),
        pytest.param(
            lambda: identity(request={"prompt": "Düne 😀", "seeds": [1.5, None]}),
            "im6tdx7a3nhrleqbvu62",
            id="text beyond ASCII",
        ),
    ],
)
def test_job_ids_never_change(compute: Callable[[], str], expected: str) -> None:
    assert compute() == expected


def test_job_digest_is_the_one_formula() -> None:
    whole = {
        "endpoint": "/v1/videos/generations",
        "provider": "foxapi",
        "repeat": 3,
        "request": REQUEST,
        "v": 1,
    }
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"))

    full = job_digest(
        provider="foxapi", endpoint="/v1/videos/generations", request=REQUEST, repeat=3
    )

    assert full == hashlib.sha256(text.encode()).hexdigest()


def test_job_ids_do_not_depend_on_spelling() -> None:
    respelled: dict[str, Json] = {**dict(reversed(REQUEST.items())), "duration": 8.0}

    assert identity(request=respelled) == identity()


def test_job_id_is_the_beginning_of_the_base32_of_the_digest() -> None:
    full = Digest("00" * 6 + "ff" * 26)  # 48 bits of zeros, then ones

    assert job_id(full) == "a" * 9 + "d" + "7" * 10


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        pytest.param(1, 1.0, True, id="numbers by value"),
        pytest.param(0, -0.0, True, id="zero has no sign"),
        pytest.param(True, 1, False, id="true is not 1"),
        pytest.param(0, False, False, id="0 is not false"),
        pytest.param(False, False, True, id="false"),
        pytest.param("1", 1, False, id="text is not a number"),
        pytest.param(None, None, True, id="null"),
        pytest.param(None, False, False, id="null is not false"),
        pytest.param([1, [2]], [1.0, [2.0]], True, id="lists item by item"),
        pytest.param([1, 2], [1], False, id="lists of one length"),
        pytest.param([1], [True], False, id="inside lists too"),
        pytest.param({"a": 1, "b": 2}, {"b": 2, "a": 1}, True, id="keys in any order"),
        pytest.param({"a": 1}, {"a": True}, False, id="inside mappings too"),
        pytest.param({"a": 1}, {"b": 1}, False, id="other keys"),
        pytest.param({}, [], False, id="mappings are not lists"),
    ],
)
def test_values_are_equal_as_json(left: Json, right: Json, same: bool) -> None:
    assert equal(left, right) is same
    assert equal(right, left) is same
