"""`${{ name }}` parsed once, rendered strictly; a lone reference keeps its type.

One form: dotted names, `[n]`, and `?? literal` for a default. `$${{` is a literal
`${{`; everything else is ordinary text. What is inserted is never scanned again.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from foxbatch.canonical import NOT_TEXT, Json, encode, number
from foxbatch.yaml12 import Where

Scope: TypeAlias = "Mapping[str, Json]"
"""What can be referred to: namespaces (`vars`, `matrix`, …) and what is in them."""

MAX_TEXT = 100_000
"""Characters of a rendered text: no service documents a longer prompt."""

_OPENING = re.compile(r"\$\$\{\{|\$\{\{")
_NAME = r"\w[\w-]*"
_LITERAL = (
    r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'|true|false|null"
    r"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
)
_REFERENCE = re.compile(
    rf"\$\{{\{{\s*(?P<path>{_NAME}(?:\.{_NAME}|\[[0-9]{{1,9}}\])*)"
    rf"\s*(?:\?\?\s*(?P<default>{_LITERAL})\s*)?\}}\}}"
)
_STEP = re.compile(rf"{_NAME}|\[[0-9]+\]")
_SHOWN = 60  # characters of a value or a reference in a message

# What people write who come from other tools, and what to do here.
_ELSEWHERE = {
    "env": "Requests depend on the manifest alone: write the value under vars.",
    "secrets": "A manifest holds no secrets: keys come from the environment.",
    "job": "job.* exists in `output` only: a name or position must not change a job.",
    "matrix": "vars and axes are read before: write it under the job's `let`.",
    "let": "`let` belongs to one job and is known only inside it.",
    "inputs": "Write the value under vars.",
    "params": "Write the value under vars or let, and refer to that.",
}


# What to write where a namespace has nothing in it.
_FIRST = {
    "vars": "There are no vars yet: write `vars: {name: value}` at the top.",
    "matrix": "There are no axes yet: write them under the job's matrix.axes.",
    "let": "There is no let yet: write `let: {name: value}` in the job.",
}


class TemplateError(ValueError):
    """A template that cannot be read or rendered.

    Attributes:
        code: As in `Problem`.
        hint: What to write instead, may be empty.
        offset: Where in the text the reference starts, in characters.
        where: Which text of a nested value it is about.
        others: Further errors of the same value, in order.
    """

    def __init__(
        self, code: str, message: str, *, hint: str = "", offset: int = 0
    ) -> None:
        super().__init__(message)
        self.code, self.hint, self.offset = code, hint, offset
        self.where: Where = ()
        self.others: tuple[TemplateError, ...] = ()

    @classmethod
    def of(cls, errors: Sequence[TemplateError]) -> TemplateError:
        """Return the first of *errors*, which remembers the others."""
        first, *others = errors
        first.others = tuple(others)
        return first


def _nearest(word: str, known: Iterable[str]) -> str | None:
    by_folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


@dataclass(frozen=True, slots=True)
class Reference:
    """One `${{ … }}`.

    Attributes:
        path: Namespace, then keys and indices.
        offset: Where it starts in its text, in characters.
        default: What stands for a missing name, where `has_default`.
    """

    path: Where
    offset: int = 0
    default: Json = None
    has_default: bool = False

    def __str__(self) -> str:
        return _dotted(self.path)

    @property
    def namespace(self) -> str:
        """Return the first name of the path."""
        return str(self.path[0])

    def look_up(self, scope: Scope) -> Json:
        """Return what the reference means in *scope*.

        Raises:
            TemplateError: There is no such name, and no default.
        """
        namespace = self.namespace
        if namespace not in scope:
            raise self._no_namespace(scope)
        value = scope[namespace]
        for depth, step in enumerate(self.path[1:], 1):
            match value, step:
                case dict(), str() if step in value:
                    value = value[step]
                case list(), int() if step < len(value):
                    value = value[step]
                case _ if self.has_default:
                    return self.default
                case _:
                    raise self._unknown(value, depth)
        return value

    def _no_namespace(self, scope: Scope) -> TemplateError:
        name = self.namespace
        for known, inside in scope.items():
            if isinstance(inside, dict) and name in inside:
                hint = f"Did you mean {known}.{self}?"
                break
        else:
            close = _nearest(name, scope)
            hint = f"There is: {', '.join(sorted(scope))}."
            if close:
                hint = f"Did you mean {_dotted((close, *self.path[1:]))}?"
            hint = _ELSEWHERE.get(name, hint)
        return TemplateError(
            "E-REF-NAMESPACE",
            f'"{self}" cannot be used here: there is no {name}',
            hint=hint,
            offset=self.offset,
        )

    def _unknown(self, inside: Json, depth: int) -> TemplateError:
        parent, step = _dotted(self.path[:depth]), self.path[depth]
        hint = ""
        if isinstance(inside, dict):
            close = _nearest(str(step), inside)
            if close:
                hint = f"Did you mean {_dotted((*self.path[:depth], close))}?"
            elif inside:
                hint = f"{parent} has: {', '.join(list(inside)[:10])}."
            else:
                hint = _FIRST.get(parent, f"{parent} is empty.")
        elif isinstance(inside, list):
            hint = f"{parent} has {len(inside)} values, counted from [0]."
        else:
            hint = f"{parent} is {kind(inside)}, with nothing inside."
        return TemplateError(
            "E-REF-UNKNOWN", f'"{self}" is not defined', hint=hint, offset=self.offset
        )


def _dotted(path: Where) -> str:
    first, *rest = path
    return str(first) + "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" for step in rest
    )


def kind(value: Json) -> str:
    """Return what *value* is, with its article: "a mapping"."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "a mapping"


