"""Values that laws are checked with."""

from __future__ import annotations

from hypothesis import strategies as st

from foxbatch.canonical import MAX_SAFE_INTEGER, Json

texts: st.SearchStrategy[str] = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Cn"]), max_size=20
)
"""Text that a file can hold as it is: no control characters, no surrogates."""

integers = st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
floats = st.floats(allow_nan=False, allow_infinity=False)

scalars: st.SearchStrategy[Json] = st.one_of(
    st.none(), st.booleans(), integers, floats, texts
)

json_values: st.SearchStrategy[Json] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)
    ),
    max_leaves=12,
)
"""Anything that a manifest can hold."""

yaml_like: st.SearchStrategy[str] = st.lists(
    st.one_of(
        st.sampled_from(list("-:#[]{},&*!|>'\"%@`?<=~.$\\ \n\t0x1eé\u2028")),
        st.sampled_from(
            ["a: ", "- ", "\n  ", "&a ", "*a", "<<: ", "${{ x }}", "---\n"]
        ),
    ),
    max_size=30,
).map("".join)
"""Text of the characters that mean something in YAML."""
