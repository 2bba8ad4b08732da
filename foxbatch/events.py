"""The facts a ledger can hold, and their one-line spelling.

A fact is something that happened, named in the past tense. It is written once and
never changed. Every class below is one kind; its `tag` is the word in the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from sys import intern
from typing import Literal, NewType, TypeAlias, get_args

import msgspec

from foxbatch.canonical import Digest, JobId

FORMAT = 1

_TASK_ID = re.compile(r"[A-Za-z0-9._:~-]{1,256}")
_MOST_CREDITS = 1e15

EXPIRED = "expired"
"""Failure class of results that vanished before they were fetched."""

WRITTEN_OFF = "written_off"
"""Failure class of a job that a person gave up."""
"""Version of the ledger format that this foxbatch writes."""

RunId = NewType("RunId", str)
"""One process run: 10 characters, random, also in the name of its file."""

AttemptId = NewType("AttemptId", str)
"""One decision to submit one job: run id, a hyphen, a counter from 1."""

TaskId = NewType("TaskId", str)
"""What the service calls a task. Opaque."""

Decision = Literal["task", "buy_again", "write_off"]
State = Literal["running", "completed", "failed"]


# No cycle can go through frozen JSON values: the collector need not look at them, and
# a million facts would keep it busier than reading them keeps us.
class Part(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A value inside a fact. Fields at their default are not written."""


class Origin(Part, frozen=True):
    """Whose jobs a run directory holds.

    Attributes:
        provider: Id that the provider declares.
        base_url: Where requests go, or the word `sandbox` for the embedded one.
        account: Label of the account, never a key.
    """

    provider: str
    base_url: str
    account: str = ""


class ManifestRef(Part, frozen=True):
    """The exact manifest a run was started with, kept under `manifests/`."""

    sha256: Digest
    name: str
    path: str = ""


class PromptText(Part, frozen=True):
    """A prompt as it was sent, and the label that people see."""

    id: str
    text: str


class AlsoWanted(Part, frozen=True):
    """Another entry of the manifest that asks for the same job, bought once.

    Attributes:
        spec: Id of the entry under `jobs`.
        name: What its job would be called.
        cell: Axis values and include extras, without the prompt.
    """

    spec: str
    name: str
    cell: dict[str, object]


class MediaFacts(Part, frozen=True):
    """What a file really contains.

    Attributes:
        kind: `video`, `image`, `audio`, `json`, `file`, or `unchecked` where the
            media extra is not installed.
        duration_s: Seconds.
        width: Pixels.
        height: Pixels.
        video_codec: Such as `h264`.
        audio_codec: Such as `aac`; None where there is no sound.
    """

    kind: str
    duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    video_codec: str | None = None
    audio_codec: str | None = None


class ResultItem(Part, frozen=True):
    """One thing a finished task offers.

    Attributes:
        url: Where the file is, for a day; None where the item itself is the result.
        content_type: As the service says, often absent and sometimes wrong.
        extras: Everything else the service said about it.
    """

    url: str | None = None
    content_type: str | None = None
    extras: dict[str, object] = {}


class Fact(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="event",
    gc=False,
):
    """Fields that every fact has. The ledger stamps them when it appends.

    Attributes:
        v: Version of the format.
        seq: Position in its file, from 1, without gaps.
        at: RFC 3339, UTC, milliseconds.
        run: The run that wrote it.
    """

    v: int = 0
    seq: int = 0
    at: str = ""
    run: RunId = RunId("")


class JobFact(Fact, frozen=True):
    """A fact about one job."""

    job: JobId


class AttemptFact(JobFact, frozen=True):
    """A fact about one attempt at one job."""

    attempt: AttemptId


