"""Manifests written down to the point, and what becomes of them."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from foxbatch.canonical import Json
from foxbatch.errors import InvalidError, Problem, Severity
from foxbatch.manifest import Manifest, parse_manifest
from foxbatch.matrix import Job, MatrixCell, cells, expand
from foxbatch.provider import Model, Provider, load_provider

TOY: Mapping[str, Json] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["model", "prompt"],
    "additionalProperties": False,
    "properties": {
        "model": {"type": "string"},
        "prompt": {"type": "string", "minLength": 1, "maxLength": 200},
        "duration": {"type": "integer", "enum": [4, 6, 8]},
        "aspect_ratio": {"enum": ["16:9", "9:16"]},
        "seed": {"type": ["integer", "null"]},
        "sound": {"type": "boolean"},
        "image_urls": {
            "type": "array",
            "items": {"type": "string", "pattern": "^https?://"},
            "x-url": "image",
        },
        "generation_type": {"type": "string"},
        "tag": {"type": "string", "pattern": "^[a-z]*$"},
        "cover_url": {"type": "string", "pattern": "^https://", "x-url": True},
        "clips": {
            "type": ["array", "null"],
            "items": {"type": "string", "x-url": "video"},
            "uniqueItems": True,
        },
        "options": {
            "type": "object",
            "patternProperties": {"^[a-z]*$": {}},
            "additionalProperties": False,
        },
        "weights": {"type": "array", "items": {"type": "number", "maximum": 1}},
    },
    "x-notes": [
        {
            "when": {"required": ["seed"]},
            "code": "N-SEED",
            "at": "seed",
            "message": "a seed promises little",
        }
    ],
}


def _without(schema: Mapping[str, Json], *names: str) -> dict[str, Json]:
    properties = schema["properties"]
    assert isinstance(properties, dict)
    kept = {name: value for name, value in properties.items() if name not in names}
    return {**schema, "properties": kept}


SCHEMAS: Mapping[str, Mapping[str, Json]] = {
    "toy-1": TOY,
    "toy-1-fast": TOY,
    "still": _without(TOY, "duration", "sound"),
    "silent": {**TOY, "required": ["model"]},
}


def toy_provider() -> Provider:
    """A service with models whose parameters a test can tell at a glance."""
    models = {
        name: Model(
            name=name,
            kind="image" if name == "still" else "video",
            endpoint=f"/v1/{'images' if name == 'still' else 'videos'}/generations",
            schema=schema,
            schema_name=name,
        )
        for name, schema in SCHEMAS.items()
    }
    return dataclasses.replace(
        load_provider("sandbox", base=Path()), id="toys", models=models
    )


@dataclass
class Outcome:
    """What an expansion gave."""

    jobs: list[Job] = field(default_factory=list)
    cells: list[MatrixCell] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def codes(self) -> list[str]:
        return [problem.code for problem in self.problems]

    @property
    def errors(self) -> list[str]:
        return [p.code for p in self.problems if p.severity is Severity.ERROR]

    @property
    def requests(self) -> list[dict[str, Json]]:
        return [job.request for job in self.jobs]

    @property
    def prompts(self) -> list[Json]:
        return [job.request["prompt"] for job in self.jobs]

    @property
    def names(self) -> list[str]:
        return [job.name for job in self.jobs]

    def only(self, code: str) -> Problem:
        """Return the one problem with *code*."""
        (problem,) = [problem for problem in self.problems if problem.code == code]
        return problem


def read(text: str, folder: Path | None = None) -> Manifest:
    """Return the manifest that *text* says, as `m.yaml` in *folder*."""
    path = folder / "m.yaml" if folder else None
    return parse_manifest(text.encode(), path=path, shown_as="m.yaml")


def expand_text(
    text: str, folder: Path | None = None, *, provider: Provider | None = None
) -> Outcome:
    """Return jobs and problems of a whole manifest, or only why it was refused."""
    outcome = Outcome()
    provider = provider or toy_provider()
    try:
        manifest = read(text, folder)
        outcome.jobs += expand(manifest, provider, outcome.problems.append)
    except InvalidError as error:
        outcome.problems += error.problems
    return outcome


def cells_of(matrix: str, folder: Path | None = None) -> Outcome:
    """Return the cells of a matrix, written as the value of the key `matrix`."""
    outcome = Outcome()
    text = one_job("matrix:\n" + textwrap.indent(textwrap.dedent(matrix), "  "))
    try:
        outcome.cells += cells(read(text, folder), outcome.problems.append)
    except InvalidError as error:
        outcome.problems += error.problems
    return outcome


def one_job(job: str, *, top: str = "", model: str = "toy-1") -> str:
    """Return a manifest with one entry in `jobs`, whose other keys are *job*."""
    return "\n".join(
        [
            "foxbatch: 1",
            "name: sweep",
            "provider: sandbox",
            textwrap.dedent(top).strip(),
            f"defaults: {{model: {model}}}" if model else "",
            "jobs:",
            "  - id: beach",
            textwrap.indent(textwrap.dedent(job), "    "),
        ]
    )


def expand_job(
    job: str, folder: Path | None = None, *, top: str = "", model: str = "toy-1"
) -> Outcome:
    """Return jobs and problems of a manifest with one entry in `jobs`."""
    return expand_text(one_job(job, top=top, model=model), folder)
