"""What people think of results: ratings and blind votes, one log for each person.

`ratings/<who>.jsonl` in a run directory only ever grows. A line says all that somebody
thinks of one file of one job, or of one pair of them, and the last one about the same
thing wins. So the files of several people, or two copies of one, merge by being put
into one folder.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import filelock
import msgspec
from msgspec import Meta

from foxbatch.canonical import Digest, JobId, Json
from foxbatch.clock import Clock, to_text
from foxbatch.durable import make_folder, sync_folder
from foxbatch.errors import RunDirError
from foxbatch.results import Record

FORMAT = 1
FOLDER = "ratings"

MAX_LINE_BYTES = 32 * 1024
MAX_FILE_BYTES = 64 * 2**20

_DEVICE = re.compile(r"con|prn|aux|nul|(com|lpt)\d")  # no names on Windows

_Job = Annotated[JobId, Meta(pattern=r"^[a-z0-9]{1,64}$(?!\n)")]
_File = Annotated[
    Digest,
    Meta(pattern=r"^([0-9a-f]{64})?$(?!\n)", description="Empty: the job has no file."),
]
_Who = Annotated[
    str, Meta(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")
]
# All of one length, so that the order of texts is the order of time.
_Moment = Annotated[
    str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$(?!\n)")
]
_Tag = Annotated[str, Meta(min_length=1, max_length=80)]


class Rating(msgspec.Struct, frozen=True, kw_only=True):
    """All that somebody thinks of one file.

    Attributes:
        stars: 1 to 5, or 0 for none.
        mark: Empty for none.
    """

    job: _Job
    sha256: _File
    stars: Annotated[int, Meta(ge=0, le=5)] = 0
    mark: Literal["", "pick", "reject"] = ""
    tags: Annotated[tuple[_Tag, ...], Meta(max_length=50)] = ()
    note: Annotated[str, Meta(max_length=4000)] = ""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A pair that somebody saw without knowing which is which.

    Attributes:
        axis: What the two differ in.
        a: Value of the first of them on it.
        b: Value of the second.
        jobs: Of the first and the second.
        sha256: Of their files.
        winner: Empty where a vote was taken back.
    """

    axis: Annotated[str, Meta(min_length=1, max_length=200)]
    a: object
    b: object
    jobs: tuple[_Job, _Job]
    sha256: tuple[_File, _File]
    winner: Literal["a", "b", "tie", "neither", ""]


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """Which one of a pair somebody found better."""

    vote: Comparison


class RatingLine(Rating, frozen=True, kw_only=True):
    """A rating as it is kept: whose, and since when."""

    v: Literal[1]
    at: _Moment
    who: _Who


class VoteLine(Vote, frozen=True, kw_only=True):
    """A vote as it is kept: whose, and since when."""

    v: Literal[1]
    at: _Moment
    who: _Who


Opinion: TypeAlias = Rating | Vote
Line: TypeAlias = RatingLine | VoteLine


def read_opinion(body: bytes) -> Opinion:
    """Return the rating or vote that *body* is, without its `at` and `who`.

    Raises:
        ValueError: It is neither, or too large. The text says why.
    """
    if len(body) > MAX_LINE_BYTES:
        raise ValueError(f"more than {MAX_LINE_BYTES} bytes")
    if _is_vote(body):
        return msgspec.json.decode(body, type=Vote)
    return msgspec.json.decode(body, type=Rating)


def append(run_dir: Path, who: str, opinion: Opinion, clock: Clock) -> Line:
    """Add what *who* thinks to their file, durable, and return the line.

    Several processes may do so at once.

    Raises:
        ValueError: *who* cannot be a name, or the line would be too long.
        RunDirError: The disk does not take it, or a link is in the way. The file is as
            it was.
    """
    line = _line(who, opinion, to_text(clock.now()))
    encoded = msgspec.json.encode(line) + b"\n"
    if len(encoded) > MAX_LINE_BYTES:
        raise ValueError(f"more than {MAX_LINE_BYTES} bytes")
    path = run_dir / FOLDER / file_name(who)
    try:
        _refuse_links(path.parent, path)
        make_folder(path.parent)
        with filelock.FileLock(path.parent / ".lock"):
            _append(path, encoded)
    except OSError as error:
        raise RunDirError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="Mend that and rate it again; what was rated before is kept.",
        ) from error
    return line


def file_name(who: str) -> str:
    """Return the name of the file of *who*: safe everywhere, another for each name."""
    plain = re.sub(r"[^a-z0-9_-]+", "-", who.lower()).strip("-")[:40]
    if plain != who or not plain or _DEVICE.fullmatch(plain):
        digest = hashlib.sha256(who.encode("utf-8", "replace")).hexdigest()[:8]
        plain = f"{plain}-{digest}".lstrip("-")
    return f"{plain}.jsonl"


def read_ratings(run_dir: Path) -> list[Line]:
    """Return all lines of all people, oldest first.

    An unfinished last line of a file is left out.

    Raises:
        RunDirError: A line is none, or a file cannot be read.
    """
    found: list[Line] = []
    for path in sorted((run_dir / FOLDER).glob("*.jsonl")):
        found += _lines_of(path)
    return sorted(found, key=lambda line: line.at)


