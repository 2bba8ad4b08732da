"""What holds of every range, draw and variant, not only of the examples."""

from __future__ import annotations

import contextlib
import itertools
from fractions import Fraction

from hypothesis import assume, given, settings, strategies as st

from foxbatch.canonical import MAX_SAFE_INTEGER, Json, encode
from foxbatch.matrix.draws import Source
from foxbatch.matrix.refusals import FormError
from foxbatch.matrix.series import evenly, in_steps
from foxbatch.matrix.variants import parse
from foxbatch.template import Template, TemplateError

numbers = st.integers(-50, 50) | st.decimals(-50, 50, places=2).map(float)
seeds = st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
axes = st.text("abcé_", min_size=1, max_size=4)


@given(numbers, numbers, numbers.filter(bool))
def test_a_range_is_what_a_plain_loop_gives(
    first: float, through: float, step: float
) -> None:
    """Fractions of the digits as written, one after the other."""
    expected, value = list[Fraction](), Fraction(str(first))
    last, width = Fraction(str(through)), Fraction(str(step))
    while (value <= last) if width > 0 else (value >= last):
        expected.append(value)
        value += width
    floats = any(isinstance(one, float) for one in (first, through, step))

    found = list[Json]()
    with contextlib.suppress(FormError):  # there is no value between them
        found = in_steps(first, through, step)

    assert found == [float(one) if floats else int(one) for one in expected]
    assert all(isinstance(one, float) is floats for one in found)


@given(numbers, numbers, st.integers(2, 40))
def test_evenly_spread_numbers_hold_both_ends(
    first: float, through: float, count: int
) -> None:
    assume(first != through)

    found = evenly(first, through, count)

    assert (len(found), found[0], found[-1]) == (count, first, through)
    as_numbers = [float(str(value)) for value in found]
    assert sorted(as_numbers, reverse=first > through) == as_numbers


sources = st.one_of(
    st.tuples(st.integers(-9, 9), st.integers(0, 40)).map(
        lambda drawn: Source.integers(drawn[0], drawn[0] + drawn[1])
    ),
    st.tuples(st.floats(-9, 9), st.floats(0, 9)).map(
        lambda drawn: Source.floats(drawn[0], drawn[0] + drawn[1])
    ),
    st.lists(st.integers(0, 3) | st.text(max_size=2), min_size=1, max_size=9).map(
        lambda drawn: Source.choice(list[Json](drawn))
    ),
)


@given(sources, seeds, axes, st.integers(1, 30), st.integers(0, 30))
def test_a_longer_list_of_draws_begins_with_the_shorter(
    source: Source, seed: int, axis: str, count: int, more: int
) -> None:
    short = source.draw(count, seed=seed, axis=axis)

    assert source.draw(count + more, seed=seed, axis=axis)[:count] == short


@given(sources, seeds, axes, st.integers(1, 12))
def test_unique_draws_are_the_draws_without_repeats(
    source: Source, seed: int, axis: str, count: int
) -> None:
    drawn = source.draw(500, seed=seed, axis=axis)
    different = list({encode(value): value for value in reversed(drawn)}.values())[::-1]
    firsts = sorted(different, key=drawn.index)
    assume(len(firsts) >= count)

    assert source.draw_unique(count, seed=seed, axis=axis) == firsts[:count]


@given(st.integers(-MAX_SAFE_INTEGER, 0), st.integers(0, MAX_SAFE_INTEGER), seeds)
def test_draws_stay_within_their_bounds(low: int, high: int, seed: int) -> None:
    for source in (Source.integers(low, high), Source.floats(low, high)):
        for value in source.draw(5, seed=seed, axis="a"):
            assert isinstance(value, int | float)
            assert low <= value <= high


# ---- variants

# A text as a person means it: a literal, or options of which some are taken.
Tree = str | tuple[int, list[list["Tree"]]]

words = st.text("ab ", max_size=2)
trees: st.SearchStrategy[Tree] = st.recursive(
    words,
    lambda inner: st.lists(st.lists(inner, max_size=2), min_size=1, max_size=3).flatmap(
        lambda options: st.tuples(st.integers(0, len(options)), st.just(options))
    ),
    max_leaves=6,
)


def as_text(tree: Tree) -> str:
    if isinstance(tree, str):
        return tree
    taken, options = tree
    inside = "|".join("".join(map(as_text, option)) for option in options)
    return f"{{{taken}$$+$${inside}}}"


def brute_force(tree: Tree, *, ordered: bool) -> list[str]:
    """Return every text by the plainest reading of the grammar, repeats too."""
    if isinstance(tree, str):
        return [tree]
    taken, options = tree
    choose = itertools.permutations if ordered else itertools.combinations
    return [
        "+".join(filled)
        for chosen in choose(options, taken)
        for filled in itertools.product(
            *(brute_sequence(option, ordered=ordered) for option in chosen)
        )
    ]


def brute_sequence(trees: list[Tree], *, ordered: bool) -> list[str]:
    found = [""]
    for tree in trees:
        found = [a + b for a in found for b in brute_force(tree, ordered=ordered)]
    return found


@settings(max_examples=200)
@given(st.lists(trees, max_size=3), st.booleans())
def test_variants_are_what_brute_force_finds(
    text: list[Tree],
    ordered: bool,
) -> None:
    expected = brute_sequence(text, ordered=ordered)
    assume(len(expected) < 2_000)

    found = parse("".join(map(as_text, text)), wildcards={}, ordered=ordered).texts()

    assert found == list(dict.fromkeys(expected))


@given(st.text("{}|$\\_:a1-", max_size=40))
def test_no_text_of_variants_becomes_a_reference_by_itself(text: str) -> None:
    """Also not where a brace of one part meets the dollar of another."""
    assume("${{" not in text)
    found = list[str]()
    with contextlib.suppress(TemplateError):  # it is not in the grammar
        found = parse(text, wildcards={"a": ["x{", "$"]}).texts()

    assert [one for one in found if Template.parse(one).names] == []
