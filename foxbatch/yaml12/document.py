"""What was read, and where each value stood."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from foxbatch.canonical import Json
from foxbatch.errors import Position, Problem

Where: TypeAlias = "tuple[str | int, ...]"
"""A place inside a JSON value: keys and indices from the root."""

Span: TypeAlias = tuple[int, int, int, int]
"""Line, column, last line and the column after it, as in `Position`."""


@dataclass(slots=True, eq=False)
class Node:
    """A value, where it stood and what is in it."""

    value: Json
    span: Span
    plain: bool = False  # an unquoted scalar
    block: bool = False  # a scalar after `|` or `>`
    keys: dict[str, Span] = field(default_factory=dict)
    children: dict[str | int, Node] = field(default_factory=dict)
    size: int = 1
    height: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, and where it says it.

    Attributes:
        value: Plain JSON values. Parts written once and aliased are shared: read only.
        file: As shown to the user.
        text: The decoded text with LF line ends, for carets.
        problems: What was noticed while reading.
    """

    value: Json
    file: str
    text: str = field(repr=False)
    problems: tuple[Problem, ...] = ()
    _root: Node | None = field(default=None, repr=False, compare=False)
    _lines: list[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Split the text once: a manifest may have as many texts as lines."""
        object.__setattr__(self, "_lines", self.text.split("\n"))

    def line(self, number: int) -> str:
        """Return one line of the text, counted from 1, without its end."""
        return self._lines[number - 1]

    def position(self, where: Where, *, key: bool = False) -> Position:
        """Return where the value at *where* stands (its key with *key*).

        A place that does not exist has the position of its nearest parent.
        """
        if self._root is None:
            return Position(self.file)
        parent, node, last = self._root, self._root, None
        for step in where:
            child = node.children.get(step)
            if child is None:
                return self._at(node, parent, last, key=key)
            parent, node, last = node, child, step
        return self._at(node, parent, last, key=key)

    def _at(
        self, node: Node, parent: Node, last: str | int | None, *, key: bool
    ) -> Position:
        span = parent.keys.get(last) if key and isinstance(last, str) else None
        return Position(self.file, *(span or node.span))

    def around(self, position: Position) -> Where:
        """Return the innermost place whose key or value *position* begins in."""
        where: Where = ()
        node = self._root
        while node is not None:
            inside = (step for step in node.children if _holds(node, step, position))
            step = next(inside, None)
            where = where if step is None else (*where, step)
            node = None if step is None else node.children[step]
        return where

    def is_block(self, where: Where) -> bool:
        """Return whether the text at *where* is a block scalar (`|` or `>`)."""
        node = self._find(where)
        return node is not None and node.block

    def comment_after(self, where: Where) -> tuple[Position, str] | None:
        """Return the comment that ends the line of an unquoted scalar, if any.

        `A cat on Route #66` is read as `A cat on Route`: the text of the comment
        (`#66`) shows what was lost.
        """
        node = self._find(where)
        if node is None or not node.plain:
            return None
        _, _, line, column = node.span
        rest = self.line(line)[column - 1 :]
        comment = rest.lstrip(" \t")
        if not comment.startswith("#"):
            return None
        start = column + len(rest) - len(comment)
        end = start + len(comment)
        return Position(self.file, line, start, line, end), comment

    def _find(self, where: Where) -> Node | None:
        node = self._root
        for step in where:
            node = node.children.get(step) if node else None
        return node


def _holds(parent: Node, step: str | int, position: Position) -> bool:
    line, column, *_ = start = parent.children[step].span
    if isinstance(step, str):
        line, column, *_ = parent.keys[step]
    *_, end_line, end_column = start
    here = (position.line, position.column)
    return (line, column) <= here < (end_line, end_column)