class RatingsTail:
    """What people add to the ratings of a run directory, from now on.

    What is no line, or cannot be read, is left out here: `read_ratings` tells it.
    """

    def __init__(self, run_dir: Path) -> None:
        self._folder = run_dir / FOLDER
        self._read: dict[str, int] = {}  # bytes of whole lines, by file
        self.news()

    def news(self) -> list[Line]:
        """Return the lines that came since the last call; those of a file in order.

        A file that became shorter was replaced, and is read from its beginning.
        """
        found: list[Line] = []
        for path in sorted(self._folder.glob("*.jsonl")):
            with suppress(OSError):
                found += self._news_of(path)
        return found

    def _news_of(self, path: Path) -> Iterator[Line]:
        before, size = self._read.get(path.name, 0), path.stat().st_size
        if size == before:
            return
        with path.open("rb") as stream:
            stream.seek(before if size > before else 0)
            content = stream.read(MAX_FILE_BYTES)
            end = stream.tell()
        whole, _, torn = content.rpartition(b"\n")
        self._read[path.name] = end - len(torn)
        for text in whole.splitlines():
            with suppress(ValueError):
                yield _read_line(text)


def standing(lines: Iterable[Line]) -> list[RatingLine]:
    """Return what people think now: the last rating of each about each file."""
    last = {
        (line.who, line.job, line.sha256): line
        for line in sorted(lines, key=lambda line: line.at)
        if isinstance(line, RatingLine)
    }
    return list(last.values())


def picks(lines: Iterable[Line]) -> set[tuple[str, str]]:
    """Return what somebody picked: job, and digest of the file."""
    return {(one.job, one.sha256) for one in standing(lines) if one.mark == "pick"}


def picked(records: Iterable[Record], lines: Iterable[Line]) -> list[Record]:
    """Return the *records* of which somebody picked a file, as it is now."""
    found = picks(lines)
    return [
        record
        for record in records
        if any((record.job, file.sha256) in found for file in record.artifacts)
    ]


def ratings_schema() -> dict[str, Json]:
    """Return the JSON Schema of one line, generated from the types above."""
    _, definitions = msgspec.json.schema_components(
        [RatingLine, VoteLine], schema_hook=_anything, ref_template="#/$defs/{name}"
    )
    for definition in definitions.values():
        definition.pop("title", None)
        definition["description"] = definition["description"].split("\n\n")[0]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://foxbatch.invalid/schemas/ratings.schema.json",
        "title": "One line of ratings/<who>.jsonl",
        "description": "What one person thinks of a file, or of a pair of them.",
        "anyOf": [{"$ref": "#/$defs/RatingLine"}, {"$ref": "#/$defs/VoteLine"}],
        "$defs": dict(sorted(definitions.items())),
    }


def _anything(_kind: type) -> dict[str, Json]:
    """Say what `object` means in a schema."""
    return {"description": "Any JSON value."}


# ---- Lines


def _line(who: str, opinion: Opinion, at: str) -> Line:
    said: dict[str, object] = {"v": FORMAT, "at": at, "who": who}
    said |= msgspec.to_builtins(opinion)
    try:
        if isinstance(opinion, Vote):
            return msgspec.convert(said, VoteLine)
        return msgspec.convert(said, RatingLine)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None


def _is_vote(text: bytes) -> bool:
    """Return whether *text* says that it is a vote.

    Raises:
        ValueError: It is no JSON object.
    """
    return "vote" in msgspec.json.decode(text, type=dict[str, msgspec.Raw])


def _read_line(text: bytes) -> Line:
    if _is_vote(text):
        return msgspec.json.decode(text, type=VoteLine)
    return msgspec.json.decode(text, type=RatingLine)


def _lines_of(path: Path) -> list[Line]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunDirError(
            f"{path} cannot be read: {error.strerror or error}",
            hint="Mend that, or move the file away: then those ratings do not count.",
        ) from error
    lines = content.splitlines(keepends=True)
    found: list[Line] = []
    for number, text in enumerate(lines, start=1):
        try:
            found.append(_read_line(text))
        except ValueError as error:
            if number == len(lines) and not text.endswith(b"\n"):
                break
            raise _bad_line(path, number, text, error) from None
    return found


def _bad_line(path: Path, number: int, text: bytes, error: ValueError) -> RunDirError:
    try:
        version = msgspec.json.decode(text)["v"]
    except (ValueError, TypeError, KeyError):
        version = FORMAT
    if isinstance(version, int) and version > FORMAT:
        return RunDirError(
            f"{path}:{number} is format {version}, and this foxbatch reads formats up "
            f"to {FORMAT}",
            hint="Use the foxbatch that wrote it, or a newer one.",
        )
    return RunDirError(
        f"{path}:{number} is no rating: {error}",
        hint="Mend or delete that line, or move the file away.",
    )


# ---- The disk


def _refuse_links(*places: Path) -> None:
    """Raise where what is written would end up elsewhere."""
    for place in places:
        if place.is_symlink():
            raise RunDirError(
                f"{place} is a link to {place.readlink()}",
                hint="Remove it: a run directory keeps its files to itself.",
            )


def _append(path: Path, line: bytes) -> None:
    """Add a whole line, durable, or leave the file as it was. Under the lock."""
    is_new = not path.exists()
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o644)
    try:
        size = _whole_lines(handle)
        if size + len(line) > MAX_FILE_BYTES:
            raise OSError(errno.EFBIG, f"more than {MAX_FILE_BYTES} bytes of ratings")
        try:
            written = os.write(handle, line)
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, size)
            raise
        if written != len(line):
            os.ftruncate(handle, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(handle)
    if is_new:
        sync_folder(path.parent)


def _whole_lines(handle: int) -> int:
    """Cut off what a crash left of a line; return the size that is left."""
    size = os.fstat(handle).st_size
    tail_at = max(0, size - MAX_LINE_BYTES)
    os.lseek(handle, tail_at, os.SEEK_SET)
    tail = os.read(handle, MAX_LINE_BYTES)
    whole = tail_at + tail.rfind(b"\n") + 1
    if whole == tail_at > 0:
        raise OSError(errno.EINVAL, "it is no list of ratings")
    if whole < size:
        os.ftruncate(handle, whole)
    return whole
