"""Small manifests that would become huge are refused before they do."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from foxbatch import canonical
from foxbatch.canonical import Json
from foxbatch.matrix import sizes
from foxbatch.template import MAX_TEXT
from tests.matrices import Outcome, expand_job


def chain(namespace: str, levels: int, first: str, form: str, glue: str) -> str:
    """Return values that each hold the one before ten times."""
    lines = [f"  a0: {first}"]
    for level in range(1, levels):
        reference = f"${{{{ {namespace}.a{level - 1} }}}}"
        lines.append(f"  a{level}: {form % glue.join([reference] * 10)}")
    return f"{namespace}:\n" + "\n".join(lines)


def bomb(namespace: str, kind: str, levels: int) -> Outcome:
    form, glue, first, use = {
        "text": ('"%s"', "", '"0123456789"', 'prompts: ["{}"]'),
        "list": ('["%s"]', '", "', "[x]", 'prompts: [x]\nparams: {{image_urls: "{}"}}'),
    }[kind]
    values = chain(namespace, levels, first, form, glue)
    job = use.format(f"${{{{ {namespace}.a{levels - 1} }}}}")
    if namespace == "vars":
        return expand_job(job, top=values)
    return expand_job(f"{values}\n{job}")


@pytest.fixture
def peak_bytes() -> Iterator[Callable[[], int]]:
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


@pytest.mark.parametrize("levels", [7, 11, 40])
@pytest.mark.parametrize("namespace", ["vars", "let"])
@pytest.mark.parametrize(
    ("kind", "code"), [("text", "E-TEXT-SIZE"), ("list", "E-REQUEST-SIZE")]
)
def test_values_that_hold_the_one_before_ten_times_fill_no_memory(
    kind: str,
    code: str,
    namespace: str,
    levels: int,
    peak_bytes: Callable[[], int],
) -> None:
    outcome = bomb(namespace, kind, levels)

    assert outcome.errors == [code]
    assert outcome.problems[0].position.line > 1
    assert outcome.jobs == []
    assert peak_bytes() < 20_000_000


def test_the_place_that_grows_too_large_is_named() -> None:
    outcome = bomb("vars", "text", 7)

    problem = outcome.only("E-TEXT-SIZE")
    assert problem.pointer == "/vars/a5"
    assert problem.message == (
        "the text has 1,000,000 characters, and 100,000 is the most"
    )


@pytest.mark.parametrize(
    ("length", "codes"),
    [
        pytest.param(MAX_TEXT, ["E-LENGTH"], id="is left to the model"),
        pytest.param(MAX_TEXT + 1, ["E-TEXT-SIZE"], id="is refused"),
    ],
)
def test_a_rendered_prompt_beyond_the_largest_of_any_model(
    length: int, codes: list[str]
) -> None:
    half = length // 2
    outcome = expand_job(
        'prompts: ["${{ vars.a }}${{ vars.b }}"]',
        top=f"vars: {{a: {'x' * half}, b: {'x' * (length - half)}}}",
    )

    assert outcome.errors == codes


def test_values_of_an_axis_cannot_grow_too_large() -> None:
    references = ", ".join(['"${{ vars.a4 }}"'] * 100)
    outcome = expand_job(
        f"prompts: [x]\nmatrix: {{axes: {{image_urls: [[{references}]]}}}}",
        top=chain("vars", 5, "[x]", '["%s"]', '", "'),
    )

    assert outcome.errors == ["E-REQUEST-SIZE"]


def test_values_inside_values_cannot_become_too_deep() -> None:
    """Reading a file allows 100 levels, but references nest what was read."""
    lines = ["  a0: [x]"]
    for level in range(1, 40):
        inner = f'"${{{{ vars.a{level - 1} }}}}"'
        lines.append(f"  a{level}: {'[' * 60}{inner}{']' * 60}")

    outcome = expand_job(
        'prompts: [x]\nparams: {image_urls: "${{ vars.a39 }}"}',
        top="vars:\n" + "\n".join(lines),
    )

    problem = outcome.only("E-REQUEST-SIZE")
    assert problem.message == "values are nested more than 100 deep"
    assert problem.pointer == "/vars/a2"


def test_a_request_of_many_large_values_is_refused_at_the_largest() -> None:
    outcome = expand_job(
        'prompts: [x]\nparams: {tag: "${{ vars.a }}", image_urls: ["${{ vars.b }}"]}',
        top=f"vars: {{a: {'x' * 500_000}, b: {'y' * 600_000}}}",
    )

    problem = outcome.only("E-REQUEST-SIZE")
    assert problem.message.endswith("bytes, and 1,048,576 is the most")
    assert problem.hint == "image_urls is the largest part of it: shorten that."
    assert problem.pointer == "/jobs/0/params/image_urls"
    assert outcome.jobs == []


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        pytest.param({"a": "x" * (2**20 - 8)}, "", id="exactly 1 MiB"),
        pytest.param({"a": "x" * (2**20 - 7)}, "1,048,577 bytes", id="one byte more"),
        pytest.param(
            {"a": "é" * 600_000}, "1,200,008 bytes", id="bytes, not characters"
        ),
        pytest.param({"a": "\n" * 600_000}, "1,200,008 bytes", id="with its escapes"),
    ],
)
def test_a_request_is_measured_in_bytes(request_: Json, fault: str) -> None:
    assert fault in sizes.excess(request_)
    assert bool(fault) is (len(canonical.encode(request_)) > sizes.MAX_VALUE)
    assert bool(fault) is bool(sizes.excess(request_))


def test_a_request_that_is_too_deep_is_refused() -> None:
    value: Json = "x"
    for _ in range(sizes.MAX_DEPTH):
        value = [value]

    assert sizes.excess(value) == ""
    assert sizes.excess([value]) == "the request is nested more than 100 deep"


@pytest.mark.parametrize(
    "value",
    [None, True, 1.5, -3, "text", [], {}, [1, [2, "x"]], {"a": {"b": [None]}, "cd": 1}],
    ids=str,
)
def test_a_measured_size_is_that_of_canonical_json(value: Json) -> None:
    assert sizes.size(value) == len(canonical.encode(value))


def test_an_entry_has_at_most_64_let_values() -> None:
    lets = "\n".join(f"  a{number}: x" for number in range(65))

    outcome = expand_job(f"prompts: [x]\nlet:\n{lets}")

    assert outcome.errors == ["E-COUNT"]
