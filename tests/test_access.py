"""Which key may go to which address."""

from __future__ import annotations

import hashlib
import hmac
import pickle
from pathlib import Path

import pytest

from foxbatch.access import Access, Key, decide, key_file, trusted_host
from foxbatch.errors import KeyUnusableError, UsageError
from foxbatch.events import Origin
from foxbatch.provider import Provider, load_provider, parse_provider

KEY = "sk-invented-for-this-test"
EVIL = "https://evil.example"
LOCAL = "http://127.0.0.1:8080"
HOME = "https://api.foxapi.cc"
ALIAS = "https://api.aihubmax.com"


@pytest.fixture(scope="module")
def foxapi() -> Provider:
    return load_provider("foxapi", base=Path())


def mine(base_url: str) -> Provider:
    """Return a provider from a file in a checkout."""
    text = f"foxbatch: 1\nlike: foxapi\nid: mine\nbase_url: {base_url}\n"
    text += "key_env: FOXBATCH_KEY_MINE\n"
    return parse_provider(text.encode(), shown_as="mine.yaml", folder=None)


def attempt(
    provider: Provider,
    *,
    url_in: str,
    url: str,
    key_in: str,
    trusted: frozenset[str] = frozenset(),
) -> Access:
    """Decide with one address and one key, each from the named source."""
    environ: dict[str, str] = {}
    dotenv: dict[str, str | None] = {}
    key_name = provider.key_env or ""
    (environ if key_in == "environment" else dotenv)[key_name] = KEY
    if url_in == "environment":
        environ["FOXAPI_BASE_URL"] = url
    if url_in == ".env":
        dotenv["FOXAPI_BASE_URL"] = url
    typed = url if url_in == "flag" else None
    return decide(
        provider, environ=environ, dotenv=dotenv, base_url=typed, trusted=trusted
    )


# The table in the module's docstring, row by row.
TABLE = [
    # address from, address, key from, trusted hosts, does the key go there?
    ("provider", HOME, "environment", "", True),
    ("provider", HOME, ".env", "", True),
    ("environment", HOME, "environment", "", True),
    ("environment", ALIAS, "environment", "", True),
    ("environment", LOCAL, "environment", "", True),
    ("environment", LOCAL, ".env", "", True),
    ("environment", EVIL, "environment", "", False),
    ("environment", EVIL, "environment", "evil.example", True),
    ("environment", EVIL, "environment", "EVIL.example:443", True),
    ("environment", EVIL, "environment", "evil.example:444", False),
    ("environment", f"{EVIL}:444", "environment", "evil.example", False),
    ("environment", f"{EVIL}:444", "environment", "evil.example:444", True),
    ("environment", f"{HOME}:444", "environment", "", False),
    ("environment", f"{HOME}:444", ".env", "", False),
    ("environment", f"{HOME}:444", "environment", "api.foxapi.cc", False),
    ("environment", f"{HOME}:444", "environment", "api.foxapi.cc:444", True),
    ("environment", "http://[::1]:8080", "environment", "", True),
    ("environment", EVIL, ".env", "", False),
    ("flag", EVIL, "environment", "", False),
    ("flag", EVIL, "environment", "evil.example", True),
    ("flag", LOCAL, "environment", "", True),
    (".env", EVIL, "environment", "", False),
    (".env", LOCAL, "environment", "", False),
    (".env", LOCAL, "environment", "127.0.0.1", True),
    (".env", LOCAL, "environment", "127.0.0.1:8080", True),
    (".env", LOCAL, "environment", "127.0.0.1:8081", False),
    (".env", "http://127.0.0.1", "environment", "127.0.0.1:80", True),
    (".env", "http://[::1]:8080", "environment", "::1", True),
    (".env", "http://[::1]:8080", "environment", "[::1]:8080", True),
    (".env", "https://api.foxapi.cc/elsewhere", "environment", "", False),
    (".env", HOME, "environment", "", True),
    (".env", ALIAS, "environment", "", True),
    (".env", EVIL, "environment", "evil.example", True),
    (".env", EVIL, ".env", "", False),
    (".env", EVIL, ".env", "evil.example", True),
    (".env", LOCAL, ".env", "", True),
    (".env", HOME, ".env", "", True),
    ("provider file", EVIL, "environment", "", False),
    ("provider file", HOME, "environment", "", False),
    ("provider file", EVIL, "environment", "evil.example", True),
    ("provider file", LOCAL, "environment", "", True),
    ("provider file", EVIL, ".env", "", False),
    ("provider file", LOCAL, ".env", "", True),
]


