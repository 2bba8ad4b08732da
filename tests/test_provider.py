"""Services as data: those that come with foxbatch, and files in a checkout."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest

from foxbatch.canonical import Json, sha256
from foxbatch.errors import InvalidError, Position, Problem, UsageError
from foxbatch.policy import Limits
from foxbatch.provider import (
    AccountRoutes,
    ChargesRoute,
    Polling,
    Provider,
    builtin_names,
    canonical_url,
    find,
    host_of,
    is_loopback,
    load_provider,
    parse_provider,
)
from foxbatch.schema import Checker, load_schema

MINE = """\
foxbatch: 1
like: foxapi
id: my-api
base_url: https://media.example.com/v1/
key_env: FOXBATCH_KEY_MY_API
"""


def problems_of(text: str) -> list[Problem]:
    with pytest.raises(InvalidError) as caught:
        parse_provider(text.encode(), shown_as="mine.yaml", folder=None)
    return list(caught.value.problems)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with a folder for manifests."""
    root = tmp_path / "checkout"
    (root / ".git").mkdir(parents=True)
    (root / "manifests").mkdir()
    return root


class TestCanonicalUrl:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("https://api.foxapi.cc", "https://api.foxapi.cc"),
            ("https://API.FoxAPI.cc:443/", "https://api.foxapi.cc"),
            ("https://api.foxapi.cc/v1", "https://api.foxapi.cc"),
            ("https://api.foxapi.cc/gateway/v1/", "https://api.foxapi.cc/gateway"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:8080/", "http://[::1]:8080"),
            ("http://localhost:80", "http://localhost"),
        ],
    )
    def test_addresses_of_one_place_have_one_spelling(
        self, text: str, expected: str
    ) -> None:
        assert canonical_url(text) == expected

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("ftp://api.foxapi.cc", id="another scheme"),
            pytest.param("api.foxapi.cc", id="no scheme"),
            pytest.param("https://", id="no host"),
            pytest.param("https://user:pass@api.foxapi.cc", id="a user"),
            pytest.param("https://api.foxapi.cc?x=1", id="a query"),
            pytest.param("https://api.foxapi.cc#x", id="a fragment"),
            pytest.param("https://api.foxapi.cc\\.evil.example", id="a backslash"),
            pytest.param("https://api.foxapi.cc /", id="a space"),
            pytest.param("https://fóxapi.cc", id="letters that look like others"),
            pytest.param("https://a..b", id="an empty label"),
            pytest.param("https://" + "a" * 64 + ".cc", id="a label that is too long"),
            pytest.param("https://api.foxapi.cc:99999", id="an impossible port"),
        ],
    )
    def test_what_parsers_could_read_in_two_ways_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r".+"):
            canonical_url(text)

    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("localhost", True),
            ("127.0.0.1", True),
            ("127.8.9.10", True),
            ("::1", True),
            ("10.0.0.1", False),
            ("localhost.example.com", False),
            ("api.foxapi.cc", False),
        ],
    )
    def test_loopback_is_told_by_the_spelling(
        self, host: str, *, expected: bool
    ) -> None:
        assert is_loopback(host) is expected

    def test_the_host_of_an_address_is_in_lower_case(self) -> None:
        assert host_of("https://API.example.com:8443/x") == "api.example.com"


class TestBuiltins:
    def test_two_providers_come_with_foxbatch(self) -> None:
        assert builtin_names() == ["foxapi", "sandbox"]

    def test_foxapi_is_bound_to_its_own_hosts(self) -> None:
        foxapi = load_provider("foxapi", base=Path())

        assert foxapi.base_url == "https://api.foxapi.cc"
        assert foxapi.hosts == {"api.foxapi.cc", "api.aihubmax.com"}
        assert foxapi.key_env == "FOXAPI_API_KEY"
        assert foxapi.builtin
        assert foxapi.paid

    def test_foxapi_starts_low(self) -> None:
        foxapi = load_provider("foxapi", base=Path())

        assert foxapi.limits == Limits(
            in_flight=8, requests_per_second=5.0, downloads=4
        )
        assert foxapi.polling == Polling(
            first_s=5, interval_s=5, missing_gap_s=20, misses=3
        )

    def test_the_sandbox_answers_like_foxapi_and_needs_no_key(self) -> None:
        foxapi = load_provider("foxapi", base=Path())
        sandbox = load_provider("sandbox", base=Path())

        assert sandbox.models == foxapi.models
        assert sandbox.submit_rules == foxapi.submit_rules
        assert sandbox.embedded
        assert not sandbox.paid
        assert (sandbox.key_env, sandbox.base_url, sandbox.hosts) == (
            None,
            "",
            frozenset(),
        )
        assert sandbox.polling == Polling(first_s=0.3, interval_s=0.3)

    def test_a_provider_keeps_its_exact_bytes_and_their_digest(self) -> None:
        foxapi = load_provider("foxapi", base=Path())

        assert b"base_url: https://api.foxapi.cc" in foxapi.content
        assert foxapi.sha256 == sha256(foxapi.content)

    def test_a_name_with_a_typing_error_gets_the_near_one(self) -> None:
        with pytest.raises(UsageError, match='"foxpai"') as caught:
            load_provider("foxpai", base=Path())

        assert caught.value.hint == "Did you mean foxapi?"

    def test_a_name_like_no_other_gets_the_list(self) -> None:
        with pytest.raises(UsageError) as caught:
            load_provider("zzz", base=Path())

        assert "foxapi, sandbox" in caught.value.hint

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            ("content_policy_violation", "content"),
            ("invalid_parameters", "input"),
            ("resource_exhausted", "capacity"),
            ("generation_timeout", "timeout"),
            ("service_error", "service"),
            ("never_heard_of", "unknown"),
            ("", "unknown"),
        ],
    )
    def test_failures_have_classes(self, code: str, expected: str) -> None:
        assert load_provider("foxapi", base=Path()).failure_class(code) == expected


