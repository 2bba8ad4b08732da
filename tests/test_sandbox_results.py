"""How large, long and many results are, what items tell of them, and their links."""

from __future__ import annotations

from typing import Any

import pytest

from foxbatch.sandbox import Archive, Clip, Picture, Sound
from foxbatch.sandbox.messages import Recipe, Task
from foxbatch.sandbox.service.catalogue import Model
from foxbatch.sandbox.service.results import CONTENT_TYPES, items, prompt_of, recipe
from tests.pretend import Service
from tests.smallest import ALL, BASE, GPT, LINK, accepted, first, made, smallest, veo


def only(task: Task) -> dict[str, Any]:
    (item,) = items(task, BASE)
    assert isinstance(item, dict)
    return item


# ---- Items

TRANSCRIPT = {"text", "language"}
KEYS: dict[str, set[str]] = {
    "video": {"url"},
    "image": {"url", "content_type"},
    "audio": {"url", "content_type"},
    "archive": {"url"},
    "words": {"text", "language_code", "language_probability", "words"},
    "transcript": TRANSCRIPT,
    "voice": {"voice_id"},
    "custom_voice": {"custom_voice_id"},
    "character": {"character_id", "name"},
    "profile": {"result_type", "profile_id"},
}


def keys_of(model: Model) -> set[str]:
    keys = KEYS[model.makes]
    if model.name.startswith("gemini") and model.makes == "image":
        return {"url"}
    if model.name.startswith("seedance-2.0"):
        return {"url", "seed"}
    if model.name.startswith("patina"):
        return keys | {"map_type"}
    return keys | {"title", "lyrics"} if model.name.startswith("suno") else keys


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.name)
class TestEveryModel:
    def test_its_items_are_of_the_documented_kind(self, model: Model) -> None:
        found = items(made(smallest(model)), BASE)

        assert len(found) == (2 if model.name.startswith("suno") else 1)
        for item in found:
            assert isinstance(item, dict)
            assert item.keys() == keys_of(model)

    def test_each_link_leads_to_a_file_of_the_type_that_is_told(
        self, model: Model
    ) -> None:
        task = made(smallest(model))

        for number, item in enumerate(items(task, BASE)):
            assert isinstance(item, dict)
            link = item.get("url")
            if link is None:
                assert recipe(task, "0") is None
                continue
            assert isinstance(link, str)
            name = link.removeprefix(f"{BASE}/files/{task.id}/")
            found = recipe(task, name)
            assert found is not None
            assert name.partition(".")[0] == str(number)
            assert CONTENT_TYPES[name.partition(".")[2]] == found[1]
            assert item.get("content_type", found[1]) == found[1]

    def test_its_files_have_every_size_and_length_that_can_be_asked_for(
        self, model: Model
    ) -> None:
        body = smallest(model)
        for name in ("resolution", "aspect_ratio", "size", "quality", "image_size"):
            field = model.fields.get(name)
            for value in field.enum if field else ():
                # What needs a certain length gets it: 8 is the default there.
                asked = accepted({**body, name: value})
                check_size(model, asked, first({**body, name: value}))
        field = model.fields.get("duration")
        if field is None:
            return
        lengths = [*field.enum, field.min, field.max]
        for length in [int(n) for n in lengths if n]:
            more = {"resolution": "720p"} if "lite" in model.name else {}
            more = more if "resolution" in model.fields else {}
            made_ = first({**body, **more, "duration": length})
            assert isinstance(made_, Clip)
            assert made_.duration_s == length


def check_size(model: Model, asked: dict[str, Any], made_: Recipe) -> None:
    ratio = str(asked.get("aspect_ratio") or asked.get("size") or "").replace("x", ":")
    wide, colon, high = ratio.partition(":")
    if isinstance(made_, Clip):
        lines = {"auto": 720, "4k": 2160}.get(
            resolution := str(asked.get("resolution", "720p"))
        ) or int(resolution.removesuffix("p"))
        shape = float(wide) / float(high) if colon else 16 / 9
        assert min(made_.width, made_.height) == lines
        assert made_.width % 2 == made_.height % 2 == 0
        assert made_.width / made_.height == pytest.approx(shape, rel=0.01)
    elif isinstance(made_, Picture):
        explicit = str(asked.get("resolution"))
        if "x" in explicit:
            assert f"{made_.width}x{made_.height}" == explicit
            return
        if isinstance(size := asked.get("image_size"), str):
            assert made_.width >= made_.height or "portrait" in size
            return
        shape = float(wide) / float(high) if colon else 1.0
        assert made_.width / made_.height == pytest.approx(shape, rel=0.08)
        tier = str(asked.get("resolution") or asked.get("quality") or "1K")
        side = {"512": 512, "0.5K": 512, "2K": 2048, "4K": 4096}.get(tier, 1024)
        assert (made_.width * made_.height) ** 0.5 == pytest.approx(side, rel=0.04)
    assert model.makes in {"video", "image"}


