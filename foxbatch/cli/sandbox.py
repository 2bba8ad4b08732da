"""The command that serves the pretend service by itself."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, get_args, get_type_hints

import click

from foxbatch.cli import _options as options
from foxbatch.cli._terminal import Terminal
from foxbatch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from foxbatch.sandbox import Switches


class _Key(click.ParamType[tuple[str, int | None]]):
    """A key, and what it may spend where that is written behind it."""

    name = "key"

    def convert(
        self,
        value: str | tuple[str, int | None],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, int | None]:
        """Return the key and its credits."""
        if not isinstance(value, str):
            return value
        key, equals, spend = value.partition("=")
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            self.fail("a key is made of visible ASCII characters", param, ctx)
        if not equals:
            return key, None
        return key, options.Whole().convert(spend, param, ctx)


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="0 takes a free one.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="An address of this machine's loopback.",
)
@click.option(
    "--state",
    type=options.Folder(),
    help="Keep tasks and uploads in this folder, so that they survive a restart.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of all chance.")
@click.option(
    "--speed",
    type=options.Speed(),
    default=1.0,
    show_default=True,
    help="How much faster than real it is.",
)
@click.option(
    "--faults",
    type=options.FaultPlan(),
    help="What it does wrong: the name of a plan, or the file of one.",
)
@click.option(
    "--list-faults",
    is_flag=True,
    help="List the plans that come with foxbatch, and end.",
)
@click.option(
    "--key",
    "keys",
    type=_Key(),
    multiple=True,
    metavar="K[=N]",
    help="Accept only this key, which may spend N credits; may be given several times."
    " Without: any.",
)
@click.option(
    "--credits",
    type=options.Whole(),
    metavar="N",
    help="What each key may spend. Without: no end.",
)
@click.option(
    "--in-flight",
    type=options.Whole(1),
    metavar="N",
    help="Answer 429 beyond so many tasks of a key. Without: never.",
)
@click.option(
    "--requests-per-second",
    type=options.Whole(1),
    metavar="N",
    help="Answer 429 beyond so many requests of a key. Without: never.",
)
@click.option(
    "--workers",
    type=options.Whole(1),
    metavar="N",
    help="Work on so many tasks at once; others wait. Without: on all.",
)
@click.option(
    "--switch",
    "switches",
    multiple=True,
    metavar="NAME=VALUE",
    help="Which page to believe where the service's pages differ; see docs/sandbox.md.",
)
@click.pass_obj
def sandbox_command(
    terminal: Terminal,
    *,
    port: int,
    host: str,
    state: Path | None,
    seed: int,
    speed: float,
    faults: str | None,
    list_faults: bool,
    keys: tuple[tuple[str, int | None], ...],
    credits: int | None,  # noqa: A002  the flag's name
    in_flight: int | None,
    requests_per_second: int | None,
    workers: int | None,
    switches: tuple[str, ...],
) -> int:
    """Serve the pretend service by itself.

    It checks requests, bills credits and makes real files, for free. When it is ready,
    one line of JSON on stdout says where; everything else goes to stderr. Ctrl-C ends
    it.

    \b
    Example:
      foxbatch sandbox --port 8765 --speed 20 --state .sandbox --faults flaky
      FOXAPI_BASE_URL=http://127.0.0.1:8765 FOXAPI_API_KEY=any-key \\
        foxbatch run manifests/quickstart.yaml --provider foxapi
    """
    if list_faults:
        return _list_faults(terminal)
    from foxbatch.sandbox import SandboxOptions, run_sandbox
    from foxbatch.sandbox.faults import choose

    _check_loopback(host)
    asked = SandboxOptions(
        seed=seed,
        speed=speed,
        keys=dict(keys) or None,
        keyless=False,
        credits=credits,
        in_flight=in_flight,
        requests_per_s=requests_per_second,
        workers=workers,
        switches=switched(switches),
        plan=None if faults is None else choose(faults),
    )

    def ready(url: str) -> None:
        terminal.emit_json({"url": url})
        terminal.stdout.flush()
        explain(terminal, url, needs_key=bool(keys))

    try:
        run_sandbox(asked, on_ready=ready, host=host, port=port, state_dir=state)
    except OSError as error:
        raise UsageError(
            f"{host}:{port} cannot be used: {error.strerror or error}",
            hint="Choose another --port, or leave it out for a free one.",
        ) from error
    return ExitCode.DONE


def _list_faults(terminal: Terminal) -> int:
    from foxbatch.cli._tables import Column, show_table
    from foxbatch.sandbox.faults import listing

    columns = [
        Column("PLAN", style="bold cyan"),
        Column("WHAT GOES WRONG", wraps=True),
    ]
    show_table(terminal, columns, [[plan.name, plan.title] for plan in listing()])
    terminal.say("docs/fault-plans.md says how to write one of your own")
    return ExitCode.DONE


def known_switches() -> Mapping[str, tuple[str, ...]]:
    """Return the names of the switches, each with its values, the usual one first."""
    from foxbatch.sandbox import Switches

    hints = get_type_hints(Switches)
    return {
        each.name: get_args(hints[each.name]) for each in dataclasses.fields(Switches)
    }


def switched(written: tuple[str, ...]) -> Switches:
    """Return the switches that are set as *written*, NAME=VALUE each.

    Raises:
        UsageError: One of them is not there, or cannot be set like that.
    """
    from foxbatch.sandbox import Switches
    from foxbatch.schema import suggest

    known, chosen = known_switches(), {}
    for one in written:
        name, _, value = one.partition("=")
        name = name.replace("-", "_")
        if name not in known:
            raise UsageError(
                f'there is no switch "{name}"',
                hint=suggest(name, known, "Switches"),
            )
        if value not in known[name]:
            raise UsageError(
                f'switch {name} cannot be "{value}"',
                hint=suggest(value, known[name], "It can be"),
            )
        chosen[name] = value
    return Switches(**chosen)  # type: ignore[arg-type]  # each value was looked up


def _check_loopback(host: str) -> None:
    try:
        fits = host == "localhost" or ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        fits = False
    if not fits:
        raise UsageError(
            f"{host} is not an address of this machine alone",
            hint="Use 127.0.0.1: it is a toy, and not safe to show to others.",
        )


def explain(terminal: Terminal, url: str, *, needs_key: bool) -> None:
    """Say on stderr how the sandbox at *url* is used."""
    key = "$FOXAPI_API_KEY" if needs_key else "any-key"
    body = '{"model":"veo-3.1-fast","prompt":"A red fox","generate_audio":false}'
    export = "one of the keys given" if needs_key else "any-key"
    for line in (
        f"The sandbox is ready (Ctrl-C ends it). See what happens in it: {url}/",
        "",
        "For provider foxapi the environment must hold:",
        f"  FOXAPI_BASE_URL={url}",
        f"  FOXAPI_API_KEY={export}",
        "",
        "By hand:",
        f"  curl -s {url}/v1/videos/generations \\",
        f'    -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\',
        f"    -d '{body}'",
        f"  curl -s {url}/sandbox/stats",
    ):
        terminal.say(line)
