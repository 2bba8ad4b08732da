"""A checkout from a stranger: what it brings along is data, never a way out."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from foxbatch import api
from foxbatch.api.provenance import ask_git
from foxbatch.cli import _settings
from foxbatch.durable import write_whole
from foxbatch.errors import InvalidError, RunDirError, UsageError
from tests.cli import Type

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(os.name == "nt", reason="links need a right there"),
]

MANIFEST = """\
foxbatch: 1
name: small
provider: {provider}
jobs:
  - id: shot
    model: veo-3.1-fast
    prompts: [A fox]
    params: {{duration: 4, resolution: 720p, generate_audio: false}}
"""
OPTIONS = api.RunOptions(speed=200, environ={"PATH": os.environ["PATH"]})
SECRET = "THE-REAL-KEY-abcdef"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a repository with a manifest, beside a folder that is none of it."""
    folder = tmp_path / "checkout"
    (folder / "manifests").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / "manifests" / "small.yaml").write_text(
        MANIFEST.format(provider="sandbox")
    )
    return folder


def wanted_in(checkout: Path) -> api.Wanted:
    return api.load_manifest(checkout / "manifests" / "small.yaml")


# ---- programs


async def test_settings_of_a_folder_that_looks_like_a_repository_run_no_program(
    checkout: Path,
) -> None:
    folder, proof = checkout / "manifests", checkout / "ran"
    for name in ("objects", "refs/heads"):
        (folder / name).mkdir(parents=True)
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "config").write_text(
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n"
        f'\tfsmonitor = "echo ran >> {proof}; false"\n'
    )
    assert ask_git(folder, "rev-parse", "--show-toplevel") == str(checkout)

    await api.run(wanted_in(checkout), OPTIONS)

    assert not proof.exists()


def test_outside_a_repository_git_is_not_asked_there(tmp_path: Path) -> None:
    assert ask_git(tmp_path, "rev-parse", "--show-toplevel") is None
    assert ask_git(tmp_path, "--version")


# ---- links


def test_a_link_that_waits_for_a_new_file_is_not_written_through(
    tmp_path: Path,
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / ".results.jsonl.new").symlink_to(victim)

    write_whole(tmp_path / "results.jsonl", [b"theirs"])

    assert victim.read_text() == "mine"
    assert (tmp_path / "results.jsonl").read_text() == "theirs"


@pytest.mark.parametrize(
    "name",
    [
        "ledger",
        "manifests",
        "results.jsonl",
        ".sandbox",
        ".posters",
        ".lock",
        "artifacts",
    ],
)
async def test_a_run_directory_keeps_its_files_to_itself(
    checkout: Path, name: str
) -> None:
    wanted, outside = wanted_in(checkout), checkout.parent / "outside"
    run_dir = api.default_run_dir(wanted)
    run_dir.mkdir(parents=True)
    (run_dir / name).symlink_to(outside / "file" if "." in name else outside)

    with pytest.raises(RunDirError, match=r"link|leads out"):
        await api.run(wanted, OPTIONS)

    assert list(outside.iterdir()) == []


async def test_a_link_to_the_tasks_of_the_sandbox_is_not_followed(
    checkout: Path,
) -> None:
    wanted, victim = wanted_in(checkout), checkout.parent / "outside" / "victim"
    victim.write_text("one line without an end")
    state = api.default_run_dir(wanted) / ".sandbox"
    state.mkdir(parents=True)
    (state / "tasks.jsonl").symlink_to(victim)

    with pytest.raises(RunDirError, match="is a link"):
        await api.run(wanted, OPTIONS)

    assert victim.read_text() == "one line without an end"


@pytest.mark.parametrize("name", ["runs", "runs/small@sandbox"])
async def test_the_run_directory_itself_leads_out_only_when_that_is_typed(
    checkout: Path, name: str
) -> None:
    wanted, outside = wanted_in(checkout), checkout.parent / "outside"
    (checkout / name).parent.mkdir(exist_ok=True)
    (checkout / name).symlink_to(outside)

    with pytest.raises(RunDirError, match="leads out of the project") as caught:
        await api.run(wanted, OPTIONS)
    summary = await api.run(wanted, replace(OPTIONS, out=checkout / name))

    assert "--out" in caught.value.hint
    assert summary.counts == {"done": 1}


