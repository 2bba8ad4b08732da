"""Which key may go to which address: decided before anything is sent.

A manifest, a provider file and `.env` may come from a stranger's pull request, so what
they say about the address is worth less than what the user says outside the checkout:

    address from             key from       goes to
    ─────────────────────    ───────────    ──────────────────────────────────────────
    the provider itself,     environment    built-in hosts, loopback, trusted hosts
      a flag, environment    `.env`         built-in hosts, loopback, trusted hosts
    `.env`                   environment    trusted hosts only
                             `.env`         built-in hosts, loopback, trusted hosts
    a provider file of       environment    loopback, trusted hosts
      the checkout           `.env`         loopback, trusted hosts
    any                      none needed    anywhere

A host is meant with its port: a built-in host with the port of the provider's own
address, a trusted one with 443 unless it was named with another. On loopback a host
that is trusted by name is trusted on every port. Trusted are the hosts of
`--trust-host` and of the user's own configuration. An address
in `.env` that is one of the provider's own says nothing new and counts as the
provider's. The key that a provider file may ask for is named after its id: the user set
it for this service, which is why loopback is enough there. Everywhere: https, except
on loopback.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from foxbatch.errors import KeyUnusableError, UsageError
from foxbatch.events import Origin
from foxbatch.provider import Provider, canonical_url, host_of, is_loopback

_HTTPS_PORT = 443
_VISIBLE_ASCII = re.compile(r"[!-~]+")
_ACCOUNT = re.compile(r"[^\x00-\x1f\x7f]{1,100}")
_ACCOUNT_PURPOSE = b"foxbatch/account/1"

SANDBOX_ORIGIN = Origin("sandbox", "sandbox", "sandbox")
"""Whose results of the embedded sandbox are, whatever its port."""


class Key:
    """A secret that prints as `***`; only `reveal` gives it away."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not written anywhere")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where to ask, with which key, and as whom.

    Attributes:
        base_url: Canonical address that requests go to.
        key: None where none is needed.
        account: Label of the account; no secret.
        origin: What a run directory with these results belongs to.
    """

    base_url: str
    key: Key | None
    account: str
    origin: Origin

    @property
    def is_loopback(self) -> bool:
        """Whether the service runs on this machine: then nothing costs money."""
        return is_loopback(host_of(self.base_url))


class _From(StrEnum):
    PROVIDER = "the provider"
    USER = "the command line or the environment"
    DOTENV = ".env"
    CHECKOUT = "the provider file"


@dataclass(frozen=True, slots=True)
class _Found:
    url: str
    source: _From


def key_file(provider: Provider, environ: Mapping[str, str]) -> Path | None:
    """Return the file that the key must be read from, if the environment names one.

    The caller reads it and hands its text to `decide`.
    """
    if provider.key_env is None or environ.get(provider.key_env):
        return None
    named = environ.get(f"{provider.key_env}_FILE")
    return Path(named) if named else None


def trusted_host(text: str) -> str:
    """Return a `HOST` or `HOST:PORT` in its one spelling.

    Raises:
        ValueError: It is neither, and the message says why.
    """
    if "://" in text:
        raise ValueError(f"{text!r} is an address, not a host")
    if re.search(r"[/\\@?#*,\s]", text) or not text.isascii():
        raise ValueError(f"{text!r} has a character that is in no host")
    bare_ipv6 = text.count(":") > 1 and not text.startswith("[")
    shown = f"[{text}]" if bare_ipv6 else text
    try:
        canonical_url(f"https://{shown}")  # knows what a host is
        parts = urlsplit(f"https://{shown}")
        port = parts.port
    except ValueError:
        raise ValueError(f"{text!r} is no HOST or HOST:PORT") from None
    if shown.endswith(":") or port == 0:
        raise ValueError(f"{text!r} has no port after the colon")
    return parts.netloc.lower()


def decide(
    provider: Provider,
    *,
    environ: Mapping[str, str],
    dotenv: Mapping[str, str | None],
    base_url: str | None = None,
    trusted: AbstractSet[str] = frozenset(),
    key_text: str | None = None,
) -> Access:
    """Return where to ask and with which key, or refuse.

    Args:
        provider: Which service.
        environ: The process environment.
        dotenv: Values of the `.env` file in the working directory.
        base_url: Address that the user typed, or of the embedded sandbox.
        trusted: Hosts, or `host:port`, that the user trusts outside the checkout.
        key_text: Content of `key_file`, where there is one.

    Raises:
        UsageError: The address cannot be used.
        KeyUnusableError: The key is missing, malformed, or must not go there.
    """
    hosts = _trusted_hosts(trusted)
    found = _address(provider, environ, dotenv, base_url)
    key, key_source = _key(provider, environ, dotenv, key_text)
    if key is not None:
        _check_binding(provider, found, key_source, hosts)
    account = _account(provider, environ, dotenv, key)
    if provider.embedded:
        return Access(
            base_url=found.url,
            key=key,
            account=SANDBOX_ORIGIN.account,
            origin=SANDBOX_ORIGIN,
        )
    known = found.url in provider.aliases
    home = provider.base_url if known else found.url
    origin = Origin(provider.id, home, account)
    return Access(base_url=found.url, key=key, account=account, origin=origin)


def _trusted_hosts(texts: AbstractSet[str]) -> frozenset[str]:
    try:
        return frozenset(map(trusted_host, texts))
    except ValueError as error:
        raise UsageError(
            f"a trusted host cannot be used: {error}",
            hint="Write a host such as api.example.com, or api.example.com:8443.",
        ) from None


def _address(
    provider: Provider,
    environ: Mapping[str, str],
    dotenv: Mapping[str, str | None],
    typed: str | None,
) -> _Found:
    variable = provider.base_url_env or ""
    if typed:
        text, source, name = typed, _From.USER, "the address"
    elif environ.get(variable):
        text, source, name = environ[variable], _From.USER, variable
    elif from_file := dotenv.get(variable):
        text, source, name = from_file, _From.DOTENV, f"{variable} in .env"
    elif not provider.base_url:
        raise UsageError(
            f"provider {provider.id!r} has no address",
            hint="It is served by foxbatch itself; start it, or give its address.",
        )
    else:
        source = _From.PROVIDER if provider.builtin else _From.CHECKOUT
        return _Found(provider.base_url, source)
    try:
        url = canonical_url(text)
    except ValueError as error:
        raise UsageError(
            f"{name} cannot be used: {error}",
            hint="Write an address such as https://api.example.com.",
        ) from None
    if url.startswith("http:") and not is_loopback(host_of(url)):
        raise UsageError(
            f"{name} is not https: {url}",
            hint="Only a service on this machine may be asked without https.",
        )
    if provider.embedded and not is_loopback(host_of(url)):
        raise UsageError(
            f"the sandbox is not on this machine: {url}",
            hint="Ask another machine's sandbox as provider foxapi, by its address.",
        )
    if provider.builtin and url in (provider.base_url, *provider.aliases):
        source = _From.PROVIDER
    return _Found(url, source)


def _key(
    provider: Provider,
    environ: Mapping[str, str],
    dotenv: Mapping[str, str | None],
    file_text: str | None,
) -> tuple[Key | None, _From]:
    name = provider.key_env
    if name is None:
        return None, _From.PROVIDER
    if environ.get(name):
        return _clean(environ[name], name), _From.USER
    if environ.get(f"{name}_FILE"):
        return _clean(file_text or "", f"{name}_FILE"), _From.USER
    if dotenv.get(f"{name}_FILE"):
        raise KeyUnusableError(
            f"{name}_FILE is set in .env",
            hint="A file in a checkout may not say which file is read; set it in"
            " the environment.",
        )
    if from_file := dotenv.get(name):
        return _clean(from_file, f"{name} in .env"), _From.DOTENV
    raise KeyUnusableError(
        f"{name} is not set",
        hint=f"Set {name}, or {name}_FILE to a file that holds the key; or rehearse"
        " with --provider sandbox, which needs no key.",
    )


def _clean(text: str, name: str) -> Key:
    """Return the key in *text*; messages never show any of it."""
    key = text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")
    if not key:
        raise KeyUnusableError(
            f"the key in {name} is empty", hint="Put the key there, and nothing else."
        )
    if not _VISIBLE_ASCII.fullmatch(key):
        raise KeyUnusableError(
            f"the key in {name} holds something other than visible ASCII characters",
            hint="Look for spaces, quotes that are not plain, or a second line.",
        )
    return Key(key)


def _check_binding(
    provider: Provider, found: _Found, key_source: _From, trusted: AbstractSet[str]
) -> None:
    """Raise unless the table at the top of this module lets the key go there."""
    host = urlsplit(found.url).netloc
    on_loopback = is_loopback(host_of(found.url))
    if not trusted.isdisjoint(_names(found.url, any_port=on_loopback)):
        return
    if found.source is _From.DOTENV and key_source is not _From.DOTENV:
        raise KeyUnusableError(
            f"{provider.base_url_env} comes from .env and {provider.key_env} from"
            f" the environment: the key is not sent to {host}",
            hint=f"If you want that, type --trust-host {host}, or set"
            f" {provider.base_url_env} in the environment.",
        )
    if not (host in provider.hosts or on_loopback):
        raise KeyUnusableError(
            f"{host} is no host of {provider.title}: the key is not sent there",
            hint=f"If you want that, type --trust-host {host}.",
        )


def _names(url: str, *, any_port: bool) -> frozenset[str]:
    """Return how the host of *url* may be named by somebody who trusts it."""
    parts = urlsplit(url)
    name = parts.netloc if parts.port is None else parts.netloc.rpartition(":")[0]
    port = parts.port or (_HTTPS_PORT if parts.scheme == "https" else 80)
    named = {f"{name}:{port}"}
    if any_port or port == _HTTPS_PORT:
        named.add(name)
    return frozenset(named)


def _account(
    provider: Provider,
    environ: Mapping[str, str],
    dotenv: Mapping[str, str | None],
    key: Key | None,
) -> str:
    variable = provider.account_env or ""
    label = environ.get(variable) or dotenv.get(variable)
    if label:
        if not _ACCOUNT.fullmatch(label):
            raise UsageError(
                f"{variable} is not a label: {label!r}",
                hint="Write up to 100 characters on one line.",
            )
        return label
    if key is None:
        return "none"
    secret = key.reveal().encode("ascii")
    return hmac.new(secret, _ACCOUNT_PURPOSE, hashlib.sha256).hexdigest()[:12]
