"""Whether a run directory still is what was written: offline, and changing nothing."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from foxbatch.api.changes import (
    Change,
    changes_in_words,
    count_changes,
    not_as_asked,
)
from foxbatch.api.looking import live
from foxbatch.api.place import Place, starts
from foxbatch.api.summary import TaskOwners, bought_twice
from foxbatch.artifacts import media_facts, verify_stored
from foxbatch.canonical import Digest, JobId, Json, job_digest, job_id
from foxbatch.clock import to_text
from foxbatch.errors import LedgerError, RunDirError
from foxbatch.events import (
    ArtifactStored,
    Event,
    JobPlanned,
    MediaFacts,
    RunId,
)
from foxbatch.ledger import ledger_files, read_facts
from foxbatch.ledger_schema import against_schema
from foxbatch.planner import without_paths
from foxbatch.report.ratings import read_ratings
from foxbatch.results import records
from foxbatch.state import BatchState, JobState

Kind: TypeAlias = Literal[
    "ledger", "manifest", "artifact", "media", "results", "asked", "ratings", "unknown"
]
Watch: TypeAlias = Callable[[str], None]
"""Told what is looked at now."""

_DURATION_TOLERANCE_S = 0.05  # libraries round it differently
_OURS = frozenset({"results.jsonl", ".lock", "report.html", "report.zip", "sheet.png"})
_OUR_FOLDERS = (".sandbox", ".posters", "ratings")
_LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", ".gitkeep", ".gitignore"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: What it is about.
        path: Relative to the run directory, POSIX.
        message: What it is, in words.
        wrong: Whether something is not as it has to be; else it is worth knowing.
        change: What happened to a file since the run.
    """

    kind: Kind
    path: str
    message: str
    wrong: bool = True
    change: Change | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was looked at, and what was found.

    Attributes:
        ledger_files: Files of the ledger.
        facts: Lines in them.
        artifacts: Stored files that were read.
        bytes: Their size together.
        unchecked: Those of them whose media facts could not be checked here.
    """

    run_dir: Path
    findings: tuple[Finding, ...]
    ledger_files: int
    facts: int
    artifacts: int
    bytes: int
    unchecked: int

    @property
    def valid(self) -> bool:
        """Whether nothing is wrong."""
        return not any(finding.wrong for finding in self.findings)

    @property
    def changes(self) -> dict[Change, int]:
        """How many files are not what they were after the run, by what happened."""
        return count_changes(finding.change for finding in self.findings)

    @property
    def changed(self) -> str:
        """The same in words; empty where nothing changed."""
        return changes_in_words(self.changes)

    def to_json(self) -> dict[str, Json]:
        """Return the one object that `verify --format json` prints."""
        return {
            "run_dir": str(self.run_dir),
            "valid": self.valid,
            "changed": self.changed,
            "changes": {str(change): n for change, n in self.changes.items()},
            "findings": [
                {
                    "kind": one.kind,
                    "path": one.path,
                    "message": one.message,
                    "wrong": one.wrong,
                    "change": one.change,
                }
                for one in self.findings
            ],
            "ledger_files": self.ledger_files,
            "facts": self.facts,
            "artifacts": self.artifacts,
            "bytes": self.bytes,
            "unchecked": self.unchecked,
        }


def verify(run_dir: Path, *, watch: Watch | None = None) -> Verified:
    """Compare everything in a run directory with what the ledger says of it.

    Reads every file of it once; needs no lock, no key and no network.
    """
    check = _Check(Place(run_dir), watch or (lambda _: None))
    check.ledger()
    check.manifests()
    check.artifacts()
    check.ratings()
    if not check.damaged:  # or else what the lost lines told would seem to be wrong
        check.results()
        check.asked()
        check.strangers()
    return Verified(
        run_dir=run_dir,
        findings=tuple(check.findings),
        ledger_files=len(check.files),
        facts=check.facts,
        artifacts=check.read,
        bytes=check.bytes,
        unchecked=check.unchecked,
    )


@dataclass(slots=True)
class _Check:
    place: Place
    watch: Watch
    findings: list[Finding] = field(default_factory=list)
    state: BatchState = field(default_factory=BatchState)
    files: list[Path] = field(default_factory=list)
    stored: set[str] = field(default_factory=set)
    missing: dict[str, ArtifactStored] = field(default_factory=dict)
    damaged: bool = False
    facts: int = 0
    read: int = 0
    bytes: int = 0
    unchecked: int = 0

    def _found(
        self,
        kind: Kind,
        path: str,
        message: str,
        *,
        wrong: bool = True,
        change: Change | None = None,
    ) -> None:
        finding = Finding(
            kind=kind, path=path, message=message, wrong=wrong, change=change
        )
        self.findings.append(finding)

    def _note(self, kind: Kind, path: str, message: str) -> None:
        self._found(kind, path, message, wrong=False)

    # ---- The ledger

    def ledger(self) -> None:
        """Check each file by itself, then what they say together."""
        try:
            self.files = ledger_files(self.place.ledger)
        except LedgerError as error:
            self.damaged = True
            self._found("ledger", "ledger", str(error))
            return
        by_run: dict[RunId, list[Path]] = {}
        for path in self.files:
            self.watch(path.name)
            run = self._ledger_file(path)
            by_run.setdefault(run, []).append(path)
        if self.damaged:
            return
        for run, paths in by_run.items():
            self._same_story(run, paths)
        self._order_matters_not()
        self._jobs({run: paths[-1].name for run, paths in by_run.items()})

    def _ledger_file(self, path: Path) -> RunId:
        """Check sequence, schema and table; take its facts in; return whose it is."""
        run, name = RunId(""), f"ledger/{path.name}"
        try:
            for fact in read_facts(path, on_torn=lambda _: self._torn(name)):
                run = fact.run
                self.facts += 1
                self.state.join(fact)
                if isinstance(fact, ArtifactStored):
                    self.stored.add(fact.path)
        except LedgerError as error:
            self.damaged = True
            said = str(error).removeprefix(f"{path}")
            line = " cannot be trusted" if said.startswith(":") else ""
            self._found("ledger", name, f"it{line}{said}")
            return run
        for number, why in against_schema(path):
            self._found(
                "ledger", name, f"line {number} is not as its schema says: {why}"
            )
        return run

    def _torn(self, name: str) -> None:
        self._note("ledger", name, "it ends in an unfinished line, which is ignored")

    def _same_story(self, run: RunId, paths: list[Path]) -> None:
        """Copies of one file may be of different age, but may not contradict."""
        told = sorted((_facts(path) for path in paths), key=len)
        for shorter, longer in itertools.pairwise(told):
            if longer[: len(shorter)] != shorter:
                names = " and ".join(path.name for path in paths)
                self._found(
                    "ledger", "ledger", f"{names} tell run {run} in different ways"
                )

    def _order_matters_not(self) -> None:
        other = BatchState()
        for path in reversed(self.files):
            for fact in _facts(path):
                other.join(fact)
        if other != self.state:
            self._found(
                "ledger", "ledger", "what it says depends on the order of its files"
            )

    def _jobs(self, names: Mapping[RunId, str]) -> None:
        for known in self.state.jobs.values():
            if known.planned is None:
                self._found(
                    "ledger",
                    "ledger",
                    f"job {known.id} was bought, and no file here says what it is: "
                    "a file is missing",
                )
            elif not _is_itself(known.planned):
                self._found(
                    "ledger",
                    "ledger",
                    f"job {known.id} is not the request that it was: a line about it "
                    "was changed",
                )
        owners = TaskOwners()
        for known in self.state.jobs.values():
            for said in (*bought_twice(known, names), *owners.hear(known)):
                self._note("ledger", "ledger", said)

    # ---- Manifests

    def manifests(self) -> None:
        """Check that what was run is kept, byte for byte."""
        for digest in self._kept():
            try:
                self.place.read_kept(digest)
            except RunDirError as error:
                said = (
                    str(error).removeprefix(f"{self.place.kept(digest)}").lstrip(", ")
                )
                self._found("manifest", f"manifests/{digest}.yaml", said)

    def _kept(self) -> list[Digest]:
        found: dict[Digest, None] = {}
        for started in starts(self.state):
            named = [ref.sha256 for ref in started.manifests]
            found |= dict.fromkeys((*named, started.provider_sha256))
        return [digest for digest in found if digest]

    # ---- Artifacts

    def artifacts(self) -> None:
        """Check the files of all attempts: size, digest, and what they contain."""
        for known in self.state.jobs.values():
            files = {
                stored.path: stored
                for attempt in known.in_order()
                for stored in attempt.artifacts.values()
            }
            for path, stored in sorted(files.items()):
                self.watch(path)
                self._artifact(known, stored)

    def _artifact(self, known: JobState, stored: ArtifactStored) -> None:
        run_dir = self.place.path
        fault = verify_stored(
            run_dir, path=stored.path, sha256=stored.sha256, size_bytes=stored.bytes
        )
        if fault is not None:
            said = fault.removeprefix(stored.path).strip()
            changed = _changed(run_dir / stored.path)
            since = f", last changed {changed}" if changed else ""
            when = f" (stored {stored.at}{since})"
            change: Change = "edited" if changed > stored.at else "other"
            if not changed:
                self.missing[stored.path] = stored
                change = "missing"
            message = f"{known.name}: {said}{when}"
            self._found("artifact", stored.path, message, change=change)
            return
        self.read += 1
        self.bytes += stored.bytes
        kind = known.planned.kind if known.planned is not None else ""
        facts = media_facts(run_dir / stored.path, kind)
        if facts.kind == "unchecked":
            self.unchecked += 1
        elif stored.media.kind != "unchecked" and not _alike(facts, stored.media):
            told, is_ = _contents(stored.media), _contents(facts)
            self._found(
                "media",
                stored.path,
                f"{known.name}: the ledger says {told}, and it is {is_}",
            )

    # ---- What people think

    def ratings(self) -> None:
        """Check that what people rated can be read."""
        try:
            read_ratings(self.place.path)
        except RunDirError as error:
            said = str(error).removeprefix(f"{self.place.path}/")
            self._found("ratings", "ratings", said)

    # ---- What is derived, and what is nobody's

    def results(self) -> None:
        """Compare `results.jsonl` with what the ledger says now."""
        alive = live(self.state, self.place.path)
        name = self.place.results.name
        if alive:
            self._note("results", name, "not compared: a run goes on now")
            return
        expected = {
            record.job: json.loads(msgspec.json.encode(record))
            for record in records(self.state)
        }
        wrong = _differences(self.place.results, expected)
        cut_off = any(run.ended is None for run in self.state.runs.values())
        if wrong and cut_off:
            wrong += ": a run was cut off before it could write it"
        if wrong:
            hint = "; `foxbatch collect` writes it anew"
            self._found("results", name, f"{wrong}{hint}", wrong=not cut_off)

    def asked(self) -> None:
        """Look where what came is not what was asked for, which is worth knowing."""
        for path, message in not_as_asked(records(self.state)):
            self._note("asked", path, message)

    def strangers(self) -> None:
        """Look for files that no fact tells of."""
        known = {f"ledger/{path.name}" for path in self.files} | self.stored | _OURS
        known |= {f"manifests/{digest}.yaml" for digest in self._kept()}
        for path in _walk(self.place.path):
            if path in known or path.rpartition("/")[2] in _LITTER:
                continue
            if path.startswith("artifacts/.partial/"):
                self._note("unknown", path, "a download that was not finished")
            elif path.endswith(".new") and path.rpartition("/")[2].startswith("."):
                self._note("unknown", path, "a file that was not finished")
            elif (old := self._old_place(path)) is not None:
                self._moved(old, path)
            else:
                said = "no fact of the ledger tells of it"
                self._found("unknown", path, said, change="strange")

    def _old_place(self, path: str) -> str | None:
        """Return which missing file the one at *path* is, if it is one."""
        for old, stored in self.missing.items():
            fault = verify_stored(
                self.place.path,
                path=path,
                sha256=stored.sha256,
                size_bytes=stored.bytes,
            )
            if fault is None:
                return old
        return None

    def _moved(self, old: str, path: str) -> None:
        del self.missing[old]
        self.findings = [
            replace(one, change="moved")
            if (one.path, one.change) == (old, "missing")
            else one
            for one in self.findings
        ]
        self._found("unknown", path, f"it is {old}, which was moved here")


def _facts(path: Path) -> list[Event]:
    return list(read_facts(path, on_torn=lambda _: None))


def _is_itself(planned: JobPlanned) -> bool:
    """Return whether a job's id follows from what it says it is."""
    real = job_digest(
        provider=planned.provider,
        endpoint=planned.endpoint,
        request=without_paths(planned),
        repeat=planned.repeat,
    )
    return real == planned.digest and job_id(real) == planned.job


