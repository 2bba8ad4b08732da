"""What the sandbox accepts for each of its models, and how it refuses the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from foxbatch.sandbox import Switches
from foxbatch.sandbox.service.catalogue import Field, Model, models
from foxbatch.sandbox.service.checks import problem_of
from tests.smallest import ALL, GPT, LINK, accepted, refusal, smallest, value_for

ROUTES = ("videos", "images", "audios", "audio", "run")
PUBLIC, LOOPBACK = Switches(), Switches(callbacks="loopback")


# ---- The catalogue


def test_there_are_as_many_models_on_each_route_as_the_pages_have() -> None:
    counts = {route: sum(model.path == route for model in ALL) for route in ROUTES}

    assert counts == {"videos": 95, "images": 29, "audios": 13, "audio": 1, "run": 1}
    assert sum(model.template for model in ALL) == 36


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)
class TestEveryModel:
    def test_its_smallest_request_is_accepted(self, model: Model) -> None:
        asked = accepted(smallest(model))

        assert asked["model"] == model.name
        assert asked.items() >= smallest(model).items()

    def test_each_needed_field_is_missed(self, model: Model) -> None:
        for name, field in model.fields.items():
            if field.required:
                body = smallest(model)
                del body[name]
                assert refusal(body).message.startswith(f"Missing field: {name}")

    def test_all_its_defaults_are_accepted_when_they_are_sent(
        self, model: Model
    ) -> None:
        body = smallest(model)

        assert accepted({**model.defaults, **body}) == accepted(body)

    def test_every_allowed_value_is_accepted(self, model: Model) -> None:
        for name, field in model.fields.items():
            for value in allowed(field):
                assert problem_of(name, value, field, PUBLIC) == "", (name, value)

    def test_one_wrong_thing_of_each_kind_is_refused(self, model: Model) -> None:
        for name, field in model.fields.items():
            for value, message in wrong(name, field):
                found = refusal({**smallest(model), name: value})
                assert (found.status, message) == (422, message)
                assert message in found.message.split("; "), (name, value)

    def test_a_field_that_it_does_not_have_is_unknown(self, model: Model) -> None:
        found = refusal({**smallest(model), "node_id": 1})

        assert (found.status, found.message) == (422, "Unknown field: node_id")

    def test_what_only_its_siblings_honour_is_named(self, model: Model) -> None:
        for name in model.unsupported:
            found = refusal({**smallest(model), name: True})

            assert found.code == "unsupported_advanced_options"
            assert found.unsupported == (name,)
            assert found.message == f"Option not supported: {name}"


def allowed(field: Field) -> Iterator[Any]:
    """Yield values at the edges of what *field* takes."""
    yield from [] if field.type == "array" else field.enum
    yield value_for(field)
    yield from [None] if field.nullable else []
    if field.type in {"integer", "number"}:
        yield from (int(n) for n in (field.min, field.max, field.or_) if n is not None)
    if field.type == "string" and not field.enum and field.max_length is not None:
        yield "x" * field.max_length
    if field.type == "array" and field.max_items is not None:
        yield value_for(field)[:1] * field.max_items


NAMES = {
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean",
    "object": "an object",
    "array": "an array",
    "size": "a string, or an object with width and height",
}
ITEMS = {"string": "strings", "url": "http or https URLs", "integer": "integers"}
ITEMS |= {"media": "URLs or base64 pictures", "object": "objects"}


def wrong(name: str, field: Field) -> Iterator[tuple[Any, str]]:
    """Yield values that *field*, called *name*, does not take, and what is said."""
    of_type = f"{name} must be {NAMES.get(field.type, 'a string')}"
    yield from [] if field.nullable else [(None, of_type)]
    yield {"integer": 1.0, "boolean": 1, "size": 5}.get(field.type, True), of_type
    match field.type:
        case "array":
            yield from wrong_lists(name, field)
        case "integer" | "number":
            yield "8", of_type
            yield from wrong_numbers(name, field)
        case "url":
            yield "ftp://example.com/a", f"{name} must be an http or https URL"
        case "callback":
            yield "http://example.com/a", f"{name} must be an https URL"
        case "string" | "size":
            yield from wrong_texts(name, field)
        case _:
            pass


def wrong_numbers(name: str, field: Field) -> Iterator[tuple[Any, str]]:
    if field.enum:
        yield 999, f"{name} must be one of {', '.join(map(str, field.enum))}"
    if field.min is not None:
        yield int(field.min) - 2, f"{name} must be at least {field.min:g}"
    if field.max is not None:
        yield int(field.max) + 1, f"{name} must be at most {field.max:g}"


def wrong_texts(name: str, field: Field) -> Iterator[tuple[Any, str]]:
    if field.enum:
        yield "nothing", f"{name} must be one of {', '.join(map(str, field.enum))}"
        return
    if field.required:
        yield " \n", f"{name} must not be empty"
    if field.max_length is not None:
        message = f"{name} must have at most {field.max_length} characters"
        yield "x" * (field.max_length + 1), message


def wrong_lists(name: str, field: Field) -> Iterator[tuple[Any, str]]:
    good = value_for(field)[:1]
    yield [good] * (field.min_items or 1), f"{name} must hold {ITEMS[field.items]}"
    if field.max_items is not None:
        message = f"{name} must have at most {field.max_items} items"
        yield good * (field.max_items + 1), message
    if field.min_items is not None:
        message = f"{name} must have at least {field.min_items} items"
        yield good * (field.min_items - 1), message
    elif field.required:
        yield [], f"{name} must not be empty"
    if field.items in {"url", "media"}:
        yield ["https://"], f"{name} must hold {ITEMS[field.items]}"
    if field.enum:
        yield ["nothing"], f"{name} must hold {', '.join(map(str, field.enum))}"


# ---- Single fields


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.png",
        "HTTP://example.com",
        "http://127.0.0.1:8000/uploads/1/2/a.png?x=1#y",
        "https://[2001:db8::1]:443/a",
        "https://user:word@example.com/a",
        "https://пример.рф/лиса.png",
        "https://a/" + "x" * 2038,
    ],
)
def test_urls_that_are_accepted(url: str) -> None:
    assert problem_of("u", url, Field(type="url"), PUBLIC) == ""


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.png",
        "//example.com/a",
        "https:/example.com",
        "https://",
        "https:///a",
        "https://?a",
        "https://user@/a",
        "https://:80/a",
        "https://[::1",
        "https://[x]/a",
        "https://a:port/",
        "https://a:99999/",
        "https://a/b c",
        "https://a/b\nc",
        "https://a\0b/",
        "javascript://a/b",
        "data:image/png;base64,AAAA",
        "https://a/" + "x" * 2039,
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    message = "u must be an http or https URL"

    assert problem_of("u", url, Field(type="url"), PUBLIC) == message


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://example.com/hook", ""),
        ("https://8.8.8.8/", ""),
        ("http://example.com/", "c must be an https URL"),
        ("https://", "c must be an https URL"),
        ("https://[::1", "c must be an https URL"),
        ("https://a:port/", "c must be an https URL"),
        ("", "c must be an https URL"),
        ("https://10.0.0.1/", "c must not be a private address"),
        ("https://127.0.0.1/", "c must not be a private address"),
        ("https://169.254.169.254/", "c must not be a private address"),
        ("https://[::1]/", "c must not be a private address"),
        ("https://[fd00::1]/", "c must not be a private address"),
        ("https://localhost/", "c must not be a private address"),
        ("https://LOCALHOST/", "c must not be a private address"),
        ("https://localhost./", "c must not be a private address"),
        ("https://a.localhost/", "c must not be a private address"),
        ("https://printer.local/", "c must not be a private address"),
        ("https://db.internal/", "c must not be a private address"),
        ("https://a/" + "x" * 2039, "c must have at most 2048 characters"),
    ],
)
def test_callbacks_go_to_public_https_addresses(url: str, message: str) -> None:
    assert problem_of("c", url, Field(type="callback"), PUBLIC) == message


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:9/", ""),
        ("http://localhost/x", ""),
        ("http://[::1]:9/x", ""),
        ("http://127.0.0.1:port/", "c must be an https URL"),
        ("http://10.0.0.1/", "c must be an https URL"),
        ("https://10.0.0.1/", "c must not be a private address"),
    ],
)
def test_a_switch_lets_callbacks_come_to_this_machine(url: str, message: str) -> None:
    assert problem_of("c", url, Field(type="callback"), LOOPBACK) == message


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ({"width": 1024, "height": 1024}, ""),
        ({"width": 3840, "height": 2160}, ""),
        ({"width": 816, "height": 816}, ""),
        ({"width": 1024}, "integer width and height"),
        ({"width": 1024, "height": "1024"}, "integer width and height"),
        ({"width": 1024, "height": True}, "integer width and height"),
        ({"width": 1024, "height": 1024, "depth": 1}, "integer width and height"),
        ({"width": 1000, "height": 1024}, "256 to 3840 in steps of 16"),
        ({"width": 240, "height": 1024}, "256 to 3840 in steps of 16"),
        ({"width": 3856, "height": 2160}, "256 to 3840 in steps of 16"),
        ({"width": 3200, "height": 1056}, "longer than 3 to 1"),
        ({"width": 800, "height": 800}, "655360 to 8294400 pixels"),
        ({"width": 3840, "height": 2176}, "655360 to 8294400 pixels"),
        ("1000x1000", "must be one of"),
    ],
)
def test_sizes_in_pixels_have_limits(size: Any, message: str) -> None:  # noqa: ANN401
    field = models()["gpt-image-2"].fields["resolution"]

    problem = problem_of("size", size, field, PUBLIC)

    assert message in problem
    assert bool(problem) is bool(message)


def test_short_items_are_counted_in_characters() -> None:
    field = models()["scribe-v2"].fields["keyterms"]

    short = problem_of("k", ["狐" * 50], field, PUBLIC)
    long = problem_of("k", ["狐" * 51], field, PUBLIC)

    assert (short, long) == ("", "k must hold at most 50 characters each")


def test_a_text_can_be_too_short() -> None:
    body = {"model": "minimax-music-v2.6", "prompt": "x" * 9}

    assert refusal(body).message == "prompt must have at least 10 characters"


def test_one_value_beyond_the_bounds_can_be_allowed() -> None:
    body = {"model": "seedance-2.0-text-to-video", "prompt": "x"}

    assert accepted({**body, "duration": -1})["duration"] == -1
    assert refusal({**body, "duration": 3}).message == "duration must be at least 4"


@pytest.mark.parametrize("number", [10**30, -(10**30), 1e300])
def test_numbers_of_any_size_are_compared(number: float) -> None:
    body = {"model": "topaz-upscale-video", "video_url": LINK, "upscale_factor": number}

    assert refusal(body).message.startswith("upscale_factor must be at ")


# ---- Pictures inside the request

FIVE_MB = "A" * (5 * 2**20 // 3 * 4)


@pytest.mark.parametrize(
    "picture",
    ["data:image/png;base64,AAAA", "A" * 4097, FIVE_MB, f"data:x;base64,{FIVE_MB}"],
    ids=["data URL", "bare base64", "5 MB", "data URL of 5 MB"],
)
def test_pictures_can_be_sent_inside(picture: str) -> None:
    assert accepted({**GPT, "image_urls": [picture, LINK]})
    assert accepted({**GPT, "mask_url": picture})


@pytest.mark.parametrize("picture", ["A" * 4096, FIVE_MB + "A" * 8])
def test_what_is_neither_link_nor_picture_is_refused(picture: str) -> None:
    one = refusal({**GPT, "mask_url": picture}).message
    many = refusal({**GPT, "image_urls": [picture]}).message

    assert one == "mask_url must be a URL, or a picture of at most 5 MB as base64"
    assert many == "image_urls must hold URLs or base64 pictures"


def test_five_pictures_and_ten_megabytes_are_the_most() -> None:
    small = "data:image/png;base64,AAAA"

    accepted({**GPT, "image_urls": [small] * 5 + [LINK] * 9})
    accepted({**GPT, "image_urls": [FIVE_MB] * 2})
    six = refusal({**GPT, "image_urls": [small] * 5, "mask_url": small}).message
    heavy = refusal({**GPT, "image_urls": [FIVE_MB] * 2 + [small] * 2}).message

    assert six == "A request can hold at most 5 pictures as base64"
    assert heavy == "Pictures as base64 can have at most 10 MB"
