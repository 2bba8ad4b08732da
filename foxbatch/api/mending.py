"""A manifest file with the fixes made that need nobody to decide."""

from __future__ import annotations

from pathlib import Path

from foxbatch.api.wanted import Instead, check, read_wanted
from foxbatch.durable import write_whole
from foxbatch.errors import InvalidError, Problem, UsageError
from foxbatch.manifest import Mended, mend, read_content

_MOST_ROUNDS = 100


def fix_manifest(path: Path, instead: Instead | None = None) -> tuple[Problem, ...]:
    """Mend the manifest at *path* and return what was mended, in the order it was.

    The file is replaced as a whole, or not touched where there is nothing to mend. What
    is mended can bring to light what it hid, so it is looked at until nothing is left.

    Raises:
        InvalidError: The file cannot be read.
        UsageError: It cannot be written, or an override sets nothing that there is.
    """
    content = before = read_content(path)
    done: list[Problem] = []
    for _ in range(_MOST_ROUNDS):
        mended = _once(content, path, instead or Instead())
        if not mended.done:
            break
        content = mended.content
        done += mended.done
    if content != before:
        _replace(path.resolve(), content)
    return tuple(done)


def _once(content: bytes, path: Path, instead: Instead) -> Mended:
    own = [one for one in _problems(content, path, instead) if _is_about(one, path)]
    return mend(content, own) if own else Mended(content, ())


def _problems(content: bytes, path: Path, instead: Instead) -> tuple[Problem, ...]:
    try:
        return check(read_wanted(content, path, instead)).problems
    except InvalidError as error:
        return error.problems


def _is_about(problem: Problem, path: Path) -> bool:
    """Return whether *problem* can be mended, and that in the file at *path*."""
    files = {edit.position.file for edit in problem.fix}
    return files == {str(path)}


def _replace(path: Path, content: bytes) -> None:
    try:
        mode = path.stat().st_mode
        write_whole(path, [content])
        path.chmod(mode)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {(error.strerror or str(error)).lower()}",
            hint="Check the permissions of the file and its folder.",
        ) from None
