"""Makes values from the parser's events, by the rules of YAML 1.2's core schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from foxbatch.canonical import MAX_SAFE_INTEGER, NOT_TEXT, Json
from foxbatch.errors import InvalidError, Position, Problem, Related
from foxbatch.yaml12.document import Node, Span

MAX_DEPTH = 100
MAX_NODES = 1_000_000
MAX_ALIAS_NODES = 10_000
_SHOWN_DIGITS = 40

REMOVE = "Remove the character."

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_TAG = "tag:yaml.org,2002:"


class Builder:
    """Makes nodes from the parser's events, and keeps what is wrong with them."""

    def __init__(self, file: str, originals: dict[str, str]) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._originals = str.maketrans(originals)
        self._anchors: dict[str, Node | None] = {}
        self._nodes = 0
        self._aliased = 0
        self._end = (1, 1)

    def build(self, text: str) -> Node:
        """Return the root of the one document in *text*.

        Raises:
            yaml.MarkedYAMLError: The text is not YAML.
            InvalidError: It is empty, or too large or deep to go on.
        """
        last = text.rfind("\n") + 1
        self._end = (text.count("\n") + 1, len(text) - last + 1)
        events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        next(events)  # the start of the stream
        start = next(events)
        if isinstance(start, yaml.StreamEndEvent):
            raise self._fatal(
                "E-YAML-EMPTY",
                "the file is empty",
                (1, 1, 1, 1),
                "Type `foxbatch init` for an example to start from.",
            )
        if start.version == (1, 1):
            self._report(
                "E-YAML-VERSION",
                "%YAML 1.1 asks for other rules than this file is read by",
                self._span(start),
                "Remove the line: YAML 1.2 is read.",
            )
        root = self._node(next(events), events, 0)
        next(events)  # the end of the document
        after = next(events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._report(
                "E-YAML-DOCUMENTS",
                "a second document starts here, and a file holds one",
                self._span(after),
                "Remove the line `---`, or move what follows to a file of its own.",
            )
        return root

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        self._count(event, depth)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = None  # not complete: no alias to itself
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, events, depth)
        else:
            node = self._mapping(event, events, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _count(self, event: Any, depth: int) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._fatal(
                "E-YAML-NODES",
                f"the file has more than {MAX_NODES:,} values",
                self._span(event),
                "Split it into several manifests.",
            )
        if depth > MAX_DEPTH:
            raise self._too_deep(event)

    def _too_deep(self, event: Any) -> InvalidError:
        return self._fatal(
            "E-YAML-DEPTH",
            f"values are nested more than {MAX_DEPTH} deep",
            self._span(event),
            "Nest less.",
        )

    def _alias(self, event: Any, depth: int) -> Node:
        target = self._anchors.get(event.anchor)
        if target is None:
            itself, name = event.anchor in self._anchors, _short(event.anchor)
            self._report(
                "E-YAML-ALIAS",
                f"*{name} is used inside &{name} itself"
                if itself
                else f"*{name} refers to no anchor &{name}",
                self._span(event),
                f'Put "*{name}" in quotes if it is text.',
            )
            return Node(None, self._span(event), alias=True)
        self._aliased += target.size
        if self._aliased > MAX_ALIAS_NODES:
            raise self._fatal(
                "E-YAML-ALIAS",
                f"aliases expand to more than {MAX_ALIAS_NODES:,} values",
                self._span(event),
                "Write less with aliases; only `matrix.axes` should multiply.",
            )
        if depth + target.height > MAX_DEPTH:
            raise self._too_deep(event)
        return Node(
            target.value,
            self._span(event),
            block=target.block,
            alias=True,
            keys=target.keys,
            children=target.children,
            size=target.size,
            height=target.height,
        )

    def _sequence(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        self._check_tag(event, "seq")
        items: list[Json] = []
        node = Node(items, self._span(event))
        while not isinstance(item := next(events), yaml.SequenceEndEvent):
            child = self._node(item, events, depth + 1)
            node.children[len(items)] = child
            items.append(child.value)
            _grow(node, child)
        self._close(node, event, item)
        return node

    def _mapping(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        self._check_tag(event, "map")
        items: dict[str, Json] = {}
        node = Node(items, self._span(event))
        while not isinstance(item := next(events), yaml.MappingEndEvent):
            key_node = self._node(item, events, depth + 1)
            key = self._key(key_node)
            child = self._node(next(events), events, depth + 1)
            _grow(node, child)
            if key is None:
                continue
            if key in items:
                self._duplicate(key, key_node.span, node.keys[key])
                continue
            items[key] = child.value
            node.keys[key], node.children[key] = key_node.span, child
        self._close(node, event, item)
        return node

    def _key(self, node: Node) -> str | None:
        key = node.value
        if isinstance(key, str):
            if key == "<<" and node.plain:
                self._report(
                    "E-YAML-MERGE",
                    "<< (merge) is not part of YAML 1.2",
                    node.span,
                    "Write the keys out; a whole value may be an alias (`key: *name`).",
                )
                return None
            return key
        shown = "null" if key is None else str(key).lower()
        simple = not isinstance(key, list | dict)
        self._report(
            "E-YAML-KEY",
            f"the key {shown} is {_kind(key)}, and keys are text",
            node.span,
            f'Put it in quotes: "{shown}".' if simple else "Use text as the key.",
        )
        return None

    def _duplicate(self, key: str, span: Span, first: Span) -> None:
        self._report(
            "E-YAML-DUP-KEY",
            f'the key "{key}" is given twice',
            span,
            "Remove one of them, or rename it.",
            Related(Position(self._file, *first), "first given here"),
        )

    def _scalar(self, event: Any) -> Node:
        text = event.value.translate(self._originals)
        span = self._span(event)
        if event.style in {"|", ">"}:
            span = (*span[:2], span[0], span[1] + 1)
        node = Node(text, span, block=event.style in {"|", ">"})
        if found := NOT_TEXT.search(text):
            self._report("E-TEXT", why_not_text(found[0]), span, REMOVE)
        elif event.tag is not None and event.tag != "!":
            node.value = self._tagged(event, text)
        elif event.implicit[0] and event.tag is None:
            node.plain = True
            node.value = self._resolve(text, span)
        return node

    def _tagged(self, event: Any, text: str) -> Json:
        name = event.tag.removeprefix(_TAG)
        if event.tag.startswith(_TAG) and name == "str":
            return str(text)
        value = self._resolve(text, self._span(event))
        kinds = {"null": type(None), "bool": bool, "int": int, "float": float}
        if name == "float" and type(value) is int:
            return float(value)
        if event.tag.startswith(_TAG) and type(value) is kinds.get(name):
            return value
        self._unknown_tag(event)
        return text

    def _check_tag(self, event: Any, name: str) -> None:
        if event.tag not in {None, "!", _TAG + name}:
            self._unknown_tag(event)

    def _unknown_tag(self, event: Any) -> None:
        shown = _short(event.tag.replace(_TAG, "!!"))
        self._report(
            "E-YAML-TAG",
            f"the tag {shown} is not known, or does not fit its value",
            self._span(event),
            "Remove it, or put the whole value in quotes if it is text.",
        )

    def _resolve(self, text: str, span: Span) -> Json:
        """Return what an unquoted scalar means in the core schema of YAML 1.2."""
        if _NULL.fullmatch(text):
            return None
        if _BOOL.fullmatch(text):
            return text[0] in "tT"
        if _INT.fullmatch(text):
            return self._integer(text, span)
        if _FLOAT.fullmatch(text):
            value = float(text)
            if value - value == 0:
                return value
        elif not _NOT_FINITE.fullmatch(text):
            return text
        self._report(
            "E-NUMBER",
            f"{_short(text)} is not a finite number",
            span,
            f'Write a finite number, or "{_short(text)}" in quotes if it is text.',
        )
        return 0

    def _integer(self, text: str, span: Span) -> int:
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        # Leading zeros apart, 16 digits are the most that can fit, and int() refuses
        # thousands of them.
        digits = text.lstrip("+-").removeprefix("0o").removeprefix("0x").lstrip("0")
        if len(digits) <= 20:  # noqa: PLR2004
            value = int(digits or "0", base) * (-1 if text[0] == "-" else 1)
            if abs(value) <= MAX_SAFE_INTEGER:
                return value
        self._report(
            "E-NUMBER",
            f"{_short(text)} does not fit a JSON number exactly",
            span,
            "Use at most ±9007199254740991, or quotes if it is text.",
        )
        return 0

    def _close(self, node: Node, start: Any, end: Any) -> None:
        # A block collection "ends" where the next thing starts; people mean its last
        # line.
        if start.flow_style or not node.children:
            finish = self._span(end)[2:]
        else:
            finish = max(child.span[2:] for child in node.children.values())
        node.span = (*node.span[:2], *finish)

    def _span(self, event: Any) -> Span:
        # The parser's last line ends with a line break also where the file's does not.
        start, end = event.start_mark, event.end_mark
        first = min((start.line + 1, start.column + 1), self._end)
        return *first, *min((end.line + 1, end.column + 1), self._end)

    def _report(
        self, code: str, message: str, span: Span, hint: str, *related: Related
    ) -> None:
        position = Position(self._file, *span)
        self.problems.append(Problem(code, message, position, hint, related=related))

    def _fatal(self, code: str, message: str, span: Span, hint: str) -> InvalidError:
        self._report(code, message, span, hint)
        return InvalidError(tuple(self.problems))


def why_not_text(character: str) -> str:
    """Return why text cannot hold a *character* that `NOT_TEXT` matches."""
    lone = "\ud800" <= character <= "\udfff"
    what = "half of a surrogate pair" if lone else "a control character"
    return f"U+{ord(character):04X} is {what}, not text"


def _short(digits: str) -> str:
    return digits if len(digits) <= _SHOWN_DIGITS else f"{digits[:_SHOWN_DIGITS]}…"


def _grow(node: Node, child: Node) -> None:
    node.size += child.size
    node.height = max(node.height, child.height + 1)


def _kind(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "a mapping"
