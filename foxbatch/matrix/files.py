"""Values from the files that a manifest names, each with its line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from foxbatch import yaml12
from foxbatch.canonical import Json
from foxbatch.errors import InvalidError, Position, Problem
from foxbatch.manifest import without_last_newline
from foxbatch.matrix.axes import UNSET, Choice, Reading
from foxbatch.matrix.records import Record, csv_rows, json_lines
from foxbatch.matrix.refusals import MAX_VALUES, FormError, too_many
from foxbatch.matrix.reporting import warning
from foxbatch.schema import show, suggest
from foxbatch.sources import Text, count_lines
from foxbatch.yaml12 import Document, Where

MOST_TOLD = 10
"""How many mistakes of one file are told at once."""

_FEW_LINES = 10_000
_MOST_BYTES = 64 * 1024 * 1024  # of all files of one pattern together


@dataclass(frozen=True, slots=True)
class FileForm:
    """`{lines: …}`, `{file: …}`, `{csv: …}`, `{jsonl: …}` or `{yaml: …}`.

    Attributes:
        form: As written, with the keys beside the path.
        kind: The key that names the file.
        where: The place of the form in the manifest.
        reading: Of the spec it belongs to.
    """

    form: Mapping[str, Json]
    kind: str
    where: Where
    reading: Reading

    def choices(self) -> list[Choice]:
        """Return the values in order; none after an error, which is reported."""
        try:
            found = _READERS[self.kind](self)
            if len(found) > MAX_VALUES:
                raise too_many(len(found))
        except InvalidError as error:
            for problem in error.problems:
                self.reading.report(problem)
            return []
        except FormError as error:
            self.reading.report(self.problem(error))
            return []
        return found

    @property
    def path(self) -> str:
        """Return the path as written."""
        return str(self.form[self.kind])

    @property
    def at(self) -> Position:
        """Return where the manifest names the file."""
        return self.reading.manifest.document.position((*self.where, self.kind))

    def source(self) -> Text:
        """Return the file.

        Raises:
            InvalidError: It cannot be read.
        """
        return self.reading.sources.text(self.path, at=self.at)

    def choice(self, value: Json, position: Position) -> Choice:
        """Return one value that stands at *position*."""
        is_template = self.form.get("template") is True
        place = (*self.where, self.kind)
        return Choice(value, place, position, template=is_template, made=True)

    def problem(self, error: FormError) -> Problem:
        """Return *error*, which is about the form itself, in the manifest."""
        document = self.reading.manifest.document
        is_key = error.inside[:1] == ("types",)
        at = document.position((*self.where, *error.inside), key=is_key)
        return Problem(error.code, str(error), at, error.hint)

    def empty(self, message: str, hint: str) -> None:
        """Report that there is no value."""
        self.reading.error("E-AXIS-EMPTY", f"{self.path} {message}", self.at, hint)


def _lines(form: FileForm) -> list[Choice]:
    if _too_many_lines(form):
        return []
    lines = form.reading.sources.lines(form.path, at=form.at)
    shown = form.reading.shown(lines.path)
    if not lines.items:
        hint = "Blank lines and lines that begin with # do not count."
        form.empty("has no lines with text", hint)
    if lines.trailing:
        number = lines.trailing[0]
        count = len(lines.trailing)
        form.reading.report(
            warning(
                "N-TRAILING-SPACE",
                f"{count} lines of {form.path} end in spaces, which are kept",
                Position(shown, number, 1, number, 1),
            )
        )
    return [
        form.choice(
            line.text,
            Position(shown, line.number, 1, line.number, len(line.text) + 1),
        )
        for line in lines.items
    ]


def _too_many_lines(form: FileForm) -> bool:
    """Return whether there are more jobs than allowed, which was reported.

    Millions of short lines are counted, and not kept.

    Raises:
        FormError: There are more values than one axis may have.
    """
    text = form.source().text
    if text.count("\n") < _FEW_LINES:
        return False
    count = count_lines(text)
    if count > MAX_VALUES:
        raise too_many(count)
    return form.form.get("dedupe") is not True and form.reading.refuses(
        count, form.where
    )


def _whole_files(form: FileForm) -> list[Choice]:
    written = form.form["file"]
    patterns = enumerate(written) if isinstance(written, list) else [(None, written)]
    sources = form.reading.sources
    paths: dict[str, Position] = {}  # a file that two patterns match is one value
    for index, pattern in patterns:
        place: Where = ("file",) if index is None else ("file", index)
        at = form.reading.manifest.document.position((*form.where, *place))
        for path in sources.matching(str(pattern), at=at):
            paths.setdefault(PurePosixPath(path).as_posix(), at)
    found: list[Choice] = []
    left = _MOST_BYTES
    for path, at in paths.items():
        text = sources.text(path, at=at).text
        left -= len(text)
        if left < 0:
            raise FormError(
                "E-FILE-SIZE",
                f"the files have more than {_MOST_BYTES // 1024 // 1024} MiB together",
                hint="Use a narrower pattern.",
                inside=("file",),
            )
        first = len(text.partition("\n")[0]) + 1
        position = Position(form.reading.shown(path), 1, 1, 1, first)
        found.append(form.choice(text.removesuffix("\n"), position))
    return found


def _csv(form: FileForm) -> list[Choice]:
    written = form.form.get("types")
    types = written if isinstance(written, dict) else {}
    source = form.source()
    columns = {name: str(kind) for name, kind in types.items()}
    return _from_records(csv_rows(source.text, columns), source, form)


def _jsonl(form: FileForm) -> list[Choice]:
    source = form.source()
    count = source.text.removesuffix("\n").count("\n") + 1
    if count > MAX_VALUES:
        raise too_many(count)
    return _from_records(json_lines(source.text), source, form)


def _from_records(
    records: Iterable[Record | FormError], source: Text, form: FileForm
) -> list[Choice]:
    lines = source.text.split("\n")
    shown = form.reading.shown(source.path)

    def position(number: int) -> Position:
        return Position(shown, number, 1, number, len(lines[number - 1]) + 1)

    found: list[Choice] = []
    wrong: list[Problem] = []
    for record in records:
        if isinstance(record, FormError):
            if not record.line:
                raise record
            at = position(record.line)
            wrong.append(Problem(record.code, str(record), at, record.hint))
            if len(wrong) == MOST_TOLD:
                break
        else:
            found.append(form.choice(record.value, position(record.line)))
            if len(found) > MAX_VALUES:
                raise too_many(len(found))
    wrong += _strange_keys(found)
    if wrong:
        raise InvalidError(tuple(wrong[:MOST_TOLD]))
    if not found:
        form.empty(
            "has no values", "Write at least one line below the header of a csv."
        )
    return found


def _yaml(form: FileForm) -> list[Choice]:
    path, _, pointer = form.path.partition("#")
    content = form.reading.sources.read(path, at=form.at)
    document = yaml12.parse(content, file=form.reading.shown(path))
    place, items = _at_pointer(document, pointer)
    if not isinstance(items, list):
        raise FormError(
            "E-YAML-POINTER",
            f"{form.path} is {_kind(items)}, and must be a list",
            hint="Name the list inside the file, such as shots.yaml#/scenes.",
            inside=("yaml",),
        )
    found = [
        form.choice(
            without_last_newline(document, (*place, index), item),
            document.position((*place, index)),
        )
        for index, item in enumerate(items)
    ]
    if wrong := list(_strange_keys(found)):
        raise InvalidError(tuple(wrong[:MOST_TOLD]))
    if not found:
        form.empty("is an empty list", "Write at least one value there.")
    return found


def _at_pointer(document: Document, pointer: str) -> tuple[Where, Json]:
    """Return the place and the value that a JSON pointer (RFC 6901) names.

    Raises:
        FormError: There is no such place.
    """
    place: Where = ()
    value = document.value
    for text in pointer.split("/")[1:]:
        step = text.replace("~1", "/").replace("~0", "~")
        match value:
            case dict() if step in value:
                place, value = (*place, step), value[step]
            case list() if step.isdecimal() and int(step[:9]) < len(value):
                place, value = (*place, int(step)), value[int(step)]
            case _:
                keys = value if isinstance(value, dict) else ()
                raise FormError(
                    "E-YAML-POINTER",
                    f"{document.file} has no {show(step)} at #{pointer}",
                    hint=suggest(step, keys, "There is")
                    or "Count the entries of a list from 0.",
                    inside=("yaml",),
                )
    return place, value


def _kind(value: Json) -> str:
    match value:
        case dict():
            return f"a mapping with the keys {', '.join(value)}"
        case None:
            return "empty"
        case _:
            return show(value)


def _strange_keys(choices: Iterable[Choice]) -> Iterator[Problem]:
    """Yield what a value may not be called, in files as in the manifest."""
    for choice in choices:
        value = choice.value
        if not isinstance(value, dict) or value == UNSET:
            continue
        for key in value:
            if key.startswith("$"):
                yield Problem(
                    "E-PATTERN",
                    f"{show(key)} is not possible as a name in a value",
                    choice.position,
                    "A key of a value cannot begin with $.",
                )


_READERS: Mapping[str, Callable[[FileForm], list[Choice]]] = {
    "lines": _lines,
    "file": _whole_files,
    "csv": _csv,
    "jsonl": _jsonl,
    "yaml": _yaml,
}

KINDS = tuple(_READERS)
