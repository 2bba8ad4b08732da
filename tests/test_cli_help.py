"""models, schema, completion, doctor, sandbox: what helps beside a run."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from click.shell_completion import ShellComplete
from jsonschema import Draft7Validator

from foxbatch import api
from foxbatch.canonical import Json
from foxbatch.cli import checks
from foxbatch.cli._group import foxbatch_command
from foxbatch.cli._terminal import Terminal
from foxbatch.cli.models import values
from foxbatch.cli.sandbox import explain, known_switches
from foxbatch.client import PollDenied, PollTrouble
from foxbatch.provider import load_provider
from foxbatch.sandbox import EmbeddedSandbox, SandboxOptions
from foxbatch.sandbox.faults import names
from foxbatch.schema import load_schema, schema_names
from tests.cli import Type

KEY = "sk-secret-key"
ROOT = Path(__file__).parents[1]
EDITORS = ROOT / "schemas" / "manifest.editor.schema.json"


class TestModels:
    def test_all_models_are_listed(self, type_: Type) -> None:
        ended = type_("models")

        header, *models = ended.out.splitlines()
        assert header.split() == ["MODEL", "MAKES", "PARAMETERS"]
        assert [model.split()[:2] for model in models] == [
            ["veo-3.1", "video"],
            ["veo-3.1-fast", "video"],
        ]
        assert "aspect_ratio, duration, resolution" in models[0]

    def test_one_model_shows_what_a_manifest_may_say(self, type_: Type) -> None:
        ended = type_("models", "veo-3.1-fast")

        lines = {line.split()[0]: line for line in ended.out.splitlines()}
        assert "16:9 | 9:16" in lines["aspect_ratio"]
        assert "4 | 6 | 8 " in lines["duration"]
        assert "true | false " in lines["generate_audio"]
        assert "1 to 6" in lines["safety_tolerance"]
        assert {"model", "prompt"}.isdisjoint(lines)
        assert "foxbatch schema models/veo-3.1" in ended.err

    def test_json_has_the_schema(self, type_: Type) -> None:
        one = json.loads(type_("models", "veo-3.1", "--format", "json").out)
        every = json.loads(type_("models", "--format", "json").out)

        assert one["schema"]["properties"]["duration"]["enum"] == [4, 6, 8]
        assert one["endpoint"] == "/v1/videos/generations"
        assert [model["name"] for model in every["models"]] == [
            "veo-3.1",
            "veo-3.1-fast",
        ]

    def test_misspelt_model_names_the_right_one(self, type_: Type) -> None:
        ended = type_("models", "veo-3.1-fsat")

        assert ended.code == 2
        assert "Did you mean veo-3.1-fast?" in ended.err


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"enum": ["a", 4, None]}, "a | 4 | null"),
        ({"type": "integer", "minimum": 1, "maximum": 6}, "whole number, 1 to 6"),
        ({"type": ["number", "null"], "minimum": 1}, "number or null, at least 1"),
        ({"type": "number", "maximum": 6}, "number, at most 6"),
        ({"type": "array", "maxItems": 3}, "list, up to 3"),
        ({}, "any value"),
    ],
    ids=["choices", "range", "lower bound", "upper bound", "list", "anything"],
)
def test_values_of_a_parameter_are_words(about: dict[str, Json], words: str) -> None:
    assert values(about) == words


class TestSchema:
    @pytest.mark.parametrize("name", sorted({*schema_names()} - {"manifest"}))
    def test_schema_is_printed(self, name: str, type_: Type) -> None:
        assert json.loads(type_("schema", name).out) == load_schema(name)

    def test_schema_of_manifests_is_that_for_editors(self, type_: Type) -> None:
        assert type_("schema", "manifest").out == EDITORS.read_text("utf-8")

    def test_schema_of_manifests_knows_the_models_of_a_provider_file(
        self, type_: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        model = "{name: toy+, kind: video, endpoint: /v1/toys, schema: ./toy.json}"
        Path("my+.yaml").write_text(
            "foxbatch: 1\nlike: foxapi\nid: mine\ntitle: Mine\n"
            "base_url: http://localhost:1\nkey_env: FOXBATCH_KEY_MINE\n"
            f"models: [{model}]\n"
        )
        Path("toy.json").write_text('{"properties": {"speed": {"enum": [1]}}}')

        ended = type_("schema", "manifest", "--provider", "my+.yaml")

        served, _ = json.loads(ended.out)["allOf"]
        named = Draft7Validator(served["if"])
        assert '"enum": [\n            "toy+"' in ended.out
        assert named.is_valid({"provider": "../my+.yaml"})
        assert not named.is_valid({"provider": "foxapi"})
        assert not named.is_valid({"provider": "./myy.yaml"})

    @pytest.mark.parametrize("words", [[], ["ledger"]], ids=["no name", "another"])
    def test_only_manifests_have_a_provider(
        self, words: list[str], type_: Type
    ) -> None:
        ended = type_("schema", *words, "--provider", "sandbox")

        assert ended.code == 2
        assert "--provider needs the name manifest" in ended.err

    def test_without_a_name_the_names_are_listed(self, type_: Type) -> None:
        assert type_("schema").out.split() == schema_names()

    def test_misspelt_schema_names_the_right_one(self, type_: Type) -> None:
        ended = type_("schema", "manifset")

        assert ended.code == 2
        assert "Did you mean manifest?" in ended.err


class TestCompletion:
    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_script_says_how_to_install_it(self, shell: str, type_: Type) -> None:
        ended = type_("completion", shell)

        assert ended.code == 0
        assert f"foxbatch completion {shell} > ~/" in ended.out
        assert f"_FOXBATCH_COMPLETE={shell}_complete" in ended.out
        assert ended.out.startswith("#compdef" if shell == "zsh" else "# Completion")

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_shell_understands_the_script(self, shell: str, type_: Type) -> None:
        if shutil.which(shell) is None:
            pytest.skip(f"{shell} is not installed")

        script = type_("completion", shell).out

        subprocess.run([shell, "-n"], input=script.encode(), check=True)

    @pytest.mark.parametrize(
        ("words", "offered"),
        [
            pytest.param("foxbatch pl", {"plan"}, id="commands"),
            pytest.param("foxbatch run --stop", {"--stop-after"}, id="options"),
            pytest.param("foxbatch models veo-3.1-", {"veo-3.1-fast"}, id="models"),
            pytest.param("foxbatch schema man", {"manifest"}, id="schemas"),
            pytest.param("foxbatch plan --provider s", {"sandbox"}, id="providers"),
            pytest.param("foxbatch run --faults fl", {"flaky"}, id="fault plans"),
            pytest.param(
                "foxbatch validate --format s", {"sarif"}, id="values of options"
            ),
            pytest.param(
                "foxbatch models --provider nope.yaml v", set(), id="nothing, quietly"
            ),
        ],
    )
    def test_it_completes(self, words: str, offered: set[str]) -> None:
        *before, last = words.split()[1:]
        completion = ShellComplete(foxbatch_command, {}, "foxbatch", "_COMPLETE")

        found = completion.get_completions(before, last)

        assert {item.value for item in found} == offered

    def test_files_are_completed_by_the_shell(self) -> None:
        completion = ShellComplete(foxbatch_command, {}, "foxbatch", "_COMPLETE")

        (manifest,) = completion.get_completions(["run"], "m")
        (provider,) = completion.get_completions(["run", "--provider"], "./m")

        assert (manifest.type, provider.type) == ("file", "file")

    def test_shell_asks_and_is_answered(self) -> None:
        asked = {
            "_FOXBATCH_COMPLETE": "bash_complete",
            "COMP_WORDS": "foxbatch pl",
            "COMP_CWORD": "1",
        }

        run = subprocess.run(
            [sys.executable, "-c", "from foxbatch.__main__ import main; main()"],
            check=True,
            capture_output=True,
            env=os.environ | asked,
            text=True,
        )

        assert (run.stdout, run.stderr) == ("plain,plan\n", "")


class TestDoctor:
    @pytest.fixture(autouse=True)
    def _empty_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)

    def test_missing_key_is_no_fault(self, type_: Type) -> None:
        ended = type_("doctor")

        assert ended.code == 0
        assert "· key      FOXAPI_API_KEY is not set" in ended.out
        assert ended.err == "all is well\n"

    def test_key_is_checked_and_not_shown(
        self, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FOXAPI_API_KEY", KEY)

        ended = type_("doctor")

        assert "✓ key      present and well-formed, for FoxAPI" in ended.out
        assert "✓ address  https://api.foxapi.cc" in ended.out
        assert KEY not in ended.out + ended.err

    def test_malformed_key_is_an_error(
        self, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FOXAPI_API_KEY", f"{KEY} with blanks")

        ended = type_("doctor")

        assert ended.code == 2
        assert "✗ key " in ended.out
        assert KEY not in ended.out + ended.err
        assert ended.err == "1 to be mended\n"

    def test_json_is_one_object(self, type_: Type) -> None:
        found = json.loads(type_("doctor", "--format", "json").out)

        names = [check["name"] for check in found["checks"]]
        assert found["ok"] is True
        assert names[:6] == [
            "python",
            "media",
            "sandbox",
            "analytics",
            "disk",
            "clock",
        ]

    def test_env_file_that_git_would_commit_is_warned_of(self, type_: Type) -> None:
        if subprocess.run(["git", "init", "-q"], check=False).returncode:
            pytest.skip("git is not installed")
        Path(".env").write_text("FOXAPI_ACCOUNT=film\n")
        before = type_("doctor").out

        Path(".gitignore").write_text(".env\n")

        assert "! .env     not ignored by git" in before
        assert "✓ .env     ignored by git" in type_("doctor").out

    def test_service_is_asked_only_online(
        self, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with EmbeddedSandbox(SandboxOptions(keys={KEY: None})) as sandbox:
            monkeypatch.setenv("FOXAPI_BASE_URL", sandbox.url)
            monkeypatch.setenv("FOXAPI_API_KEY", KEY)

            offline, online = type_("doctor"), type_("doctor", "--online")
            monkeypatch.setenv("FOXAPI_API_KEY", "sk-another-key")
            refused = type_("doctor", "--online")

        assert "service" not in offline.out
        assert f"✓ service  {sandbox.url} answers and takes the key" in online.out
        assert (offline.code, online.code, refused.code) == (0, 0, 6)
        assert f"✗ service  {sandbox.url} refuses: 401" in refused.out

    def test_gateway_is_asked_when_it_is_trusted(
        self, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FOXAPI_BASE_URL", "https://gateway.example")
        monkeypatch.setenv("FOXAPI_API_KEY", KEY)

        alone = type_("doctor")
        trusted = type_("doctor", "--trust-host", "gateway.example")

        assert alone.code == 2
        assert "--trust-host gateway.example" in alone.out
        assert trusted.code == 0
        assert "✓ address  https://gateway.example" in trusted.out

    def test_service_that_is_down_is_an_error(
        self, type_: Type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with EmbeddedSandbox() as sandbox:
            monkeypatch.setenv("FOXAPI_BASE_URL", sandbox.url)
        monkeypatch.setenv("FOXAPI_API_KEY", KEY)

        ended = type_("doctor", "--online")

        assert ended.code == 8
        assert "cannot be reached" in ended.out

    def test_service_without_a_key_is_not_asked(self, type_: Type) -> None:
        ended = type_("doctor", "--online")

        assert ended.code == 0
        assert "not asked, because there is no usable key" in ended.out

    def test_sandbox_needs_nothing(self, type_: Type) -> None:
        ended = type_("doctor", "--provider", "sandbox", "--online")

        assert ended.code == 0
        assert "Sandbox needs none" in ended.out
        assert "starts with each run" in ended.out


class TestSandbox:
    @pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
    def test_says_where_it_is_on_one_line_and_how_to_use_it(
        self, tmp_path: Path
    ) -> None:
        """The line is a promise: other programs wait for it."""
        command = [sys.executable, "-m", "foxbatch", "sandbox", "--key", KEY]
        with subprocess.Popen(
            [*command, "--state", str(tmp_path / "state")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None

            url = json.loads(process.stdout.readline())["url"]
            stats = httpx.get(f"{url}/sandbox/stats", timeout=30).json()
            process.send_signal(signal.SIGTERM)
            rest, told = process.stdout.read(), process.stderr.read()

        assert process.returncode == 0
        assert rest == ""
        assert stats["created"] == 0
        assert f"FOXAPI_BASE_URL={url}\n" in told
        assert f"curl -s {url}/v1/videos/generations" in told
        assert KEY not in told

    def test_command_that_it_shows_works(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        if shutil.which("curl") is None:
            pytest.skip("curl is not installed")
        monkeypatch.setenv("FOXAPI_API_KEY", KEY)
        with EmbeddedSandbox(SandboxOptions(keys={KEY: None})) as served:
            explain(Terminal({}), served.url, needs_key=True)
            told = capsys.readouterr().err
            script = told.partition("By hand:\n")[2].partition("\n  curl -s http")[0]
            run = subprocess.run(["sh", "-c", script], check=True, capture_output=True)

        assert json.loads(run.stdout)["status"] in {"pending", "processing"}

    @pytest.mark.parametrize("host", ["0.0.0.0", "example.com", "::1"])  # noqa: S104
    def test_only_this_machine_may_use_it(self, host: str, type_: Type) -> None:
        ended = type_("sandbox", "--host", host)

        assert ended.code == 2
        assert "is not an address of this machine alone" in ended.err

    def test_port_that_is_taken_is_wrong_usage(self, type_: Type) -> None:
        with EmbeddedSandbox() as other:
            port = other.url.rpartition(":")[2]

            ended = type_("sandbox", "--port", port)

        assert ended.code == 2
        assert f"127.0.0.1:{port} cannot be used" in ended.err


class TestSandboxOptions:
    def test_fault_plans_are_listed(self, type_: Type) -> None:
        ended = type_("sandbox", "--list-faults")

        listed = [line.split()[0] for line in ended.out.splitlines()]
        assert ended.code == 0
        assert listed == ["PLAN", *names()]

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("--faults", "flake"), "Did you mean flaky?"),
            (("--faults", "./none.yaml"), "none.yaml cannot be read"),
            (("--switch", "refund=failed"), "Did you mean refunds?"),
            (("--switch", "refunds=maybe"), "It can be: never, failed."),
            (("--switch", "refunds"), 'switch refunds cannot be ""'),
            (("--key", "two words"), "visible ASCII"),
            (("--key", "k=some"), "is no whole number"),
            (("--workers", "0"), "0 is too small"),
        ],
        ids=" ".join,
    )
    def test_what_is_not_there_is_refused(
        self, options: tuple[str, ...], said: str, type_: Type
    ) -> None:
        ended = type_("sandbox", *options)

        assert ended.code in {2, 3}
        assert said in ended.err

    def test_options_reach_the_service(self) -> None:
        command = [sys.executable, "-m", "foxbatch", "sandbox", "--key", f"{KEY}=7"]
        more = ["--switch", "retry-after=none", "--faults", "echo"]
        with subprocess.Popen(
            [*command, *more], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            headers = {"Authorization": f"Bearer {KEY}"}
            with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
                left = client.get("/v1/account/credits").json()["credits_left"]
                plan = client.get("/sandbox/overview").json()["plan"]["name"]
                keyless = httpx.get(f"{url}/v1/models", timeout=30).status_code
            process.terminate()

        assert (left, plan, keyless) == (7, "echo", 401)

    def test_every_switch_and_its_values_are_documented(self) -> None:
        page = (ROOT / "docs" / "sandbox.md").read_text("utf-8")
        rows = re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \|", page, re.MULTILINE)

        told = {name: tuple(re.findall(r"`(\w+)`", values)) for name, values in rows}

        assert told == known_switches()


class TestChecks:
    """What doctor makes of machines and answers that are not these."""

    def test_missing_extra_says_what_to_type(self) -> None:
        found = checks.optional("media", ("no_such_module",), "without it, nothing")

        assert found.message == "not installed: without it, nothing"
        assert found.hint == "Type: pip install 'foxbatch[media]'"

    def test_folder_that_takes_no_files_is_an_error(self, tmp_path: Path) -> None:
        found = checks.disk(tmp_path / "gone")

        assert (found.state, found.exit_code) == ("error", 4)
        assert "gone cannot be written" in found.message

    def test_clock_that_is_behind_is_an_error(self) -> None:
        found = checks.clock(datetime(1970, 1, 1, tzinfo=UTC))

        assert found.state == "error"
        assert found.message == "1970-01-01 00:00:00 UTC is in the past"

    def test_git_is_not_needed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", "")

        *_, git = checks.machine(tmp_path)

        assert (git.name, git.state, git.message) == ("git", "note", "not installed")

    def test_service_in_trouble_is_a_warning(self) -> None:
        found = checks.answered(PollTrouble("status 500", status=500), "https://x")

        assert (found.state, found.exit_code) == ("warning", 0)
        assert found.message == "https://x answers, but status 500"

    def test_refusal_has_its_exit_code(self) -> None:
        denied = PollDenied(402, "insufficient_credits", "no credit left")

        found = checks.answered(denied, "https://x")

        assert found.exit_code == 6
        assert found.message == "https://x refuses: 402 no credit left"

    def test_address_that_cannot_be_used_is_an_error(self) -> None:
        options = api.RunOptions(
            environ={"FOXAPI_API_KEY": KEY, "FOXAPI_BASE_URL": "http://example.com"}
        )

        (found,) = checks.service(load_provider("foxapi", base=Path()), options)

        assert (found.state, found.exit_code) == ("error", 2)
