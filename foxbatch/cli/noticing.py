"""What is valid and probably not meant, in a few lines beside what was asked for."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import visible
from foxbatch.errors import Problem, Severity

if TYPE_CHECKING:
    from foxbatch.api import Notice

_MOST = 3
_ORDER = list(Severity)


def teller(terminal: Terminal, manifest: str) -> Notice:
    """Return what tells people on stderr about *manifest*: the first few problems."""

    def tell(problems: Sequence[Problem]) -> None:
        worst = sorted(problems, key=lambda one: _ORDER.index(one.severity))
        for problem in worst[:_MOST]:
            terminal.say(visible(str(problem)))
        command = f"{terminal.program} validate {shlex.quote(manifest)}"
        more = len(problems) - _MOST
        beginning = f"and {more:,} more: " if more > 0 else ""
        terminal.say(f"{beginning}{visible(command)} says what to do")

    return tell
