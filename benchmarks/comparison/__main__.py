"""foxbatch beside scripts and batch tools, on the same faults; see ../README.md."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.comparison.contenders import CONTENDERS, Contender, Tools
from benchmarks.comparison.trial import Day, hold
from benchmarks.comparison.verdict import Verdict, medians

_COLUMNS = (
    ("tasks", "tasks made"),
    ("twice", "paid twice"),
    ("wasted", "credits wasted"),
    ("lost", "paid, no file"),
    ("missing", "not made"),
    ("asked", "asked about"),
    ("dishonest", "wrong exit status"),
    ("seconds", "seconds"),
    ("settling", "of it settling"),
    ("ratio", "× foxbatch"),
)
_PLANS = "calm,lossy,files,flaky"


def rounds_of(
    contenders: Sequence[Contender], tools: Tools, days: Sequence[Day]
) -> dict[str, list[Verdict]]:
    """Let all take turns, one round per day; times are told by the first one's."""
    found: dict[str, list[Verdict]] = {contender.name: [] for contender in contenders}
    for day in days:
        first_s = 0.0
        for contender in contenders:
            with tempfile.TemporaryDirectory(prefix="comparison-") as folder:
                verdict = hold(contender, tools, Path(folder), day)
            first_s = first_s or verdict.seconds
            verdict = replace(verdict, ratio=verdict.seconds / first_s)
            found[contender.name].append(verdict)
            print(f"{contender.name}, {day}: {verdict}", file=sys.stderr)
    return found


def table(found: dict[str, list[Verdict]]) -> str:
    """Return the medians as a table in Markdown."""
    lines = [
        "| | " + " | ".join(title for _, title in _COLUMNS) + " |",
        "|---|" + "---:|" * len(_COLUMNS),
    ]
    for name, verdicts in found.items():
        middle = asdict(medians(verdicts))
        digits = {"seconds": ".0f", "settling": ".0f", "ratio": ".2f"}
        cells = [format(middle[key], digits.get(key, "g")) for key, _ in _COLUMNS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser("benchmarks.comparison", description=__doc__)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--plan", default=_PLANS, help="names, with commas between")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    parser.add_argument("--plug", choices=("no", "yes", "both"), default="both")
    parser.add_argument("--only", default="", help="contenders, with commas between")
    parser.add_argument("--tools", type=Path, help="a venv with requirements.txt")
    parser.add_argument("--json", action="store_true", help="print every round")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    asked = options(arguments)
    tools = Tools(None if asked.tools is None else asked.tools.absolute() / "bin")
    contenders = []
    for contender in CONTENDERS:
        if asked.only and contender.name not in asked.only.split(","):
            continue
        if missing := contender.missing(tools):
            print(f"{contender.name} is left out: no {missing} here", file=sys.stderr)
        else:
            contenders.append(contender)
    scenarios = {"no": [False], "yes": [True], "both": [False, True]}[asked.plug]
    report = []
    for plan in asked.plan.split(","):
        for plug in scenarios:
            days = [
                Day(plan=plan, seed=seed, jobs=asked.jobs, plug=plug)
                for seed in range(asked.seed, asked.seed + asked.rounds)
            ]
            found = rounds_of(contenders, tools, days)
            if asked.json:
                every = {n: [asdict(v) for v in vs] for n, vs in found.items()}
                report.append({"plan": plan, "plug": plug, "rounds": every})
            else:
                pulled = ", and the plug is pulled in the middle" if plug else ""
                heading = (
                    f"**{plan}**{pulled}: {asked.jobs} jobs, {asked.rounds} rounds"
                )
                print(f"{heading}\n\n{table(found)}\n", flush=True)
    if asked.json:
        print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
