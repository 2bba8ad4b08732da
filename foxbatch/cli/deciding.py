"""Held jobs with all that is known about each, and one key to decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import anyio
import click
from rich.text import Text

from foxbatch import api
from foxbatch.account import NOT_PROOF
from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import amount, count, one_line, visible
from foxbatch.errors import UsageError
from foxbatch.events import Decision

_LONGEST = 300
_SHA256_SHOWN = 16
_KEYS: dict[str, Decision] = {"t": "task", "b": "buy_again", "w": "write_off"}
_MENU = "[t]ask found  [b]uy again  [w]rite off  [s]kip  [q]uit "


def select(held: Sequence[api.HeldJob], jobs: Sequence[str]) -> Sequence[api.HeldJob]:
    """Return those of *held* that *jobs* name, all for none.

    Raises:
        UsageError: One of them names nothing that is held.
    """
    for name in jobs:
        if not any(_is_called(one, name) for one in held):
            ids = ", ".join(one.job for one in held)
            raise UsageError(
                f"no held job is called {name!r}",
                hint=f"Held are {ids}." if ids else "Nothing is held here.",
            )
    return [
        one for one in held if not jobs or any(_is_called(one, name) for name in jobs)
    ]


def _is_called(one: api.HeldJob, name: str) -> bool:
    return bool(name) and (one.job.startswith(name) or one.name == name)


def show(terminal: Terminal, held: Sequence[api.HeldJob], run_dir: Path) -> None:
    """Print the evidence of each held job, and how to decide."""
    where = visible(api.show_path(run_dir))
    for one in held:
        for line in _evidence(one):
            terminal.out.print(line, soft_wrap=True)
        terminal.emit("")
    if held:
        terminal.say(f"{count(len(held), 'job')} may have been bought. Type such as:")
        for how in ("--task TASK-ID", "--buy-again", "--write-off"):
            terminal.say(f"  foxbatch settle {where} {held[0].job} {how}")
    else:
        terminal.say(f"nothing is held in {where}")


def ask_about(
    terminal: Terminal,
    run_dir: Path,
    held: Sequence[api.HeldJob],
    options: api.RunOptions,
) -> list[api.Ruling]:
    """Show each held job and return what one key said about it. Nothing is written."""
    rulings: list[api.Ruling] = []
    for number, one in enumerate(held, start=1):
        terminal.say()
        terminal.say(Text(f"{number} of {len(held)}", "dim"))
        for line in _evidence(one):
            terminal.say(line)
        key = _key(terminal)
        if key == "q":
            break
        if key == "t":
            task = _task(terminal, run_dir, one, options)
            if task is not None:
                ruling = api.Ruling(job=one.job, decision="task", task=task)
                rulings.append(ruling)
        elif key in _KEYS:
            rulings.append(api.Ruling(job=one.job, decision=_KEYS[key]))
    terminal.say()
    return rulings


def _key(terminal: Terminal) -> str:
    terminal.stderr.write(_MENU)
    terminal.stderr.flush()
    known = ""
    while not known:  # whoever types fast has typed several keys at once
        known = "".join(k for k in click.getchar().lower() if k in {*_KEYS, "s", "q"})
    terminal.say(known[0])
    return known[0]


def _task(
    terminal: Terminal, run_dir: Path, one: api.HeldJob, options: api.RunOptions
) -> str | None:
    """Ask which task it became, until one fits; None where nothing is typed."""

    async def look() -> str:
        return await api.look_up(run_dir, one.job, task, options=options)

    while True:
        task = click.prompt("task id (empty: skip)", default="", err=True).strip()
        if not task:
            return None
        try:
            terminal.say(visible(anyio.run(look)))
        except UsageError as error:
            terminal.say(visible(f"{error}. {error.hint}"))
        else:
            return task


def _evidence(one: api.HeldJob) -> Iterator[Text]:
    """Yield what is known about a held job, a line each."""
    yield Text.assemble((one_line(one.name), "bold"), (f"  {one.job}", "cyan"))
    price = "not known" if one.credits is None else f"about {amount(one.credits)}"
    rows = {
        "submitted": f"{one.submitted} by attempt {one.attempt} on {one.host or '?'}",
        "error": one.why,
        "answer": one.reply,
        "headers": ", ".join(f"{name}: {text}" for name, text in one.headers.items()),
        "model": one.model,
        "request": f"sha256 {one.request_sha256[:_SHA256_SHOWN]}",
        "prompt": one.prompt,
        "credits": price,
        "account": one.account,
        "charges": one.charges,
    }
    if one.maybe_alive:
        rows["careful"] = "its run may still be alive on that machine"
    for label, text in rows.items():
        if text:
            yield Text.assemble((f"  {label:<10}", "dim"), one_line(text, _LONGEST))
    if one.account or one.charges:
        yield Text(f"  {'':<10}{NOT_PROOF}", "dim")
