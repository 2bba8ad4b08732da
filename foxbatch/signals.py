"""The signals that ask this process to stop."""

from __future__ import annotations

import signal

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""Ctrl-C; a person or a CI service; a closed terminal; Ctrl-Break on Windows."""


def stop_signals() -> list[signal.Signals]:
    """Return those that this system has and that are not to be ignored here.

    `nohup` has SIGHUP ignored, and a shell SIGINT for what it runs in the background.
    """
    known = [signal.Signals[name] for name in _NAMES if hasattr(signal, name)]
    return [one for one in known if signal.getsignal(one) is not signal.SIG_IGN]
