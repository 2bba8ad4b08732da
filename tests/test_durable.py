"""Tests of files and folders that survive a power cut."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxbatch.durable import (
    make_folder,
    network_file_system,
    sync_folder,
    write_whole,
)

MOUNTS = """\
23 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
24 23 0:5 / /home rw shared:2 - nfs4 server:/home rw
25 23 0:6 / /home/ada/My\\040Disk rw - ext4 /dev/sdb1 rw
26 23 0:7 / /mnt/share rw shared:3 - cifs //server/share rw
27 23 0:8 / /mnt/ssh rw - fuse.sshfs ada@server: rw
28 23 0:9 / /mnt/usb rw - fuseblk /dev/sdc1 rw
29 23 0:10 / /srv rw - nfs server:/srv rw
30 23 0:11 / /srv rw - tmpfs tmpfs rw
"""


def test_a_folder_is_made_with_what_is_missing_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every new name has to be durable, so every folder with a new name is synced."""
    synced: list[int] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)

    make_folder(tmp_path / "a" / "b")

    assert (tmp_path / "a" / "b").is_dir()
    above = (tmp_path / "a", tmp_path)
    assert synced == [folder.stat().st_ino for folder in above]


def test_a_folder_of_a_process_that_died_before_it_was_durable_is_made_so(
    tmp_path: Path,
) -> None:
    """A power cut took a whole run directory whose first run was killed at once."""
    synced: list[int] = []
    folder = tmp_path / "runs" / "batch"
    folder.mkdir(parents=True)

    make_folder(folder, lambda handle: synced.append(os.fstat(handle).st_ino))

    assert synced == [place.stat().st_ino for place in (tmp_path / "runs", tmp_path)]


def test_what_is_above_an_old_folder_may_be_closed_to_us(
    tmp_path: Path,
) -> None:
    def fsync(_handle: int) -> None:
        raise PermissionError(errno.EACCES, "not yours")

    make_folder(tmp_path, fsync)

    with pytest.raises(PermissionError):
        make_folder(tmp_path / "new", fsync)


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_a_mount_that_cannot_sync_folders_is_put_up_with(
    tmp_path: Path, code: int
) -> None:
    asked: list[int] = []

    def fsync(handle: int) -> None:
        asked.append(handle)
        raise OSError(code, "not here")

    sync_folder(tmp_path, fsync)

    assert len(asked) == 1


def test_a_disk_that_fails_is_not(tmp_path: Path) -> None:
    def fsync(_: int) -> None:
        raise OSError(errno.EIO, "broken")

    with pytest.raises(OSError, match="broken"):
        sync_folder(tmp_path, fsync)


def test_windows_makes_names_durable_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "a folder that could not be opened"

    with monkeypatch.context() as windows:
        windows.setattr(os, "name", "nt")
        sync_folder(missing)

    with pytest.raises(FileNotFoundError):
        sync_folder(missing)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(b"old")

    write_whole(path, [b"new ", b"content"])

    assert path.read_bytes() == b"new content"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_whole_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(b"old")

    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OSError, match="full"):
        write_whole(path, chunks())

    assert path.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        pytest.param("/var/runs", "", id="a disk"),
        pytest.param("/home/ada/runs", "nfs4", id="NFS"),
        pytest.param("/home/ada/My Disk/runs", "", id="a disk on NFS"),
        pytest.param("/homes/runs", "", id="a name that begins alike"),
        pytest.param("/mnt/share/runs", "cifs", id="SMB"),
        pytest.param("/mnt/ssh", "fuse.sshfs", id="a service in FUSE"),
        pytest.param("/mnt/usb", "", id="a disk in FUSE"),
        pytest.param("/srv/runs", "", id="what was mounted above it"),
    ],
)
def test_a_network_file_system_is_known(folder: str, kind: str) -> None:
    assert network_file_system(Path(folder), MOUNTS) == kind


def test_no_network_is_claimed_where_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert network_file_system(tmp_path) == ""

    monkeypatch.setattr("foxbatch.durable._MOUNTS", tmp_path / "missing")
    assert network_file_system(tmp_path) == ""
