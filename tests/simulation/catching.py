"""Which seed catches which mutant.

python -m tests.simulation.catching            look for the first seed of each
python -m tests.simulation.catching --write    and write them into `caught.md`
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.life import live
from tests.simulation.mutants import MUTANTS, Mutant

CAUGHT = Path(__file__).with_name("caught.md")
MOST_SEEDS = 150
"""Seeds within which each mutant has to be caught."""


@dataclass(frozen=True)
class Caught:
    """How a mutant was noticed: by which seed, and what that seed said."""

    seed: int
    said: str


def catch(mutant: Mutant, seeds: Iterable[int]) -> Caught | None:
    """Return the first of *seeds* that notices *mutant*; None where none does."""
    for seed in seeds:
        with mutant.patch():
            lived = live(seed)
        if lived.violations:
            said = lived.violations[0].splitlines()[0]
            return Caught(seed, re.sub(r"/\S*/runs/", "", said)[:90])
    return None


def recorded() -> Mapping[str, int]:
    """Return which seed caught which mutant when it was last looked for."""
    pattern = r"^\| `(\S+)` \|.*?\| (\d+) \|"
    rows = re.findall(pattern, CAUGHT.read_text(), re.MULTILINE)
    return {name: int(seed) for name, seed in rows}


def table(found: Mapping[str, Caught]) -> str:
    """Return the page that lists every mutant with the seed that catches it."""
    rows = [
        f"| `{m.name}` | {m.what} | {one.seed} | {_cell(one.said)} |"
        for m in MUTANTS
        if (one := found.get(m.name)) is not None
    ]
    return "\n".join((*_HEAD, *rows, ""))


_HEAD = (
    "# What the simulation notices",
    "",
    "Each mutant is foxbatch with one thing broken. Written by",
    "`python -m tests.simulation.catching --write`; a test replays every seed.",
    "",
    "| mutant | what is broken | seed | what that seed says first |",
    "|---|---|---|---|",
)


def _cell(text: str) -> str:
    return text.replace("|", "/")


def main() -> int:
    """Look for the seed that catches each mutant; return 1 if one escapes."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.catching")
    parser.add_argument("--write", action="store_true", help="write caught.md anew")
    parser.add_argument("--only", default="", help="part of the name of a mutant")
    wanted = parser.parse_args()
    found: dict[str, Caught] = {}
    chosen = [mutant for mutant in MUTANTS if wanted.only in mutant.name]
    for mutant in chosen:
        caught = catch(mutant, range(MOST_SEEDS))
        if caught is None:
            sys.stdout.write(f"{mutant.name} escapes {MOST_SEEDS} seeds\n")
            continue
        found[mutant.name] = caught
        sys.stdout.write(f"{mutant.name}: seed {caught.seed}: {caught.said}\n")
        sys.stdout.flush()
    if wanted.write and not wanted.only:
        CAUGHT.write_text(table(found))
    return len(found) < len(chosen)


if __name__ == "__main__":
    sys.exit(main())
