"""What `--only` names, where it names nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from foxbatch.errors import UsageError
from foxbatch.events import JobPlanned
from foxbatch.planner import Choice, facts_about
from foxbatch.schema import suggest

_SHOWN = 5


def unmatched(choice: Choice, jobs: Sequence[JobPlanned]) -> Iterator[UsageError]:
    """Yield an error, not raised, for each part of *choice* that names none of *jobs*.

    A typo is no success: a run that selects nothing would seem to have done all.
    """
    for which in choice.selects_nothing(jobs):
        key, equals, _ = which.partition("=")
        hint = _near_value(key, jobs) if equals else _near_name(which, jobs)
        yield UsageError(f"--only {which!r} names none of {len(jobs)} jobs", hint=hint)


def _near_name(which: str, jobs: Sequence[JobPlanned]) -> str:
    known = [job.name for job in jobs] + [job.spec for job in jobs]
    if near := difflib.get_close_matches(which, dict.fromkeys(known), n=3):
        return f"Did you mean {', '.join(near)}?"
    names = ", ".join(sorted({job.spec for job in jobs})[:_SHOWN])
    return f"Write the name of a job, or a glob; there are {names}."


def _near_value(key: str, jobs: Sequence[JobPlanned]) -> str:
    facts = [facts_about(job) for job in jobs]
    values = dict.fromkeys(known[key] for known in facts if key in known)
    if values:
        return f"{key} is {', '.join(list(values)[:_SHOWN])}."
    names = dict.fromkeys(name for known in facts for name in known)
    return suggest(key, names, "Jobs differ in")