@pytest.mark.parametrize(
    ("body", "extras"),
    [
        ({"model": "minimax-voice-clone", "text": "Hello"}, {"voice_id"}),
        ({"model": "voice-clone", "preview_text": "Hello"}, {"custom_voice_id"}),
    ],
)
def test_a_voice_has_a_file_where_a_preview_was_asked_for(
    body: dict[str, Any], extras: set[str]
) -> None:
    task = made({**body, "audio_url": LINK})

    item = only(task)

    assert item.keys() == {"url", "content_type", *extras}
    assert item["content_type"] == "audio/mpeg"
    assert isinstance(first({**body, "audio_url": LINK}), Sound)


def test_a_seed_is_told_as_it_was_asked_for() -> None:
    body = {"model": "seedance-2.0-text-to-video", "prompt": "x"}

    chosen, drawn = only(made({**body, "seed": 7})), only(made(body))

    assert chosen["seed"] == 7
    assert 0 <= drawn["seed"] < 2**32


def test_a_video_that_is_kept_has_an_id_for_a_remix() -> None:
    body = {"model": "sora-2", "prompt": "x", "delete_video": False}

    assert only(made(body))["video_id"].startswith("video_")


def test_each_map_is_a_picture_of_its_own() -> None:
    body = {"model": "patina-pbr-maps", "image_url": LINK, "maps": ["normal", "height"]}
    task = made(body)

    told = [item["map_type"] for item in items(task, BASE) if isinstance(item, dict)]
    pictures = {recipe(task, str(number)) for number in range(2)}

    assert told == ["normal", "height"]
    assert len(pictures) == 2


def test_a_song_is_told_with_its_words() -> None:
    both = items(made({"model": "suno-v4", "prompt": "Fox, fox"}), BASE)

    assert [item["lyrics"] for item in both if isinstance(item, dict)] == [
        "Fox, fox"
    ] * 2


def test_spoken_words_come_one_after_the_other() -> None:
    item = only(made({"model": "scribe-v2", "audio_url": LINK}))

    words = item["words"]
    assert " ".join(word["text"] for word in words) == item["text"]
    assert all(word["start"] < word["end"] for word in words)
    assert words == sorted(words, key=lambda word: word["start"])


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ({**GPT, "output_format": "webp"}, "image/webp"),
        ({**GPT, "output_format": "jpeg"}, "image/jpeg"),
        (
            {"model": "grok-imagine-image", "prompt": "x", "output_format": "jpg"},
            "image/jpeg",
        ),
        (
            {"model": "gemini-3.1-flash-tts", "prompt": "x", "output_format": "wav"},
            "audio/wav",
        ),
        (
            {
                "model": "gemini-3.1-flash-tts",
                "prompt": "x",
                "output_format": "ogg_opus",
            },
            "audio/ogg",
        ),
        (
            {
                "model": "speech-2.8-hd",
                "prompt": "x",
                "audio_setting": {"format": "wav"},
            },
            "audio/wav",
        ),
        (
            {"model": "speech-2.8-hd", "prompt": "x", "audio_setting": {"format": 5}},
            "audio/mpeg",
        ),
    ],
)
def test_files_have_the_form_that_was_asked_for(
    body: dict[str, Any], content_type: str
) -> None:
    task = made(body)

    found = recipe(task, only(task)["url"].rpartition("/")[2])

    assert found is not None
    assert found[1] == only(task).get("content_type", found[1]) == content_type


# ---- Looks and facts


