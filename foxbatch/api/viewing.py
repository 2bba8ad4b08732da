"""The gallery of run directories, served while their runs go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from foxbatch.api.asking import labels_of
from foxbatch.errors import LedgerError, UsageError
from foxbatch.report.watching import Watching

if TYPE_CHECKING:
    from foxbatch.report.serving import Showing


def view(
    run_dirs: Sequence[Path],
    *,
    on_ready: Callable[[str], object],
    title: str = "",
    who: str = "",
    port: int = 0,
) -> None:
    """Serve the gallery of *run_dirs* on loopback until SIGINT or SIGTERM.

    Nothing in them is changed but `ratings/` and the posters.

    Args:
        run_dirs: In the order in which they are compared.
        on_ready: Told the address that opens the page.
        title: For people; empty for the names of the directories.
        who: Whose ratings are kept; empty for the user of this process.
        port: 0 takes a free one.

    Raises:
        LedgerError: A ledger cannot be trusted.
        MissingExtraError: The view extra is not installed.
        UsageError: The port cannot be used.
    """
    from foxbatch.report.serving import show

    watching = _watching(run_dirs, title)
    watching.look()
    if watching.standing.state == "damaged":
        raise LedgerError(watching.standing.why, hint=_DAMAGED_HINT)
    try:
        show(watching, on_ready=on_ready, who=who, port=port)
    except OSError as error:
        raise UsageError(
            f"port {port} cannot be used: {error.strerror or error}",
            hint="Choose another --port, or leave it out for a free one.",
        ) from error


_DAMAGED_HINT = "Type `foxbatch verify` to see all that is wrong with it."


def view_beside(run_dir: Path, *, title: str = "") -> AbstractContextManager[Showing]:
    """Return a context that serves the gallery of *run_dir* in a thread of its own.

    The directory need not be there yet. The value of the context has the `url`.

    Raises:
        MissingExtraError: The view extra is not installed.
    """
    from foxbatch.report.serving import Showing

    return Showing(_watching([run_dir], title))


def _watching(run_dirs: Sequence[Path], title: str) -> Watching:
    labels = labels_of(run_dirs)
    runs = list(zip(labels, run_dirs, strict=True))
    return Watching(title or " and ".join(labels), runs)