class RunStarted(Fact, frozen=True, tag="run.started"):
    """A process began to work on the directory.

    Attributes:
        origin: The service and account it talks to.
        manifests: What it was asked for; empty for `collect` and `settle`.
        provider_sha256: Digest of the provider file, kept under `manifests/`.
        actor: Who started it: git user, `FOXBATCH_ACTOR`, or a CI run's address.
        commit: Git commit of the checkout.
        dirty: Whether the checkout had uncommitted changes.
        host: Machine.
        pid: Process on that machine.
        machine: Digest of the machine's id, where it has one.
        boot: Drawn by the kernel when it started; equal in all its containers.
        pid_namespace: Which processes that process sees: a container's own, or all.
        process_began: When it began, in clock ticks since the boot.
        versions: Of foxbatch and Python.
        policy: Limits, retries and patience in force.
        overrides: What was typed to go before the manifest's values (`--set`).
    """

    origin: Origin
    manifests: tuple[ManifestRef, ...] = ()
    provider_sha256: Digest = Digest("")
    actor: str = ""
    commit: str = ""
    dirty: bool = False
    host: str = ""
    pid: int = 0
    machine: str = ""
    boot: str = ""
    pid_namespace: str = ""
    process_began: int = 0
    versions: dict[str, str] = {}
    policy: dict[str, object] = {}
    overrides: tuple[str, ...] = ()


class JobPlanned(JobFact, frozen=True, tag="job.planned"):
    """A job is wanted; written where no file holds an equal one yet.

    Attributes:
        digest: The full digest that the job's id is cut from.
        spec: Id of the entry under `jobs`.
        name: For people; unique within the spec.
        cell: Axis values and include extras, without the prompt.
        prompt: As sent.
        repeat: From 1.
        provider: Id that the provider declares.
        endpoint: Path of the submit request.
        model: As sent.
        kind: What the model makes: `video`, `image`, `audio`, …
        request: The exact body; a local file in it is its path and digest.
        output: Where artifacts go, without digest and extension.
        manifest: Digest of the manifest.
        line: Line of the spec in it, from 1.
        also: Which further jobs it stands for, where duplicates are merged.
    """

    digest: Digest
    spec: str
    name: str
    cell: dict[str, object]
    repeat: int
    provider: str
    endpoint: str
    model: str
    kind: str
    request: dict[str, object]
    output: str
    prompt: PromptText | None = None
    manifest: Digest = Digest("")
    line: int = 0
    also: tuple[AlsoWanted, ...] = ()


class SubmitIntended(AttemptFact, frozen=True, tag="submit.intended"):
    """A POST is about to leave; on disk before its first byte.

    Attributes:
        after: The attempt that this one deliberately repeats, if any.
        why: Why it is repeated: `retry`, `retry_failed` or `buy_again`.
        credits: What was set aside for it, where a price was known.
    """

    after: AttemptId | None = None
    why: str = ""
    credits: float | None = None


class SubmitAccepted(AttemptFact, frozen=True, tag="submit.accepted"):
    """The service made a task; it has to be paid for.

    Attributes:
        task: Its id.
        credits: What was reserved, in the service's unit.
        reply: Raw body, bounded and redacted.
        headers: The few that help a support request.
    """

    task: TaskId
    credits: float | None = None
    reply: str = ""
    headers: dict[str, str] = {}


class SubmitRefused(AttemptFact, frozen=True, tag="submit.refused"):
    """No task was made, and that is certain.

    Attributes:
        error_class: `not_sent`, or the provider file's name for it.
        code: The service's word, or the HTTP status.
        message: The service's words.
        retryable: Whether the same request may be sent again.
        reply: Raw body, bounded and redacted.
        headers: The few that help a support request.
    """

    error_class: str = msgspec.field(name="class")
    code: str = ""
    message: str = ""
    retryable: bool = False
    reply: str = ""
    headers: dict[str, str] = {}


class SubmitUnknown(AttemptFact, frozen=True, tag="submit.unknown"):
    """A task may exist and may have been paid for; only a person can tell.

    Attributes:
        why: What happened, for people.
        reply: What there was of an answer, bounded and redacted.
        headers: The few that help a support request.
    """

    why: str
    reply: str = ""
    headers: dict[str, str] = {}


