"""The command that sends a job's request again, and where its key may go."""

from __future__ import annotations

from pathlib import Path

import pytest

from foxbatch.canonical import Digest, sha256
from foxbatch.events import Origin, RunId, RunStarted
from foxbatch.report.curl import Service, head_of, service_of
from foxbatch.state import fold

OWN = b"""\
foxbatch: 1
id: mine
like: foxapi
base_url: https://models.example
key_env: FOXBATCH_KEY_MINE
"""
FOXAPI = "https://api.foxapi.cc"


def service(
    provider: str, base_url: str, folder: Path, kept: bytes = OWN, digest: str = ""
) -> Service | None:
    digest = digest or sha256(kept)
    (folder / "manifests").mkdir(exist_ok=True)
    (folder / "manifests" / f"{sha256(kept)}.yaml").write_bytes(kept)
    started = RunStarted(
        origin=Origin(provider, base_url, ""),
        provider_sha256=Digest(digest),
        run=RunId("testrunaaa"),
        seq=1,
        at="2026-01-01T00:00:00.000Z",
    )
    return service_of(fold([started]), folder)


@pytest.mark.parametrize(
    ("provider", "base_url", "key"),
    [
        pytest.param("foxapi", FOXAPI, "FOXAPI_API_KEY", id="its own address"),
        pytest.param(
            "foxapi", "https://api.aihubmax.com", "FOXAPI_API_KEY", id="an alias"
        ),
        pytest.param(
            "foxapi", "http://127.0.0.1:8000", "FOXAPI_API_KEY", id="this machine"
        ),
        pytest.param("foxapi", "https://evil.example", "API_KEY", id="another host"),
        pytest.param("foxapi", f"{FOXAPI}:444", "API_KEY", id="another port"),
        pytest.param("foxapi", "http://api.foxapi.cc", "API_KEY", id="not https"),
        pytest.param(
            "mine", "https://models.example", "API_KEY", id="the file of a checkout"
        ),
        pytest.param(
            "mine", "http://localhost:1", "FOXBATCH_KEY_MINE", id="its own key, here"
        ),
    ],
)
def test_a_key_is_named_only_where_it_may_go(
    provider: str, base_url: str, key: str, tmp_path: Path
) -> None:
    found = service(provider, base_url, tmp_path)

    assert found == Service(address=base_url, key=key)


def test_of_the_sandbox_inside_foxbatch_the_address_is_a_variable(
    tmp_path: Path,
) -> None:
    found = service("sandbox", "sandbox", tmp_path)

    assert found == Service(address="$FOXAPI_BASE_URL", key="FOXAPI_API_KEY")
    head = head_of(found, "/v1/videos") or ""
    assert head.startswith('curl -sS "$FOXAPI_BASE_URL/v1/videos" \\\n')


def test_where_no_key_is_needed_none_is_named(tmp_path: Path) -> None:
    free = OWN.replace(b"key_env: FOXBATCH_KEY_MINE\n", b"")

    found = service("mine", "https://models.example", tmp_path, free)

    assert found == Service(address="https://models.example")
    assert "Bearer" not in (head_of(found, "/v1") or "Bearer")


@pytest.mark.parametrize(
    ("base_url", "kept", "digest"),
    [
        ("https://models.example", b"foxbatch: 2\n", ""),
        ("https://models.example", OWN, "0" * 64),
        ("https://models.example", OWN, "../../x"),
        ("https://user@models.example", OWN, ""),
        ("'; touch taken; '", OWN, ""),
    ],
    ids=["no provider file", "not kept", "a path", "a user", "no address"],
)
def test_what_makes_no_sense_makes_no_command(
    base_url: str, kept: bytes, digest: str, tmp_path: Path
) -> None:
    assert service("mine", base_url, tmp_path, kept, digest) is None


def test_a_directory_without_a_run_has_no_service(tmp_path: Path) -> None:
    assert service_of(fold([]), tmp_path) is None
    assert head_of(None, "/v1") is None


@pytest.mark.parametrize("endpoint", ["@evil.example/", "/v1'; x", "/v1\n", "/{a,b}"])
def test_an_endpoint_that_is_none_makes_no_command(endpoint: str) -> None:
    assert head_of(Service(address=FOXAPI), endpoint) is None
