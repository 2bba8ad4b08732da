"""What all pages of foxbatch share: how they look, and how they are served."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

__all__ = ["look"]


@cache
def look() -> str:
    """Return the style that all begin with: colours, letters, what has the focus."""
    return files("foxbatch.pages").joinpath("look.css").read_text("utf-8")
