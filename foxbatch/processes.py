"""Which process this is, and what can be known about one that a ledger names.

Theory of operation
-------------------

A process id means nothing by itself: it is used again, and another container counts
its own. A host name means little: containers are often called alike. What holds:

* The *boot id* is drawn by each kernel when it starts. Two processes with one boot id
  run under one kernel, whatever containers they are in; and a file lock on a disk of
  that kernel holds between all of them. So about a process of our own kernel the lock
  decides, and nothing else has to be known.
* Within one *process-id namespace*, a process is the one that is meant if its id and
  the moment it began are. In another namespace it cannot be seen.
* Another boot id under the same *machine id* and host name is the same machine, started
  again since: none of its former processes is alive. (The id alone would not do: images
  of machines are copied with it.)
* All else is another machine, or may be one. What it does cannot be seen from here,
  also when the host names agree; only a person can say that it is over.

Where a system does not tell these (or an older foxbatch wrote the ledger), an equal
host name stands for the same kernel. The machine id is only recorded as a digest.
"""

from __future__ import annotations

import hashlib
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_PROC = Path("/proc")
_MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_DIGITS = 16
_STARTED = 22 - 3  # the field of /proc/PID/stat, counted behind the name


class Told(Protocol):
    """What a ledger tells about the process that wrote it; empty or 0: not known."""

    @property
    def host(self) -> str:
        """Name of the machine or container."""

    @property
    def pid(self) -> int:
        """Its id, in its namespace."""

    @property
    def machine(self) -> str:
        """Digest of the machine id."""

    @property
    def boot(self) -> str:
        """Boot id of the kernel."""

    @property
    def pid_namespace(self) -> str:
        """Which processes it sees."""

    @property
    def process_began(self) -> int:
        """When it began, in clock ticks since the boot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process as it knows itself; see `Told`."""

    host: str
    pid: int = 0
    machine: str = ""
    boot: str = ""
    pid_namespace: str = ""
    process_began: int = 0


def this_process() -> Process:
    """Return who we are, as far as this system tells."""
    return Process(
        host=socket.gethostname(),
        pid=os.getpid(),
        machine=_machine(),
        boot=_text(_PROC / "sys" / "kernel" / "random" / "boot_id"),
        pid_namespace=_namespace(),
        process_began=began_at(os.getpid()) or 0,
    )


def _machine() -> str:
    """Return a digest of the machine's id: the id itself is not to be published."""
    known = next(filter(None, map(_text, _MACHINE_IDS)), "")
    digest = hashlib.sha256(f"foxbatch/machine/1 {known}".encode())
    return digest.hexdigest()[:_DIGITS] if known else ""


def _text(path: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text("utf-8").strip()
    return ""


def _namespace() -> str:
    with suppress(OSError):
        link = str((_PROC / "self" / "ns" / "pid").readlink())
        return link.removeprefix("pid:").strip("[]")
    return ""


def began_at(pid: int) -> int | None:
    """Return when process *pid* began, in clock ticks since the boot; None if gone."""
    # The name of a process may hold spaces and brackets: the last bracket ends it.
    fields = _text(_PROC / str(pid) / "stat").rpartition(")")[2].split()
    return int(fields[_STARTED]) if len(fields) > _STARTED else None


def under_one_kernel(told: Told, here: Process) -> bool:
    """Return whether a process runs, or ran, where a lock of ours would bind it."""
    if told.boot and here.boot:
        return told.boot == here.boot
    return told.host == here.host


def is_gone(told: Told, here: Process) -> bool:
    """Return whether a process has certainly ended. False means that nobody knows."""
    if told.boot and here.boot and told.boot != here.boot:
        same = told.machine == here.machine and told.host == here.host
        return bool(told.machine) and same
    seen = told.boot and told.pid_namespace and told.process_began
    if not seen or told.pid_namespace != here.pid_namespace:
        return False
    return began_at(told.pid) != told.process_began


def in_other_container(told: Told, here: Process) -> bool:
    """Return whether a process of this kernel counts process ids of its own."""
    other = told.pid_namespace != here.pid_namespace
    return bool(told.boot) and told.boot == here.boot and other
