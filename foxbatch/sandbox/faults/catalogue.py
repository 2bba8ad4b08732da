"""The fault plans that come with foxbatch, and the files of people who write more."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from foxbatch.errors import InvalidError, Position, Problem, UsageError
from foxbatch.sandbox.faults.language import read_plan
from foxbatch.sandbox.faults.plan import Plan
from foxbatch.schema import show, suggest
from foxbatch.yaml12 import MAX_BYTES

ALWAYS = frozenset({1, 10, 12, 13, 14, 15, 16, 17, 23, 30, 49, 50})
"""Behaviours that the sandbox shows without any plan: the service is strict."""

_SUFFIX = ".yaml"


@dataclass(frozen=True, slots=True)
class Listed:
    """A plan that comes with foxbatch, as a list shows it."""

    name: str
    title: str
    behaviours: tuple[int, ...]


def names() -> list[str]:
    """Return the names of the plans that come with foxbatch, sorted."""
    folder = resources.files(__package__) / "plans"
    found = (entry.name for entry in folder.iterdir())
    return sorted(
        name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX)
    )


def listing() -> list[Listed]:
    """Return the plans that come with foxbatch, in the order of their names."""
    return [
        Listed(plan.name, plan.title, plan.behaviours) for plan in map(named, names())
    ]


def named(name: str) -> Plan:
    """Return the plan of that *name*.

    Raises:
        UsageError: None that comes with foxbatch is called so.
    """
    if name not in names():
        raise UsageError(
            f"there is no fault plan {show(name)}",
            hint=suggest(name, names(), "Plans")
            + " A file's name has a slash in it, or ends in .yaml.",
        )
    file = resources.files(__package__) / "plans" / f"{name}{_SUFFIX}"
    return read_plan(file.read_bytes(), shown_as=f"{name}{_SUFFIX}", name=name)


def load(path: Path) -> Plan:
    """Return the plan in the file at *path*.

    Raises:
        InvalidError: It cannot be read, or is not valid: with all problems.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise InvalidError(
            (
                Problem(
                    "E-FILE-MISSING",
                    f"{path} cannot be read: {why}",
                    Position(str(path)),
                    "Plans that come with foxbatch are called by name, such as flaky.",
                ),
            )
        ) from None
    return read_plan(content, shown_as=str(path))


def choose(reference: str) -> Plan:
    """Return the plan that somebody names: one of foxbatch's, or a file.

    A slash or `.yaml` at the end tells a file. Raises what `named` and `load` do.
    """
    if "/" in reference or reference.endswith((_SUFFIX, ".yml")):
        return load(Path(reference))
    return named(reference)
