"""What changed in a run directory since the run, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from foxbatch.results import Record

Change: TypeAlias = Literal["edited", "other", "missing", "moved", "strange"]
"""What happened to a file: `other` is not what was downloaded, and no newer."""

_WORDS: Mapping[Change, tuple[str, str]] = {
    "edited": (
        "was edited after it was downloaded",
        "were edited after they were downloaded",
    ),
    "other": ("is not what was downloaded", "are not what was downloaded"),
    "missing": ("is missing", "are missing"),
    "moved": ("was moved", "were moved"),
    "strange": ("is not of this run", "are not of this run"),
}
_MOST_KINDS = 20


def count_changes(changes: Iterable[Change | None]) -> dict[Change, int]:
    """Return how many files each thing happened to; only what did."""
    found = list(changes)
    return {change: found.count(change) for change in _WORDS if change in found}


def changes_in_words(counts: Mapping[Change, int]) -> str:
    """Return such as `3 files were edited after they were downloaded, 1 is missing`."""
    parts = [f"{number} {_WORDS[what][number != 1]}" for what, number in counts.items()]
    if not parts:
        return ""
    number, _, rest = parts[0].partition(" ")
    parts[0] = f"{number} file{'' if number == '1' else 's'} {rest}"
    return ", ".join(parts)


def not_as_asked(found: Sequence[Record]) -> list[tuple[str, str]]:
    """Return where what came is not as asked: a path each, and what it is in words.

    Equal things are said once, however many jobs they are about.
    """
    by_flag: dict[str, list[Record]] = {}
    for record in found:
        for flag in record.flags:
            by_flag.setdefault(flag, []).append(record)
    said = [
        (_where(records), _about(flag, records)) for flag, records in by_flag.items()
    ]
    more = len(said) - _MOST_KINDS
    if more > 0:
        rest = f"{more} more kinds of differences: see flags in the records"
        said[_MOST_KINDS:] = [("results.jsonl", rest)]
    return said


def _where(records: Sequence[Record]) -> str:
    if len(records) > 1 or not records[0].artifacts:
        return "results.jsonl"
    return records[0].artifacts[0].path


def _about(flag: str, records: Sequence[Record]) -> str:
    if len(records) == 1:
        return f"{records[0].name}: {flag}"
    return f"{len(records)} jobs, such as {records[0].name}: {flag}"
