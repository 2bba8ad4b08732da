"""The request of a job as a command for curl, with a variable where its key belongs.

A run directory may come from a stranger: a command that is copied from its page must
not carry somebody's key to another host. So the variable of a key is named only where
the address is one that the key may go to by itself; anywhere else it is `$API_KEY`,
which whoever sends the command has to set on purpose.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from foxbatch.canonical import Digest, sha256
from foxbatch.errors import FoxbatchError
from foxbatch.provider import (
    Provider,
    builtin_names,
    canonical_url,
    host_of,
    is_loopback,
    load_provider,
    parse_provider,
)
from foxbatch.state import BatchState, key_of

_ENDPOINT = re.compile(r"/[A-Za-z0-9._~/-]*")
_ELSEWHERE = "API_KEY"
_SERVED_LIKE = "foxapi"  # the sandbox inside foxbatch is gone when its run has ended


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """Where requests of a run go.

    Attributes:
        address: Base of it, canonical; or a variable that holds it, with its dollar.
        key: Variable that holds the key; empty where none is needed.
    """

    address: str
    key: str = ""


def service_of(state: BatchState, run_dir: Path) -> Service | None:
    """Return where the last run in *run_dir* sent requests; None where nobody knows."""
    starts = [run.started for run in state.runs.values() if run.started is not None]
    if not starts:
        return None
    last = max(starts, key=key_of)
    try:
        provider = _provider(last.origin.provider, last.provider_sha256, run_dir)
        if provider.embedded:
            like = load_provider(_SERVED_LIKE, base=run_dir)
            address = f"${like.base_url_env}"
            return Service(address=address, key=like.key_env or "")
        address = canonical_url(last.origin.base_url)
    except (FoxbatchError, OSError, ValueError):
        return None
    return Service(address=address, key=_variable(provider, address))


def _provider(name: str, digest: Digest, run_dir: Path) -> Provider:
    if name in builtin_names():
        return load_provider(name, base=run_dir)
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise ValueError(digest)
    path = run_dir / "manifests" / f"{digest}.yaml"
    content = path.read_bytes()
    if sha256(content) != digest:
        raise ValueError(digest)
    return parse_provider(content, shown_as=str(path), folder=None)


def _variable(provider: Provider, address: str) -> str:
    if provider.key_env is None:
        return ""
    parts = urlsplit(address)
    bound = parts.scheme == "https" and parts.netloc in provider.hosts
    near = is_loopback(host_of(address))
    return provider.key_env if bound or near else _ELSEWHERE


def head_of(service: Service | None, endpoint: str) -> str | None:
    """Return the command up to its body, which is the last argument; None for none."""
    if service is None or not _ENDPOINT.fullmatch(endpoint):
        return None
    if service.address.startswith("$"):
        url = f'"{service.address}{endpoint}"'
    else:
        url = shlex.quote(service.address + endpoint)
    key = f'  -H "Authorization: Bearer ${service.key}" \\\n' if service.key else ""
    return (
        f"curl -sS {url} \\\n{key}"
        "  -H 'Content-Type: application/json' \\\n"
        "  --data-raw"
    )