@pytest.mark.parametrize("name", [".gitignore", ".foxbatch", "manifests"])
def test_init_writes_through_no_link(tmp_path: Path, type_: Type, name: str) -> None:
    outside = tmp_path / "outside"
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / name).symlink_to(outside)
    outside.touch() if name == ".gitignore" else outside.mkdir()

    ended = type_("init", tmp_path / "home")

    assert ended.code == 4
    assert "is a link" in ended.err
    assert not (outside.read_text() if outside.is_file() else list(outside.iterdir()))


# ---- secrets in what is refused


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        pytest.param("{outside}/key", "E-PATH-ESCAPE", id="an absolute path"),
        pytest.param("../../outside/key", "E-PATH-ESCAPE", id="a way out"),
        pytest.param("./link.yaml", "E-PATH-ESCAPE", id="a link"),
        pytest.param("../.env", "E-PATH-HIDDEN", id="a hidden file"),
        pytest.param("./loop.yaml", "E-FILE-MISSING", id="links in a circle"),
        pytest.param("./fifo.yaml", "E-FILE-MISSING", id="a pipe"),
        pytest.param("./none.yaml", "E-FILE-MISSING", id="nothing"),
    ],
)
def test_a_provider_file_that_is_refused_is_not_shown(
    checkout: Path, type_: Type, reference: str, code: str
) -> None:
    outside, folder = checkout.parent / "outside", checkout / "manifests"
    (outside / "key").write_text(SECRET)
    (checkout / ".env").write_text(f"FOXAPI_API_KEY={SECRET}")
    (folder / "link.yaml").symlink_to(outside / "key")
    (folder / "loop.yaml").symlink_to(folder / "loop.yaml")
    os.mkfifo(folder / "fifo.yaml")
    manifest = folder / "small.yaml"
    manifest.write_text(MANIFEST.format(provider=reference.format(outside=outside)))

    ended = type_("validate", manifest)

    assert ended.code == 3
    assert "small.yaml:3:11: error: " in ended.out
    assert f"[{code}]" in ended.out
    assert SECRET not in ended.out + ended.err


def test_a_schema_that_is_hidden_is_not_shown(checkout: Path, type_: Type) -> None:
    folder = checkout / "manifests"
    (folder / ".env").write_text(f"FOXAPI_API_KEY={SECRET}")
    (folder / "mine.yaml").write_text(
        "foxbatch: 1\nlike: foxapi\nid: mine\nbase_url: https://mine.example\n"
        "models: [{name: a, kind: video, endpoint: /v1, schema: ./.env}]\n"
    )
    manifest = folder / "small.yaml"
    manifest.write_text(MANIFEST.format(provider="./mine.yaml"))

    ended = type_("validate", manifest)

    assert "[E-PATH-HIDDEN]" in ended.out
    assert SECRET not in ended.out + ended.err


@pytest.mark.parametrize(
    "target", ["{outside}/key", "../.env", "/proc/self/environ", "{outside}"]
)
def test_a_manifest_that_is_a_link_to_something_else_is_not_shown(
    checkout: Path, type_: Type, target: str
) -> None:
    outside = checkout.parent / "outside"
    (outside / "key").write_text(SECRET)
    (checkout / ".env").write_text(f"FOXAPI_API_KEY={SECRET}")
    (checkout / "manifests" / "b.yaml").symlink_to(target.format(outside=outside))

    ended = type_("validate", checkout / "manifests" / "b.yaml")

    assert ended.code == 3
    assert "[E-FILE-MISSING]" in ended.out
    assert SECRET not in ended.out + ended.err
    assert "FOXBATCH" not in ended.out


def test_a_link_that_stays_in_the_checkout_is_followed(
    checkout: Path, type_: Type
) -> None:
    (checkout / "link.yaml").symlink_to("manifests/small.yaml")

    assert type_("validate", checkout / "link.yaml").code == 0


