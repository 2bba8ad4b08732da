"""A gallery of very many cells: all kinds of results, shapes and fates, in a moment.

A few films, pictures and posters are made; each cell has files of its own all the same
(hard links), so that a browser loads and keeps as many as there are in sight.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from PIL import Image, ImageDraw

from foxbatch.canonical import Digest, JobId, Json
from foxbatch.events import PromptText
from foxbatch.report import RunOf, gallery, write_page
from foxbatch.results import Failure, Media, Record, StoredFile, Times
from foxbatch.state import Phase
from tests.films import film
from tests.records import record

COLUMNS = 50
LOOKS = 8  # of each shape
SHAPES = ((480, 270), (304, 540), (480, 480), (480, 360), (480, 206))  # posters
KINDS = ("video",) * 7 + ("image", "image", "audio", "json")
ERRORS = (
    ("content", "policy", "The prompt is not allowed."),
    ("provider", "upstream", "The model gave no frames back; ask for fewer seconds."),
)
_Size: TypeAlias = tuple[int, int]


def crowd_page(folder: Path, count: int, *, films: _Size | None = None) -> Path:
    """Write a run directory of *count* jobs and its page below *folder*.

    Args:
        folder: Where `runs/` is made.
        count: How many jobs: prompts go down, and at most 50 seeds across.
        films: The size of real films that last 4 seconds; None for such as a browser
            cannot play, which are enough where nothing is played.
    """
    run_dir = folder / "runs" / "crowd@sandbox"
    (run_dir / ".posters").mkdir(parents=True)
    (run_dir / "artifacts").mkdir()
    stock = _Stock(run_dir, films)
    made = [_job(stock, number) for number in range(count)]
    posters = {
        file.sha256: run_dir / f".posters/{file.sha256}.webp"
        for one in made
        for file in one.artifacts
        if file.media.width
    }
    peaks = {
        file.sha256: [abs(n * 37 % 200) + 30 for n in range(120)]
        for one in made
        for file in one.artifacts
        if file.media.kind == "audio"
    }
    run = RunOf(
        path=run_dir,
        label="crowd@sandbox",
        records=made,
        posters=posters,
        peaks=peaks,
    )
    page = run_dir / "report.html"
    title = f"{count:,} takes of a fox"
    write_page(gallery(title, [run], beside=run_dir), page)
    return page


def _job(stock: _Stock, number: int) -> Record:
    row, column = divmod(number, COLUMNS)
    drawn = random.Random(number)
    kind = "video" if stock.films else KINDS[(row + number % 5) % len(KINDS)]
    text = (
        f"Story {row}: a fox crosses the field in the morning, slowly, while the fog "
        f"lifts from the river and {row + 3} cranes take off behind the willows; "
        "35 mm, long lens, natural light"
    )
    shape = SHAPES[0] if stock.films else SHAPES[drawn.randrange(len(SHAPES))]
    failure, phase = None, Phase.DONE
    fate = drawn.randrange(20)
    if fate == 0:
        phase, failure = Phase.FAILED, Failure(*ERRORS[number % 2])
    elif fate == 1:
        phase = (Phase.HELD, Phase.RUNNING, Phase.NEW)[number % 3]
    done = phase is Phase.DONE
    second = f"2026-01-01T{9 + number // 3600:02d}:{number // 60 % 60:02d}:"
    return record(
        job=JobId(f"j{number:019d}"),
        spec="fox",
        name=f"p{row:03d}-seed{column}",
        phase=phase,
        error=failure,
        kind=kind,
        cell={"seed": column},
        prompt=PromptText(id=f"p{row:03d}", text=text),
        request=_request(text, column),
        credits=20.0 + column % 7 if done else None,
        latency_s=20 + drawn.random() * 60 if done else None,
        times=Times(
            planned=f"{second}00.000Z",
            submitted=f"{second}01.000Z",
            downloaded=f"{second}40.000Z" if done else None,
        ),
        artifacts=(stock.file(number, kind, shape, drawn),) if done else (),
    )


def _request(text: str, seed: int) -> dict[str, Json]:
    return {
        "model": "veo-3.1-fast",
        "prompt": text,
        "seed": seed,
        "duration": 4,
        "resolution": "720p",
        "generate_audio": False,
    }


@dataclass
class _Stock:
    """Files that are made once, and given to each job under names of its own."""

    run_dir: Path
    films: _Size | None

    def __post_init__(self) -> None:
        self._made: dict[str, Path] = {}

    def file(
        self, number: int, kind: str, shape: _Size, drawn: random.Random
    ) -> StoredFile:
        sha256 = Digest(hashlib.sha256(f"{number}".encode()).hexdigest())
        look = drawn.randrange(LOOKS)
        if kind in {"video", "image"}:
            poster = self._poster(shape, look)
            os.link(poster, self.run_dir / f".posters/{sha256}.webp")
        source = (
            self._poster(shape, look) if kind == "image" else self._rest(kind, look)
        )
        path = f"artifacts/{number:05d}{source.suffix}"
        os.link(source, self.run_dir / path)
        looks = kind in {"video", "image"}
        return StoredFile(
            path=path,
            sha256=sha256,
            bytes=source.stat().st_size,
            media=Media(
                kind=kind,
                duration_s=4.0 if kind in {"video", "audio"} else None,
                width=shape[0] * 2 if looks else None,
                height=shape[1] * 2 if looks else None,
            ),
        )

    def _poster(self, shape: _Size, look: int) -> Path:
        key = f"poster-{shape[0]}x{shape[1]}-{look}.webp"
        if key not in self._made:
            self._made[key] = self.run_dir / key
            picture(shape, look).save(self._made[key], quality=80)
        return self._made[key]

    def _rest(self, kind: str, look: int) -> Path:
        key = f"{kind}-{look}"
        if key not in self._made:
            self._made[key] = self._make(kind, look)
        return self._made[key]

    def _make(self, kind: str, look: int) -> Path:
        where = self.run_dir / f"{kind}-{look}"
        if kind == "video" and self.films:
            small = [picture(self.films, look + n) for n in range(4)]
            path = where.with_suffix(".mp4")
            return film(
                path, lambda n: small[n // 24 % 4], size=self.films, frames=96, rate=24
            )
        said = {"caption": f"A fox, take {look}", "score": look / 10, "tags": ["fox"]}
        path = where.with_suffix({"json": ".json", "audio": ".mp3"}.get(kind, ".mp4"))
        path.write_text(json.dumps(said))
        return path


def picture(size: _Size, look: int) -> Image.Image:
    """Return a picture with as much in it as a photograph has."""
    drawn = random.Random(look)
    small = Image.effect_noise((size[0] // 12, size[1] // 12), 90)
    ground = small.resize(size, Image.Resampling.BICUBIC).convert("L")
    colours = [tuple(drawn.randrange(256) for _ in range(3)) for _ in range(3)]
    sky = Image.new("RGB", size, colours[0])
    ImageDraw.Draw(sky).rectangle((0, size[1] * 2 // 3, *size), fill=colours[1])
    return Image.composite(sky, Image.new("RGB", size, colours[2]), ground)