class SubmitSettled(AttemptFact, frozen=True, tag="submit.settled"):
    """What became of an attempt was found out, by a person or from what they named.

    Mostly a held attempt. One that no ledger file here knows begins with this fact:
    what a lost machine's log tells, or what another run directory holds.

    Attributes:
        decision: It is this task, buy it again, or write it off.
        task: With `task`, which one.
        who: The actor.
        why: In that person's words.
        credits: With `task`, what was reserved, where a log tells it.
        bought_in: The run directory that paid for it, where that is another one.
    """

    decision: Decision
    task: TaskId | None = None
    who: str = ""
    why: str = ""
    credits: float | None = None
    bought_in: str = ""


class StatusSeen(AttemptFact, frozen=True, tag="status.seen"):
    """The service's word for the task changed.

    Attributes:
        status: The word itself.
        state: What it means.
        known: Whether the provider file knows the word; otherwise it means running.
        queued: Whether the word means that work on it has not begun.
        progress: 0 to 100 where given.
        credits: What the service reports as reserved, in its unit.
        reply: Raw body of a final answer, bounded and redacted.
    """

    status: str
    state: State
    known: bool = True
    queued: bool = False
    progress: float | None = None
    credits: float | None = None
    reply: str = ""


class ResultsSeen(AttemptFact, frozen=True, tag="results.seen"):
    """A finished task said where its results are.

    Attributes:
        items: In the service's order.
        valid_until: Until when the service surely keeps them.
        reported_model: The model the service says it used.
        extras: What else it reported: a seed, degraded reasons, …
    """

    items: tuple[ResultItem, ...]
    valid_until: str = ""
    reported_model: str | None = None
    extras: dict[str, object] = {}


class WatchEnded(AttemptFact, frozen=True, tag="watch.ended"):
    """Patience ended; the task may still finish and is asked again by id.

    Attributes:
        watched_s: How long this run watched it, in seconds.
        why: `patience`, `not_found`, or `download` where the results are there and
            cannot be fetched now.
        message: What stood in the way of a download.
    """

    watched_s: float
    why: str = "patience"
    message: str = ""


class ArtifactStored(AttemptFact, frozen=True, tag="artifact.stored"):
    """A file is whole, checked and on disk.

    Attributes:
        item: Which of the task's results, from 1.
        path: Relative to the run directory, POSIX.
        sha256: Of its bytes.
        bytes: Its size.
        media: What it contains.
        mismatch: Where it differs from what was asked for, in words.
    """

    item: int
    path: str
    sha256: Digest
    bytes: int
    media: MediaFacts
    mismatch: tuple[str, ...] = ()


class JobSucceeded(AttemptFact, frozen=True, tag="job.succeeded"):
    """Everything the task offered is stored.

    Attributes:
        credits: What it cost, in the service's unit, where known.
    """

    credits: float | None = None


class JobFailed(AttemptFact, frozen=True, tag="job.failed"):
    """This attempt will give nothing.

    Attributes:
        error_class: Class of the failure in the provider file's words.
        code: The service's word.
        message: The service's words.
        retryable: Whether another attempt could help.
        credits: What stays reserved: no refund is assumed.
    """

    error_class: str = msgspec.field(name="class")
    code: str = ""
    message: str = ""
    retryable: bool = False
    credits: float | None = None


class BatchHalted(Fact, frozen=True, tag="batch.halted"):
    """Submitting stopped, for every job or for a slice of them.

    Attributes:
        why: For people.
        exit_code: What the process will say.
        slice: Which jobs wait, such as `duration=8`; empty means all.
    """

    why: str
    exit_code: int
    slice: str = ""


class RunEnded(Fact, frozen=True, tag="run.ended"):
    """The process ended in an orderly way.

    Attributes:
        why: `done`, `interrupted`, `halted`, `stop_after` or `detached`.
        counts: Jobs by phase.
    """

    why: str
    counts: dict[str, int] = {}


