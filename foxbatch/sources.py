"""Text and digests of the files a manifest names, confined to the repository."""

from __future__ import annotations

import difflib
import fnmatch
import hashlib
import itertools
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from foxbatch.canonical import NOT_TEXT, Digest, sha256
from foxbatch.errors import InvalidError, Position, Problem, Related

MAX_BYTES = 16 * 1024 * 1024
MAX_FILES = 10_000  # that one pattern may match
MAX_NAMES = 100_000  # that are looked at to find them
MAX_UPLOAD_BYTES = 50_000_000
"""Of a file that is handed on as it is; the edge of the service takes no more."""

HIDDEN_HINT = "Copy it to a file whose name does not begin with a dot."


@dataclass(frozen=True, slots=True)
class Text:
    """A text file.

    Attributes:
        path: As the manifest wrote it, normalised, POSIX separators.
        sha256: Of the bytes as they are.
        text: Without a byte order mark, LF for every line end.
    """

    path: str
    sha256: Digest
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    r"""One value of a text file.

    Attributes:
        number: From 1, in the file as it is.
        text: What it means: `\#` has become `#`.
    """

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Lines:
    """The values of a text file, one per line that is neither blank nor a comment.

    Attributes:
        path: As the manifest wrote it, normalised, POSIX separators.
        sha256: Of the bytes as they are.
        items: In order.
        trailing: Numbers of the lines that end in white space, which is kept.
    """

    path: str
    sha256: Digest
    items: tuple[Line, ...]
    trailing: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file that a request refers to; what is in it is nobody's business but its type.

    Attributes:
        path: As the manifest wrote it, normalised, POSIX separators.
        sha256: Of its bytes.
        head: Its first bytes, which tell its type.
    """

    path: str
    sha256: Digest
    head: bytes


_MAGIC = re.compile(r"[*?[]")
_VALUE = re.compile(r"^[^\S\n]*(?!#)\S", re.MULTILINE)  # how a line begins
_HEAD_BYTES = 64
_PIECE_BYTES = 1 << 20

_MARKS = (".git", ".foxbatch")  # .git is a file in worktrees and submodules


def find_root(folder: Path) -> Path:
    """Return the top of the project that *folder* is in.

    That is the git top level; without git the folder around it where `foxbatch init`
    was typed; without that *folder* itself.
    """
    resolved = folder.resolve()
    for mark in _MARKS:
        for candidate in (resolved, *resolved.parents):
            if (candidate / mark).exists():
                return candidate
    return resolved


def why_hidden(written: str, path: Path, root: Path) -> str:
    """Return why a file of a checkout must not be read; empty where it may be.

    A manifest may be a stranger's, and what it reads is sent to a service: secrets
    stand in `.env` or `.git/config`, and in the record of a run.

    Args:
        written: The path as the manifest has it.
        path: Where that leads, symbolic links resolved; below *root*.
        root: The top of the project; a dot on the way to it does not matter.
    """
    inside = path.relative_to(root)
    for step in (*PurePosixPath(written).parts, *inside.parts):
        if step.startswith(".") and step not in {".", ".."}:
            return f"{step} begins with a dot"
    if inside.parent.name == "ledger" and inside.suffix == ".jsonl":
        return "it is the ledger of a run"
    return ""


def why_elsewhere(path: Path) -> str:
    """Return why the file at *path* is not what its checkout seems to hold.

    A link in a stranger's checkout may lead to a file of secrets, whose first line
    would be shown with what is wrong about it. Empty where *path* is no such link.
    """
    written, leads_to = path.absolute(), path.resolve()
    tops = (folder for folder in written.parents if (folder / ".git").exists())
    top = next(tops, written.parent).resolve()
    if not leads_to.is_relative_to(top):
        return "it is a link that leads out of its repository"
    if leads_to != written.parent.resolve() / written.name:
        return why_hidden("", leads_to, top)
    return ""


class Sources:
    """Reads what a manifest names: nothing hidden, nothing outside the repository.

    Args:
        manifest_dir: Paths are relative to it.
        root: No file outside it is read, after symbolic links are resolved.
    """

    def __init__(self, manifest_dir: Path, root: Path) -> None:
        self._folder = manifest_dir.resolve()
        self._root = root.resolve()
        self._texts: dict[str, Text] = {}
        self._lines: dict[str, Lines] = {}
        self._files: dict[str, LocalFile] = {}

    def lines(self, relative: str, *, at: Position) -> Lines:
        """Return the lines of a UTF-8 text file; read once.

        Blank lines and lines that begin with `#` are skipped. CRLF and CR are line
        ends as LF is, a byte order mark is dropped, trailing spaces are kept.

        Args:
            relative: Path from the manifest's folder, `/` between folders.
            at: Where the manifest names the file.

        Raises:
            InvalidError: The path leaves the repository or is hidden, or there is no
                such file, or it is too large or not text in UTF-8.
        """
        known = self._lines.get(relative)
        if known is None:
            known = self._lines[relative] = _split(self.text(relative, at=at))
        return known

    def text(self, relative: str, *, at: Position) -> Text:
        """Return a UTF-8 text file; read once. Arguments and errors as for `lines`."""
        known = self._texts.get(relative)
        if known is None:
            content = self.read(relative, at=at)
            text = _decoded(relative, content, at)
            path = PurePosixPath(relative).as_posix()
            known = self._texts[relative] = Text(path, sha256(content), text)
        return known

    def matching(self, pattern: str, *, at: Position) -> list[str]:
        """Return the files that a POSIX pattern matches, by the UTF-8 bytes of paths.

        `*`, `?` and `[…]` stand for characters of one name, which never begins with
        a dot. A pattern without them is the path of a file, which may not exist.

        Args:
            pattern: From the manifest's folder, `/` between folders.
            at: Where the manifest names it.

        Raises:
            InvalidError: It leads out of the repository or to what is hidden, or
                matches too many files or none.
        """
        self._confined(pattern, at)
        if not _MAGIC.search(pattern):
            return [pattern]
        found, left = [PurePosixPath()], MAX_NAMES
        for step in PurePosixPath(pattern).parts:
            if not _MAGIC.search(step):
                found = [folder / step for folder in found]
                continue
            fits = re.compile(fnmatch.translate(step)).match
            folders, found = found, []
            for folder in folders:
                names = self._names(folder, left + 1, at)
                left -= len(names)
                found += (folder / name for name in names if fits(name))
                if left < 0 or len(found) > MAX_FILES:
                    raise _too_many(pattern, at)
        files = [path.as_posix() for path in found if self._is_file(path, at)]
        if not files:
            raise _no_match(pattern, at)
        return sorted(files, key=str.encode)

    def _names(self, folder: PurePosixPath, most: int, at: Position) -> list[str]:
        """Return what is in a folder and not hidden; nothing where it is none."""
        path = self._confined(folder.as_posix(), at)
        try:
            entries = list(itertools.islice(path.iterdir(), most))
        except (NotADirectoryError, FileNotFoundError):
            return []
        except OSError as error:
            raise _invalid(
                "E-FILE-MISSING",
                f"the folder {folder} cannot be read: {error.strerror}",
                at,
                "Check its permissions.",
            ) from None
        return [entry.name for entry in entries if not entry.name.startswith(".")]

    def _is_file(self, path: PurePosixPath, at: Position) -> bool:
        """Return whether there is something at *path* that is no folder."""
        try:
            path.as_posix().encode()
        except UnicodeEncodeError:
            raise _invalid(
                "E-UTF8",
                f"the name of the file {path.name!a} is not UTF-8",
                at,
                "Rename the file.",
            ) from None
        resolved = self._confined(path.as_posix(), at)
        there = resolved.exists() or (self._folder / path).is_symlink()
        return there and not resolved.is_dir()

    def read(self, relative: str, *, at: Position) -> bytes:
        """Return the bytes of a file. Arguments and errors as for `lines`."""
        with self._open(relative, at, "a text file") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise _invalid(
                "E-FILE-SIZE",
                f"{relative} is larger than {MAX_BYTES // 1024 // 1024} MiB",
                at,
                "Split it into several files.",
            )
        return content

    def file(self, relative: str, *, at: Position) -> LocalFile:
        """Return the digest of a file of any type, read once and in pieces.

        Arguments and errors as for `lines`.
        """
        known = self._files.get(relative)
        if known is None:
            path = PurePosixPath(relative).as_posix()
            known = LocalFile(path, *self._digest(relative, at))
            self._files[relative] = known
        return known

    def _digest(self, relative: str, at: Position) -> tuple[Digest, bytes]:
        """Return the digest of a file, and its first bytes."""
        digest, size, head = hashlib.sha256(), 0, b""
        with self._open(relative, at, "a file") as file:
            while piece := file.read(_PIECE_BYTES):
                head = head or piece[:_HEAD_BYTES]
                digest.update(piece)
                size += len(piece)
                if size > MAX_UPLOAD_BYTES:
                    raise _invalid(
                        "E-FILE-SIZE",
                        f"{relative} is larger than {MAX_UPLOAD_BYTES // 10**6} MB",
                        at,
                        "Make it smaller, or give the address (URL) of the file.",
                    )
        return Digest(digest.hexdigest()), head

    @contextmanager
    def _open(self, relative: str, at: Position, wanted: str) -> Iterator[BinaryIO]:
        """Open a regular file of the repository; what cannot be read is told."""
        path = self._confined(relative, at)
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                what = "a folder" if path.is_dir() else "not a regular file"
                raise _invalid(
                    "E-FILE-MISSING",
                    f"{relative} is {what}",
                    at,
                    f"Name {wanted}.",
                )
            with path.open("rb") as file:
                yield file
        except FileNotFoundError:
            raise _invalid(
                "E-FILE-MISSING",
                f"{relative} does not exist",
                at,
                f"Paths start at the manifest's folder. {_neighbour(path)}".rstrip(),
            ) from None
        except OSError as error:
            raise _invalid(
                "E-FILE-MISSING",
                f"{relative} cannot be read: {error.strerror}",
                at,
                "Check its permissions.",
            ) from None

    def _confined(self, relative: str, at: Position) -> Path:
        if "\\" in relative or "\0" in relative:
            raise _invalid(
                "E-PATH-ESCAPE",
                f"{relative!r} is not a path as manifests write it",
                at,
                "Write / between folders, on every system.",
            )
        absolute = PurePosixPath(relative).is_absolute()
        path = self._folder / relative
        if not absolute and not PureWindowsPath(relative).drive:
            try:
                path = path.resolve()
            except (OSError, RuntimeError):  # links in a circle
                return path
            if path.is_relative_to(self._root):
                self._check_hidden(relative, path, at)
                return path
        raise _invalid(
            "E-PATH-ESCAPE",
            f"{relative} is outside the repository",
            at,
            "Copy the file into the repository and name it relative to the manifest.",
        )

    def _check_hidden(self, relative: str, path: Path, at: Position) -> None:
        if why := why_hidden(relative, path, self._root):
            raise _invalid(
                "E-PATH-HIDDEN",
                f"{relative} is not read: {why}",
                at,
                HIDDEN_HINT,
            )


_ALIKE = 0.7


def _neighbour(path: Path) -> str:
    """Return a sentence with the file of nearly that name, or nothing."""
    try:
        names = sorted(
            entry.name
            for entry in path.parent.iterdir()
            if not entry.name.startswith(".")
        )
    except OSError:
        return ""
    # Short names are alike by their ending: what counts is the part before the dot.
    close = [
        name
        for name in difflib.get_close_matches(path.name, names, n=3)
        if difflib.SequenceMatcher(None, path.stem, Path(name).stem).ratio() > _ALIKE
    ]
    return f"Did you mean {close[0]}?" if close else ""


def _decoded(relative: str, content: bytes, at: Position) -> str:
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise _not_utf8(relative, content, error.start, at) from None
    if found := NOT_TEXT.search(text):
        raise _not_text(relative, text, found, at)
    return _with_lf(text)


def _with_lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def count_lines(text: str) -> int:
    """Return how many lines are neither blank nor a comment."""
    return sum(1 for _ in _VALUE.finditer(text))


def _split(source: Text) -> Lines:
    items: list[Line] = []
    trailing: list[int] = []
    for number, row in enumerate(source.text.split("\n"), 1):
        begins = row.lstrip()
        if not begins or begins.startswith("#"):
            continue
        if row != row.rstrip():
            trailing.append(number)
        if begins.startswith("\\#"):
            row = row.replace("\\#", "#", 1)  # noqa: PLW2901  unescaped in place
        items.append(Line(number, row))
    return Lines(source.path, source.sha256, tuple(items), tuple(trailing))


def _not_utf8(relative: str, content: bytes, start: int, at: Position) -> InvalidError:
    before = content[:start].decode("utf-8").removeprefix("\ufeff")
    position = _after(before, relative, at)
    return _invalid(
        "E-UTF8",
        f"{relative} is not UTF-8: byte 0x{content[start]:02X} "
        f"at offset {start}, line {position.line}",
        at,
        "Save the file as UTF-8.",
        Related(position, "the byte is here"),
    )


def _not_text(
    relative: str, text: str, found: re.Match[str], at: Position
) -> InvalidError:
    position = _after(text[: found.start()], relative, at)
    return _invalid(
        "E-TEXT",
        f"{relative} holds U+{ord(found[0]):04X}, a control character, "
        f"in line {position.line}",
        at,
        "Remove the character.",
        Related(position, "the character is here"),
    )


def _after(before: str, relative: str, at: Position) -> Position:
    """Return the place of the character that follows the text *before*."""
    file = (PurePosixPath(at.file).parent / relative).as_posix()
    before = _with_lf(before)
    line = before.count("\n") + 1
    column = len(before) - before.rfind("\n")
    return Position(file, line, column, line, column + 1)


def _too_many(pattern: str, at: Position) -> InvalidError:
    return _invalid(
        "E-GLOB-SIZE",
        f"{pattern} matches more than {MAX_FILES:,} files, or looks at more than "
        f"{MAX_NAMES:,} names",
        at,
        "Use a narrower pattern, or put the texts into one file.",
    )


def _no_match(pattern: str, at: Position) -> InvalidError:
    return _invalid(
        "E-GLOB-EMPTY",
        f"{pattern} matches no file",
        at,
        "Patterns start at the manifest's folder; * stands for a part of one name, "
        "and never for a hidden file.",
    )


def _invalid(
    code: str, message: str, at: Position, hint: str, *related: Related
) -> InvalidError:
    return InvalidError((Problem(code, message, at, hint, related=related),))
