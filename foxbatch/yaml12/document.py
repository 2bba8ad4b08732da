"""What was read, and where each value stood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, cast

from foxbatch.canonical import Json
from foxbatch.errors import Position, Problem

Where: TypeAlias = "tuple[str | int, ...]"
"""A place inside a JSON value: keys and indices from the root."""

Style: TypeAlias = Literal["plain", "quoted", "block"]

Span: TypeAlias = tuple[int, int, int, int]
"""Line, column, last line and the column after it, as in `Position`."""


@dataclass(slots=True, eq=False)
class Node:
    """A value, where it stood and what is in it."""

    value: Json
    span: Span
    plain: bool = False  # an unquoted scalar
    block: bool = False  # a scalar after `|` or `>`
    alias: bool = False  # written elsewhere
    file: str = ""  # where it stood, if not in the file of its document
    keys: dict[str, Span] = field(default_factory=dict)
    children: dict[str | int, Node] = field(default_factory=dict)
    size: int = 1
    height: int = 0


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value or a key as it is written.

    Attributes:
        where: Its place, or that of the value it is the key of.
        position: The characters of it; of a block scalar only its `|` or `>`.
        source: These characters.
        value: What is read from them; of a key, the key.
        style: How it is written.
        key: Whether it is a key.
    """

    where: Where
    position: Position
    source: str
    value: Json
    style: Style
    key: bool


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

    def source(self, position: Position) -> str:
        """Return what stands at *position* as it is written; nothing of other files."""
        if position.file != self.file:
            return ""
        lines = self._lines[position.line - 1 : position.end_line]
        lines[-1] = lines[-1][: position.end_column - 1]
        lines[0] = lines[0][position.column - 1 :]
        return "\n".join(lines)

    def scalars(self) -> Iterator[Scalar]:
        """Yield every value that is no collection, and every key, once each.

        What an alias stands for is met where its anchor is.
        """
        seen: set[int] = set()
        waiting: list[tuple[Where, Node]] = []
        if self._root is not None:
            waiting.append(((), self._root))
        while waiting:
            where, node = waiting.pop()
            if node.alias or node.file or id(node) in seen:
                continue
            seen.add(id(node))
            if not isinstance(node.value, list | dict):
                style: Style = "quoted"
                if node.plain or node.block:
                    style = "plain" if node.plain else "block"
                position = Position(self.file, *node.span)
                source = self.source(position)
                yield Scalar(where, position, source, node.value, style, key=False)
            for step, span in node.keys.items():
                yield self._key((*where, step), step, span)
            inside = node.children.items()
            waiting.extend(((*where, step), child) for step, child in inside)

    def _key(self, where: Where, key: str, span: Span) -> Scalar:
        position = Position(self.file, *span)
        source = self.source(position)
        style: Style = "quoted" if source[:1] in {"'", '"'} else "plain"
        return Scalar(where, position, source, key, style, key=True)

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
        if span is not None:
            return Position(parent.file or self.file, *span)
        return Position(node.file or self.file, *node.span)

    def with_value(self, where: Where, other: Document) -> Document:
        """Return this document with the value of *other* at *where*.

        Mappings on the way that do not exist are made. Positions of what is new lead
        into the file of *other*.
        """
        assert other._root is not None  # noqa: S101  it was read from text
        new = other._root
        for node in _all_nodes(new):
            node.file = other.file
        root = _grafted(self._root, where, new)
        problems = (*self.problems, *other.problems)
        return replace(self, value=root.value, problems=problems, _root=root)

    def renamed(self, names: Mapping[Where, str]) -> Document:
        """Return this document with other keys at the places of *names*.

        Order and positions stay: what is under a new key stands where it stood.
        """
        assert self._root is not None  # noqa: S101  it was read from text
        root = _renamed(self._root, names)
        return replace(self, value=root.value, _root=root)

    def around(self, position: Position) -> Where:
        """Return the innermost place whose key or value *position* begins in."""
        where: Where = ()
        node = self._root if position.file == self.file else None
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
        if node is None or not node.plain or node.file:
            return None
        _, _, line, column = node.span
        rest = self.line(line)[column - 1 :]
        comment = rest.lstrip(" \t")
        if not comment.startswith("#"):
            return None
        start = column + len(rest) - len(comment)
        end = start + len(comment)
        return Position(self.file, line, start, line, end), comment

    def nth(self, where: Where, opening: str, number: int, closing: str) -> Position:
        """Return where the *number*-th *opening* of the text at *where* stands.

        It ends with its *closing*, or with its line where there is none before the next
        opening. Numbers count from 0; where escapes hide it, the whole text is meant.
        """
        node, at = self._find(where), self.position(where)
        if node is None or at.file != self.file:
            return at
        line, source = at.line, self.source(at)
        if node.block:
            line, source = at.line + 1, "\n".join(self._block(at.line))
        start = -1
        for _ in range(number + 1):
            start = source.find(opening, start + 1)
            if start < 0:
                return at
        following = source.find(opening, start + 1)
        end = source.find(closing, start, following if following > 0 else None)
        end = end + len(closing) if end > 0 else _line_end(source, start)
        first = 0 if node.block else at.column - 1
        return Position(
            self.file,
            *_line_and_column(source, start, line, first),
            *_line_and_column(source, end, line, first),
        )

    def _block(self, number: int) -> Iterator[str]:
        """Yield the lines of the block scalar that begins in line *number*."""
        header = self.line(number)
        indent = len(header) - len(header.lstrip(" "))
        for index in range(number, len(self._lines)):
            line = self._lines[index]
            if line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
                return
            yield line

    def _find(self, where: Where) -> Node | None:
        node = self._root
        for step in where:
            node = node.children.get(step) if node else None
        return node


