from __future__ import annotations

from pathlib import Path

from hypothesis import given, strategies as st

from foxbatch.canonical import Json, encode
from foxbatch.errors import InvalidError
from foxbatch.lint.spelling import odd_spelling
from foxbatch.manifest import mend
from foxbatch.manifest.prose import quoted
from foxbatch.provider import load_provider
from foxbatch.yaml12 import parse

SANDBOX = load_provider("sandbox", base=Path())

# What tools of YAML 1.1 may stumble over, and other things.
scalars = st.one_of(
    st.sampled_from(["no", "On", "y", "null", "true", "16:9", "2024-01-01", "~"]),
    st.from_regex(r"[-+]?[0-9_]{1,6}([.:][0-9_]{0,3})?(e[-+]?[0-9])?", fullmatch=True),
    st.from_regex(r"0[obx][0-7]{1,4}", fullmatch=True),
    st.from_regex(r"[a-z]{1,5}( [a-z]{1,5})?", fullmatch=True),
)
line_ends = st.sampled_from(["\n", "\r\n", " \n", "\t\n", "  # why \n"])


def read(content: bytes) -> Json | None:
    try:
        return parse(content, file="m.yaml").value
    except InvalidError:
        return None


@given(
    lines=st.lists(st.tuples(scalars, line_ends), min_size=1, max_size=8),
    bom=st.booleans(),
)
def test_what_clears_a_note_changes_no_value_and_leaves_nothing(
    lines: list[tuple[str, str]], bom: bool
) -> None:
    text = "".join(f"k{i}: {scalar}{end}" for i, (scalar, end) in enumerate(lines))
    content = ("\ufeff" * bom + text).encode()
    value = read(content)
    if value is None:
        return

    mended = mend(content, odd_spelling(parse(content, file="m.yaml"), SANDBOX))

    again = list(odd_spelling(parse(mended.content, file="m.yaml"), SANDBOX))
    assert encode(read(mended.content)) == encode(value)
    assert [problem for problem in again if problem.fix] == []
    assert mended.content.count(b"\r\n") == content.count(b"\r\n")


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40))
def test_a_text_in_quotes_is_read_as_it_is(text: str) -> None:
    line = text.replace("\u2028", " ").replace("\u2029", " ")

    assert read(f"k: {quoted(line)}\n".encode()) == {"k": line}