@pytest.mark.parametrize("form", ["text", "json", "github", "sarif"])
def test_a_key_that_stands_in_a_manifest_is_not_shown(
    checkout: Path, type_: Type, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOXAPI_API_KEY", SECRET)
    manifest = checkout / "manifests" / "small.yaml"
    manifest.write_text(MANIFEST.format(provider=f"./{SECRET}.yaml"))

    ended = type_("validate", manifest, "--format", form)

    assert ended.code == 3
    assert "***.yaml" in ended.out
    assert SECRET not in ended.out + ended.err


def test_a_name_of_two_lines_begins_no_line_of_the_output(
    checkout: Path, type_: Type
) -> None:
    """A line that begins with `::` is a command to the runner of a CI job."""
    manifest = checkout / "manifests" / "small.yaml"
    manifest.write_text(MANIFEST.format(provider='"./a\\n::error::owned"'))

    ended = type_("validate", manifest)

    assert not [line for line in ended.out.splitlines() if line.startswith("::")]


# ---- purchases


async def test_an_empty_folder_does_not_make_everything_be_bought_again(
    checkout: Path,
) -> None:
    first = await api.run(wanted_in(checkout), OPTIONS)
    (checkout / "manifests" / "runs" / "small@sandbox" / "ledger").mkdir(parents=True)

    again = await api.run(wanted_in(checkout), OPTIONS)

    assert (again.run_dir, again.submitted) == (first.run_dir, 0)


async def test_of_two_run_directories_neither_is_guessed(checkout: Path) -> None:
    first = await api.run(wanted_in(checkout), OPTIONS)
    other = checkout / "manifests" / "runs" / "small@sandbox" / "ledger"
    other.mkdir(parents=True)
    (other / "theirs.jsonl").touch()

    with pytest.raises(RunDirError) as caught:
        await api.run(wanted_in(checkout), OPTIONS)

    assert str(first.run_dir) in str(caught.value)
    assert str(other.parent) in str(caught.value)


async def test_another_init_further_down_loses_nothing_that_was_bought(
    tmp_path: Path,
) -> None:
    (tmp_path / ".foxbatch").mkdir()
    (tmp_path / "manifests").mkdir()
    path = tmp_path / "manifests" / "small.yaml"
    path.write_text(MANIFEST.format(provider="sandbox"))
    first = await api.run(api.load_manifest(path), OPTIONS)
    (tmp_path / "manifests" / ".foxbatch").mkdir()

    again = await api.run(api.load_manifest(path), OPTIONS)

    assert (again.run_dir, again.submitted) == (first.run_dir, 0)


# ---- sizes


def test_a_pattern_cannot_take_for_ever(checkout: Path) -> None:
    folder = checkout / "manifests"
    (folder / "evil.schema.json").write_text(
        '{"properties": {"prompt": {"pattern": "^(a+)+$"}, '
        '"tag": {"pattern": "a{1,1000}{1,1000}{1,1000}"}}}'
    )
    (folder / "mine.yaml").write_text(
        "foxbatch: 1\nlike: foxapi\nid: mine\nbase_url: https://mine.example\nmodels:\n"
        "  - {name: a, kind: video, endpoint: /v1, schema: ./evil.schema.json}\n"
    )
    path = folder / "small.yaml"
    path.write_text(
        "foxbatch: 1\nname: small\nprovider: ./mine.yaml\njobs:\n"
        f"  - {{id: a, model: a, prompts: ['{'a' * 40}!'], params: {{tag: b}}}}\n"
    )

    checked = api.check(api.load_manifest(path))

    codes = [problem.code for problem in checked.problems]
    assert codes.count("E-PATTERN") == 2


def test_patterns_of_keys_are_not_looked_at(checkout: Path) -> None:
    folder = checkout / "manifests"
    (folder / "evil.schema.json").write_text(
        '{"allOf": [{"patternProperties": {"^(a+)+$": {}}}]}'
    )
    (folder / "mine.yaml").write_text(
        "foxbatch: 1\nlike: foxapi\nid: mine\nbase_url: https://mine.example\nmodels:\n"
        "  - {name: a, kind: video, endpoint: /v1, schema: ./evil.schema.json}\n"
    )
    path = folder / "small.yaml"
    path.write_text(MANIFEST.format(provider="./mine.yaml"))

    with pytest.raises(InvalidError) as caught:
        api.load_manifest(path)

    (problem,) = caught.value.problems
    assert "patternProperties" in problem.message


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"\xff\xfe\n", "it is not UTF-8", id="no text"),
        pytest.param(b"A=1\n" * 300_000, "larger than", id="too large"),
    ],
)
def test_settings_that_are_no_settings_are_refused(
    tmp_path: Path, content: bytes, why: str
) -> None:
    (tmp_path / ".env").write_bytes(content)

    with pytest.raises(UsageError, match=why):
        _settings.read_dotenv(tmp_path)
