"""Local files in requests: `{path: …}` where a model takes an address."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from foxbatch import canonical
from foxbatch.canonical import Json
from foxbatch.matrix.locals import kinds_of
from tests.matrices import expand_job, expand_text, one_job, toy_provider

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(20)
FLOWERS = {"path": "refs/flowers.png", "sha256": hashlib.sha256(PNG).hexdigest()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a manifest's folder with a picture, a clip and a text."""
    (tmp_path / "refs").mkdir()
    (tmp_path / "refs" / "flowers.png").write_bytes(PNG)
    (tmp_path / "refs" / "clip.mp4").write_bytes(MP4)
    (tmp_path / "refs" / "notes.txt").write_text("a list", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("job", "top"),
    [
        pytest.param(
            "params: {image_urls: [{path: refs/flowers.png}]}", "", id="params"
        ),
        pytest.param(
            "params: {image_urls: '${{ vars.all }}'}",
            "vars: {all: [{path: refs/flowers.png}]}",
            id="by way of vars",
        ),
        pytest.param(
            "params: {image_urls: [{path: 'refs/${{ vars.name }}.png'}]}",
            "vars: {name: flowers}",
            id="a path with a reference",
        ),
        pytest.param(
            "matrix: {axes: {image_urls: [[{path: refs/flowers.png}]]}}",
            "",
            id="an axis",
        ),
        pytest.param(
            "matrix: {axes: {shot: [{path: refs/flowers.png}]}}\n"
            "params: {image_urls: ['${{ matrix.shot }}']}",
            "",
            id="an axis by way of params",
        ),
        pytest.param(
            "matrix: {include: [{image_urls: [{path: refs/flowers.png}]}]}\n"
            "params: {prompt: x}",
            "",
            id="an include",
        ),
        pytest.param(
            "params: {image_urls: [{path: ./refs//flowers.png}]}", "", id="normalised"
        ),
    ],
)
def test_a_file_may_stand_in(job: str, top: str, folder: Path) -> None:
    prompts = "" if "params: {prompt" in job else "prompts: [x]\n"

    outcome = expand_job(prompts + job, folder, top=top)

    assert outcome.errors == []
    assert [request["image_urls"] for request in outcome.requests] == [[FLOWERS]]


def test_a_file_may_stand_for_a_single_address_and_in_defaults(folder: Path) -> None:
    outcome = expand_job(
        "prompts: [x]\nparams: {cover_url: {path: refs/clip.mp4}}", folder
    )

    assert outcome.requests[0]["cover_url"] == {
        "path": "refs/clip.mp4",
        "sha256": hashlib.sha256(MP4).hexdigest(),
    }


def test_the_identity_is_that_of_the_content(folder: Path) -> None:
    (folder / "other.png").write_bytes(PNG)
    (folder / "changed.png").write_bytes(PNG + b"!")

    jobs = [
        expand_job(f"prompts: [x]\nparams: {{image_urls: [{{path: {path}}}]}}", folder)
        for path in ("refs/flowers.png", "other.png", "changed.png")
    ]

    first, moved, changed = (outcome.jobs[0] for outcome in jobs)
    assert first.id == moved.id != changed.id
    assert first.digest == canonical.job_digest(
        provider="toys",
        endpoint="/v1/videos/generations",
        request={
            "model": "toy-1",
            "prompt": "x",
            "image_urls": [{"sha256": FLOWERS["sha256"]}],
        },
        repeat=1,
    )


def test_two_names_of_one_content_ask_for_the_same(folder: Path) -> None:
    (folder / "other.png").write_bytes(PNG)

    outcome = expand_job(
        """
        prompts: [x]
        matrix:
          axes: {image_urls: [[{path: other.png}], [{path: refs/flowers.png}]]}
        """,
        folder,
    )

    assert outcome.errors == ["E-DUPLICATE-JOB"]


def test_jobs_are_named_after_their_files(folder: Path) -> None:
    (folder / "Sea View.png").write_bytes(PNG + b"2")

    outcome = expand_job(
        """
        prompts: [{id: p, text: x}]
        matrix:
          axes: {image_urls: [[{path: refs/flowers.png}], [{path: Sea View.png}]]}
        """,
        folder,
    )

    assert outcome.names == ["p-flowers-r1", "p-sea-view-r1"]