def _line_end(text: str, offset: int) -> int:
    end = text.find("\n", offset)
    return len(text[: end if end >= 0 else None].rstrip("\"' \t"))


def _line_and_column(text: str, offset: int, line: int, first: int) -> tuple[int, int]:
    """Return where *offset* is, if *text* begins in *line*, *first* columns later."""
    before = text[:offset]
    above = before.count("\n")
    column = offset - before.rfind("\n") - 1 + (0 if above else first)
    return line + above, column + 1


def _holds(parent: Node, step: str | int, position: Position) -> bool:
    line, column, *_ = start = parent.children[step].span
    if isinstance(step, str):
        line, column, *_ = parent.keys[step]
    *_, end_line, end_column = start
    here = (position.line, position.column)
    return (line, column) <= here < (end_line, end_column)


def _all_nodes(root: Node) -> Iterator[Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.children.values())


def _renamed(node: Node, names: Mapping[Where, str]) -> Node:
    """Return *node* with other keys; what aliases share with it is not changed."""
    own = {where[0]: name for where, name in names.items() if len(where) == 1}
    inner: dict[str | int, dict[Where, str]] = {}
    for where, name in names.items():
        if len(where) > 1:
            inner.setdefault(where[0], {})[where[1:]] = name
    children = {
        own.get(step, step): _renamed(child, inner[step]) if step in inner else child
        for step, child in node.children.items()
    }
    values = {str(step): child.value for step, child in children.items()}
    return replace(
        node,
        value=list(values.values()) if isinstance(node.value, list) else values,
        keys={own.get(key, key): span for key, span in node.keys.items()},
        children=children,
    )


def _grafted(old: Node | None, where: Where, new: Node) -> Node:
    """Return *old* with *new* at *where*; what aliases share with it is not changed."""
    if not where:
        return new
    step, *rest = where
    if old is None or not isinstance(old.value, list | dict):
        old = Node({}, new.span, file=new.file)
    child = _grafted(old.children.get(step), tuple(rest), new)
    value: Json = (
        [child.value if index == step else one for index, one in enumerate(old.value)]
        if isinstance(old.value, list)
        else {**cast("dict[str, Json]", old.value), str(step): child.value}
    )
    return replace(
        old, value=value, children={**old.children, step: child}, alias=False
    )
