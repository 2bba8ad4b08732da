"""The sandbox's memory on disk: one line for each task, appended, never edited.

A line is handed to the operating system before the reply about its task leaves, so
killing the process forgets no task that a client has heard of. It is not forced to
the disk: the money is pretended.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, Self

from foxbatch.errors import RunDirError
from foxbatch.sandbox.messages import Task

_FORMAT = 1
_FILE_NAME = "tasks.jsonl"


class TaskStore:
    """The tasks of one state directory, open for the length of a `with` block.

    Only one process may have it open at a time.

    Raises:
        RunDirError: The directory cannot be written.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / _FILE_NAME
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = self._path.open("ab", buffering=0)
        except OSError as error:
            raise RunDirError(
                f"the sandbox cannot keep its tasks in {directory}: "
                f"{error.strerror or error}",
                hint="Make it writable, or name another folder.",
            ) from error

    def load(self) -> list[Task]:
        """Return the tasks of earlier processes, oldest first.

        What a killed process left of its last line is cut off; nobody was told
        about that task.

        Raises:
            RunDirError: A line is damaged. Nothing was changed.
        """
        content = self._path.read_bytes()
        whole, newline, torn = content.rpartition(b"\n")
        tasks = [
            self._read(line, number)
            for number, line in enumerate(whole.splitlines(), start=1)
        ]
        if torn:
            self._file.truncate(len(whole) + len(newline))
        return tasks

    def add(self, task: Task) -> None:
        """Append *task*; when this returns, killing the process cannot undo it."""
        line = json.dumps({"v": _FORMAT, "task": asdict(task)}, separators=(",", ":"))
        self._file.write(line.encode() + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _read(self, line: bytes, number: int) -> Task:
        try:
            fields = json.loads(line)
            task = Task(**fields["task"]) if fields["v"] == _FORMAT else None
        except (ValueError, TypeError, KeyError):
            task = None
        if task is None:
            raise RunDirError(
                f"{self._path}:{number} is not a task of this version of the sandbox",
                hint="Delete the folder to begin with an empty sandbox.",
            )
        return task
