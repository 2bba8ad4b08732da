"""Local files among the values of a manifest: `{path: …}`.

A mapping whose only key is `path`, as a parameter or inside a list, is always meant as
a file. Its bytes identify it; where it lies is for people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from foxbatch.canonical import Json
from foxbatch.errors import Position
from foxbatch.sources import Sources
from foxbatch.yaml12 import Where

_TYPES: Mapping[str, tuple[tuple[int, bytes], ...]] = {
    "image": (
        (0, b"\x89PNG\r\n\x1a\n"),
        (0, b"\xff\xd8\xff"),
        (0, b"GIF87a"),
        (0, b"GIF89a"),
        (8, b"WEBP"),
    ),
    "video": ((4, b"ftyp"), (4, b"moov"), (0, b"\x1aE\xdf\xa3")),
    "audio": (
        (8, b"WAVE"),
        (0, b"ID3"),
        (0, b"\xff\xfb"),
        (0, b"\xff\xf3"),
        (0, b"\xff\xf2"),
        (0, b"OggS"),
        (0, b"fLaC"),
        (4, b"ftypM4A"),
    ),
    "document": ((0, b"%PDF-"),),
}
"""How files of each kind begin: bytes, and after how many others."""


def kinds_of(head: bytes) -> list[str]:
    """Return what a file that begins with *head* may be; M4A is kin to MP4."""
    return [
        kind
        for kind, marks in _TYPES.items()
        if any(head.startswith(mark, at) for at, mark in marks)
    ]


def local_path(value: Json) -> str | None:
    """Return the path where *value* is `{path: …}`."""
    match value:
        case {"path": str(path), **rest} if not rest:
            return path
        case _:
            return None


def local_files(value: Json, where: Where) -> Iterator[tuple[Where, str]]:
    """Yield place and path of each local file in *value*, which stands at *where*."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from local_files(item, (*where, index))
    elif (path := local_path(value)) is not None:
        yield where, path


def replaced(value: Json, stand_in: Callable[[str], Json]) -> Json:
    """Return *value* with something instead of each `{path: …}`, also inside lists."""
    if isinstance(value, list):
        return [replaced(item, stand_in) for item in value]
    path = local_path(value)
    return value if path is None else stand_in(path)


def by_content(value: Json, sources: Sources, *, at: Position) -> Json:
    """Return *value* as its digest sees it: `{"sha256": …}` for each local file.

    Raises:
        InvalidError: A file cannot be used.
    """
    return replaced(value, lambda path: {"sha256": sources.file(path, at=at).sha256})
