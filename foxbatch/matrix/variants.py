r"""Text with alternatives in it, to every text it can become.

The grammar, a subset of dynamicprompts':

    text      = { literal | escape | reference | wildcard | group }
    group     = "{" [ count "$$" [ separator "$$" ] ] option { "|" option } "}"
    count     = number [ "-" number ]
    option    = [ weight "::" ] text
    wildcard  = "__" name "__"
    escape    = "\{" | "\|" | "\}" | "\\"
    reference = "${{" … "}}"

A group stands for one of its options, with a count for so many of them: combinations
in the order written, joined by the separator (a comma where there is none). A group
that is nothing but one wildcard has its lines as options. The left-most group changes
slowest. References, and `$${{ … }}`, are left for the template that each result is;
weights mean nothing here.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from foxbatch.schema import suggest
from foxbatch.template import MAX_TEXT, TemplateError

MAX_VARIANTS = 100_000
"""The most texts that one text may become, counted before equal ones are dropped."""

_MAX_CHARACTERS = 64 * 1024 * 1024  # of all of them together
_MAX_DEPTH = 100
_MAX_COUNTING = 20_000  # steps in which the choices of one group are counted

# What no text holds stands for `{` of the text itself, and before each reference.
_BRACE, _BEGIN = "\0", "\1"

_TOKEN = re.compile(
    r"(?P<escape>\\[{|}\\])"
    r"|(?P<reference>\$\$?\{\{)"
    r"|(?P<wildcard>__(?P<name>[A-Za-z](?:_?[A-Za-z0-9-])*)__)"
    r"|(?P<sign>[{|}])"
)
_REFERENCE_END = re.compile(r"(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^}\"']|\}(?!\}))*\}\}")
_COUNT = re.compile(r"\s*(?P<low>[0-9]{1,9})(?:-(?P<high>[0-9]{1,9}))?\$\$")
_OPEN_COUNT = re.compile(r"\s*(?:[0-9]*-|-[0-9]*|[0-9]{10,})\$\$")
_SEPARATOR = re.compile(r"((?:[^|{}$\\]|\\[{|}\\])*)\$\$(?!\{\{)")
_WEIGHT = re.compile(r"\s*[0-9]+(?:\.[0-9]+)?::")


@dataclass(frozen=True, slots=True)
class Size:
    """How many texts, exact up to `MAX_VARIANTS`, and characters of the longest."""

    count: int
    longest: int


@dataclass(frozen=True, slots=True)
class Group:
    """Alternatives, of which *low* to *high* are taken at a time.

    Attributes:
        joined: Whether it has a count, so that order and separator matter.
        size: Of a wildcard, whose options are the lines of a file: measured once.
    """

    options: tuple[Parts, ...]
    low: int = 1
    high: int = 1
    separator: str = ","
    joined: bool = False
    size: Size | None = None


Part: TypeAlias = "str | Group"
Parts: TypeAlias = "tuple[Part, ...]"


@dataclass(frozen=True, slots=True)
class Variants:
    """A text taken apart.

    Attributes:
        parts: Literal text and groups, in order.
        weights: How many weights were dropped.
        ordered: Whether `a, b` and `b, a` are two choices.
    """

    parts: Parts
    weights: int
    ordered: bool

    def texts(self) -> list[str]:
        """Return every text, a template each, without repeats.

        Raises:
            TemplateError: There are too many, they are too long, or one is no template.
        """
        size = self._measure(self.parts)
        if size.longest > MAX_TEXT:
            raise TemplateError(
                "E-TEXT-SIZE",
                f"a variant has more than {MAX_TEXT:,} characters",
                hint="Write less text.",
            )
        if size.count > MAX_VARIANTS or size.count * size.longest > _MAX_CHARACTERS:
            raise TemplateError(
                "E-MATRIX-HUGE",
                f"the text has more than {MAX_VARIANTS:,} variants, or very long ones",
                hint="Use fewer alternatives, or split the job.",
            )
        return list(dict.fromkeys(map(_as_template, self._expand(self.parts))))

    # ---- how many, and how long

    def _measure(self, parts: Parts) -> Size:
        size = Size(1, 0)
        for part in parts:
            if isinstance(part, Group):
                one = self._measure_group(part)
            else:
                one = Size(1, len(part))
            size = Size(_least(size.count * one.count), size.longest + one.longest)
            if size.count > MAX_VARIANTS or size.longest > MAX_TEXT:
                break  # enough to refuse it
        return size

    def _measure_group(self, group: Group) -> Size:
        if group.size is not None or group.high == 0:
            return group.size or Size(1, 0)
        sizes = [self._measure(option) for option in group.options]
        lengths = sorted((size.longest for size in sizes), reverse=True)
        gaps = len(group.separator) * (group.high - 1)
        longest = sum(lengths[: group.high]) + gaps
        counts = [size.count for size in sizes]
        if not group.joined:
            return Size(_least(sum(counts)), longest)
        window = min(group.high, len(counts) - group.low + 1)
        if window > 1 and len(counts) * window > _MAX_COUNTING:
            return Size(_least(math.inf), longest)  # of so many, few would do
        ways = _choices(counts, group.low, group.high)
        if self.ordered:
            ways = [
                _least(count * math.factorial(min(taken, _ENOUGH)))
                for taken, count in enumerate(ways, group.low)
            ]
        return Size(_least(sum(ways)), longest)

    # ---- which

    def _expand(self, parts: Parts) -> Iterator[str]:
        columns = [
            [part] if isinstance(part, str) else list(self._expand_group(part))
            for part in parts
        ]
        return map("".join, itertools.product(*columns))

    def _expand_group(self, group: Group) -> Iterator[str]:
        if group.high == 0:
            yield ""
            return
        options = [list(self._expand(option)) for option in group.options]
        choose = itertools.permutations if self.ordered else itertools.combinations
        for taken in range(group.low, group.high + 1):
            for chosen in choose(options, taken):
                yield from map(group.separator.join, itertools.product(*chosen))


_ENOUGH = 9  # 9! is more than MAX_VARIANTS


def _least(count: float) -> int:
    """Return *count*, or one more than may be: exact, it may have a million digits."""
    return int(min(count, MAX_VARIANTS + 1))


def _choices(counts: Sequence[int], low: int, high: int) -> list[int]:
    """Return in how many ways *low*, … *high* options can be taken and filled.

    *counts* says for each option how many texts it can be.
    """
    ways = [1, *[0] * high]
    for seen, count in enumerate(counts, 1):
        # With fewer than the least, those that are left are not enough for *low*.
        least, most = max(1, low - (len(counts) - seen)), min(high, seen)
        for taken in range(most, least - 1, -1):
            ways[taken] = _least(ways[taken] + count * ways[taken - 1])
    return ways[low:]


def parse(
    text: str, *, wildcards: Mapping[str, Sequence[str]], ordered: bool = False
) -> Variants:
    """Return *text* taken apart.

    Args:
        text: As written in the manifest.
        wildcards: Lines that `__name__` stands for; they are taken as they are.
        ordered: Whether a group with a count gives permutations.

    Raises:
        TemplateError: The text does not follow the grammar, or names no wildcard.
    """
    if len(text) > MAX_TEXT:
        raise TemplateError(
            "E-TEXT-SIZE",
            f"the text has {len(text):,} characters, and {MAX_TEXT:,} is the most",
            hint="Put alternatives into a file, and name it under `wildcards`.",
        )
    parser = _Parser(text, wildcards)
    return Variants(parser.parse(), parser.weights, ordered)


@dataclass(slots=True)
class _Parser:
    """Reads one text from left to right."""

    text: str
    wildcards: Mapping[str, Sequence[str]]
    at: int = 0
    weights: int = 0
    depth: int = 0
    _known: dict[str, Group] = field(default_factory=dict)  # of the wildcards

    def parse(self) -> Parts:
        """Return the whole text."""
        parts: list[Part] = []
        while True:
            parts += self._sequence()
            if self.at == len(self.text):
                return tuple(parts)
            if self.text[self.at] == "}":
                raise self._error(
                    "a } closes no group", "Write \\} for the character itself."
                )
            parts.append("|")  # outside of a group it means nothing
            self.at += 1

    def _sequence(self) -> Parts:
        """Read up to the `|` or `}` that ends an option, or to the end."""
        parts: list[Part] = []
        while found := _TOKEN.search(self.text, self.at):
            parts.append(_literal(self.text[self.at : found.start()]))
            self.at = found.start()
            if found["sign"] in {"|", "}"}:
                return tuple(filter(None, parts))
            parts.append(self._part(found))
        parts.append(_literal(self.text[self.at :]))
        self.at = len(self.text)
        return tuple(filter(None, parts))

    def _part(self, found: re.Match[str]) -> Part:
        if found["sign"]:
            return self._group()
        if found["reference"]:
            return self._reference(found)
        self.at = found.end()
        if found["escape"]:
            return _literal(found["escape"][1])
        return self._wildcard(found)

    def _reference(self, found: re.Match[str]) -> str:
        whole = _REFERENCE_END.match(self.text, found.end())
        # Where that is no reference, the template will say what is wrong with it.
        end = whole.end() if whole else self.text.find("}}", found.end()) + 2
        if end == 1:
            raise self._error(
                f"{found['reference']} is never closed",
                "Close it with }}, or write $\\{\\{ for the characters themselves.",
            )
        self.at = end
        begin = _BEGIN if found["reference"] == "${{" else ""
        return begin + self.text[found.start() : end]

    def _wildcard(self, found: re.Match[str]) -> Group:
        name = found["name"]
        if name not in self.wildcards:
            self.at = found.start()
            raise TemplateError(
                "E-VARIANT-WILDCARD",
                f"__{name}__ names no wildcard",
                hint=suggest(name, self.wildcards, "Wildcards")
                or f"Write `wildcards: {{{name}: words/{name}.txt}}` beside it.",
                offset=self.at,
            )
        if name not in self._known:
            lines = tuple((_literal(line),) for line in self.wildcards[name])
            longest = max(len(line) for (line,) in lines)
            self._known[name] = Group(lines, size=Size(_least(len(lines)), longest))
        return self._known[name]

    def _group(self) -> Group:
        begin = self.at
        if self.depth == _MAX_DEPTH:
            raise self._error(
                f"groups are nested more than {_MAX_DEPTH} deep", "Nest less."
            )
        self.depth += 1
        self.at += 1
        head = self._head()
        options: list[Parts] = []
        while True:
            if weight := _WEIGHT.match(self.text, self.at):
                self.weights += 1
                self.at = weight.end()
            options.append(self._sequence())
            if self.at == len(self.text):
                self.at = begin
                raise self._error(
                    "a { is never closed",
                    "Close it with }, or write \\{ for the character itself.",
                )
            self.at += 1
            if self.text[self.at - 1] == "}":
                break
        self.depth -= 1
        return self._filled(head, tuple(options), begin)

    def _head(self) -> Group:
        """Read the count and the separator, if they are there."""
        if _OPEN_COUNT.match(self.text, self.at):
            raise self._error(
                "a count has two ends", "Write n$$ or lo-hi$$ with both numbers."
            )
        count = _COUNT.match(self.text, self.at)
        if count is None:
            return Group(())
        self.at = count.end()
        low = int(count["low"])
        head = Group((), low, int(count["high"] or low), joined=True)
        if separator := _SEPARATOR.match(self.text, self.at):
            self.at = separator.end()
            written = re.sub(r"\\([{|}\\])", r"\1", separator[1])
            head = replace(head, separator=_literal(written))
        return head

    def _filled(self, head: Group, options: tuple[Parts, ...], begin: int) -> Group:
        """Return *head* with its options, of which it may take so many."""
        match options:
            case ((Group(size=Size()) as lines,),):
                options = lines.options
            case _:
                pass
        if head.low > head.high or head.high > len(options):
            self.at = begin
            wanted = (
                f"{head.low}" if head.low == head.high else f"{head.low}-{head.high}"
            )
            raise TemplateError(
                "E-VARIANT-COUNT",
                f"{wanted} of {len(options)} options cannot be taken",
                hint="Count from few to many, and no further than there are options.",
                offset=begin,
            )
        return replace(head, options=options)

    def _error(self, message: str, hint: str) -> TemplateError:
        return TemplateError("E-VARIANT-SYNTAX", message, hint=hint, offset=self.at)


def _as_template(text: str) -> str:
    """Return a finished text so that its template has the references that were meant.

    Raises:
        TemplateError: No template can say it.
    """
    if f"${_BEGIN}" in text:
        raise TemplateError(
            "E-VARIANT-SYNTAX",
            "a $ in front of a reference makes plain text of it: $${{",
            hint="Put the $ into what is referred to, or something between them.",
        )
    text = text.replace(_BEGIN, "")
    return text.replace(f"${_BRACE}{_BRACE}", "$${{").replace(_BRACE, "{")


def _literal(text: str) -> str:
    return text.replace("{", _BRACE)
