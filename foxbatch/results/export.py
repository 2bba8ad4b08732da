"""Which file gets which name in a folder that another tool reads: nothing is written.

Layouts:

* `plain`: files alone, named for people.
* `hf`: with the `metadata.jsonl` that Hugging Face's ImageFolder, VideoFolder and
  AudioFolder read, one folder per kind where there are several.
* `vbench`: flat, `{prompt}-{index}.mp4`, and nothing else: VBench takes every file
  in the folder for a video, and the prompt from its name.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, TypeAlias

import msgspec

from foxbatch.errors import UsageError
from foxbatch.matrix.slugs import MAX_STEP, inserted, safe_step
from foxbatch.results.flat import Row, Value
from foxbatch.schema import nearest

Layout: TypeAlias = Literal["plain", "hf", "vbench"]

METADATA = "metadata.jsonl"

_KINDS: Mapping[Layout, tuple[str, ...]] = {
    "plain": (),  # all of them
    "hf": ("video", "image", "audio"),
    "vbench": ("video",),
}
_PLACE = re.compile(r"\{([^{}]*)\}")
_IMPOSSIBLE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
# Of the 255 bytes that file systems take: behind a value an index has to fit, behind
# a step the extension.
_LONGEST_VALUE = 232
_LONGEST_STEP = 242
_SHORT = {"prompt": "prompt.text", "prompt_id": "prompt.id"}


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file, and its name in the folder; `row` is its row of the flat table."""

    row: Row
    name: PurePosixPath


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What a folder is to hold.

    Attributes:
        files: In the order of the records.
        texts: Contents of further files by name.
        unfit: How many files the layout has no place for.
        changed: How many prompts had to be changed to be a name.
    """

    files: Sequence[ExportFile]
    texts: Mapping[str, bytes]
    unfit: int
    changed: int


def plan_export(rows: Sequence[Row], layout: Layout, names: str = "") -> ExportPlan:
    """Return which names files get.

    Args:
        rows: Of the flat table, one per file.
        layout: Whom the folder is for.
        names: Template of the names, without the extension; empty for the layout's.

    Raises:
        UsageError: The template names what there is not.
    """
    kinds = _KINDS[layout]
    fit = [row for row in rows if not kinds or _kind(row) in kinds]
    template = names or _template(layout, fit)
    several = layout == "hf" and len({_kind(row) for row in fit}) > 1
    spell = _verbatim if layout == "vbench" else inserted
    named = _named(fit, template, spell, by_kind=several)
    return ExportPlan(
        files=named,
        texts=_metadata(named, by_kind=several) if layout == "hf" else {},
        unfit=len(rows) - len(fit),
        changed=_changed(fit) if layout == "vbench" else 0,
    )


def _kind(row: Row) -> str:
    """Return what a file is; where nobody could look, what it was asked to be."""
    kind = row["media.kind"]
    return str(row["kind"] if kind == "unchecked" else kind)


def _template(layout: Layout, rows: Sequence[Row]) -> str:
    if layout == "vbench":
        return "{prompt}-{index}"
    several = len({row["run"] for row in rows}) > 1
    return "{run}/{spec}/{name}" if several else "{spec}/{name}"


def _named(
    rows: Iterable[Row], template: str, spell: Callable[[str], str], *, by_kind: bool
) -> list[ExportFile]:
    taken: set[str] = set()
    like: Counter[str] = Counter()
    found = []
    for row in rows:
        folder = f"{_kind(row)}/" if by_kind else ""
        suffix = PurePosixPath(str(row["artifact.path"])).suffix
        # Files count separately where the rest of their names differs.
        rest = _rendered(template, row, spell, index="\0")
        name = folder + rest.replace("\0", str(like[rest]))
        like[rest] += 1
        found.append(ExportFile(row, _free(_steps(name), suffix, taken)))
    return found


def _rendered(
    template: str, row: Row, spell: Callable[[str], str], *, index: str
) -> str:
    def value(found: re.Match[str]) -> str:
        name = found[1]
        return index if name == "index" else spell(_in_words(_looked_up(name, row)))

    return _PLACE.sub(value, template)


def _looked_up(name: str, row: Row) -> Value:
    for column in (name, _SHORT.get(name, ""), f"cell.{name}", f"param.{name}"):
        if column in row:
            return row[column]
    close = nearest(name, ["index", *_SHORT, *row])
    hint = "Names are columns of the records, axes, and index: see foxbatch export -h."
    raise UsageError(
        f"--names knows no {{{name}}}", hint=f"Did you mean {close}?" if close else hint
    )


def _in_words(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    return str(value)


def _verbatim(text: str, limit_bytes: int = _LONGEST_VALUE) -> str:
    """Return *text* with as little changed as file names make necessary."""
    text = _IMPOSSIBLE.sub("_", unicodedata.normalize("NFC", text)).strip(" .")
    return text.encode()[:limit_bytes].decode(errors="ignore").strip(" ")


def _steps(name: str) -> list[str]:
    """Return the folders and the file that *name* names: none of them leads out."""
    steps = (_verbatim(step, _LONGEST_STEP).lstrip(".") for step in name.split("/"))
    return [step if len(step) > MAX_STEP else safe_step(step) for step in steps]


def _free(steps: Sequence[str], suffix: str, taken: set[str]) -> PurePosixPath:
    """Return a path that no other file has, also where capitals mean nothing."""
    path, number = PurePosixPath(*steps[:-1], steps[-1] + suffix), 2
    while str(path).casefold() in taken:
        path = PurePosixPath(*steps[:-1], f"{steps[-1]}-{number}{suffix}")
        number += 1
    taken.add(str(path).casefold())
    return path


def _metadata(files: Iterable[ExportFile], *, by_kind: bool) -> dict[str, bytes]:
    lines: dict[str, list[bytes]] = {}
    for file in files:
        folder = file.name.parts[0] if by_kind else ""
        name = file.name.relative_to(folder) if by_kind else file.name
        about = {"file_name": str(name), "text": file.row["prompt.text"], **file.row}
        home = str(PurePosixPath(folder, METADATA))
        lines.setdefault(home, []).append(msgspec.json.encode(about) + b"\n")
    return {home: b"".join(told) for home, told in lines.items()}


def _changed(rows: Iterable[Row]) -> int:
    prompts = {str(row["prompt.text"] or "") for row in rows}
    return sum(_verbatim(prompt) != prompt for prompt in prompts)
