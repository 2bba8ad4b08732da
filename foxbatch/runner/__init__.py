"""Decide, act, record, repeat: one run of a plan against one service."""

from __future__ import annotations

from foxbatch.runner.batch import Outcome, run_batch
from foxbatch.runner.bench import Bench, Ending, StopButton
from foxbatch.runner.book import Book, Observer
from foxbatch.runner.canary import GoOn
from foxbatch.runner.gate import Gate

__all__ = [
    "Bench",
    "Book",
    "Ending",
    "Gate",
    "GoOn",
    "Observer",
    "Outcome",
    "StopButton",
    "run_batch",
]
