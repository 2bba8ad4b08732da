"""Manifests that are mostly valid, nearly so, or that only look like one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias, cast

import yaml
from hypothesis import strategies as st

from foxbatch.canonical import Json
from tests.property.strategies import json_values, yaml_like

_Made: TypeAlias = st.SearchStrategy[Json]

FILES = {
    "lines.txt": "# words\nred\ngreen \n\n\\#hash ${{ vars.film }}\n",
    "long.txt": "A long text\nin two lines\n",
    "good.csv": 'text,seconds,id\n"a, b",4,one\nc,8,two\n',
    "good.jsonl": '{"text": "a", "id": "one"}\n"b"\n',
    "good.yaml": "scenes: [a, {text: b, id: two}]\n",
    "bad.csv": 'text,seconds\n"a, b,4\nc,eight\n',
    "bad.jsonl": '{"n": [1.5, null]}\n\n[}\n1e999\n',
    "bad.yaml": "scenes: [a, {text: b, id: two}, 3, *x]\nmore: [1, 1]\n",
    "refs/a.png": "\x89PNG\r\n\x1a\n",
}
"""What manifests may name; not all of it can be read."""


def write_files(folder: Path) -> None:
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode("latin-1" if name.endswith("png") else "utf-8"))


def _one_of(*values: Json) -> _Made:
    return st.sampled_from(values)


def _lists(inner: _Made, least: int = 0, most: int = 3) -> _Made:
    return st.lists(inner, min_size=least, max_size=most).map(
        lambda found: cast("Json", found)
    )


def _mapping(
    needed: Mapping[str, _Made] | None = None, **optional: _Made
) -> st.SearchStrategy[dict[str, Json]]:
    return st.fixed_dictionaries(dict(needed or {}), optional=optional)


# ---- text and values

_words = st.sampled_from(
    [
        *("A fox", "a: b", "Route #66", "- x", "[x]", "{a|b}", "é\u2028日", "'q'", '"'),
        *(
            "2$$a",
            "\\{",
            "__w__",
            "100%",
            "*x",
            "&x",
            "!x",
            "no",
            "16:9",
            "0x1F",
            "a\tb",
        ),
        *("two\nlines", "two lines\n", " blank ", "$${{ vars.film }}"),
    ]
)
_references = st.sampled_from(
    [
        "${{ vars.film }}",
        "${{ vars.look }}",
        "${{vars.list[0]}}",
        '${{ vars.film ?? "x" }}',
        "${{ matrix.none ?? 1.5 }}",
        "${{ repeat }}",
    ]
)
_wrong_references = st.sampled_from(
    [
        *("${{ vars.list }}", "${{ job.name }}", "${{ env.HOME }}", "${{ vars. }}"),
        *("${{ ", "${{ let.none }}", "${{ matrix.time }}", "${{ vars.film[0] }}"),
    ]
)
texts: _Made = st.lists(st.one_of(_words, _references), min_size=1, max_size=3).map(
    lambda parts: " ".join(["A fox", *parts])
)
_wrong_texts: _Made = st.one_of(_words, _wrong_references, st.just(""))
_numbers = _one_of(0, 1, 4, 8, 0.5, 2.0, 1e3, -1, 2**53, 10**20)
_flags = _one_of(True, False)
_unset: _Made = st.just({"$unset": True})
_files: _Made = _one_of(
    "refs/a.png", "lines.txt", "none.png", "../x", "/etc/passwd", ""
)
_maps: _Made = st.dictionaries(
    st.sampled_from(["text", "id", "n", "path", "$x", "$in", "$not", "$gte", "where"]),
    st.one_of(_wrong_texts, _numbers, _lists(_numbers)),
    max_size=2,
).map(lambda found: cast("Json", found))
anything: _Made = st.one_of(
    _numbers,
    _flags,
    st.none(),
    _wrong_texts,
    _unset,
    _files.map(lambda path: {"path": path}),
    _lists(_numbers),
    _maps,
)
"""Values that mean something somewhere, though maybe not where they stand."""

# ---- parameters and axes

_RIGHT: Mapping[str, tuple[Json, ...]] = {
    "duration": (4, 6, 8),
    "resolution": ("720p", "1080p", "4k", "2160p"),
    "aspect_ratio": ("16:9", "9:16"),
    "seed": (1, 7, None, 2**31),
    "negative_prompt": ("text", "text, watermark", None, "${{ vars.film }}"),
    "time": ("dawn", "noon", 1, 1.5, "1", True, None, ["a"], {"at": "dusk"}),
}
_PARAMETERS: Mapping[str, _Made] = {
    name: _one_of(*values) for name, values in _RIGHT.items() if name != "time"
}
_params = _mapping({}, generate_audio=_flags, **_PARAMETERS)
_images: _Made = _mapping(
    {
        "generation_type": st.just("image-to-video"),
        "image_urls": _one_of(
            [{"path": "refs/a.png"}], ["https://example.com/a.png"], "${{ vars.list }}"
        ),
    }
).map(lambda found: cast("Json", found))


def _axis(name: str) -> _Made:
    values = st.lists(
        st.sampled_from(_RIGHT[name]), min_size=1, max_size=2, unique_by=repr
    )
    return values.map(lambda found: cast("Json", found))


_in_files = {"dedupe": _flags, "template": _flags}
_variants: _Made = st.lists(
    st.sampled_from(
        [
            *(
                "a",
                "{a|b}",
                "{red|green|}",
                "${{ vars.film }}",
                "{2$$a|b|c}",
                "{__w__}",
            ),
            *("{1-2$$ and $$a|{b|c}}", "\\{", "__w__", "{3::a|b}", "é", " "),
        ]
    ),
    min_size=1,
    max_size=3,
).map("".join)
_wildcards: _Made = st.just({"w": "lines.txt"})
_texts_of_forms: _Made = st.one_of(
    _mapping({"lines": st.just("lines.txt")}, **_in_files),
    _mapping({"file": _one_of("long.txt", ["l*.txt"], ["long.txt"])}, **_in_files),
    _mapping({"csv": st.just("good.csv")}, **_in_files),
    _mapping({"jsonl": st.just("good.jsonl")}, **_in_files),
    _mapping({"yaml": st.just("good.yaml#/scenes")}, **_in_files),
    _mapping({"variants": _variants, "wildcards": _wildcards}, ordered=_flags),
)
_number_forms: _Made = st.one_of(
    _mapping(
        {
            "range": _mapping(
                {"from": _one_of(0, 1, 0.5), "through": _one_of(2, 4, 3.5)},
                step=_one_of(1, 0.5, 2),
            )
        }
    ),
    _mapping(
        {
            "linspace": _mapping(
                {"from": _one_of(0, 1), "through": _one_of(2, 9), "num": _one_of(2, 3)}
            )
        }
    ),
    _mapping(
        {
            "random": _mapping(
                {"num": _one_of(1, 2, 3), "int": _one_of([0, 9], [-5, 2**31])},
                unique=_flags,
                seed=_one_of(0, 7),
            )
        }
    ),
)
_wrong_forms: _Made = st.one_of(
    _mapping(
        {"range": _mapping({}, **{"from": _numbers}, through=_numbers, step=_numbers)}
    ),
    _mapping(
        {"linspace": _mapping({}, **{"from": _numbers}, through=_numbers, num=_numbers)}
    ),
    _mapping(
        {
            "random": _mapping(
                {"num": _numbers},
                float=_lists(_numbers, 2, 2),
                choice=_lists(anything, 1),
                unique=_flags,
            )
        }
    ),
    st.tuples(
        st.sampled_from(["lines", "file", "csv", "jsonl", "yaml"]),
        st.sampled_from(
            [*FILES, "*.txt", "**", "none.txt", "../a", "bad.yaml#/scenes"]
        ),
    ).map(lambda pair: {pair[0]: pair[1]}),
    _mapping({"csv": st.just("good.csv"), "types": st.just({"seconds": "bool"})}),
    st.lists(st.sampled_from(["{", "}", "|", "2$$", "a", "$$", "__x__", "::", "9-1$$"]))
    .map("".join)
    .map(lambda text: {"variants": text}),
)
_shots: _Made = _one_of(
    [{"what": "a fox", "seconds": 4}, {"what": "an owl", "seconds": 8}],
    {"csv": "good.csv", "types": {"seconds": "int"}},
)


@st.composite
def matrices(draw: st.DrawFn) -> dict[str, Json]:
    """Return a matrix whose filters mostly name what there is."""
    names = draw(st.sets(st.sampled_from([*_RIGHT]), min_size=1, max_size=2))
    axes = {name: draw(_axis(name)) for name in sorted(names)}
    match draw(st.integers(0, 3)):
        case 1:
            axes["steps"] = draw(_number_forms)
        case 2:
            axes["shot"] = draw(st.one_of(_shots, _texts_of_forms))
        case _:
            pass
    filters = [
        cast("Json", {name: draw(_wanted(cast("list[Json]", axes[name])))})
        for name in draw(st.lists(st.sampled_from(sorted(axes)), max_size=2))
        if isinstance(axes[name], list)
    ]
    extra: Json = {"negative_prompt": draw(texts)}
    lists = [name for name, values in axes.items() if isinstance(values, list)]
    pair: list[Json] = [*lists[:2]]
    same = len({len(cast("list[Json]", axes[str(name)])) for name in pair}) == 1
    optional: dict[str, _Made] = {
        "exclude": st.just(filters[:1]),
        "include": st.just(
            [*filters[1:], extra] if "negative_prompt" not in axes else []
        ),
        "sample": _mapping({"num": _one_of(1, 3)}, seed=_one_of(0, 7)),
        "sampling_seed": _one_of(0, 7),
        "variables": st.just([*sorted(axes)[:1]]),
        "zip": st.just([pair] if same and len(pair) > 1 else []),
    }
    needed = {
        "axes": st.just(cast("Json", axes)),
        "allow_empty": st.just(True),
        "allow_unmatched": st.just(True),
    }
    return draw(_mapping(needed, **optional))


def _wanted(values: list[Json]) -> _Made:
    some = st.sampled_from(values)
    return st.one_of(
        some,
        some.map(lambda value: {"$in": [value]}),
        some.map(lambda value: {"$not": value}),
        st.just({"$gte": 4}),
        st.just({"$not": {"$lt": 5, "$gt": 0.5}}),
    )


# ---- the whole

_prompt: _Made = st.one_of(texts, texts, texts.map(lambda text: {"text": text}))
_MATRIX_REFERENCES = {
    "time": "${{ matrix.time ?? 1 }}",
    "shot": "${{ matrix.shot.what ?? 'x' }}",
    "steps": "${{ matrix.steps }}",
}


@st.composite
def jobs(draw: st.DrawFn, index: int) -> dict[str, Json]:
    """Return an entry of `jobs` whose prompts use its variables."""
    job: dict[str, Json] = {"id": f"job-{index}"}
    axes: Mapping[str, Json] = {}
    if draw(st.integers(0, 2)):
        job["matrix"] = draw(matrices())
        axes = cast(
            "Mapping[str, Json]", cast("dict[str, Json]", job["matrix"])["axes"]
        )
    used = [text for name, text in _MATRIX_REFERENCES.items() if name in axes]
    first = cast("Json", " ".join([f"A fox {index}", *used, "${{ let.mood ?? '' }}"]))
    prompts = draw(st.lists(st.one_of(_prompt, _prompt, _texts_of_forms), max_size=1))
    job["prompts"] = [first, *prompts]
    job["let"] = {"mood": draw(texts)}
    params = draw(_params)
    job["params"] = {k: v for k, v in params.items() if k not in axes}
    if draw(st.integers(1, 6)) == 1:
        cast("dict[str, Json]", job["params"]).update(
            cast("dict[str, Json]", draw(_images))
        )
    further = _mapping(
        {},
        model=_one_of("veo-3.1", "veo-3.1-fast"),
        repeat=_one_of(
            1, 2, [{"n": 2}], [{"where": {"prompt_id": {"$not": "x"}}, "n": 1}]
        ),
        output=_one_of("${{ job.spec }}/${{ job.name }}", "a/${{ job.id }}"),
    )
    return {**job, **draw(further)}


_durations = _one_of("5m", "90s", 30, "1h30m", 0.5)
_RULES: Mapping[str, _Made] = {
    "limits": _mapping(
        {}, in_flight=_one_of(1, 20), requests_per_second=_one_of(1, 0.5)
    ),
    "retry": _mapping(
        {},
        attempts=_one_of(1, 3),
        classes=_one_of([], ["capacity", "timeout"]),
        busy=_durations,
        unreachable=_durations,
    ),
    "poll": _mapping({}, wait=_durations),
    "order": _one_of("declared", "interleaved"),
    "accept": _mapping({}, failed=_one_of("2%", 0.5), classes=st.just(["content"])),
    "budget": _mapping({}, jobs=_one_of(0, 5)),
    "duplicates": _one_of("error", "merge", "merge", "merge"),
    "description": texts,
    "x-notes": json_values,
}
_VARS: Json = {
    "film": "Kodak",
    "look": "on ${{ vars.film }}",
    "list": ["https://example.com/a.png"],
}


@st.composite
def manifests(draw: st.DrawFn) -> Json:
    """Return a manifest that is mostly valid."""
    count = draw(st.integers(1, 2))
    defaults: Json = {
        "model": "veo-3.1-fast",
        "params": {"resolution": "720p", "generate_audio": False},
    }
    return {
        "foxbatch": 1,
        "name": draw(st.sampled_from(["a", "b-2", "x.y"])),
        "provider": "sandbox",
        "vars": copy.deepcopy(_VARS),
        "defaults": defaults,
        "jobs": [draw(jobs(index)) for index in range(count)],
        **draw(_mapping({}, **_RULES)),
    }


# ---- nearly manifests

_Change: TypeAlias = Callable[[Json], Json]
_changes: st.SearchStrategy[_Change] = st.one_of(
    st.sampled_from(
        cast(
            "list[_Change]",
            [
                lambda value: [value],
                lambda value: {"text": value},
                lambda value: [value, value],
                str,
                lambda value: f"{value} ${{{{ matrix.time }}}}",
            ],
        )
    ),
    st.one_of(anything, _wrong_forms, json_values).map(lambda new: lambda _value: new),
)
_misspellings = st.sampled_from(
    [str.upper, lambda key: key[:-1], lambda key: f"{key}s", lambda key: f"${key}"]
)


def _holders(value: Json) -> Iterator[dict[str, Json] | list[Json]]:
    if isinstance(value, dict | list) and value:
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _holders(inner)


@st.composite
def nearly(draw: st.DrawFn) -> Json:
    """Return a manifest with a key, a value or both put wrong in a few places."""
    whole = copy.deepcopy(draw(manifests()))
    for _ in range(draw(st.integers(1, 3))):
        holder = draw(st.sampled_from(list(_holders(whole))))
        if isinstance(holder, list):
            index = draw(st.integers(0, len(holder) - 1))
            holder[index] = draw(_changes)(holder[index])
            continue
        key = draw(st.sampled_from(sorted(holder)))
        value = holder.pop(key)
        how = draw(st.integers(0, 3))
        if how == 1:
            key = draw(_misspellings)(key)
        if how > 1:
            value = draw(_changes)(value)
        if how:
            holder[key] = value
    return whole


@st.composite
def written(draw: st.DrawFn, values: _Made) -> bytes:
    """Return manifests as bytes, in blocks or brackets."""
    text = yaml.safe_dump(
        draw(values),
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=draw(st.sampled_from([False, None, True])),
        width=draw(st.sampled_from([20, 10_000])),
    )
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    return text.replace("\n", end).encode()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return the text of a manifest with anything put into it, or cut out."""
    text = draw(written(manifests())).decode()
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.sampled_from([0, 0, 1, 2, 9]))
        text = text[:start] + draw(yaml_like) + text[end:]
    return text.encode()
