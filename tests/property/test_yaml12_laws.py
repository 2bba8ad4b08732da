from __future__ import annotations

import json
from collections.abc import Iterator

from hypothesis import given, strategies as st

from foxbatch.canonical import Json, encode
from foxbatch.errors import InvalidError, Position, Problem
from foxbatch.yaml12 import Document, Where, parse
from tests.property.strategies import (
    floats,
    integers,
    json_values,
    texts,
    yaml_like,
)


def places(value: Json, where: Where = ()) -> Iterator[tuple[Where, Json]]:
    yield where, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*where, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*where, index))


def problems_unless_read(content: str | bytes) -> tuple[Problem, ...]:
    """Return why *content* is refused; nothing where its value can be a request."""
    try:
        document = parse(content, file="m.yaml")
    except InvalidError as error:
        return error.problems
    encode(document.value)
    return ()


def text_at(document: Document, position: Position) -> str:
    lines = document.text.split("\n")[position.line - 1 : position.end_line]
    lines[-1] = lines[-1][: position.end_column - 1]
    lines[0] = lines[0][position.column - 1 :]
    return "\n".join(lines)


@given(value=json_values, indent=st.sampled_from([None, 0, 3]))
def test_json_is_read_as_json_reads_it(value: Json, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=indent)

    assert encode(parse(text, file="m.yaml").value) == encode(value)


@given(value=json_values, indent=st.sampled_from([None, 0, 3]))
def test_every_position_points_at_its_value(value: Json, indent: int | None) -> None:
    document = parse(
        json.dumps(value, ensure_ascii=False, indent=indent), file="m.yaml"
    )

    for where, part in places(value):
        pointed_at = text_at(document, document.position(where))
        assert encode(json.loads(pointed_at)) == encode(part)
        if where and isinstance(where[-1], str):
            key = text_at(document, document.position(where, key=True))
            assert json.loads(key) == where[-1]


@given(number=integers)
def test_a_whole_number_reads_the_same_in_every_spelling(number: int) -> None:
    size = abs(number)

    document = parse(f"[{number}, 0x{size:x}, 0x{size:X}, 0o{size:o}]", file="m.yaml")

    assert document.value == [number, size, size, size]


@given(number=floats)
def test_a_float_reads_back_exactly(number: float) -> None:
    document = parse(f"[{number!r}]", file="m.yaml")

    assert isinstance(document.value, list)
    assert repr(document.value[0]) == repr(number)


@given(text=st.from_regex(r"[0-9][0-9]*[_:][0-9_:.]*[0-9]", fullmatch=True))
def test_digits_with_colons_or_underscores_are_text(text: str) -> None:
    assert parse(f"a: {text}", file="m.yaml").value == {"a": text}


@given(text=texts)
def test_single_quotes_keep_text_as_it_is(text: str) -> None:
    quoted = text.replace("'", "''")

    assert parse(f"'{quoted}'", file="m.yaml").value == text


@given(text=yaml_like)
def test_any_text_is_read_as_json_values_or_refused_in_place(text: str) -> None:
    lines = text.split("\n")

    problems = problems_unless_read(text)

    for problem in problems:
        assert 1 <= problem.position.line <= len(lines) + 1
        assert problem.position.column >= 1
        assert problem.message


@given(content=st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    problems = problems_unless_read(content)

    assert all(problem.code.startswith("E-") for problem in problems)