@pytest.mark.parametrize(
    ("url_in", "url", "key_in", "trusted", "goes"),
    TABLE,
    ids=lambda value: str(value) or "none",
)
def test_a_key_goes_only_where_the_table_lets_it(
    foxapi: Provider, url_in: str, url: str, key_in: str, trusted: str, *, goes: bool
) -> None:
    provider = mine(url) if url_in == "provider file" else foxapi
    hosts = frozenset({trusted} - {""})

    if goes:
        access = attempt(provider, url_in=url_in, url=url, key_in=key_in, trusted=hosts)

        assert access.base_url == url
        assert access.key == Key(KEY)
    else:
        with pytest.raises(KeyUnusableError) as caught:
            attempt(provider, url_in=url_in, url=url, key_in=key_in, trusted=hosts)

        assert "--trust-host" in caught.value.hint
        assert KEY not in f"{caught.value}{caught.value.hint}"


def test_another_port_of_a_built_in_host_is_named_in_the_hint(
    foxapi: Provider,
) -> None:
    with pytest.raises(KeyUnusableError, match=r"^api\.foxapi\.cc:444 ") as caught:
        attempt(
            foxapi,
            url_in="environment",
            url="https://API.FOXAPI.CC:444",
            key_in="environment",
        )

    assert "--trust-host api.foxapi.cc:444" in caught.value.hint


class TestTrustedHost:
    @pytest.mark.parametrize(
        ("text", "host"),
        [
            ("api.example.com", "api.example.com"),
            ("API.Example.COM:8443", "api.example.com:8443"),
            ("localhost", "localhost"),
            ("::1", "[::1]"),
            ("[::1]:80", "[::1]:80"),
        ],
    )
    def test_it_has_one_spelling(self, text: str, host: str) -> None:
        assert trusted_host(text) == host

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("http://x/", "is an address, not a host"),
            ("x/v1", "a character that is in no host"),
            ("me@x", "a character that is in no host"),
            ("*.example.com", "a character that is in no host"),
            (" x", "a character that is in no host"),
            ("a,b", "a character that is in no host"),
            ("bücher.example", "a character that is in no host"),
            ("", "is no HOST or HOST:PORT"),
            ("a..b", "is no HOST or HOST:PORT"),
            ("x:http", "is no HOST or HOST:PORT"),
            ("x:70000", "is no HOST or HOST:PORT"),
            ("[::1", "is no HOST or HOST:PORT"),
            ("x:", "no port after the colon"),
            ("x:0", "no port after the colon"),
        ],
    )
    def test_anything_else_is_refused_with_words(self, text: str, why: str) -> None:
        with pytest.raises(ValueError, match=why):
            trusted_host(text)

    @pytest.mark.parametrize("reference", ["foxapi", "sandbox"])
    def test_one_that_is_none_is_not_accepted_silently(self, reference: str) -> None:
        provider = load_provider(reference, base=Path())

        with pytest.raises(UsageError, match="'http://x/' is an address") as caught:
            decide(
                provider,
                environ={"FOXAPI_API_KEY": KEY},
                dotenv={},
                base_url=LOCAL,
                trusted=frozenset({"http://x/"}),
            )

        assert "api.example.com:8443" in caught.value.hint


