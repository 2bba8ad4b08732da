"""Commands as a test runs them: through `main`, with what they wrote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import pytest

from foxbatch.cli import main


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str


Type: TypeAlias = Callable[..., Ended]


@pytest.fixture
def type_(capsys: pytest.CaptureFixture[str]) -> Type:
    """Give a function that runs a command as if it had been typed."""

    def run(*words: object) -> Ended:
        capsys.readouterr()
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run


MANIFEST = """\
foxbatch: 1
name: sea
provider: sandbox
jobs:
  - id: sea
    model: veo-3.1-fast
    prompts: [A calm sea, A stormy sea]
    params:
      generation_type: text-to-video
      aspect_ratio: "16:9"
      duration: 4
      resolution: 720p
      generate_audio: false
"""
"""Two jobs that the sandbox finishes."""
