"""Files and folders that are still there after a power cut."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

Fsync: TypeAlias = Callable[[int], None]
"""Puts what was written to a file handle on the disk; tests pass one that fails."""

# Some network and FUSE mounts know no fsync of folders; they have no better offer.
_NOT_OFFERED = frozenset({errno.EINVAL, errno.ENOTSUP, errno.ENOSYS})

_OCTAL = re.compile(r"\\([0-7]{3})")  # how a space in a place is written
_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "glusterfs", "gpfs", "lustre"}
    | {"ncpfs", "nfs", "nfs4", "smb3", "smbfs"}
)
_LOCAL_FUSE = frozenset({"fuse.overlayfs", "fuse.fuse-overlayfs", "fuse.lxcfs"})


def network_file_system(folder: Path, mounts: str | None = None) -> str:
    """Return which kind of network file system *folder* is on; empty for none.

    Also empty where that cannot be known: it is read off what Linux tells.

    Args:
        folder: It need not exist yet.
        mounts: What `/proc/self/mountinfo` says; None reads it.
    """
    if mounts is None:
        try:
            mounts = _MOUNTS.read_text("utf-8", "replace")
        except OSError:
            return ""
    real = Path(os.path.realpath(folder))
    kind, longest = "", -1
    for line in mounts.splitlines():
        fields, _, behind = line.partition(" - ")
        place = _OCTAL.sub(lambda one: chr(int(one[1], 8)), fields.split()[4])
        # Of two mounts at one place the later one is seen.
        if len(place) >= longest and real.is_relative_to(place):
            kind, longest = behind.split()[0], len(place)
    fuse = kind.startswith("fuse.") and kind not in _LOCAL_FUSE
    return kind if kind in _NETWORK or fuse else ""


def sync_folder(folder: Path, fsync: Fsync | None = None) -> None:
    """Make the names in *folder* durable, where a system can do that at all.

    Raises:
        OSError: There is no such folder, or the disk fails.
    """
    if os.name == "nt":  # NTFS journals names by itself and cannot open a folder
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        (fsync or os.fsync)(handle)
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            raise
    finally:
        os.close(handle)


def make_folder(folder: Path, fsync: Fsync | None = None) -> None:
    """Make *folder* and what is missing above it; their names are then durable.

    So is the name of a folder that is there, and of the one above it: whoever made
    them may have died before they were on the disk.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in missing:
        sync_folder(place.parent, fsync)
    for place in (folder, folder.parent):
        if place not in missing:
            with suppress(PermissionError):  # what is above may be somebody else's
                sync_folder(place.parent, fsync)


def sync_file(path: Path, fsync: Fsync | None = None) -> None:
    """Make durable what is in the file at *path*, whoever wrote it.

    Raises:
        OSError: It cannot be opened, or the disk fails.
    """
    # Windows puts on the disk only what may be written, Linux also the rest.
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        (fsync or os.fsync)(handle)
    finally:
        os.close(handle)


def write_whole(path: Path, chunks: Iterable[bytes]) -> None:
    """Replace the file at *path*, whole or not at all; durable when this returns.

    Raises:
        OSError: The disk does not take it. The file is as it was.
    """
    temporary = path.with_name(f".{path.name}.new")
    # Never what is there already: it may be a link out of a stranger's checkout.
    temporary.unlink(missing_ok=True)
    with temporary.open("xb") as stream:
        stream.writelines(chunks)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    sync_folder(path.parent)
