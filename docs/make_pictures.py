"""Makes docs/images/run.svg: the screen of a real run, as a terminal shows it.

    .venv/bin/python docs/make_pictures.py

Needs tmux. Everything else is foxbatch itself, on the embedded sandbox.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT = 88, 34
PATIENCE_S = 60
ENDED = re.compile(r"^  next ", re.MULTILINE)
HALF_WAY = re.compile(r"^\s*● [5-8] done +.*running", re.MULTILINE)
THEME = TerminalTheme(
    (22, 27, 34),
    (201, 209, 217),
    [
        (72, 79, 88),
        (255, 123, 114),
        (63, 185, 80),
        (210, 153, 34),
        (88, 166, 255),
        (188, 140, 255),
        (57, 197, 207),
        (177, 186, 196),
    ],
    [
        (110, 118, 129),
        (255, 161, 152),
        (86, 211, 100),
        (227, 179, 65),
        (121, 192, 255),
        (210, 168, 255),
        (86, 212, 221),
        (240, 246, 252),
    ],
)


def screen_of(command: str, folder: Path, when: re.Pattern[str]) -> str:
    """Run *command* in a real terminal; return its screen when it first showed *when*.

    The command has ended when this returns.
    """
    terminal = Terminal(folder)
    try:
        terminal.shows(re.compile(r"^\$", re.MULTILINE))
        terminal.tmux("send-keys", command, "Enter")
        screen = terminal.shows(when)
        terminal.shows(ENDED)
        return screen
    finally:
        terminal.tmux("kill-server")


class Terminal:
    """A shell in a window of tmux, with nothing of its owner's settings."""

    def __init__(self, folder: Path) -> None:
        self._name = f"foxbatch-{folder.name}"
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        clean = f"env -i PATH={path} HOME={folder} LANG=C.UTF-8 TERM=xterm-256color"
        size = ["-x", str(WIDTH), "-y", str(HEIGHT)]
        shell = f"{clean} HISTFILE= PS1='$ ' bash --norc --noprofile"
        self.tmux("new-session", "-d", "-c", str(folder), *size, shell)

    def tmux(self, *words: str) -> str:
        """Tell tmux something and return its answer."""
        command = ["tmux", "-L", self._name, "-f", "/dev/null", *words]
        return subprocess.run(
            command, check=True, capture_output=True, encoding="utf-8"
        ).stdout

    def shows(self, wanted: re.Pattern[str]) -> str:
        """Wait until *wanted* is on the screen, and return it with its colours."""
        for _ in range(PATIENCE_S * 10):
            screen = self.tmux("capture-pane", "-p", "-e").rstrip()
            if wanted.search(Text.from_ansi(screen).plain):
                return screen
            time.sleep(0.1)
        raise SystemExit(f"the terminal never showed {wanted.pattern}")


def as_svg(screen: str, title: str) -> str:
    """Return *screen*, with its colours, as a picture that needs nothing else."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text.from_ansi(screen))
    svg = console.export_svg(title=title, theme=THEME, unique_id="run")
    # The font is the reader's own: a page must not load one from elsewhere.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return svg.replace(
        "Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace"
    )


def main() -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(HERE.parent / "manifests" / "quickstart.yaml", folder)
        screen = screen_of("foxbatch run quickstart.yaml", folder, HALF_WAY)
    target = HERE / "images" / "run.svg"
    target.parent.mkdir(exist_ok=True)
    target.write_text(as_svg(screen, "foxbatch run"), encoding="utf-8")


if __name__ == "__main__":
    main()