def _changed(path: Path) -> str:
    """Return when the file at *path* was last changed; empty if it is not there."""
    try:
        at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return ""
    return to_text(at)


def _alike(left: MediaFacts, right: MediaFacts) -> bool:
    one, other = left.duration_s, right.duration_s
    if (
        one is not None
        and other is not None
        and abs(one - other) < _DURATION_TOLERANCE_S
    ):
        left = msgspec.structs.replace(left, duration_s=other)
    return left == right


def _contents(facts: MediaFacts) -> str:
    known = msgspec.to_builtins(facts)
    return ", ".join(f"{name} {value}" for name, value in known.items())


def _differences(path: Path, expected: Mapping[JobId, object]) -> str:
    """Return in which way a file of records is not as *expected*; empty if it is."""
    try:
        lines = path.read_bytes().splitlines()
        told = {one["job"]: one for one in map(json.loads, lines)}
    except FileNotFoundError:
        return "it is missing" if expected else ""
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"
    except (ValueError, KeyError, TypeError):
        return "it is no list of records"
    if len(told) != len(lines):
        return "it tells of a job twice"
    missing = len(expected.keys() - told.keys())
    strange = len(told.keys() - expected.keys())
    other = sum(told[job] != expected[job] for job in told.keys() & expected.keys())
    said = [
        (missing, "missing"),
        (strange, "about jobs that the ledger does not know"),
        (other, "not what the ledger says"),
    ]
    parts = [f"{number} {what}" for number, what in said if number]
    return f"records: {', '.join(parts)}" if parts else ""


def _walk(run_dir: Path) -> Iterator[str]:
    for folder, inner, names in os.walk(run_dir):
        here = Path(folder)
        if here == run_dir:
            inner[:] = [name for name in inner if name not in _OUR_FOLDERS]
        inner.sort()
        links = [name for name in inner if (here / name).is_symlink()]
        for name in sorted([*names, *links]):
            yield (here / name).relative_to(run_dir).as_posix()
