"""Manifests: valid ones, ones that are nearly so, and text that only looks like one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import yaml
from hypothesis import strategies as st

from foxbatch.canonical import Json
from tests.property.strategies import json_values, yaml_like

_Made: TypeAlias = st.SearchStrategy[Json]
_Keys: TypeAlias = dict[str, st.SearchStrategy[Json]]

FILES = {
    "lines.txt": "# words\nred\ngreen \n\n\\#hash ${{ vars.film }}\n",
    "long.txt": "A long text\nin two lines\n",
    "shots.csv": 'text,seconds\n"a, b",4\nc,eight\n',
    "shots.jsonl": '{"text": "a", "id": "one"}\n"b"\n{"n": [1.5, null]}\n[}\n',
    "shots.yaml": "scenes: [a, {text: b, id: two}, 3, *x]\nmore: [1, 1]\n",
    "good.yaml": "scenes: [a, {text: b, id: two}]\n",
    "refs/a.png": "\x89PNG\r\n\x1a\n",
}
"""What manifests may name; not all of it can be read."""


def write_files(folder: Path) -> None:
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode("latin-1" if name.endswith("png") else "utf-8"))


def _some(**keys: _Made) -> _Made:
    """Return mappings with any of *keys*."""
    return st.fixed_dictionaries({}, optional=keys)


def _with(needed: _Keys, **keys: _Made) -> _Made:
    return st.fixed_dictionaries(needed, optional=keys)


def _any_of(*values: Json) -> _Made:
    return st.sampled_from(values)


def _lists(inner: _Made, least: int = 0, most: int = 3) -> _Made:
    return st.lists(inner, min_size=least, max_size=most).map(lambda found: [*found])


# ---- scalars

_names = _any_of("a", "beach", "b-2", "slow", "x.y")
_references = _any_of(
    "${{ vars.film }}",
    "${{ vars.list[0] }}",
    "${{ vars.list }}",
    '${{ vars.none ?? "x" }}',
    "${{ matrix.time }}",
    "${{ matrix.shot.text }}",
    "${{ matrix.duration }}",
    "${{ matrix.prompt_id }}",
    "${{ let.mood }}",
    "${{ repeat }}",
    "$${{ vars.film }}",
    "${{ job.name }}",
    "${{ env.HOME }}",
    "${{ vars. }}",
    "${{ ",
)
_words = _any_of(
    *("A fox", "a: b", "Route #66", "- x", "[x]", "{a|b}", "é\u2028日", "'q'", '"', ""),
    *("2$$a", "\\{", "__w__", "100%", "*x", "&x", "!x", "no", "16:9", "0x1F", "\ttab"),
    *("two\nlines", "two lines\n", " blank "),
)
texts: _Made = st.lists(st.one_of(_words, _words, _references), max_size=3).map(
    lambda parts: "".join(map(str, parts))
)
_whole = _any_of(0, 1, 2, 3, 4, 6, 8, -1)
_numbers = _any_of(0, 1, 4, 8, 0.5, 2.0, 1e3, -1, 2**53, 10**20)
_flags = _any_of(True, False)
scalars: _Made = st.one_of(_whole, _numbers, _flags, st.none(), texts, _references)

# ---- what stands under params and axes

_unset: _Made = st.just({"$unset": True})
_files: _Made = _any_of(
    "refs/a.png", "lines.txt", "none.png", "../x", "/etc/passwd", ""
)
_locals: _Made = _files.map(lambda path: {"path": path})
_right: _Keys = {
    "duration": _any_of(4, 6, 8, "${{ matrix.duration }}"),
    "resolution": _any_of("720p", "1080p", "4k", "2160p"),
    "aspect_ratio": _any_of("16:9", "9:16"),
    "generate_audio": _flags,
    "seed": _any_of(1, 7, None, "${{ repeat }}"),
    "negative_prompt": texts,
    "generation_type": _any_of("image-to-video", "text-to-video", "reference-to-video"),
    "image_urls": _lists(st.one_of(_locals, st.just("https://example.com/a.png"))),
}
_maps: _Made = st.dictionaries(
    st.sampled_from(["text", "id", "n", "path", "$x"]), scalars, max_size=2
).map(lambda found: {**found})
_values: _Made = st.one_of(scalars, _unset, _locals, _lists(scalars), _maps)
_params: _Made = st.fixed_dictionaries(
    {},
    optional={
        **{
            name: st.one_of(made, made, made, _values, _unset)
            for name, made in _right.items()
        },
        "resolutoin": scalars,
    },
)

_path = _any_of(*FILES, "*.txt", "**", "none.txt", "../a", "good.yaml#/scenes", "", "é")
_in_files: _Keys = {"dedupe": _flags, "template": _flags}
_types: _Made = st.dictionaries(
    st.sampled_from(["seconds", "text", "none"]),
    _any_of("int", "float", "bool", "json"),
    max_size=2,
).map(lambda found: {**found})
_variants: _Made = st.lists(
    _any_of(
        *("{", "}", "|", "a", "2$$", "1-2$$", " and $$", "3::", "__w__", "\\{", "$$"),
        *("{a|b}", "{red|green|}", "${{ vars.film }}", "{2$$a|b|c}", "{__w__}", ","),
    ),
    max_size=6,
).map(lambda parts: "".join(map(str, parts)))
_forms: _Made = st.one_of(
    _with({"range": _with({"from": _numbers, "through": _numbers}, step=_numbers)}),
    _with(
        {"linspace": _with({"from": _numbers, "through": _numbers, "num": _whole})},
    ),
    _with(
        {
            "random": _with(
                {"num": _whole},
                int=_lists(_whole, 2, 2),
                float=_lists(_numbers, 2, 2),
                choice=_lists(_values, 1),
                unique=_flags,
                seed=_whole,
            )
        }
    ),
    _with({"lines": _path}, **_in_files),
    _with({"file": st.one_of(_path, _lists(_path))}, **_in_files),
    _with({"csv": _path}, types=_types, **_in_files),
    _with({"jsonl": _path}, **_in_files),
    _with({"yaml": _path}, **_in_files),
    _with(
        {"variants": _variants},
        ordered=_flags,
        wildcards=st.just({"w": "lines.txt"}),
    ),
)
_AXES = ("time", "duration", "seed", "resolution", "shot", "model", "prompt")
_axis: _Made = st.one_of(_lists(_values, 1), _forms, _lists(_whole, 1))
_axes: _Made = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(_AXES, _axis),
        "duration": st.one_of(_lists(_any_of(4, 6, 8), 1), _axis),
        "time": st.one_of(_lists(_any_of("dawn", "noon"), 1, 2), _axis),
    },
)

# ---- filters

_operators: _Made = st.recursive(
    st.one_of(_values, _any_of(4, 6, "dawn", "slow")),
    lambda inner: st.one_of(
        _some(**{"$in": _lists(inner), "$not": inner}),
        _some(**{"$gt": _numbers, "$gte": _numbers, "$lt": _numbers, "$lte": texts}),
        _some(text=inner, n=inner),
    ),
    max_leaves=4,
)
_filter: _Made = st.dictionaries(
    st.sampled_from([*_AXES, "prompt_id", "extra", "negative_prompt", "$in"]),
    _operators,
    max_size=3,
).map(lambda found: {**found})
_repeat: _Made = st.one_of(
    _any_of(1, 2, 3), _lists(_with({"n": _any_of(1, 2, 0)}, where=_filter), 1)
)
_matrix: _Made = _some(
    axes=_axes,
    zip=_lists(_lists(_any_of(*_AXES), 1)),
    exclude=_lists(_filter),
    include=_lists(_filter),
    sample=_with({"num": _whole}, seed=_whole),
    sampling_seed=_whole,
    variables=_lists(_any_of(*_AXES)),
    allow_unmatched=_flags,
    allow_empty=_flags,
)

# ---- the whole

_prompt: _Made = st.one_of(
    texts, _with({"text": texts}, id=_names), _forms, st.just("A fox in the snow")
)
_model = _any_of("veo-3.1", "veo-3.1-fast", "veo-3.1-fast", "veo", "${{ vars.film }}")
_let: _Made = st.dictionaries(
    st.sampled_from(["mood", "pace"]), _values, max_size=2
).map(lambda found: {**found})
_shared: _Keys = {
    "model": _model,
    "params": _params,
    "repeat": _repeat,
    "output": st.one_of(texts, st.just("${{ job.spec }}/${{ job.name }}")),
}
_job: _Made = _with(
    {"id": _names, "prompts": _lists(_prompt, 1)}, matrix=_matrix, let=_let, **_shared
)
_durations = _any_of("5m", "90s", 30, "1h30m", 0.5, "soon", "5 m")
_rules: _Keys = {
    "limits": _some(in_flight=_whole, requests_per_second=_numbers, max_jobs=_whole),
    "retry": _some(
        attempts=_whole,
        classes=_lists(_any_of("capacity", "timeout", "content")),
        busy=_durations,
        unreachable=_durations,
    ),
    "poll": _some(wait=_durations),
    "order": _any_of("declared", "interleaved", "random"),
    "accept": _some(failed=_any_of("2%", 0.5, "101%", 2), classes=st.just(["content"])),
    "budget": _some(jobs=_whole, credits=_whole),
    "duplicates": _any_of("error", "merge"),
    "description": texts,
    "x-notes": json_values,
    "vars": _some(film=texts, list=_lists(_values), look=_values, none=_references),
}
manifests: _Made = _with(
    {
        "foxbatch": st.just(1),
        "name": _names,
        "provider": st.just("sandbox"),
        "defaults": _with({"model": st.just("veo-3.1-fast")}, params=_params),
        "jobs": _lists(_job, 1, 2),
    },
    **_rules,
)
"""Whatever the grammar allows, and some of what it does not."""


# ---- nearly manifests

_Change: TypeAlias = Callable[[Json], Json]
_changes: st.SearchStrategy[_Change] = st.one_of(
    st.just(lambda value: [value]),
    st.just(lambda value: {"text": value}),
    st.just(lambda value: [value, value]),
    st.just(str),
    _values.map(lambda new: lambda _value: new),
    json_values.map(lambda new: lambda _value: new),
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
    whole = copy.deepcopy(draw(manifests))
    for _ in range(draw(st.integers(1, 3))):
        holders = list(_holders(whole))
        holder = draw(st.sampled_from(holders))
        if isinstance(holder, list):
            index = draw(st.integers(0, len(holder) - 1))
            holder[index] = draw(_changes)(holder[index])
            continue
        key = draw(st.sampled_from(sorted(holder)))
        value = holder.pop(key)
        if draw(st.booleans()):
            key = draw(_misspellings)(key)
        if draw(st.booleans()):
            value = draw(_changes)(value)
        if draw(st.integers(0, 3)):
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
    text = draw(written(manifests)).decode()
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.sampled_from([0, 0, 1, 2, 9]))
        text = text[:start] + draw(yaml_like) + text[end:]
    return text.encode()
