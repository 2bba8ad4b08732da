"""`python -m foxbatch`, and the `foxbatch` command."""

from __future__ import annotations

import sys

from foxbatch.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