@dataclass(frozen=True, slots=True)
class Template:
    """A text with references in it.

    Attributes:
        text: As written.
        parts: Literal text and references, in order.
    """

    text: str
    parts: tuple[str | Reference, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Return *text* taken apart.

        Raises:
            TemplateError: A `${{` that is not a reference; all of them are told.
        """
        errors: list[TemplateError] = []
        parts = tuple(_parts(text, errors))
        if errors:
            raise TemplateError.of(errors)
        return cls(text, parts)

    def errors(self, scope: Scope) -> list[TemplateError]:
        """Return what is wrong with each reference in *scope*."""
        found: list[TemplateError] = []
        look_up = Reference.look_up if len(self.parts) == 1 else _as_text
        for name in self.names:
            try:
                look_up(name, scope)
            except TemplateError as error:
                found.append(error)
        return found

    @property
    def names(self) -> tuple[Reference, ...]:
        """Return the references, in order."""
        return tuple(part for part in self.parts if isinstance(part, Reference))

    def render(self, scope: Scope) -> Json:
        """Return the text with every reference replaced, or a lone reference's value.

        Raises:
            TemplateError: An unknown name, a list or mapping inside text, or too
                long a text.
        """
        if len(self.parts) == 1 and isinstance(self.parts[0], Reference):
            return self.parts[0].look_up(scope)
        return self.render_text(scope)

    def render_text(
        self, scope: Scope, insert: Callable[[str], str] = lambda text: text
    ) -> str:
        """Return text even for a lone reference; *insert* may change what is inserted.

        Raises:
            TemplateError: As `render`.
        """
        try:
            texts = [
                part if isinstance(part, str) else insert(_as_text(part, scope))
                for part in self.parts
            ]
        except TemplateError as error:
            raise TemplateError.of(self.errors(scope) or [error]) from None
        # Counted before it is made: texts of texts grow tenfold at each step.
        size = sum(map(len, texts))
        if size > MAX_TEXT:
            raise TemplateError(
                "E-TEXT-SIZE",
                f"the text has {size:,} characters, and {MAX_TEXT:,} is the most",
                hint="Insert less into it.",
            )
        return "".join(texts)


def _as_text(reference: Reference, scope: Scope) -> str:
    value = reference.look_up(scope)
    match value:
        case str():
            return value
        case None | bool():
            return json.dumps(value)
        case int() | float():
            return number(value)
        case _:
            raise TemplateError(
                "E-REF-TYPE",
                f'"{reference}" is {kind(value)} and cannot stand inside text',
                hint="Refer to one value in it, or let the reference stand alone.",
                offset=reference.offset,
            )


def _parts(text: str, errors: list[TemplateError]) -> Iterator[str | Reference]:
    done = 0
    literal = ""
    while opening := _OPENING.search(text, done):
        literal += text[done : opening.start()]
        if opening[0].startswith("$$"):
            literal += "${{"
            done = opening.end()
            continue
        found = _REFERENCE.match(text, opening.start())
        if found is None:
            errors.append(_syntax_error(text, opening.start()))
            done = opening.end()
            continue
        if literal:
            yield literal
        literal, done = "", found.end()
        try:
            yield _reference(found)
        except TemplateError as error:
            errors.append(error)
    if literal + text[done:] or not text:
        yield literal + text[done:]


def _reference(found: re.Match[str]) -> Reference:
    steps: Where = tuple(
        int(step[1:-1]) if step.startswith("[") else step
        for step in _STEP.findall(found["path"])
    )
    if found["default"] is None:
        return Reference(steps, found.start())
    default = _literal(found["default"], found.start())
    return Reference(steps, found.start(), default, has_default=True)


def _literal(text: str, offset: int) -> Json:
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    try:
        value: Json = json.loads(text, strict=False)
        encode(value)
        if isinstance(value, str) and NOT_TEXT.search(value):
            raise ValueError("an escaped control character")  # noqa: TRY301  as the rest
    except ValueError:
        raise TemplateError(
            "E-REF-SYNTAX",
            f"{text[:_SHOWN]} is no value",
            hint="Write text in single quotes, or a number JSON can hold.",
            offset=offset,
        ) from None
    return value


def _syntax_error(text: str, start: int) -> TemplateError:
    end = text.find("}}", start)
    following = _OPENING.search(text, start + 3)
    if end < 0 or (following and following.start() < end):
        return TemplateError(
            "E-REF-SYNTAX",
            f'"{text[start : start + _SHOWN]}" is never closed',
            hint="Close it with }}, or write $${{ for a literal ${{.",
            offset=start,
        )
    return TemplateError(
        "E-REF-SYNTAX",
        f'"{text[start : min(end + 2, start + _SHOWN)]}" is not a reference',
        hint="Only names are known, such as matrix.time or vars.list[0], "
        'with ?? and a literal ("text", 5, true) as a default.',
        offset=start,
    )


@dataclass(frozen=True, slots=True)
class Pattern:
    """A JSON value whose texts are templates; keys are not.

    Attributes:
        value: As written.
        names: Every reference in it, with the place of its text.
    """

    value: Json
    names: tuple[tuple[Where, Reference], ...]
    _templates: Mapping[Where, Template]

    @classmethod
    def parse(cls, value: Json) -> Pattern:
        """Return *value* with its texts taken apart.

        Raises:
            TemplateError: A text that is not a template; all of them are told.
        """
        templates: dict[Where, Template] = {}
        errors: list[TemplateError] = []
        for where, text in _texts(value, ()):
            if "${{" not in text:
                continue
            try:
                templates[where] = Template.parse(text)
            except TemplateError as error:
                errors += _placed(error, where)
        if errors:
            raise TemplateError.of(errors)
        names = tuple(
            (where, name)
            for where, template in templates.items()
            for name in template.names
        )
        return cls(value, names, templates)

    @property
    def lone(self) -> Reference | None:
        """Return the reference that is the whole value, if it is one."""
        template = self._templates.get(())
        if template is None or len(template.parts) != 1:
            return None
        part = template.parts[0]
        return part if isinstance(part, Reference) else None

    def render(self, scope: Scope) -> Json:
        """Return the value with every template rendered.

        Raises:
            TemplateError: As `Template.render`, with `where` set.
        """
        try:
            return (
                self._render(self.value, (), scope) if self._templates else self.value
            )
        except TemplateError as error:
            raise TemplateError.of(self._errors(scope) or [error]) from None

    def _errors(self, scope: Scope) -> list[TemplateError]:
        found: list[TemplateError] = []
        for where, template in self._templates.items():
            for error in template.errors(scope):
                found += _placed(error, where)
        return found

    def _render(self, value: Json, where: Where, scope: Scope) -> Json:
        match value:
            case str() if template := self._templates.get(where):
                try:
                    return template.render(scope)
                except TemplateError as error:
                    error.where = where
                    raise
            case list():
                return [
                    self._render(item, (*where, index), scope)
                    for index, item in enumerate(value)
                ]
            case dict():
                return {
                    key: self._render(item, (*where, key), scope)
                    for key, item in value.items()
                }
            case _:
                return value


def _placed(error: TemplateError, where: Where) -> list[TemplateError]:
    """Return *error* and the others that it remembers, each with its place."""
    every = [error, *error.others]
    for one in every:
        one.where = where
    return every


def _texts(value: Json, where: Where) -> Iterator[tuple[Where, str]]:
    match value:
        case str():
            yield where, value
        case list():
            for index, item in enumerate(value):
                yield from _texts(item, (*where, index))
        case dict():
            for key, item in value.items():
                yield from _texts(item, (*where, key))
        case _:
            pass