class TestAddress:
    @pytest.mark.parametrize("url_in", ["flag", "environment", ".env"])
    def test_only_this_machine_is_asked_without_https(
        self, foxapi: Provider, url_in: str
    ) -> None:
        with pytest.raises(UsageError, match="not https"):
            attempt(
                foxapi, url_in=url_in, url="http://api.foxapi.cc", key_in="environment"
            )

    def test_an_address_that_is_none_is_refused(self, foxapi: Provider) -> None:
        with pytest.raises(UsageError, match="FOXAPI_BASE_URL cannot be used"):
            attempt(foxapi, url_in="environment", url="foxapi", key_in="environment")

    def test_what_is_typed_wins_over_the_environment_and_that_over_the_file(
        self, foxapi: Provider
    ) -> None:
        environ = {"FOXAPI_API_KEY": KEY, "FOXAPI_BASE_URL": "http://127.0.0.1:2"}
        dotenv = {"FOXAPI_BASE_URL": "http://127.0.0.1:3"}

        typed = decide(
            foxapi, environ=environ, dotenv=dotenv, base_url="http://127.0.0.1:1"
        )
        untyped = decide(foxapi, environ=environ, dotenv=dotenv)

        assert typed.base_url == "http://127.0.0.1:1"
        assert untyped.base_url == "http://127.0.0.1:2"

    def test_an_empty_variable_is_as_good_as_none(self, foxapi: Provider) -> None:
        environ = {"FOXAPI_API_KEY": KEY, "FOXAPI_BASE_URL": ""}

        assert decide(foxapi, environ=environ, dotenv={}).base_url == HOME

    def test_whether_it_is_on_this_machine_can_be_asked(self, foxapi: Provider) -> None:
        environ = {"FOXAPI_API_KEY": KEY}

        near = decide(foxapi, environ=environ, dotenv={}, base_url=LOCAL)
        far = decide(foxapi, environ=environ, dotenv={})

        assert near.is_loopback
        assert not far.is_loopback


class TestSandbox:
    @pytest.fixture
    def sandbox(self) -> Provider:
        return load_provider("sandbox", base=Path())

    def test_its_origin_is_a_word_whatever_its_port(self, sandbox: Provider) -> None:
        first = decide(sandbox, environ={}, dotenv={}, base_url="http://127.0.0.1:1")
        second = decide(sandbox, environ={}, dotenv={}, base_url="http://127.0.0.1:2")

        assert first.origin == second.origin == Origin("sandbox", "sandbox", "sandbox")
        assert first.key is None

    def test_it_gets_no_key_even_if_there_is_one(self, sandbox: Provider) -> None:
        environ = {"FOXAPI_API_KEY": KEY, "FOXAPI_ACCOUNT": "team"}

        access = decide(sandbox, environ=environ, dotenv={}, base_url=LOCAL)

        assert access.key is None
        assert access.origin.account == "sandbox"

    def test_it_is_on_this_machine(self, sandbox: Provider) -> None:
        with pytest.raises(UsageError, match="not on this machine"):
            decide(sandbox, environ={}, dotenv={}, base_url=EVIL)

    def test_somebody_must_have_started_it(self, sandbox: Provider) -> None:
        with pytest.raises(UsageError, match="has no address"):
            decide(sandbox, environ={}, dotenv={})


class TestKey:
    def test_a_missing_key_is_named_with_both_ways_on(self, foxapi: Provider) -> None:
        with pytest.raises(
            KeyUnusableError, match="FOXAPI_API_KEY is not set"
        ) as caught:
            decide(foxapi, environ={}, dotenv={})

        assert "Set FOXAPI_API_KEY" in caught.value.hint
        assert "--provider sandbox" in caught.value.hint

    def test_the_environment_wins_over_the_file(self, foxapi: Provider) -> None:
        access = decide(
            foxapi,
            environ={"FOXAPI_API_KEY": "from-environment"},
            dotenv={"FOXAPI_API_KEY": "from-file"},
        )

        assert access.key == Key("from-environment")

    @pytest.mark.parametrize("text", [KEY, KEY + "\n", KEY + "\r\n"])
    def test_one_newline_at_the_end_is_removed(
        self, foxapi: Provider, text: str
    ) -> None:
        access = decide(foxapi, environ={"FOXAPI_API_KEY": text}, dotenv={})

        assert access.key == Key(KEY)

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(KEY + "\n\n", id="two newlines"),
            pytest.param(f" {KEY}", id="a space before it"),
            pytest.param("sk-a b", id="a space in it"),
            pytest.param("sk-é", id="a letter with an accent"),
            pytest.param("“sk-a”", id="typographic quotes"),
            pytest.param("sk-a\x00", id="a control character"),
            pytest.param("\n", id="nothing but a newline"),
        ],
    )
    def test_anything_but_visible_ascii_is_refused_without_showing_it(
        self, foxapi: Provider, text: str
    ) -> None:
        with pytest.raises(KeyUnusableError) as caught:
            decide(foxapi, environ={"FOXAPI_API_KEY": text}, dotenv={})

        assert "sk-" not in f"{caught.value}{caught.value.hint}"

    def test_a_key_prints_as_stars_everywhere(self, foxapi: Provider) -> None:
        access = decide(foxapi, environ={"FOXAPI_API_KEY": KEY}, dotenv={})

        assert KEY not in f"{access} {access!r} {access.key} {[access.key]}"
        assert "***" in repr(access)

    def test_a_key_is_never_pickled(self) -> None:
        with pytest.raises(TypeError, match="not written"):
            pickle.dumps(Key(KEY))

    def test_keys_are_equal_by_their_text(self) -> None:
        assert {Key("a"), Key("a"), Key("b")} == {Key("b"), Key("a")}
        assert Key("a") != "a"


