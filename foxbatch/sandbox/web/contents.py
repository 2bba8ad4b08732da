"""The content of uploaded files: on disk, named by their digest, or in memory."""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from pathlib import Path

from foxbatch.durable import write_whole
from foxbatch.sandbox.messages import Record, Upload, UploadRemoved

_SHA256 = re.compile("[0-9a-f]{64}")


class Contents:
    """What was uploaded, by the SHA-256 of the content; equal files are one.

    Args:
        folder: Where the files are. None keeps them in memory instead, the newest
            ones, up to *limit_bytes* in all.
    """

    def __init__(
        self, folder: Path | None = None, *, limit_bytes: int = 256 * 2**20
    ) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._size_bytes = 0
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self._digests: dict[str, str] = {}  # by the id of the upload

    def take(self, record: Record, content: bytes | None = None) -> None:
        """Do what *record* says about uploads, if it says anything about them.

        With a folder, the *content* of a new one is on disk on return. One of an
        earlier process has none here: it is there already.

        Raises:
            OSError: The disk does not take it.
        """
        if isinstance(record, Upload):
            if content is not None:
                self._keep(record.sha256, content)
            self._digests[record.id] = record.sha256
        elif isinstance(record, UploadRemoved):
            self._forget(record.id)

    def get(self, upload: Upload) -> bytes | None:
        """Return the content of *upload*, or None if it is not there any more."""
        if self._folder is None:
            return self._held.get(upload.sha256)
        if not _SHA256.fullmatch(upload.sha256):  # a path, in a stranger's records
            return None
        try:
            flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
            flags |= getattr(os, "O_BINARY", 0)
            handle = os.open(self._folder / upload.sha256, flags)
        except OSError:
            return None
        with os.fdopen(handle, "rb") as file:
            return file.read()

    def _keep(self, sha256: str, content: bytes) -> None:
        if self._folder is not None:
            if not (self._folder / sha256).exists():
                self._folder.mkdir(parents=True, exist_ok=True)
                write_whole(self._folder / sha256, [content])
            return
        self._size_bytes += len(content) - len(self._held.pop(sha256, b""))
        self._held[sha256] = content
        while self._size_bytes > self._limit_bytes:
            _, oldest = self._held.popitem(last=False)
            self._size_bytes -= len(oldest)

    def _forget(self, upload_id: str) -> None:
        sha256 = self._digests.pop(upload_id, None)
        if sha256 is None or sha256 in self._digests.values():
            return  # another upload has the same content
        self._size_bytes -= len(self._held.pop(sha256, b""))
        if self._folder is not None and _SHA256.fullmatch(sha256):
            (self._folder / sha256).unlink(missing_ok=True)
