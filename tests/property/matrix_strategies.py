"""Matrices for the laws of expansion."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from foxbatch.canonical import Json, encode

NAMES = ("a", "b", "c", "d")

scalars: st.SearchStrategy[Json] = (
    st.none()
    | st.booleans()
    | st.integers(-3, 9)
    | st.sampled_from([0.5, 2.5])
    | st.text("ab-. é日{$", max_size=6).filter(lambda text: "${{" not in text)
)
values: st.SearchStrategy[Json] = scalars | st.lists(scalars, max_size=2)


@dataclass(frozen=True)
class Matrix:
    """A matrix as it would be written, and what was drawn for it."""

    axes: dict[str, Json]
    zips: list[list[str]]
    exclude: list[dict[str, Json]]
    include: list[dict[str, Json]]

    def to_json(self) -> dict[str, Json]:
        written: dict[str, Json] = {
            "axes": self.axes,
            "exclude": list(self.exclude),
            "include": list(self.include),
            "allow_empty": True,
            "allow_unmatched": True,
        }
        if self.zips:
            written["zip"] = [list(group) for group in self.zips]
        return written


def _distinct(least: int, most: int) -> st.SearchStrategy[list[Json]]:
    return st.lists(values, min_size=least, max_size=most, unique_by=encode)


@st.composite
def matrices(draw: st.DrawFn, *, includes: bool = True) -> Matrix:
    """Return a small matrix whose filters mostly name values that exist."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    together = draw(st.booleans()) and len(names) > 1
    size = draw(st.integers(1, 3))
    axes: dict[str, Json] = {}
    for index, name in enumerate(names):
        tied = together and index < 2
        axes[name] = draw(_distinct(size, size) if tied else _distinct(1, 3))
    value_of = st.sampled_from(names).flatmap(
        lambda name: st.tuples(
            st.just(name),
            st.sampled_from(values_of(axes, name)) | scalars,
        )
    )
    filters = st.lists(value_of, min_size=1, max_size=2).map(dict)
    extras = st.dictionaries(st.sampled_from(["x", "y"]), scalars, max_size=2)
    entries = st.builds(lambda one, other: {**one, **other}, filters, extras)
    return Matrix(
        axes,
        [names[:2]] if together else [],
        draw(st.lists(filters, max_size=2)),
        draw(st.lists(entries, max_size=3)) if includes else [],
    )


def values_of(axes: dict[str, Json], name: str) -> list[Json]:
    found = axes[name]
    assert isinstance(found, list)
    return found


# ---- filters with operators

numbers: st.SearchStrategy[Json] = st.integers(-3, 9) | st.sampled_from([0.5, 2.5])
maps: st.SearchStrategy[Json] = st.dictionaries(
    st.sampled_from(["a", "b"]), scalars, max_size=2
)
wanted: st.SearchStrategy[Json] = st.recursive(
    values | maps,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"$in": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"$not": inner}),
        st.dictionaries(
            st.sampled_from(["$gt", "$gte", "$lt", "$lte"]),
            numbers,
            min_size=1,
            max_size=2,
        ),
        st.fixed_dictionaries({"$not": inner, "$lt": numbers}),
        st.dictionaries(st.sampled_from(["a", "b"]), inner, min_size=1, max_size=2),
    ),
    max_leaves=6,
)
"""What a filter may ask for, operators included."""
