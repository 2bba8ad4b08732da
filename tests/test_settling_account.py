"""What an account did while a job was held, from the run to what `settle` shows."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import anyio
import pytest

from foxbatch import api
from foxbatch.account import NOT_PROOF
from foxbatch.errors import UsageError
from foxbatch.sandbox import EmbeddedSandbox, SandboxOptions
from tests.cli import Type

MANIFEST = """\
foxbatch: 1
name: sea
provider: {provider}
jobs:
  - id: sea
    model: veo-3.1-fast
    prompts: [A calm sea, A wide sea, {last}]
    params: {{duration: 4, resolution: 720p, generate_audio: false}}
"""
BOUGHT = "the ledger knows 2 tasks accepted then: one more, so this job was probably"
KEY = {"FOXAPI_API_KEY": "sk-invented-for-this-test"}


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(provider: str, last: str = "A stormy sea") -> Path:
    path = Path("sea.yaml")
    path.write_text(MANIFEST.format(provider=provider, last=json.dumps(last)))
    return path


def rehearse(type_: Type, faults: str) -> Path:
    write("sandbox")
    ended = type_("run", "sea.yaml", "--faults", faults, "--speed", 200)
    assert ended.code == 11, ended.err
    return Path("runs/sea@sandbox")


def test_a_lost_reply_is_charged_and_settle_says_so(type_: Type) -> None:
    run_dir = rehearse(type_, "lost-reply")

    shown = type_("settle", "sea.yaml")

    assert shown.code == 11
    assert "rose by 84 credits; the 2 tasks that the ledger knows of then" in shown.out
    assert "28 are unexplained: about one task of 28\n" in shown.out
    assert f"3 charges for veo-3.1-fast; {BOUGHT} bought\n" in shown.out
    assert NOT_PROOF in shown.out
    (held,) = api.held(run_dir)
    asked: list[str] = []

    def refuse(question: str) -> bool:
        asked.append(question)
        return False

    with pytest.raises(UsageError, match="nothing was decided"):
        anyio.run(
            partial(api.settle, run_dir, held.job, "write_off", ask=refuse),
        )
    assert f"The account: {held.account}." in asked[0]
    assert f"{BOUGHT} bought." in asked[0]
    assert asked[0].endswith(NOT_PROOF)


def test_what_never_arrived_is_not_charged_and_settle_says_so(type_: Type) -> None:
    rehearse(type_, "closed-early")

    shown = type_("settle", "sea.yaml")

    assert "nothing is unexplained: no sign of a further purchase" in shown.out
    assert "2 charges for veo-3.1-fast; the ledger knows 2 tasks" in shown.out
    assert "not one more so far, so this job was probably not bought" in shown.out


def test_status_tells_it_from_the_ledger_alone(type_: Type) -> None:
    run_dir = rehearse(type_, "lost-reply")
    shutil.rmtree(run_dir / ".sandbox")

    shown, settled = type_("status", "sea.yaml"), type_("settle", "sea.yaml")
    told = json.loads(type_("status", "sea.yaml", "--format", "json").out)

    assert "account: from " in shown.out
    assert "28 are unexplained" in shown.out
    (rise,) = told["account"]
    assert (rise["unit"], rise["amount"], rise["unexplained"]) == ("credits", 84, 28)
    assert rise["text"] in shown.out
    assert "charges" not in settled.out  # another sandbox would tell another story
    assert not (run_dir / ".sandbox").exists()


def test_where_nothing_is_held_nothing_is_said(type_: Type) -> None:
    write("sandbox")
    type_("run", "sea.yaml", "--speed", 200)

    assert "account" not in type_("status", "sea.yaml").out
    assert type_("settle", "sea.yaml").code == 0
    assert api.status(Path("runs/sea@sandbox")).account == ()


def test_a_real_service_is_asked_with_the_key_and_only_while_it_answers() -> None:
    """Of FoxAPI's quota nobody knows how much of it a credit is."""
    manifest = write("foxapi", "A stormy sea [sandbox:lost-reply]")

    with EmbeddedSandbox(SandboxOptions(speed=200)) as sandbox:
        keyed = api.RunOptions(environ=KEY, base_url=sandbox.url, detach=True)
        summary = anyio.run(api.run, api.load_manifest(manifest), keyed)
        look = partial(api.held_and_charged, summary.run_dir)
        (asked,) = anyio.run(partial(look, options=keyed))
        keyless = api.RunOptions(environ={}, base_url=sandbox.url)
        (unasked,) = anyio.run(partial(look, options=keyless))
    (gone,) = anyio.run(partial(look, options=keyed))

    assert "rose by 420,000 quota; what that is in credits is not known" in gone.account
    assert "3 charges for veo-3.1-fast" in asked.charges
    assert (unasked.charges, gone.charges) == ("", "")
    assert asked.account == unasked.account == gone.account


def test_where_the_account_tells_nothing_there_is_no_such_evidence() -> None:
    Path("plain.yaml").write_text(
        "foxbatch: 1\nlike: foxapi\nid: plain\nbase_url: http://127.0.0.1:9\n"
        "account: {balance: {path: /nowhere, used: [used]}}\n"
    )
    manifest = write("./plain.yaml", "A stormy sea [sandbox:lost-reply]")

    with EmbeddedSandbox(SandboxOptions(speed=200, keyless=True)) as sandbox:
        options = api.RunOptions(environ={}, base_url=sandbox.url, detach=True)
        summary = anyio.run(api.run, api.load_manifest(manifest), options)
        look = partial(api.held_and_charged, summary.run_dir, options=options)
        (held,) = anyio.run(look)

    assert (held.account, held.charges) == ("", "")
