"""The command that puts a first manifest into a folder."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import click

from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import visible
from foxbatch.errors import ExitCode, RunDirError

MANIFEST = "manifests/first.yaml"
_SCHEMA = ".foxbatch/manifest.schema.json"
_IGNORED = (
    "**/runs/**/artifacts/",
    "**/runs/**/.lock",
    "**/runs/**/.sandbox/",
    "**/runs/**/.posters/",
    "**/runs/**/report.html",
    "**/runs/**/report.zip",
    ".env",
)
_WHY_IGNORED = "# foxbatch: keys and large files stay out; runs/*/ledger/ belongs in"


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.pass_obj
def init_command(terminal: Terminal, *, folder: Path) -> int:
    """Write a first manifest and what belongs beside it.

    A file that exists is kept as it is. The manifest runs on the sandbox, which needs
    no key and costs nothing.

    \b
    Example:
      foxbatch init && foxbatch run manifests/first.yaml
    """
    try:
        for path, what in _written(folder):
            terminal.say(f"{what:<8} {visible(str(path))}")
    except OSError as error:
        raise RunDirError(
            f"{error.filename} cannot be written: {error.strerror}",
            hint="Name a folder that this user may write to.",
        ) from error
    terminal.say()
    terminal.say("next")
    for command in _next(folder, terminal.program):
        terminal.say(f"  {command}")
    return ExitCode.DONE


def _next(folder: Path, program: str) -> Iterator[str]:
    if folder != Path():
        yield f"cd {shlex.quote(str(folder))}"
    yield f"{program} plan {MANIFEST}"
    yield f"{program} run {MANIFEST}"


def _written(folder: Path) -> Iterator[tuple[Path, str]]:
    """Write what is missing in *folder* and yield each path with what became of it."""
    from foxbatch.sources import find_root

    yield _add(folder, MANIFEST, _template("first.yaml"))
    yield _add(folder, _SCHEMA, _manifest_schema())
    yield _add(folder, ".env.example", _template("env.example"))
    # Run directories are at the top of the project, so the lines have to be there.
    root = find_root(folder)
    yield _ignore((folder if root == folder.resolve() else root) / ".gitignore")


def _template(name: str) -> str:
    home = resources.files("foxbatch.cli") / "templates"
    return (home / name).read_text(encoding="utf-8")


def _manifest_schema() -> str:
    import json

    from foxbatch.cli._editor import manifest_schema

    return json.dumps(manifest_schema("foxapi"), indent=2, ensure_ascii=False) + "\n"


def _add(folder: Path, name: str, text: str) -> tuple[Path, str]:
    path = folder / name
    if path.parent != folder:
        _refuse_link(path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except FileExistsError:
        return path, "kept"
    return path, "wrote"


def _refuse_link(path: Path) -> None:
    """Write through no link: in a stranger's checkout it may lead anywhere."""
    if path.is_symlink():
        raise RunDirError(
            f"{path} is a link to {path.readlink()}",
            hint="Remove it, and type the same command again.",
        )


def _ignore(path: Path) -> tuple[Path, str]:
    """Add the lines that `.gitignore` lacks, and touch no other byte of it."""
    _refuse_link(path)
    known = path.read_bytes() if path.exists() else b""
    lines = {line.strip() for line in known.decode("utf-8", "replace").splitlines()}
    missing = [line for line in _IGNORED if line not in lines]
    if not missing:
        return path, "kept"
    break_before = b"\n" if known and not known.endswith(b"\n") else b""
    added = "\n".join([_WHY_IGNORED, *missing]) + "\n"
    separator = b"\n" if known else b""
    with path.open("ab") as stream:
        stream.write(break_before + separator + added.encode())
    return path, "extended" if known else "wrote"
