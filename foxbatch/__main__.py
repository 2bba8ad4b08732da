"""`python -m foxbatch`, and the `foxbatch` command."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
from collections.abc import Sequence

import foxbatch
from foxbatch.signals import stop_signals

__all__ = ["main"]

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code, also when a signal comes early.

    Hardly anything is imported before signals are heard: loading and expanding take a
    moment, in which Ctrl-C and SIGTERM must mean what they mean later.
    """
    _fill_closed_streams()
    for number in stop_signals():
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    try:
        if _said_version(sys.argv[1:] if argv is None else argv):
            return 0
        from foxbatch.cli import main as command

        code = command(argv)
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):  # the terminal may be closed
            sys.stderr.write("interrupted\n")
            sys.stderr.flush()
        code = _INTERRUPTED
    _say_nothing_else(code)
    return code


def _fill_closed_streams() -> None:
    """Give a process that was started without some of its streams empty ones.

    Else the next file that is opened takes the place of one, and what a library writes
    to its "stderr" ends up in the ledger.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            empty = open(os.devnull, "r+", encoding="utf-8")  # noqa: PTH123, SIM115
            setattr(sys, name, empty)
            if empty.fileno() == number:
                # Else a process of ours would lack it in its turn.
                os.set_inheritable(number, True)  # noqa: FBT003


def _said_version(words: Sequence[str]) -> bool:
    """Say the version if that is all that is asked; what click needs takes longer."""
    if list(words) not in (["--version"], ["-V"]):
        return False
    try:
        # Not through a buffer, which would keep what a full disk does not take.
        os.write(sys.stdout.fileno(), f"foxbatch {foxbatch.__version__}\n".encode())
    except OSError:
        return False  # and the command line says why
    return True


def _say_nothing_else(code: int) -> None:
    """Let a signal that comes now end the process with the *code* that was decided.

    Python forgets our handlers at the very end, so the signals are ignored from there.
    """
    for number in stop_signals():
        signal.signal(number, lambda *_: os._exit(code))
    atexit.register(_hear_nothing)


def _hear_nothing() -> None:
    for number in stop_signals():
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
