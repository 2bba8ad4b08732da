"""Who is compared: what is typed first, and what after a stop."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.comparison.work import ATTEMPTS, IN_FLIGHT, PATIENCE_S, POLL_S

_SCRIPTS = Path(__file__).parent / "scripts"
_KEY = "sk-comparison"


@dataclass(frozen=True)
class Tools:
    """Where the tools of others are: the `bin` of an environment, then the system."""

    bin: Path | None = None

    def find(self, name: str) -> str | None:
        """Return the path of a program, or None."""
        inside = shutil.which(name, path=str(self.bin)) if self.bin else None
        return inside or shutil.which(name)

    def python(self) -> str:
        """Return the Python that has the packages of `requirements.txt`."""
        return str(self.bin / "python") if self.bin else sys.executable


@dataclass(frozen=True)
class Contender:
    """One way to make a batch.

    Attributes:
        command: What is typed.
        again: What is typed before the same command, after a process was killed.
        files: Where its files are, in its folder.
        settles: Whether it asks a person instead of guessing.
        missing: What is not installed, or "".
    """

    name: str
    command: Callable[[Tools], list[str]]
    files: str = "videos"
    again: Callable[[Tools], list[str]] | None = None
    settles: bool = False
    missing: Callable[[Tools], str] = lambda _tools: ""


def environment(url: str, folder: Path, path: str) -> Mapping[str, str]:
    """Return what every contender is told in its environment."""
    return {
        "PATH": path,
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "FOXAPI_BASE_URL": url,
        "FOXAPI_API_KEY": _KEY,
        "FOXBATCH_KEY_COMPARISON": _KEY,
        "IN_FLIGHT": str(IN_FLIGHT),
        "POLL_S": str(POLL_S),
        "PATIENCE_S": str(PATIENCE_S),
        "ATTEMPTS": str(ATTEMPTS),
        "SCRIPTS": str(_SCRIPTS),
    }


def foxbatch(*arguments: str) -> list[str]:
    """Return a command of foxbatch about the one run directory."""
    return [sys.executable, "-m", "foxbatch", *arguments]


def _script(name: str, *arguments: str) -> Callable[[Tools], list[str]]:
    return lambda tools: [tools.python(), str(_SCRIPTS / name), *arguments]


def _parallel(tools: Tools) -> list[str]:
    names = f"ls bodies | sed 's/[.]json$//' | {tools.find('parallel') or 'parallel'}"
    options = f"-j {IN_FLIGHT} --retries {ATTEMPTS} --joblog joblog --resume-failed"
    return ["sh", "-c", f'{names} {options} sh "$SCRIPTS/one.sh"']


def _snakemake(tools: Tools, *options: str) -> list[str]:
    command = [tools.find("snakemake") or "snakemake", "--snakefile"]
    return [*command, str(_SCRIPTS / "Snakefile"), *options]


def _make_all(tools: Tools) -> list[str]:
    retries = ("--retries", str(ATTEMPTS - 1), "--keep-going", "--rerun-incomplete")
    return _snakemake(tools, "--cores", str(IN_FLIGHT), "--quiet", "all", *retries)


def _without(*programs: str) -> Callable[[Tools], str]:
    return lambda tools: ", ".join(p for p in programs if tools.find(p) is None)


def _without_package(name: str) -> Callable[[Tools], str]:
    def missing(tools: Tools) -> str:
        tried = subprocess.run(
            [tools.python(), "-c", f"import httpx, {name}"],
            capture_output=True,
            check=False,
        )
        return "" if tried.returncode == 0 else f"httpx or {name}"

    return missing


CONTENDERS = (
    Contender(
        "foxbatch",
        lambda _tools: foxbatch("run", "comparison.yaml", "--yes"),
        files="runs",
        settles=True,
    ),
    Contender(
        "careful script",
        _script("careful.py", "requests.jsonl", "state.json", "videos"),
        missing=_without_package("asyncio"),
    ),
    Contender(
        "naive script",
        _script("naive.py", "requests.jsonl", "videos"),
        missing=_without_package("tenacity"),
    ),
    Contender(
        "GNU parallel", _parallel, missing=_without("parallel", "curl", "jq", "sh")
    ),
    Contender(
        "snakemake",
        _make_all,
        again=lambda tools: _snakemake(tools, "--unlock", "--quiet", "all"),
        missing=_without("snakemake", "curl", "jq", "sh"),
    ),
)
