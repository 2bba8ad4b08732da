"""The command that serves the pretend service by itself."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import click

from foxbatch.cli import _options as options
from foxbatch.cli._terminal import Terminal
from foxbatch.errors import ExitCode, UsageError


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
    help="Keep tasks in this folder, so that they survive a restart.",
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
    "--key",
    "keys",
    multiple=True,
    metavar="K",
    help="Accept only this key; may be given several times. Without: any.",
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
    help="Answer 429 beyond so many tasks. Without: never.",
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
    keys: tuple[str, ...],
    credits: int | None,  # noqa: A002  the flag's name
    in_flight: int | None,
) -> int:
    """Serve the pretend service by itself.

    It checks requests, bills credits and makes real files, for free. When it is ready,
    one line of JSON on stdout says where; everything else goes to stderr. Ctrl-C ends
    it.

    \b
    Example:
      foxbatch sandbox --port 8765 --speed 20 --state .sandbox
      FOXAPI_BASE_URL=http://127.0.0.1:8765 FOXAPI_API_KEY=any-key \\
        foxbatch run manifests/quickstart.yaml --provider foxapi
    """
    from foxbatch.sandbox import SandboxOptions, run_sandbox

    _check_loopback(host)
    asked = SandboxOptions(
        seed=seed,
        speed=speed,
        keys=frozenset(keys) or None,
        credits=credits,
        in_flight=in_flight,
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
        f"The sandbox is ready at {url} (Ctrl-C ends it).",
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