class TestProviderFile:
    def test_a_file_takes_over_what_answers_mean_but_not_who_it_is(
        self, checkout: Path
    ) -> None:
        (checkout / "mine.yaml").write_text(MINE)

        mine = load_provider("../mine.yaml", base=checkout / "manifests")

        foxapi = load_provider("foxapi", base=Path())
        assert mine.models == foxapi.models
        assert mine.id == mine.title == "my-api"
        assert mine.base_url == "https://media.example.com"
        assert mine.key_env == "FOXBATCH_KEY_MY_API"
        assert mine.account_env == "FOXBATCH_ACCOUNT_MY_API"
        assert (mine.hosts, mine.aliases, mine.base_url_env) == (frozenset(), (), None)
        assert mine.paid
        assert not mine.builtin

    def test_a_part_that_is_written_replaces_the_other_as_a_whole(self) -> None:
        text = MINE + "limits: {in_flight: 3}\npolling: {interval_s: 9}\n"

        mine = parse_provider(text.encode(), shown_as="mine.yaml", folder=None)

        assert mine.limits == Limits(in_flight=3)
        assert mine.polling == Polling(interval_s=9)

    def test_what_an_account_tells_is_found_where_the_file_says(self) -> None:
        text = MINE + (
            "account:\n"
            "  unit: cents\n"
            "  per_credit: 2.5\n"
            "  charges:\n"
            "    {path: /log, items: [list.0, list], at: [when], model: [what.model]}\n"
        )

        mine = parse_provider(text.encode(), shown_as="mine.yaml", folder=None)

        assert mine.account == AccountRoutes(
            unit="cents",
            per_credit=2.5,
            charges=ChargesRoute(
                path="/log",
                items=(("list", 0), ("list",)),
                at=(("when",),),
                model=(("what", "model"),),
            ),
        )

    def test_a_file_like_foxapi_has_its_account_too(self) -> None:
        mine = parse_provider(MINE.encode(), shown_as="mine.yaml", folder=None)
        theirs = load_provider("foxapi", base=Path())

        assert mine.account == theirs.account
        assert mine.account.balance is not None

    def test_without_a_key_variable_it_gets_no_key(self) -> None:
        text = MINE.replace("key_env: FOXBATCH_KEY_MY_API\n", "")

        mine = parse_provider(text.encode(), shown_as="mine.yaml", folder=None)

        assert mine.key_env is None

    def test_a_model_schema_is_found_beside_the_provider_file(
        self, checkout: Path
    ) -> None:
        schema: dict[str, Json] = {"type": "object", "required": ["model"]}
        (checkout / "tiny.schema.json").write_text(json.dumps(schema))
        (checkout / "mine.yaml").write_text(
            MINE + "models: [{name: tiny, kind: image, endpoint: /v1/images,"
            " schema: ./tiny.schema.json}]\n"
        )

        mine = load_provider("../mine.yaml", base=checkout / "manifests")

        assert mine.models["tiny"].schema == schema
        assert mine.models["tiny"].kind == "image"

    def test_a_kept_copy_needs_no_schema_files(self) -> None:
        text = MINE + (
            "models: [{name: tiny, kind: image, endpoint: /v1/images,"
            " schema: ./tiny.schema.json}]\n"
        )

        mine = parse_provider(text.encode(), shown_as="copy", folder=None)

        assert mine.models["tiny"].schema == {}

    @pytest.mark.parametrize(
        ("text", "code", "line", "said"),
        [
            pytest.param(
                MINE.replace("FOXBATCH_KEY_MY_API", "FOXAPI_API_KEY"),
                "E-PROVIDER-KEY",
                5,
                "may not read FOXAPI_API_KEY",
                id="another service's key",
            ),
            pytest.param(
                MINE.replace("my-api", "foxapi").replace("MY_API", "FOXAPI"),
                "E-PROVIDER-ID",
                3,
                "comes with foxbatch",
                id="another provider's id",
            ),
            pytest.param(
                MINE.replace("https:", "http:"),
                "E-PROVIDER-ADDRESS",
                4,
                "is not https",
                id="an address without https",
            ),
            pytest.param(
                MINE.replace("media.example.com", "a..b"),
                "E-PROVIDER-ADDRESS",
                4,
                "not an http or https address",
                id="an address that is none",
            ),
            pytest.param(
                MINE + "aliases: [https://ok.example, http://two.example]\n",
                "E-PROVIDER-ADDRESS",
                6,
                "http://two.example is not https",
                id="an alias without https",
            ),
            pytest.param(
                MINE + "embedded: true\n",
                "E-PROVIDER-KEY",
                6,
                "embedded is only for",
                id="served by foxbatch itself",
            ),
            pytest.param(
                MINE + "base_url_env: HOME\n",
                "E-PROVIDER-KEY",
                6,
                "base_url_env is only for",
                id="an address from any variable",
            ),
            pytest.param(
                MINE.replace("like: foxapi", "like: foxpai"),
                "E-PROVIDER-LIKE",
                2,
                '"foxpai"',
                id="like an unknown one",
            ),
            pytest.param(
                MINE.replace("like: foxapi\n", ""),
                "E-KEY-MISSING",
                1,
                "models",
                id="half a provider",
            ),
            pytest.param(
                MINE + "model: []\n", "E-KEY-UNKNOWN", 6, "model", id="an unknown key"
            ),
            pytest.param(
                MINE + "account: {unit: quota}\n",
                "E-KEY-MISSING",
                6,
                "account",
                id="an account without any route",
            ),
            pytest.param(
                MINE + "account:\n  balance: {path: usage, used: [used]}\n",
                "E-PATTERN",
                7,
                "path",
                id="a path of an account without a slash",
            ),
            pytest.param(
                MINE + "account:\n  unit: quota\n  balance: {path: /usage}\n",
                "E-KEY-MISSING",
                8,
                "used",
                id="a balance without a place",
            ),
            pytest.param(
                MINE + "account:\n  per_credit: 0\n  balance: {path: /u, used: [u]}\n",
                "E-RANGE",
                7,
                "per_credit",
                id="a credit for nothing",
            ),
            pytest.param(
                MINE
                + "models: [{name: a, kind: video, endpoint: /v1, schema: nope}]\n",
                "E-PROVIDER-SCHEMA",
                6,
                '"nope"',
                id="an unknown model schema",
            ),
        ],
    )
    def test_what_is_wrong_is_said_at_its_line(
        self, text: str, code: str, line: int, said: str
    ) -> None:
        problems = problems_of(text)

        assert (problems[0].code, problems[0].position.line) == (code, line)
        assert said in problems[0].message
        assert problems[0].position.file == "mine.yaml"

    def test_all_problems_are_listed_in_the_order_of_the_file(self) -> None:
        text = MINE.replace("https:", "http:").replace("KEY_MY_API", "KEY_X")

        assert [each.position.line for each in problems_of(text)] == [4, 5]

    def test_a_file_that_is_like_the_sandbox_is_like_foxapi_too(self) -> None:
        """What the sandbox's own file takes over was missing: a traceback."""
        text = MINE.replace("like: foxapi", "like: sandbox")

        mine = parse_provider(text.encode(), shown_as="mine.yaml", folder=None)

        assert list(mine.models) == ["veo-3.1", "veo-3.1-fast"]
        assert (mine.polling.interval_s, mine.embedded) == (0.3, False)

    def test_loopback_may_do_without_https(self) -> None:
        text = MINE.replace("https://media.example.com", "http://127.0.0.1:9000")

        mine = parse_provider(text.encode(), shown_as="mine.yaml", folder=None)

        assert mine.base_url == "http://127.0.0.1:9000"


