"""Problems as GitHub shows them: annotations of a pull request, and a summary.

Of each kind a step may have ten annotations; what comes after them is not shown, and
nothing says so. So the tenth tells how many more there are, and the summary has all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from foxbatch.cli._text import count, visible
from foxbatch.errors import Problem, Severity

MOST = 10
_MOST_ROWS = 1_000  # a summary may have 1 MiB

_WORDS: Mapping[Severity, str] = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.NOTE: "notice",
}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~$@&])")


def as_annotations(problems: Sequence[Problem], *, where_all: str) -> Iterator[str]:
    """Yield *problems* as workflow commands, the worst kind first.

    Args:
        problems: In the order to be shown.
        where_all: Where those are told that do not fit.
    """
    for severity in Severity:
        found = [problem for problem in problems if problem.severity is severity]
        shown = found if len(found) <= MOST else found[: MOST - 1]
        yield from map(as_annotation, shown)
        if rest := len(found) - len(shown):
            more = _escaped(f"{count(rest, f'more {severity}')}: {where_all}")
            yield f"::{_WORDS[severity]} title=foxbatch::{more}"


def as_annotation(problem: Problem) -> str:
    """Return *problem* as a workflow command."""
    at = problem.position
    properties = {"file": at.file, "line": str(at.line), "endLine": str(at.end_line)}
    if at.line == at.end_line:  # columns of several lines are not understood
        properties |= {"col": str(at.column), "endColumn": str(at.end_column)}
    properties["title"] = problem.code
    text = visible("\n".join(filter(None, (problem.message, problem.hint))))
    fields = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{_WORDS[problem.severity]} {fields}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def summary(problems: Sequence[Problem], headline: str) -> str:
    """Return all *problems* as Markdown for the summary of a job."""
    lines = [f"### {_plain(headline)}"]
    if problems:
        lines += ["", "| | where | what | what to do |", "|---|---|---|---|"]
    lines += map(_row, problems[:_MOST_ROWS])
    if (rest := len(problems) - _MOST_ROWS) > 0:
        lines += ["", f"And {rest:,} more."]
    return "\n".join([*lines, "", ""])


def _row(problem: Problem) -> str:
    said = f"{_plain(problem.message)} ({problem.code})"
    cells = (
        problem.severity,
        _plain(str(problem.position)),
        said,
        _plain(problem.hint),
    )
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Return *text* as Markdown that shows it, whoever wrote it."""
    return _MARKDOWN.sub(r"\\\1", " ".join(visible(text).split()))