class TestKeyFile:
    def test_its_path_comes_from_the_environment(self, foxapi: Provider) -> None:
        environ = {"FOXAPI_API_KEY_FILE": "/run/secrets/foxapi"}

        path = key_file(foxapi, environ)
        access = decide(foxapi, environ=environ, dotenv={}, key_text=KEY + "\n")

        assert path == Path("/run/secrets/foxapi")
        assert access.key == Key(KEY)

    def test_the_key_itself_wins(self, foxapi: Provider) -> None:
        environ = {"FOXAPI_API_KEY": KEY, "FOXAPI_API_KEY_FILE": "/run/secrets/foxapi"}

        assert key_file(foxapi, environ) is None

    def test_who_needs_no_key_reads_no_file(self) -> None:
        sandbox = load_provider("sandbox", base=Path())

        assert key_file(sandbox, {"FOXAPI_API_KEY_FILE": "/x"}) is None

    def test_an_empty_file_holds_no_key(self, foxapi: Provider) -> None:
        with pytest.raises(KeyUnusableError, match="FOXAPI_API_KEY_FILE is empty"):
            decide(
                foxapi, environ={"FOXAPI_API_KEY_FILE": "/x"}, dotenv={}, key_text="\n"
            )

    def test_a_file_in_a_checkout_may_not_name_it(self, foxapi: Provider) -> None:
        dotenv = {"FOXAPI_API_KEY_FILE": "/home/me/.ssh/id_rsa"}

        with pytest.raises(KeyUnusableError, match=r"set in \.env"):
            decide(foxapi, environ={}, dotenv=dotenv)


class TestAccount:
    def test_without_a_label_it_is_a_digest_that_gives_nothing_away(
        self, foxapi: Provider
    ) -> None:
        access = decide(foxapi, environ={"FOXAPI_API_KEY": KEY}, dotenv={})

        full = hmac.new(KEY.encode(), b"foxbatch/account/1", hashlib.sha256).hexdigest()
        assert access.account == full[:12]
        assert access.origin == Origin("foxapi", HOME, full[:12])

    @pytest.mark.parametrize("place", ["environ", "dotenv"])
    def test_a_label_takes_its_place(self, foxapi: Provider, place: str) -> None:
        label = {"FOXAPI_ACCOUNT": "film team"}

        access = decide(
            foxapi,
            environ={"FOXAPI_API_KEY": KEY} | (label if place == "environ" else {}),
            dotenv=label if place == "dotenv" else {},
        )

        assert access.account == "film team"

    def test_a_label_is_one_line(self, foxapi: Provider) -> None:
        environ = {"FOXAPI_API_KEY": KEY, "FOXAPI_ACCOUNT": "a\nb"}

        with pytest.raises(UsageError, match="FOXAPI_ACCOUNT"):
            decide(foxapi, environ=environ, dotenv={})

    def test_all_addresses_of_one_service_are_one_origin(
        self, foxapi: Provider
    ) -> None:
        environ = {"FOXAPI_API_KEY": KEY}

        alias = decide(foxapi, environ=environ, dotenv={}, base_url=ALIAS + "/v1/")
        home = decide(foxapi, environ=environ, dotenv={})

        assert alias.base_url == ALIAS
        assert alias.origin == home.origin

    def test_another_address_is_another_origin(self, foxapi: Provider) -> None:
        environ = {"FOXAPI_API_KEY": KEY}

        local = decide(foxapi, environ=environ, dotenv={}, base_url=LOCAL)

        assert local.origin.base_url == LOCAL

    def test_a_service_without_keys_has_one_account(self) -> None:
        text = f"foxbatch: 1\nlike: foxapi\nid: mine\nbase_url: {EVIL}\n"
        free = parse_provider(text.encode(), shown_as="mine.yaml", folder=None)

        access = decide(free, environ={"FOXAPI_API_KEY": KEY}, dotenv={})

        assert (access.key, access.account) == (None, "none")