class TestConfinement:
    def loading(self, reference: str, checkout: Path) -> Problem:
        with pytest.raises(InvalidError) as caught:
            load_provider(reference, base=checkout / "manifests")
        return caught.value.problems[0]

    def test_a_file_outside_the_repository_is_not_read(self, checkout: Path) -> None:
        (checkout.parent / "mine.yaml").write_text(MINE)

        assert self.loading("../../mine.yaml", checkout).code == "E-PATH-ESCAPE"

    @pytest.mark.skipif(os.name == "nt", reason="links need a right there")
    def test_a_link_out_of_the_repository_is_not_followed(self, checkout: Path) -> None:
        (checkout.parent / "mine.yaml").write_text(MINE)
        (checkout / "mine.yaml").symlink_to(checkout.parent / "mine.yaml")

        assert self.loading("../mine.yaml", checkout).code == "E-PATH-ESCAPE"

    def test_a_missing_file_is_named(self, checkout: Path) -> None:
        problem = self.loading("./mine.yaml", checkout)

        assert problem.code == "E-FILE-MISSING"
        assert "mine.yaml" in problem.message

    def test_a_file_without_end_is_not_read(self, checkout: Path) -> None:
        (checkout / "mine.yaml").write_bytes(b"# padding\n" * 200_000)

        assert self.loading("../mine.yaml", checkout).code == "E-FILE-SIZE"

    def with_schema(self, checkout: Path, schema: str) -> Problem:
        (checkout / "my.schema.json").write_text(schema)
        (checkout / "mine.yaml").write_text(
            MINE + "models:\n  - {name: a, kind: video, endpoint: /v1,"
            " schema: ./my.schema.json}\n"
        )
        return self.loading("../mine.yaml", checkout)

    @pytest.mark.parametrize(
        ("schema", "said"),
        [
            pytest.param(
                '{"properties": {"a": {"$ref": "https://evil.example/x.json"}}}',
                "nothing is fetched",
                id="a reference to the network",
            ),
            pytest.param(
                '{"allOf": [{"$ref": "../../other.json#/x"}]}',
                "nothing is fetched",
                id="a reference to another file",
            ),
            pytest.param(
                '{"$schema": "https://evil.example/dialect"}',
                "nothing is fetched",
                id="another dialect",
            ),
            pytest.param('{"type": "objekt"}', "no JSON Schema", id="no schema"),
            pytest.param("[1]", "must be a mapping", id="no mapping"),
        ],
    )
    def test_a_model_schema_stands_alone(
        self, checkout: Path, schema: str, said: str
    ) -> None:
        assert said in self.with_schema(checkout, schema).message

    def test_a_schema_may_refer_to_itself(self, checkout: Path) -> None:
        schema = '{"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}}'
        (checkout / "my.schema.json").write_text(schema)
        (checkout / "mine.yaml").write_text(
            MINE + "models: [{name: a, kind: video, endpoint: /v1,"
            " schema: ./my.schema.json}]\n"
        )

        mine = load_provider("../mine.yaml", base=checkout / "manifests")

        assert "a" in mine.models


