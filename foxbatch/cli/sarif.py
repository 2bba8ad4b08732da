"""Problems as a log in SARIF 2.1.0, which code scanning services read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from foxbatch.canonical import Json
from foxbatch.cli.codes import meaning
from foxbatch.errors import Edit, Position, Problem, Severity

_LEVELS = {"E": Severity.ERROR, "W": Severity.WARNING, "N": Severity.NOTE}


def as_sarif(problems: Sequence[Problem], *, version: str) -> dict[str, Json]:
    """Return *problems* as one log; columns count code points."""
    codes = sorted({problem.code for problem in problems})
    driver: dict[str, Json] = {
        "name": "foxbatch",
        "version": version,
        "rules": [_rule(code) for code in codes],
    }
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": [_result(one, codes.index(one.code)) for one in problems],
            }
        ],
    }


def _rule(code: str) -> Json:
    told = meaning(code)
    return {
        "id": code,
        "shortDescription": {"text": told.short},
        "help": {"text": told.text, "markdown": told.markdown},
        "defaultConfiguration": {"level": _LEVELS[code[0]].value},
    }


def _result(problem: Problem, rule: int) -> Json:
    text = " ".join(filter(None, (f"{problem.message}.", problem.hint)))
    result: dict[str, Json] = {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": problem.severity.value,
        "message": {"text": text},
        "locations": [{"physicalLocation": _place(problem.position)}],
    }
    if problem.related:
        result["relatedLocations"] = [
            {
                "physicalLocation": _place(one.position),
                "message": {"text": one.message},
            }
            for one in problem.related
        ]
    if problem.fix:
        result["fixes"] = [{"artifactChanges": [_change(one) for one in problem.fix]}]
    return result


def _change(edit: Edit) -> Json:
    return {
        "artifactLocation": {"uri": _uri(edit.position.file)},
        "replacements": [
            {
                "deletedRegion": _region(edit.position),
                "insertedContent": {"text": edit.text},
            }
        ],
    }


def _place(at: Position) -> dict[str, Json]:
    return {"artifactLocation": {"uri": _uri(at.file)}, "region": _region(at)}


def _region(at: Position) -> Json:
    return {
        "startLine": at.line,
        "startColumn": at.column,
        "endLine": at.end_line,
        "endColumn": at.end_column,
    }


def _uri(file: str) -> str:
    from urllib.parse import quote

    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
