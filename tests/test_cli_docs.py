"""The reference of the command line is what the parser says.

UPDATE_EXPECTED=1 writes it anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from foxbatch.cli._group import SECTIONS, foxbatch_command

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
WIDTH = 80

HEAD = """\
# Command line

This page is made from the program's own help; a test keeps it so.

Data goes to stdout, everything else to stderr. There is no colour and nothing moves
where the output is not a terminal, with `NO_COLOR`, with `CI`, or with `TERM=dumb`.
What `--format json` and `--format jsonl` print is a promise: fields may be added, none
is renamed. Tables are for people: texts over 200 characters are cut in them.
"""

TAIL = """\
## Exit codes

Where several are true, the first of 70, 130, 2, 3, 4, 6, 8, 7, 11, 10, 12, 5, 20, 0
is said.

| code | means |
|---|---|
| 0 | all that was asked for is done |
| 2 | wrong usage |
| 3 | a manifest, provider or schema is not valid; all problems were listed |
| 4 | the run directory or stdout cannot be used: locked, damaged, disk full, closed |
| 5 | `verify` found something that is not what was written |
| 6 | stopped: the service refuses the key, the account or the address |
| 7 | stopped: the budget is reached |
| 8 | stopped: the service cannot be reached, or stayed busy too long |
| 10 | done, but jobs failed that the manifest's `accept` does not allow |
| 11 | done, except held submissions that a person must settle |
| 12 | work is still running remotely: overdue, or `--stop-after` |
| 20 | `plan --exit-code`: there is something to submit |
| 70 | a bug in foxbatch |
| 130 | interrupted; the same command goes on |

## Environment

Flags go before the environment, and the environment before `.env` in the working
directory.

| variable | means |
|---|---|
| `FOXAPI_API_KEY` | the key of provider `foxapi` |
| `FOXAPI_API_KEY_FILE` | a file that holds that key, instead |
| `FOXAPI_BASE_URL` | another address; the key goes only to hosts that are trusted |
| `FOXAPI_ACCOUNT` | a name for the account, so that a new key is the same account |
| `FOXBATCH_KEY_<ID>` | the key of the provider file of that id |
| `FOXBATCH_ACTOR` | who runs it, for the ledger; otherwise git's user |
| `FOXBATCH_LOG` | `json`: log as `-v` does, in JSON lines, to stderr or `--log-file` |
| `FOXBATCH_DEBUG` | `1`: show tracebacks |
"""


def reference() -> str:
    """Return the page as the parser would have it."""
    context = foxbatch_command.make_context(
        "foxbatch", [], resilient_parsing=True, terminal_width=WIDTH
    )
    parts = [HEAD, _block(context)]
    for section, names in SECTIONS.items():
        parts.append(f"## {section}\n")
        for name in names:
            command = foxbatch_command.get_command(context, name)
            assert command is not None
            inner = command.make_context(
                name, [], context, resilient_parsing=True, terminal_width=WIDTH
            )
            parts += [f"### foxbatch {name}\n", _block(inner)]
    return "\n".join([*parts, TAIL])


def _block(context: click.Context) -> str:
    return f"```text\n{context.get_help()}\n```\n"


def test_page_says_what_the_parser_says() -> None:
    if os.environ.get("UPDATE_EXPECTED"):  # pragma: no cover  a person asked for it
        PAGE.write_text(reference(), "utf-8")

    assert PAGE.read_text("utf-8") == reference()
