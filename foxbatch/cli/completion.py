"""The command that prints shell completion."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from foxbatch.cli._terminal import Terminal
from foxbatch.errors import ExitCode

_SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
_INSTALLS = {
    "bash": "foxbatch completion bash"
    " > ~/.local/share/bash-completion/completions/foxbatch",
    "zsh": "foxbatch completion zsh > ~/.zfunc/_foxbatch  (with ~/.zfunc in fpath)",
    "fish": "foxbatch completion fish > ~/.config/fish/completions/foxbatch.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_obj
def completion_command(terminal: Terminal, *, shell: str) -> int:
    """Print shell completion.

    For commands, options, files, models, providers and schemas.

    \b
    Example:
      source <(foxbatch completion bash)
    """
    from foxbatch.cli._group import foxbatch_command

    made = _SHELLS[shell](foxbatch_command, {}, "foxbatch", "_FOXBATCH_COMPLETE")
    script = (made.source_template % made.source_vars()).strip()
    # zsh reads what a file is for from its first line.
    first, _, rest = script.partition("\n")
    first, rest = (first, rest) if first.startswith("#") else ("", script)
    about = f"# Completion of foxbatch. To install:\n#   {_INSTALLS[shell]}"
    terminal.emit("\n".join(filter(None, (first, about, rest.strip("\n")))))
    return ExitCode.DONE