class TestFind:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ({"id": "a", "task_id": "b"}, "a"),
            ({"id": None, "task_id": "b"}, "b"),
            ({"list": [{"id": "c"}]}, "c"),
            ({"list": []}, None),
            ({"list": "text"}, None),
            ("text", None),
        ],
    )
    def test_the_first_place_that_holds_something_counts(
        self, value: Json, expected: Json
    ) -> None:
        assert find(value, (("id",), ("task_id",), ("list", 0, "id"))) == expected


@pytest.fixture(scope="module")
def veo() -> Checker:
    return Checker(load_schema("models/veo-3.1"))


def request(**params: Json) -> dict[str, Json]:
    base: dict[str, Json] = {
        "model": "veo-3.1",
        "prompt": "A fox",
        "generate_audio": True,
    }
    return base | params


A, B, C, D = (f"https://example.com/{name}.png" for name in "abcd")


class TestVeoSchema:
    def test_the_schemas_are_schemas(self) -> None:
        for name in ("models/veo-3.1", "provider"):
            jsonschema.Draft202012Validator.check_schema(load_schema(name))

    @pytest.mark.parametrize(
        "params",
        [
            {},
            {"model": "veo-3.1-fast"},
            {"generation_type": "text-to-video", "image_urls": None},
            {"generation_type": "image-to-video", "image_urls": [A]},
            {"generation_type": "first-last-frame", "image_urls": [A, B]},
            {"generation_type": "reference-to-video", "image_urls": [A]},
            {"generation_type": "reference-to-video", "image_urls": [A, B, C]},
            {
                "generation_type": "reference-to-video",
                "image_urls": [A],
                "reference_type": "STYLE",
            },
            {"duration": 4, "resolution": "4k", "aspect_ratio": "9:16"},
            {"resolution": "2160p", "advanced": {"anything": [1]}},
            {"enhance_prompt": True, "person_generation": "allow_adult"},
            {"negative_prompt": "text", "seed": 7, "auto_fix": False},
            {"safety_tolerance": 6, "model": "veo-3.1-fast"},
        ],
        ids=str,
    )
    def test_what_either_page_allows_is_allowed(
        self, veo: Checker, params: dict[str, Json]
    ) -> None:
        assert veo.is_valid(request(**params))

    @pytest.mark.parametrize(
        ("params", "pointer", "hint"),
        [
            ({"prompt": ""}, "/prompt", "what the video should show"),
            ({"prompt": " \n"}, "/prompt", "what the video should show"),
            ({"duration": 5}, "/duration", ""),
            ({"duration": "8"}, "/duration", "quotes"),
            ({"resolution": "1440p"}, "/resolution", ""),
            ({"aspect_ratio": "1:1"}, "/aspect_ratio", ""),
            ({"safety_tolerance": 0}, "/safety_tolerance", ""),
            ({"generate_audio": "yes"}, "/generate_audio", ""),
            ({"node_id": 1}, "/node_id", ""),
            ({"image_urls": [A]}, "/image_urls", "Leave image_urls out"),
            (
                {"generation_type": "image-to-video", "image_urls": [A, B]},
                "/image_urls",
                "exactly 1 address",
            ),
            ({"generation_type": "image-to-video"}, "", "exactly 1 address"),
            (
                {"generation_type": "first-last-frame", "image_urls": [A]},
                "/image_urls",
                "exactly 2 addresses",
            ),
            (
                {"generation_type": "reference-to-video", "image_urls": []},
                "/image_urls",
                "1 to 3 addresses",
            ),
            (
                {"generation_type": "reference-to-video", "image_urls": [A, B, C, D]},
                "/image_urls",
                "1 to 3 addresses",
            ),
            (
                {"generation_type": "image-to-video", "image_urls": ["a.png"]},
                "/image_urls/0",
                "http:// or https://",
            ),
            ({"reference_type": "STYLE"}, "/reference_type", "reference-to-video"),
            (
                {"model": "veo-3.1-fast", "enhance_prompt": True},
                "/enhance_prompt",
                "Only veo-3.1",
            ),
            (
                {"model": "veo-3.1-fast", "person_generation": "dont_allow"},
                "/person_generation",
                "Only veo-3.1",
            ),
        ],
        ids=str,
    )
    def test_what_neither_allows_is_one_problem_that_says_what_to_write(
        self, veo: Checker, params: dict[str, Json], pointer: str, hint: str
    ) -> None:
        body = request(**params)

        problems = veo.problems(body, lambda _where, _key: Position("x"))

        assert not veo.is_valid(body)
        assert [each.pointer for each in problems] == [pointer]
        assert hint in problems[0].hint

    @pytest.mark.parametrize(
        ("params", "codes"),
        [
            ({}, []),
            ({"resolution": "4k"}, []),
            ({"resolution": "2160p"}, ["N-RESOLUTION-2160P"]),
            ({"advanced": {}}, ["N-ADVANCED"]),
            (
                {
                    "generation_type": "reference-to-video",
                    "image_urls": [A],
                    "duration": 4,
                },
                ["N-REFERENCE-DURATION"],
            ),
            (
                {
                    "generation_type": "reference-to-video",
                    "image_urls": [A],
                    "duration": 8,
                },
                [],
            ),
        ],
        ids=str,
    )
    def test_where_the_pages_disagree_there_is_a_note(
        self, veo: Checker, params: dict[str, Json], codes: list[str]
    ) -> None:
        notes = veo.notes(request(**params), lambda _where, _key: Position("x"))

        assert [each.code for each in notes] == codes

    def test_sound_that_is_left_out_is_noted(self, veo: Checker) -> None:
        body = request()
        del body["generate_audio"]

        notes = veo.notes(body, lambda _where, _key: Position("x"))

        assert [each.code for each in notes] == ["N-AUDIO-DEFAULT"]

    def test_addresses_are_marked_for_local_files(self) -> None:
        properties = load_schema("models/veo-3.1")["properties"]

        assert isinstance(properties, dict)
        assert [
            name
            for name, schema in properties.items()
            if isinstance(schema, dict) and schema.get("x-url") == "image"
        ] == ["image_urls"]


def test_every_model_of_a_builtin_names_itself_in_its_schema() -> None:
    provider: Provider = load_provider("foxapi", base=Path())

    for name, model in provider.models.items():
        assert Checker(model.schema).is_valid({"model": name, "prompt": "x"})