class AccountSeen(Fact, frozen=True, tag="account.seen"):
    """The service told what the account of the key has used.

    Others may use it too. It is asked before a run submits anything, and once more at
    the end of it.

    Attributes:
        used: Ever, in `unit`.
        available: What is left, in `unit`.
        unlimited: Whether nothing bounds it.
        unit: The account's own, in the provider file's word.
        per_credit: How many of them one credit of a task is, where that is known.
    """

    used: float | None = None
    available: float | None = None
    unlimited: bool | None = None
    unit: str = ""
    per_credit: float | None = None


Event: TypeAlias = (
    RunStarted
    | JobPlanned
    | SubmitIntended
    | SubmitAccepted
    | SubmitRefused
    | SubmitUnknown
    | SubmitSettled
    | StatusSeen
    | ResultsSeen
    | WatchEnded
    | ArtifactStored
    | JobSucceeded
    | JobFailed
    | BatchHalted
    | AccountSeen
    | RunEnded
)
"""Every kind of fact."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)
_header = msgspec.json.Decoder(dict[str, object])
_WORDS: Mapping[type[Event], str] = {
    kind: str(kind.__struct_config__.tag) for kind in get_args(Event)
}
WORDS = frozenset(_WORDS.values())

# What the facts of a ledger say again and again. Each text is in memory once.
_REPEATED = {"run", "job", "attempt", "spec", "provider", "endpoint", "model", "kind"}
_SHARED: Mapping[type[Event], tuple[str, ...]] = {
    kind: tuple(name for name in kind.__struct_fields__ if name in _REPEATED)
    for kind in _WORDS
}


def word(event: Event) -> str:
    """Return the event's word, such as `submit.accepted`."""
    return _WORDS[type(event)]


def word_of(kind: type[Event]) -> str:
    """Return the word of a kind of facts."""
    return _WORDS[kind]


def is_task_id(text: str) -> bool:
    """Return whether *text* can be the id of a task: it becomes part of a path."""
    return bool(_TASK_ID.fullmatch(text)) and text not in (".", "..")


def amount_in(credits_: float | None) -> float | None:
    """Return *credits_* where they are an amount; a service says what it likes.

    None for what is negative, not finite, or more than can be counted exactly.
    """
    if credits_ is None or not 0 <= credits_ <= _MOST_CREDITS:
        return None
    return credits_


def encode(event: Event) -> bytes:
    """Return *event* as one line of JSON, LF included."""
    return _encoder.encode(event) + b"\n"


class NewerError(ValueError):
    """A whole line that a newer foxbatch wrote: neither damaged nor torn."""


def decode(line: bytes) -> Event:
    """Return the fact on one *line*.

    Raises:
        NewerError: A newer foxbatch wrote it.
        ValueError: It is no fact: damaged, or not whole.
    """
    try:
        # Decoded first: msgspec looks at the bytes of what it keeps alone.
        event: Event = _decoder.decode(line.decode())
    except ValueError as error:  # msgspec's own, or text that is not UTF-8
        raise _unreadable(line, error) from None
    if event.v > FORMAT:
        raise _newer_format(event.v)
    if event.v < 1 or event.seq < 1 or not event.at or not event.run:
        raise ValueError("the common fields v, seq, at and run are incomplete")
    _share(event)
    return event


def _share(event: Event) -> None:
    """Let equal texts of several facts be one object: half of a ledger is ids."""
    for name in _SHARED[type(event)]:
        text = intern(getattr(event, name))
        msgspec.structs.force_setattr(event, name, text)


def _unreadable(line: bytes, error: ValueError) -> ValueError:
    try:
        fields = _header.decode(line)
    except ValueError:
        return ValueError(f"not a JSON object ({error})")
    version, event = fields.get("v"), fields.get("event")
    if isinstance(version, int) and version > FORMAT:
        return _newer_format(version)
    if not isinstance(event, str) or event not in WORDS:
        return NewerError(f"unknown event {event!r}")
    return ValueError(f"a {event} that is not complete ({error})")


def _newer_format(version: int) -> NewerError:
    known = f"and this foxbatch reads formats up to {FORMAT}"
    return NewerError(f"format {version}, {known}")
