"""Who is alive, as far as that can be known, also between containers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from foxbatch.processes import (
    Process,
    began_at,
    in_other_container,
    is_gone,
    this_process,
    under_one_kernel,
)

LINUX = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="needs what Linux tells in /proc"
)
ME = Process(
    host="box", pid=1, machine="m", boot="b", pid_namespace="4", process_began=7
)


@LINUX
def test_a_process_knows_itself() -> None:
    me = this_process()

    assert me == this_process()
    assert me.pid == os.getpid()
    assert me.boot
    assert me.pid_namespace.isdigit()
    assert me.process_began == began_at(os.getpid())
    assert not is_gone(me, me)
    assert under_one_kernel(me, me)
    assert not in_other_container(me, me)


@LINUX
def test_the_machine_is_told_by_a_digest_alone() -> None:
    path = Path("/etc/machine-id")
    if not path.exists() or not path.read_text().strip():
        pytest.skip("this machine has no id")

    assert len(this_process().machine) == 16
    assert this_process().machine not in path.read_text()


@LINUX
def test_a_process_that_ended_is_gone_and_its_id_may_be_used_again() -> None:
    me = this_process()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1) as child:
        other = replace(me, pid=child.pid, process_began=began_at(child.pid) or 0)
        assert not is_gone(other, me)
        assert is_gone(replace(other, process_began=other.process_began + 1), me)
        child.kill()

    assert is_gone(other, me)


@pytest.mark.parametrize(
    ("told", "one_kernel", "gone", "contained"),
    [
        pytest.param(Process(host="box", pid=9), True, False, False, id="old ledger"),
        pytest.param(Process(host="lap", pid=9), False, False, False, id="old, other"),
        pytest.param(
            replace(ME, pid_namespace="5"), True, False, True, id="another container"
        ),
        pytest.param(
            replace(ME, host="c0ffee", pid_namespace="5"),
            True,
            False,
            True,
            id="another container, called otherwise",
        ),
        pytest.param(
            replace(ME, boot="c"), False, True, False, id="before the machine started"
        ),
        pytest.param(
            replace(ME, boot="c", machine="n"),
            False,
            False,
            False,
            id="another machine that is called alike",
        ),
        pytest.param(
            replace(ME, boot="c", machine=""),
            False,
            False,
            False,
            id="a machine without an id that is called alike",
        ),
    ],
)
def test_what_is_known_of_a_process(
    told: Process, one_kernel: bool, gone: bool, contained: bool
) -> None:
    assert under_one_kernel(told, ME) is one_kernel
    assert is_gone(told, ME) is gone
    assert in_other_container(told, ME) is contained


HOLDER = """
import sys
from pathlib import Path
from foxbatch.api.provenance import start_fact
from foxbatch.canonical import Digest
from foxbatch.clock import SystemClock
from foxbatch.events import Origin
from foxbatch.ledger import LedgerWriter, new_run_id
from foxbatch.lock import DirLock

home = Path(sys.argv[1])
with DirLock(home):
    writer = LedgerWriter(home / "ledger", new_run_id(), SystemClock())
    origin = Origin("foxapi", "https://api.example")
    writer.append(
        start_fact(origin, folder=home, environ={}, provider_sha256=Digest(""))
    )
    print("held", flush=True)
    sys.stdin.read()
"""
ASKER = """
import sys
from pathlib import Path
from foxbatch.api.looking import live
from foxbatch.errors import RunDirLockedError
from foxbatch.ledger import read_folder
from foxbatch.lock import DirLock

home = Path(sys.argv[1])
print(len(live(read_folder(home / "ledger").state, home)))
try:
    with DirLock(home):
        print("mine")
except RunDirLockedError as error:
    print(error)
"""
UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


def _contained() -> bool:
    found = shutil.which("unshare")
    return (
        bool(found)
        and not subprocess.run(
            [*UNSHARE, "true"], capture_output=True, check=False
        ).returncode
    )


@LINUX
@pytest.mark.parametrize("inside", ["owner", "asker"])
def test_the_lock_holds_between_containers_and_says_where_its_owner_is(
    tmp_path: Path, inside: str
) -> None:
    """Each has process ids of its own: the owner may be process 1 there."""
    if not _contained():
        pytest.skip("processes may not be put in a namespace of their own here")
    home = tmp_path / "run"
    first = [*(UNSHARE if inside == "owner" else []), sys.executable, "-c", HOLDER]
    ask = [*(UNSHARE if inside == "asker" else []), sys.executable, "-c", ASKER]

    def asked() -> list[str]:
        done = subprocess.run(
            [*ask, str(home)], capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*first, str(home)], stdin=pipe, stdout=pipe, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"

        alive, said = asked()
        owner.kill()

    host = this_process().host
    assert alive == "1"
    assert "is being written by process " in said
    assert f" in another container on {host}, started 2" in said
    assert asked() == ["0", "mine"]
