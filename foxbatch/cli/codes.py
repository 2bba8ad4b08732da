"""What each problem code means: the page about them, read for machines."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

_SECTION = re.compile(
    r"^### (?P<code>\S+)\n\n(?P<text>.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a problem code means.

    Attributes:
        short: A sentence.
        text: All that the page says, plain.
        markdown: The same, as it is written.
    """

    short: str
    text: str
    markdown: str


def meaning(code: str) -> Meaning:
    """Return what *code* means; nothing is said of one that the page does not have."""
    return _meanings().get(code, Meaning(code, code, code))


@functools.cache
def _meanings() -> dict[str, Meaning]:
    page = _page().read_text(encoding="utf-8")
    return {found["code"]: _read(found["text"]) for found in _SECTION.finditer(page)}


def _read(section: str) -> Meaning:
    markdown = _LINK.sub(r"\1", section).strip()
    prose = " ".join(markdown.partition("\n\n```")[0].split())
    text = prose.replace("`", "")
    return Meaning(re.split(r"(?<=[.!?:]) (?=[A-Z])", text)[0], text, markdown)


def _page() -> Path:
    # A wheel carries the page inside the package; an editable install does not.
    package = Path(str(resources.files("foxbatch")))
    inside = package / "_docs" / "problems.md"
    return inside if inside.is_file() else package.parent / "docs" / "problems.md"
