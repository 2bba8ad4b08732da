"""A gallery of films, pictures, sounds, texts, failures and damaged files at once."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import msgspec
from PIL import Image, ImageDraw

from foxbatch.artifacts import media_facts
from foxbatch.canonical import JobId, sha256
from foxbatch.events import PromptText
from foxbatch.report import RunOf, gallery, write_page
from foxbatch.report.curl import Service
from foxbatch.report.posters import posters_of
from foxbatch.results import Failure, Media, Record, StoredFile, Times
from foxbatch.state import Phase
from tests.films import film, tone
from tests.records import record

LOOKS = ("fog", "rain", "sun")
HOSTILE = (
    "<script>document.title='taken'</script><img src=x onerror=\"document.title='t'\">"
    "\"quotes\" & 'more' \u202eleft to right\u202c 🦊 </p></li>"
)

# Of a request: what a shell, a terminal or a browser would make something else of.
NASTY = {
    "note": "it's\n$(touch taken) `touch taken` \\ \x1b[2J \x9b!! $HOME %s",
    "seed": 2**53 + 1,
}

_Make: TypeAlias = Callable[[Path, int], Path]


def mixed_page(folder: Path, *, longest_s: int = 3) -> Path:
    """Write a run directory and its page below *folder*; return the page.

    Of each kind there are three jobs, one for each look; the films are 1, 2 and
    *longest_s* seconds long, and the second one has sound.
    """
    run_dir = folder / "runs" / "mixed@sandbox"
    seconds = (1, 2, longest_s)
    makers: dict[str, tuple[str, _Make]] = {
        "film": ("video", lambda path, n: _film(path, n, seconds[n])),
        "picture": ("image", _picture),
        "song": ("audio", _song),
        "facts": ("json", _facts),
        "story": ("file", _story),
        "broken": ("video", _broken),
    }
    records = [
        _done(run_dir, spec, kind, make, number)
        for spec, (kind, make) in makers.items()
        for number in range(len(LOOKS))
    ]
    records += _not_done()
    return _page(run_dir, records, "A mixed run")


def several_page(folder: Path) -> Path:
    """Write a page of jobs with several files below *folder*; return the page.

    `set` has four pictures for each look; `kit` a film, a picture, and facts, for the
    fog only.
    """
    run_dir = folder / "runs" / "several@sandbox"
    records = []
    for number, look in enumerate(LOOKS):
        paths = [
            _picture(run_dir / "artifacts" / f"set-{look}-{item + 1}", number, item)
            for item in range(4)
        ]
        files = tuple(_stored(run_dir, path, "image") for path in paths)
        records.append(_job("set", number, kind="image", artifacts=files))
    at = run_dir / "artifacts" / "kit"
    kit = (
        _stored(run_dir, _film(at, 0, 2), "video"),
        _stored(run_dir, _picture(at, 0), "image"),
        _stored(run_dir, _facts(at, 0), "json"),
    )
    records.append(_job("kit", 0, kind="video", artifacts=kit))
    return _page(run_dir, records, "Several files")


def _page(run_dir: Path, records: list[Record], title: str) -> Path:
    found = posters_of(run_dir, records, make=True)
    run = RunOf(
        path=run_dir,
        label=run_dir.name,
        records=records,
        posters=found.pictures,
        peaks=found.peaks,
        service=Service(address="https://api.foxapi.cc", key="FOXAPI_API_KEY"),
    )
    page = run_dir / "report.html"
    write_page(gallery(title, [run], beside=run_dir), page)
    return page


def job_id(spec: str, look: str) -> JobId:
    """Return the id of the job of *spec* and *look*."""
    letters = hashlib.sha256(f"{spec}{look}".encode()).hexdigest()
    return JobId(f"{spec[:4]}{letters}"[:20].lower())


def _job(spec: str, number: int, **changes: object) -> Record:
    look = LOOKS[number]
    text = HOSTILE if spec == "story" else f"A {spec} in the {look}, at first light"
    return record(
        job=job_id(spec, look),
        spec=spec,
        name=f"{spec}-{look}",
        cell={"look": look},
        prompt=PromptText(spec, text),
        request={"model": "veo", "prompt": text, "look": look, **NASTY},
        task=f"task-{spec}-{look}",
        credits=20.0 + number,
        latency_s=30.5 + 7 * number,
        times=Times(
            planned="2026-01-01T09:00:00.000Z",
            submitted="2026-01-01T09:00:02.000Z",
            accepted="2026-01-01T09:00:02.500Z",
            completed="2026-01-01T09:00:41.000Z",
            downloaded="2026-01-01T09:00:43.000Z",
        ),
        **changes,
    )


def _done(run_dir: Path, spec: str, kind: str, make: _Make, number: int) -> Record:
    path = make(run_dir / "artifacts" / f"{spec}-{LOOKS[number]}", number)
    file = _stored(run_dir, path, kind)
    return _job(spec, number, kind=kind, artifacts=(file,))


def _stored(run_dir: Path, path: Path, kind: str) -> StoredFile:
    content = path.read_bytes()
    if content.startswith(b"no film"):
        media = Media(kind="video", duration_s=2.0, width=160, height=90)
    elif kind == "file":
        media = Media(kind="file")
    else:
        facts = media_facts(path, kind)
        media = Media(**msgspec.structs.asdict(facts))
    return StoredFile(
        path=path.relative_to(run_dir).as_posix(),
        sha256=sha256(content),
        bytes=len(content),
        media=media,
    )


def _not_done() -> list[Record]:
    said = Failure("content", "policy", f"The prompt is not allowed: {HOSTILE}")
    return [
        _job("lost", 0, phase=Phase.FAILED, kind="video", error=said),
        _job("lost", 1, phase=Phase.HELD, kind="video"),
        _job("lost", 2, phase=Phase.NEW, kind="video"),
    ]


# ---- Files


def _film(path: Path, number: int, seconds: int) -> Path:
    rate, size = 12, (320, 180)

    def draw(frame: int) -> Image.Image:
        part = frame / (seconds * rate)
        return _scene(size, number, part)

    where = path.with_suffix(".mp4")
    frames = seconds * rate
    return film(where, draw, size=size, frames=frames, rate=rate, sound=number == 1)


def _picture(path: Path, number: int, item: int = 1) -> Path:
    where = path.with_suffix(".png")
    where.parent.mkdir(parents=True, exist_ok=True)
    _scene((640, 360), number, 0.3 * item).save(where)
    return where


_SKIES = ("#8ea2ad", "#41566b", "#f2b65c")


def _scene(size: tuple[int, int], number: int, part: float) -> Image.Image:
    picture = Image.new("RGB", size, _SKIES[number])
    pen, (width, height) = ImageDraw.Draw(picture), size
    at = width * (0.1 + 0.7 * part)
    sun = (at, height * 0.15, at + height * 0.3, height * 0.45)
    pen.ellipse(sun, fill=("#d9e0e3", "#9fb3c4", "#fff3d0")[number])
    for ridge, colour in enumerate(("#5b6b63", "#3d4f47", "#22302b")):
        points = [(0.0, float(height))]
        for x in range(0, width + 8, 8):
            wave = math.sin(x / width * (5 + ridge * 3) + ridge + number)
            points.append((x, height * (0.62 + 0.11 * ridge) - wave * height * 0.06))
        pen.polygon([*points, (float(width), float(height))], fill=colour)
    return picture


def _song(path: Path, number: int) -> Path:
    where = path.with_suffix(".wav")
    where.parent.mkdir(parents=True, exist_ok=True)
    loud = [abs(math.sin(t * (number + 2) / 9)) for t in range(16 + 8 * number)]
    return tone(where, loud)


def _facts(path: Path, number: int) -> Path:
    where = path.with_suffix(".json")
    where.parent.mkdir(parents=True, exist_ok=True)
    said = {"caption": f"A fox in the {LOOKS[number]}", "score": 0.5 + number / 10}
    where.write_text(json.dumps({**said, "html": HOSTILE, "tags": ["fox", "dawn"]}))
    return where


def _story(path: Path, number: int) -> Path:
    where = path.with_suffix(".txt")
    where.parent.mkdir(parents=True, exist_ok=True)
    begin = f"A fox crossed the field in the {LOOKS[number]}. Nobody saw it go.\n\n"
    where.write_text((begin + HOSTILE + "\n") * (1 + 12 * number))
    return where


def _broken(path: Path, number: int) -> Path:
    where = path.with_suffix(".mp4")
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_bytes(b"no film %d" % number * 50)
    return where