@pytest.mark.parametrize(
    ("changes", "looks"),
    [
        pytest.param({}, 2, id="takes differ"),
        pytest.param({"seed": 7}, 1, id="unless the seed is fixed"),
    ],
)
def test_takes_look_different(changes: dict[str, int], looks: int) -> None:
    service = Service()

    tasks = [service.task(**changes) for _ in range(2)]

    found = [recipe(service.sandbox.tasks[task], "0") for task in tasks]
    assert (
        len({one[0].look for one in found if one and isinstance(one[0], Clip)}) == looks
    )


def test_a_clip_tells_what_was_asked_for() -> None:
    clip = first(
        veo(
            generation_type="first-last-frame",
            image_urls=[LINK] * 2,
            duration=6,
            generate_audio=False,
            seed=7,
        )
    )

    assert isinstance(clip, Clip)
    assert (clip.title, clip.prompt) == ("veo-3.1", "A fox in the snow")
    assert clip.facts == (
        "1080p",
        "16:9",
        "6 s",
        "silent",
        "first-last-frame, 2 in",
        "seed 7",
    )


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        (None, "document.md"),
        ("Report", "Report.md"),
        ("../../etc/passwd", ".._.._etc_passwd.md"),
        ("a\\b\0c\nd", "a_b_c_d.md"),
        ("x" * 60, "x" * 50 + ".md"),
    ],
)
def test_a_document_has_a_name_that_stays_in_its_folder(
    filename: str | None, name: str
) -> None:
    body = {
        "model": "doc2x-v3",
        "pdf_url": LINK,
        "page_count": 3,
        "filename": filename,
    }

    archive = first(body)

    assert isinstance(archive, Archive)
    assert [member for member, _ in archive.members] == [name]


@pytest.mark.parametrize(
    ("asked", "prompt"),
    [
        ({"prompt": "A fox", "text": "no"}, "A fox"),
        ({"prompt": "", "text": "Say"}, "Say"),
        ({"name": "Fox"}, "Fox"),
        (
            {"multi_prompt": [{"prompt": "A"}, {"prompt": "B"}, 5, {"prompt": 1}]},
            "A / B",
        ),
        ({"messages": [{"role": "user", "content": "Why?"}]}, "Why?"),
        ({}, ""),
    ],
)
def test_the_text_that_a_request_is_about(asked: dict[str, Any], prompt: str) -> None:
    assert prompt_of(asked) == prompt


# ---- Links


@pytest.mark.parametrize(
    ("links", "base", "link"),
    [
        ("plain", BASE, f"{BASE}/files/ID/0.mp4"),
        ("bare", BASE, f"{BASE}/files/ID/0"),
        ("elsewhere", BASE, "http://localhost:9/files/ID/0.mp4"),
        ("elsewhere", "http://localhost", "http://127.0.0.1/files/ID/0.mp4"),
        ("elsewhere", "http://[::1]:80", "http://localhost:80/files/ID/0.mp4"),
        ("elsewhere", "http://a:port", "http://localhost/files/ID/0.mp4"),
        ("redirected", BASE, f"{BASE}/files/ID/0.mp4/2"),
        ("looping", BASE, f"{BASE}/files/ID/0.mp4/loop"),
        ("private", BASE, "http://10.0.0.1/files/ID/0.mp4"),
    ],
)
def test_links_of_every_kind(links: str, base: str, link: str) -> None:
    task = made(veo(), links=links)

    (item,) = items(task, base)

    assert item == {"url": link.replace("ID", task.id)}


def test_the_story_may_say_how_many_items_and_of_which_type() -> None:
    task = made(veo(), items=3, file_type="text/odd", degraded="busy")

    told = items(task, BASE)

    assert len(told) == 3
    assert told[2] == {
        "url": f"{BASE}/files/{task.id}/2.mp4",
        "content_type": "text/odd",
        "degraded_reason": "busy",
    }
    assert recipe(task, "2.mp4") is not None
    assert recipe(task, "3.mp4") is None


def test_more_items_than_maps_have_no_type_of_map() -> None:
    body = {"model": "patina-pbr-maps", "image_url": LINK, "maps": ["normal"]}

    told = items(made(body, items=2), BASE)

    assert [isinstance(item, dict) and "map_type" in item for item in told] == [
        True,
        False,
    ]


def test_an_answer_in_words_has_no_file() -> None:
    service = Service()
    service.post("/v1/llm/generations", {"model": "kimi-k2.6", "prompt": "Why?"})
    (task,) = service.sandbox.tasks.values()

    assert recipe(task, "0") is None
