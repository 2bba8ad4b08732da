"""Every error foxbatch raises on purpose, and the exit code each one means.

FoxbatchError              70   base: `except FoxbatchError` catches all of these
├── TransitionError        70   an impossible event: a bug, or a damaged ledger
├── UsageError              2   what was asked for makes no sense as typed
│   ├── KeyUnusableError        the API key is missing, malformed or not bound here
│   └── MissingExtraError       an optional part of foxbatch is not installed
├── InvalidError            3   a manifest, provider or schema is wrong: `problems`
└── RunDirError             4   the run directory cannot be used
    ├── RunDirLockedError       another run is writing to it
    ├── OriginError             it belongs to another service or account
    └── LedgerError             its ledger is damaged, too new, or not writable
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process says to the shell. Numbers are a promise."""

    DONE = 0
    USAGE = 2
    INVALID = 3
    RUN_DIR = 4
    WRONG = 5
    REFUSED = 6
    BUDGET = 7
    UNREACHABLE = 8
    FAILED_JOBS = 10
    HELD = 11
    REMOTE = 12
    CHANGES = 20
    BUG = 70
    INTERRUPTED = 130


# Where several are true, the first of these is said.
_URGENCY = (
    ExitCode.BUG,
    ExitCode.INTERRUPTED,
    ExitCode.USAGE,
    ExitCode.INVALID,
    ExitCode.RUN_DIR,
    ExitCode.REFUSED,
    ExitCode.UNREACHABLE,
    ExitCode.BUDGET,
    ExitCode.HELD,
    ExitCode.FAILED_JOBS,
    ExitCode.REMOTE,
    ExitCode.WRONG,
    ExitCode.CHANGES,
    ExitCode.DONE,
)


def most_urgent(*codes: ExitCode) -> ExitCode:
    """Return the one of *codes* that a person has to know first (0 for none)."""
    return min(codes, key=_URGENCY.index, default=ExitCode.DONE)


class Severity(StrEnum):
    """How much a problem matters; only an error changes the exit code."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A stretch of a file. Lines and columns count from 1, in code points.

    Attributes:
        file: Path as the user wrote it, or `<stdin>`.
        line: First line.
        column: First column.
        end_line: Last line.
        end_column: Column after the last character.
    """

    file: str
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Related:
    """A second place that a problem is about ("first defined here")."""

    position: Position
    message: str


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a file that mends a problem, or a part of one.

    Attributes:
        position: The stretch that is replaced, nothing but a place where it is empty.
        text: What stands there instead, without a line end.
    """

    position: Position
    text: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file, as data.

    Attributes:
        code: Stable and documented, such as `E-KEY-UNKNOWN`.
        message: What is wrong, with the value in it, no full stop.
        position: Where.
        hint: What to write instead, a sentence; may be empty.
        severity: Errors stop; warnings and notes are only said.
        pointer: JSON pointer of the value, empty where there is none.
        jobs: How many jobs it affects, where jobs are known.
        example: Name of one affected job, else empty.
        related: Further places.
        fix: Changes that, made together, mend it without a doubt; empty where a
            person has to decide.
    """

    code: str
    message: str
    position: Position
    hint: str = ""
    severity: Severity = Severity.ERROR
    pointer: str = ""
    jobs: int | None = None
    example: str = ""
    related: tuple[Related, ...] = field(default=())
    fix: tuple[Edit, ...] = field(default=())

    def __str__(self) -> str:
        return f"{self.position}: {self.severity}: {self.message} [{self.code}]"


class FoxbatchError(Exception):
    """Base class. The message says what happened, `hint` what to do about it."""

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword arguments of __init__ are lost by the default of Exception;
        # errors cross process borders.
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(
    kind: type[FoxbatchError], args: tuple[object, ...], state: dict[str, object]
) -> FoxbatchError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class TransitionError(FoxbatchError):
    """An event that the lifecycle does not allow: a bug, or a damaged ledger."""


class UsageError(FoxbatchError):
    """What was asked for makes no sense as typed. Nothing was started."""

    exit_code = ExitCode.USAGE


class KeyUnusableError(UsageError):
    """The API key is missing, malformed, or must not go to that address."""


class MissingExtraError(UsageError):
    """An optional part is not installed.

    Attributes:
        extra: The name between the brackets of `foxbatch[...]`.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs packages that are not installed",
            hint=f"Type: pip install 'foxbatch[{extra}]'",
        )
        self.extra = extra


class InvalidError(FoxbatchError):
    """A manifest, provider file or schema is not valid. All problems are listed.

    Attributes:
        problems: At least one, in the order of the file.
    """

    exit_code = ExitCode.INVALID

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        errors = sum(problem.severity is Severity.ERROR for problem in problems)
        super().__init__(f"{errors} problem{'s' if errors != 1 else ''} found")
        self.problems = problems


class UnreachableError(FoxbatchError):
    """The service gave no answer that helps. Nothing was changed."""

    exit_code = ExitCode.UNREACHABLE


class RunDirError(FoxbatchError):
    """The run directory cannot be used. What is in it was not changed."""

    exit_code = ExitCode.RUN_DIR


class RunDirLockedError(RunDirError):
    """Another run writes to the directory. Nothing was read or written."""

    def __init__(self, path: str, owner: str) -> None:
        super().__init__(
            f"{path} is being written by {owner}",
            hint="Wait for that run, or stop it and type the same command again.",
        )
        self.path, self.owner = path, owner


class OriginError(RunDirError):
    """The directory holds what another service or account was asked for."""


class LedgerError(RunDirError):
    """The ledger is damaged, written by a newer foxbatch, or cannot be written."""
