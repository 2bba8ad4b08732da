"""What every error promises: a message, a hint, an exit code, and safe travel."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable

import pytest

from foxbatch import errors
from foxbatch.errors import (
    ExitCode,
    FoxbatchError,
    InvalidError,
    KeyUnusableError,
    LedgerError,
    MissingExtraError,
    OriginError,
    Position,
    Problem,
    Related,
    RunDirError,
    RunDirLockedError,
    Severity,
    TransitionError,
    UnreachableError,
    UsageError,
    most_urgent,
)

PLACE = Position("m.yaml", 3, 7, 3, 12)
WARNING = Problem("W-DUPLICATE", "said twice", PLACE, severity=Severity.WARNING)
WRONG = Problem(
    "E-KEY-UNKNOWN",
    "unknown key `modle`",
    PLACE,
    hint="Write `model`.",
    related=(Related(PLACE, "the job"),),
)

EVERY_ERROR = [
    FoxbatchError("it broke", hint="Mend it."),
    TransitionError("impossible"),
    UnreachableError("no answer", hint="Later."),
    UsageError("what?", hint="Say it again."),
    KeyUnusableError("no key"),
    MissingExtraError("the report", "media"),
    InvalidError((WRONG, WARNING)),
    RunDirError("not here"),
    RunDirLockedError("runs/x", "process 1 on host"),
    OriginError("somebody else's"),
    LedgerError("damaged", hint="Restore it."),
]


def family(kind: type[FoxbatchError]) -> set[type[FoxbatchError]]:
    return {kind}.union(*map(family, kind.__subclasses__()))


def test_nothing_known_is_more_urgent_than_nothing() -> None:
    assert most_urgent() is ExitCode.DONE


@pytest.mark.parametrize("code", ExitCode)
def test_every_exit_code_has_its_urgency(code: ExitCode) -> None:
    assert most_urgent(ExitCode.DONE, code) is code
    assert most_urgent(code, ExitCode.BUG) is ExitCode.BUG


def test_what_may_have_cost_money_is_said_before_what_failed() -> None:
    codes = (ExitCode.REMOTE, ExitCode.FAILED_JOBS, ExitCode.HELD)

    assert most_urgent(*codes) is ExitCode.HELD


def test_a_problem_names_its_place_and_its_code() -> None:
    assert str(WRONG) == "m.yaml:3:7: error: unknown key `modle` [E-KEY-UNKNOWN]"


@pytest.mark.parametrize(
    ("problems", "message"),
    [
        pytest.param((WARNING,), "0 problems found", id="a warning is no error"),
        pytest.param((WRONG, WARNING), "1 problem found", id="one"),
        pytest.param((WRONG, WRONG), "2 problems found", id="two"),
    ],
)
def test_invalid_error_counts_what_has_to_be_mended(
    problems: tuple[Problem, ...], message: str
) -> None:
    assert str(InvalidError(problems)) == message


def test_every_error_of_the_family_is_tried_here() -> None:
    ours = {
        kind for kind in family(FoxbatchError) if kind.__module__ == errors.__name__
    }

    assert ours == {type(error) for error in EVERY_ERROR}


def by_pickle(error: FoxbatchError) -> object:
    return pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes


@pytest.mark.parametrize("error", EVERY_ERROR, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("travel", [by_pickle, copy.copy])
def test_errors_cross_process_borders_whole(
    error: FoxbatchError, travel: Callable[[FoxbatchError], object]
) -> None:
    arrived = travel(error)

    assert isinstance(arrived, FoxbatchError)
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    assert vars(arrived) == vars(error)
    assert arrived.exit_code is error.exit_code


def test_the_map_on_top_tells_the_exit_codes() -> None:
    drawn = re.findall(r"(\w+Error) +(\d+) ", errors.__doc__ or "")

    assert drawn
    assert {name: int(code) for name, code in drawn} == {
        name: getattr(errors, name).exit_code for name, _ in drawn
    }