@pytest.mark.parametrize(
    ("params", "code", "message", "hint"),
    [
        pytest.param(
            "{image_urls: [{path: refs/flower.png}]}",
            "E-FILE-MISSING",
            "refs/flower.png does not exist",
            "Paths start at the manifest's folder. Did you mean flowers.png?",
            id="no such file",
        ),
        pytest.param(
            "{image_urls: [{path: refs}]}",
            "E-FILE-MISSING",
            "refs is a folder",
            "Name a file.",
            id="a folder",
        ),
        pytest.param(
            "{image_urls: [{path: ../flowers.png}]}",
            "E-PATH-ESCAPE",
            "../flowers.png is outside the repository",
            "Copy the file into the repository and name it relative to the manifest.",
            id="outside",
        ),
        pytest.param(
            "{image_urls: [{path: .env}]}",
            "E-PATH-HIDDEN",
            ".env is not read: .env begins with a dot",
            "Copy it to a file whose name does not begin with a dot.",
            id="hidden",
        ),
        pytest.param(
            "{image_urls: {path: refs/flowers.png}}",
            "E-TYPE",
            "image_urls must be a list, not one file",
            "Write a list: [{path: refs/flowers.png}].",
            id="not in its list",
        ),
        pytest.param(
            "{cover_url: [{path: refs/flowers.png}]}",
            "E-TYPE",
            "cover_url must be text, not a list",
            "To make a job for each of these values, put the list in `matrix.axes`.",
            id="in a list where one is wanted",
        ),
        pytest.param(
            "{generation_type: {path: refs/flowers.png}}",
            "E-FILE-PLACE",
            "generation_type is no address (URL), so it cannot be the file "
            "refs/flowers.png",
            "toy-1 takes local files as image_urls, cover_url or clips.",
            id="no address",
        ),
        pytest.param(
            "{image_url: {path: refs/flowers.png}}",
            "E-KEY-UNKNOWN",
            'unknown key "image_url" in the request',
            "Did you mean image_urls?",
            id="a misspelt parameter",
        ),
        pytest.param(
            "{image_urls: [{path: refs/clip.mp4}]}",
            "E-FILE-TYPE",
            "refs/clip.mp4 is no image (PNG, JPEG, WebP or GIF)",
            "What counts is how it begins, not its name: export it anew, or name "
            "another.",
            id="a clip for a picture",
        ),
        pytest.param(
            "{clips: [{path: refs/flowers.png}]}",
            "E-FILE-TYPE",
            "refs/flowers.png is no video (MP4, MOV or WebM)",
            "What counts is how it begins, not its name: export it anew, or name "
            "another.",
            id="a picture for a clip",
        ),
        pytest.param(
            "{cover_url: {path: refs/notes.txt}}",
            "E-FILE-TYPE",
            "refs/notes.txt is no image, video, audio file or PDF",
            "What counts is how it begins, not its name: export it anew, or name "
            "another.",
            id="text for anything",
        ),
        pytest.param(
            "{clips: [{path: refs/clip.mp4}, {path: refs/clip.mp4}]}",
            "E-COUNT",
            "clips holds a value twice",
            "",
            id="the model's own rules count",
        ),
        pytest.param(
            "{image_urls: [{path: ''}]}",
            "E-LENGTH",
            "jobs[0].params.image_urls[0].path is empty",
            "Write {path: refs/flowers.png}, relative to the manifest.",
            id="an empty path",
        ),
    ],
)
def test_what_is_wrong_with_a_file(
    params: str, code: str, message: str, hint: str, folder: Path
) -> None:
    outcome = expand_job(f"prompts: [x]\nparams: {params}", folder)

    (problem,) = outcome.problems
    assert (problem.code, problem.message, problem.hint) == (code, message, hint)
    assert problem.position.line == 9
    assert problem.pointer.startswith("/jobs/0/params/")


def test_a_wrong_file_of_an_axis_is_one_problem_with_its_jobs(folder: Path) -> None:
    outcome = expand_job(
        """
        prompts: [x]
        matrix:
          axes:
            seed: [1, 2, 3]
            image_urls: [[{path: refs/flowers.png}], [{path: gone.png}]]
        """,
        folder,
    )

    problem = outcome.only("E-FILE-MISSING")
    assert (problem.jobs, problem.pointer) == (
        3,
        "/jobs/0/matrix/axes/image_urls/1/0",
    )
    assert len(outcome.jobs) == 3


def test_a_model_that_takes_no_file_says_so(folder: Path) -> None:
    toys = toy_provider()
    schema: dict[str, Json] = {
        "type": "object",
        "properties": {"prompt": {"type": "string"}},
    }
    model = dataclasses.replace(toys.models["toy-1"], schema=schema)
    provider = dataclasses.replace(toys, models={"toy-1": model})
    text = one_job("prompts: [x]\nparams: {picture: {path: refs/flowers.png}}")

    outcome = expand_text(text, folder, provider=provider)

    assert outcome.only("E-FILE-PLACE").hint == (
        "No parameter of toy-1 can be a local file."
    )


@pytest.mark.parametrize(
    ("head", "kinds"),
    [
        pytest.param(PNG, ["image"], id="PNG"),
        pytest.param(b"\xff\xd8\xff\xe0\x00\x10JFIF", ["image"], id="JPEG"),
        pytest.param(b"GIF89a", ["image"], id="GIF"),
        pytest.param(b"RIFF\x00\x00\x00\x00WEBPVP8 ", ["image"], id="WebP"),
        pytest.param(MP4, ["video"], id="MP4"),
        pytest.param(b"\x00\x00\x00\x14ftypqt  ", ["video"], id="MOV"),
        pytest.param(b"\x1aE\xdf\xa3\x01", ["video"], id="WebM"),
        pytest.param(b"ID3\x04", ["audio"], id="MP3"),
        pytest.param(b"\xff\xfb\x90", ["audio"], id="MP3 without a tag"),
        pytest.param(b"RIFF\x00\x00\x00\x00WAVEfmt ", ["audio"], id="WAV"),
        pytest.param(b"\x00\x00\x00\x14ftypM4A ", ["video", "audio"], id="M4A"),
        pytest.param(b"%PDF-1.7", ["document"], id="PDF"),
        pytest.param(b"PK\x03\x04", [], id="an archive"),
        pytest.param(b"<svg>", [], id="SVG"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_the_first_bytes_tell_what_a_file_is(head: bytes, kinds: list[str]) -> None:
    assert kinds_of(head) == kinds
