"""Files that were asked for lately, ready to be sent without a thread."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from foxbatch.sandbox.media import RecipeCache
from foxbatch.sandbox.messages import Recipe
from foxbatch.sandbox.web.files import etag_of

_LIMIT_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class File:
    """A file that was made, and what tells it from any other."""

    content: bytes
    etag: str


class HotFiles:
    """Made files with their digests, the most recently used ones."""

    def __init__(self, *, limit_bytes: int = _LIMIT_BYTES) -> None:
        self._made = RecipeCache()
        self._limit_bytes = limit_bytes
        self._size_bytes = 0
        self._files: OrderedDict[Recipe, File] = OrderedDict()

    def get(self, recipe: Recipe) -> File | None:
        """Return the file if it is at hand."""
        file = self._files.get(recipe)
        if file is not None:
            self._files.move_to_end(recipe)
        return file

    def made(self, recipe: Recipe) -> File:
        """Return the file, made if need be: what a thread does meanwhile."""
        content = self._made.get(recipe)
        return File(content, etag_of(content))

    def keep(self, recipe: Recipe, file: File) -> None:
        """Have *file* at hand from now on, in the place of those not asked for."""
        before = self._files.pop(recipe, None)
        self._size_bytes -= 0 if before is None else len(before.content)
        self._files[recipe] = file
        self._size_bytes += len(file.content)
        while self._size_bytes > self._limit_bytes:
            _, oldest = self._files.popitem(last=False)
            self._size_bytes -= len(oldest.content)
