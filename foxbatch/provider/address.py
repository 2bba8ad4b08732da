"""Base URLs in one spelling, and which hosts are this machine."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_LABEL = "[a-z0-9_-]{1,63}"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*\.?")


def canonical_url(text: str) -> str:
    """Return a base URL in its one spelling.

    Without a default port, and without a slash or `/v1` at its end.

    Raises:
        ValueError: It is no plain http(s) address of a host, and the message says why.
    """
    # Parsers disagree about these characters: whatever they would make of them, the
    # host that was checked must be the host that is asked.
    if not text.isascii() or re.search(r"[\s\\@?#\x00-\x1f\x7f]", text):
        raise ValueError(
            "it has a user, a query or a character that does not belong there"
        )
    parts = urlsplit(text)
    host, port = parts.hostname or "", parts.port
    if parts.scheme not in ("http", "https") or not _is_host(host):
        raise ValueError(f"{text!r} is not an http or https address")
    shown = f"[{host}]" if ":" in host else host
    if port not in (None, 443 if parts.scheme == "https" else 80):
        shown += f":{port}"
    path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
    return f"{parts.scheme}://{shown}{path}"


def _is_host(text: str) -> bool:
    if ":" not in text:
        return _NAME.fullmatch(text) is not None
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def host_of(url: str) -> str:
    """Return the host of *url* in lower case, empty where it has none."""
    return urlsplit(url).hostname or ""


def is_loopback(host: str) -> bool:
    """Return whether *host* is this machine by its spelling alone (no look-up)."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def variable_suffix(provider_id: str) -> str:
    """Return how environment variables spell *provider_id*: `my-api` is `MY_API`."""
    return provider_id.upper().replace("-", "_")
