"""The pages of the documentation as data: their blocks, links and headings.

A comment before a block says what it is for; readers do not see it:

    <!-- file: beach.yaml -->   the block is that file
    <!-- run -->                its commands, or its Python, are run in order
    <!-- other -->              YAML that is neither a manifest nor a part of one
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from foxbatch.lifecycle import TRANSITIONS, Stage

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(
    r"(?:^<!-- (?P<word>\w+)(?:: (?P<argument>\S+))? -->\n)?"
    r"^(?P<fence>```+)(?P<language>\w*)\n(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_ANY_LINES = "…"


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block, what it is for, and the heading that it stands under."""

    word: str
    argument: str
    language: str
    text: str
    line: int
    heading: str


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a console block and what it is said to print."""

    command: str
    output: str


def shown(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of *page*, in order."""
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        before = _HEADING.findall(_without_blocks(text[: found.start()]))
        yield Block(
            word=found["word"] or "",
            argument=found["argument"] or "",
            language=found["language"],
            text=found["text"],
            line=text.count("\n", 0, found.start("fence")) + 1,
            heading=before[-1] if before else "",
        )


def _without_blocks(text: str) -> str:
    return _BLOCK.sub("", text)


def prose(page: Path) -> str:
    """Return *page* without its fenced blocks."""
    return _without_blocks(page.read_text(encoding="utf-8"))


def links(page: Path) -> Iterator[str]:
    """Yield where the links and pictures of *page* point."""
    for found in _LINK.finditer(prose(page)):
        yield found[1] or found[2]


def anchors(page: Path) -> set[str]:
    """Return the anchors of *page*, as GitHub makes them of its headings."""
    return {anchor(heading) for heading in _HEADING.findall(prose(page))}


def anchor(heading: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def steps(block: Block) -> Iterator[Step]:
    """Yield the commands of a console block; a command goes on after a backslash."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        end = re.search(r"(?<!\\)\n", part)
        assert end is not None, block
        yield Step(part[: end.start()], part[end.end() :].rstrip())


_VOLATILE = (
    (r"task-unified-\d+-\w+", "TASK"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "MOMENT"),
    (r"[\d-]{10} [\d:]{8}( to | and )([\d-]{10} )?[\d:]{8} UTC", "SPAN"),
    (r"\b[a-z2-7]{10}-\d+ on \S+", "ATTEMPT"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "MOMENT"),
    (r"\d{8}T\d{6}Z-[a-z2-7]{10}", "RUN"),
    (r"\b(\d+h )?(\d+m )?\d+s\b", "TIME"),
    (r"\b\d+\.\d [kM]B\b", "SIZE"),
    (r"(?<= )\d+\.\d(?= )", "SECONDS"),
    (r"(?<=done before · )in TIME", "in TIME"),
    (r"\b\d+ facts\b", "FACTS"),  # a status may be seen or not
    (r"-{3,}|─{3,}", "RULE"),
    (r" +", " "),
)


def stable(text: str) -> str:
    """Return *text* without what differs from run to run."""
    for pattern, name in _VOLATILE:
        text = re.sub(pattern, name, text)
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return "\n".join(_in_any_order(lines))


def _in_any_order(lines: list[str]) -> Iterator[str]:
    """Yield *lines*, with neighbours that answers brought in any order sorted."""
    for answers, group in itertools.groupby(lines, lambda n: n.startswith("accepted ")):
        neighbours = list(group)
        yield from sorted(neighbours) if answers else neighbours


def is_shown(expected: str, printed: str) -> bool:
    """Return whether *printed* is what a page shows; `…` stands for any lines."""
    parts = stable(expected).split("\n")
    pattern = "\n".join(
        "(?:.*\n)*?.*" if line.strip() == _ANY_LINES else re.escape(line)
        for line in parts
    )
    return re.fullmatch(pattern, stable(printed)) is not None


# ---- YAML that is only a part of a manifest

_IN_MATRIX = frozenset(
    {"axes", "zip", "exclude", "include", "variables", "sample", "sampling_seed"}
)
_IN_JOB = frozenset(
    {"id", "model", "prompts", "matrix", "let", "params", "repeat", "output"}
)
_TOP = "foxbatch: 1\nname: example\nprovider: sandbox\n"
_JOB = {
    "id": "id: shots\n",
    "model": "model: veo-3.1-fast\n",
    "prompts": "prompts: [A dog on the beach]\n",
    "params": "params: {generate_audio: false}\n",
}
_PROVIDER = {
    "foxbatch": "foxbatch: 1\n",
    "like": "like: foxapi\n",
    "id": "id: example\n",
    "base_url": "base_url: https://api.example.com\n",
}


def whole_manifest(part: str) -> str:
    """Return a manifest that holds *part*, which may be one already."""
    chunks = dict(_chunks(part))
    if "foxbatch" in chunks:
        return part
    matrix = [text for key, text in chunks.items() if key in _IN_MATRIX]
    job = [text for key, text in chunks.items() if key in _IN_JOB]
    if matrix:
        job.append("matrix:\n" + _indented(matrix))
    top = [t for k, t in chunks.items() if k not in _IN_MATRIX and k not in _IN_JOB]
    if "jobs" not in chunks:
        usual = [text for key, text in _JOB.items() if key not in chunks]
        top.append("jobs:\n  -\n" + _indented([*usual, *job], 4))
    given = [line for line in _TOP.splitlines(True) if line.split(":")[0] not in chunks]
    return "".join([*given, *top])


def whole_provider(part: str) -> str:
    """Return a provider file that holds *part*."""
    chunks = dict(_chunks(part))
    usual = [text for key, text in _PROVIDER.items() if key not in chunks]
    return "".join([*usual, part])


def whole_plan(part: str) -> str:
    """Return a fault plan that holds *part*, which may be one already."""
    return part if "foxbatch" in dict(_chunks(part)) else f"foxbatch: 1\n{part}"


def _chunks(part: str) -> Iterator[tuple[str, str]]:
    """Yield the top-level keys of *part*, each with its lines."""
    starts = list(re.finditer(r"^([\w-]+):", part, re.MULTILINE))
    assert starts, part
    ends = [start.start() for start in starts[1:]] + [len(part)]
    begin = 0
    for start, end in zip(starts, ends, strict=True):
        yield start[1], part[begin:end]
        begin = end


def _indented(chunks: Iterable[str], by: int = 2) -> str:
    text = "".join(chunks)
    return "".join(" " * by + line for line in text.splitlines(keepends=True))


# ---- The picture of what may happen


def lifecycle_diagram() -> str:
    """Return `lifecycle.TRANSITIONS` as a state diagram that GitHub draws."""
    lines = ["stateDiagram-v2"]
    for stage, steps_out in TRANSITIONS.items():
        if stage is Stage.ELSEWHERE:
            continue
        shown = "[*]" if stage is Stage.UNBORN else stage
        words: dict[Stage, list[str]] = {}
        for event, target in steps_out.items():
            words.setdefault(target, []).append(event.replace(":", " "))
        for target, names in words.items():
            lines.append(f"    {shown} --> {target}: {'<br/>'.join(names)}")
        if not steps_out:
            lines.append(f"    {stage} --> [*]")
    return "\n".join(lines) + "\n"
