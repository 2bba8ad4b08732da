"""A service as values: its models, its limits, and what its answers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from foxbatch.canonical import Digest, Json
from foxbatch.policy import Limits
from foxbatch.yaml12 import Where

State: TypeAlias = Literal["running", "completed", "failed"]
Means: TypeAlias = Literal["input", "busy", "account", "address", "unknown"]
Places: TypeAlias = tuple[Where, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One thing that can be asked for.

    Attributes:
        name: The request's `model`.
        kind: What its results are, such as `video`.
        endpoint: Path of the submit request.
        schema: JSON Schema of the whole request body.
        schema_name: What the provider file calls that schema.
    """

    name: str
    kind: str
    endpoint: str
    schema: Mapping[str, Json]
    schema_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Polling:
    """How a running task is asked for.

    Attributes:
        first_s: Seconds from acceptance to the first question, while nothing is known
            of how long such tasks take.
        interval_s: Least seconds between two questions about one task.
        missing_gap_s: Least seconds between two misses that both count.
        misses: Misses after which this run gives the task up.
        results_last_s: Seconds that the service keeps results, from completion.
    """

    first_s: float = 5.0
    interval_s: float = 5.0
    missing_gap_s: float = 20.0
    misses: int = 3
    results_last_s: float = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Where replies keep things: of each list, the first place that holds something."""

    id: Places
    status: Places
    results: Places
    progress: Places = ()
    model: Places = ()
    created: Places = ()
    credits: Places = ()
    estimate: Places = ()
    error: Places = ()
    extras: Mapping[str, Places]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitRule:
    """What one kind of refused submission means.

    Attributes:
        statuses: HTTP statuses, as ranges with both ends included.
        codes: Error codes, one of which the reply must have; empty for any or none.
        types: Likewise for the error's type.
        messages: Parts of the error's message, in lower case, one of which it must
            have; empty for any.
        means: See the provider schema.
        error_class: Its name in the ledger.
    """

    statuses: tuple[tuple[int, int], ...]
    codes: frozenset[str]
    types: frozenset[str]
    messages: frozenset[str] = frozenset()
    means: Means
    error_class: str

    def fits(self, status: int, *, code: str, kind: str, message: str) -> bool:
        """Return whether a reply with this status and error is meant."""
        said = message.lower()
        return (
            any(low <= status <= high for low, high in self.statuses)
            and (not self.codes or code in self.codes)
            and (not self.types or kind in self.types)
            and (not self.messages or any(part in said for part in self.messages))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceRoute:
    """Where the service tells what an account has used, each figure if it is there."""

    path: str
    used: Places = ()
    available: Places = ()
    unlimited: Places = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargesRoute:
    """Where the service lists what an account was charged for lately.

    Attributes:
        path: Path of the list.
        items: Where the list is in the reply. The other places are in one item of it.
        at: When it was charged, in Unix seconds.
        model: What for.
        amount: How much, in the unit of the account; what is not above 0 is no charge.
    """

    path: str
    items: Places
    at: Places
    model: Places
    amount: Places = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRoutes:
    """What the service tells about the account of a key.

    Attributes:
        unit: What its amounts are called.
        per_credit: How many of them one credit of a task is; None where nobody knows.
        balance: None where it is not told.
        charges: None where they are not told.
    """

    unit: str = ""
    per_credit: float | None = None
    balance: BalanceRoute | None = None
    charges: ChargesRoute | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One service.

    Attributes:
        id: Declared; part of every job's identity.
        title: Name for people.
        base_url: Default address, canonical; empty where foxbatch serves it itself.
        aliases: Further addresses of the same service.
        hosts: Hosts that its key may always go to, with the port where it is not the
            usual one; empty for a file in a checkout.
        builtin: Whether it comes with foxbatch.
        paid: Whether requests cost money.
        embedded: Whether foxbatch serves it itself when no address is given.
        key_env: Variable that holds the key; None where no key is needed.
        base_url_env: Variable that may hold another address.
        account_env: Variable that may name the account.
        models: By name, in the order of the file.
        limits: Where a manifest says nothing.
        polling: How running tasks are asked for.
        task_path: Path of a task, with `{id}`.
        sync_query: Query that makes the service look upstream first.
        states: State by status word; any other word is running.
        queued: Words that mean that work on the task has not begun.
        answers: Where replies keep things.
        submit_rules: What refused submissions mean; the first that fits counts.
        failure_classes: Class by code of a failed task.
        account: What it tells about the account of a key.
        sha256: Of `content`.
        content: Exact bytes of the provider file.
    """

    id: str
    title: str
    base_url: str
    aliases: tuple[str, ...]
    hosts: frozenset[str]
    builtin: bool
    paid: bool
    embedded: bool
    key_env: str | None
    base_url_env: str | None
    account_env: str | None
    models: Mapping[str, Model]
    limits: Limits
    polling: Polling
    task_path: str
    sync_query: Mapping[str, str]
    states: Mapping[str, State]
    queued: frozenset[str]
    answers: Answers
    submit_rules: tuple[SubmitRule, ...]
    failure_classes: Mapping[str, str]
    account: AccountRoutes
    sha256: Digest
    content: bytes

    def refusal(
        self, status: int, *, code: str, kind: str, message: str = ""
    ) -> SubmitRule | None:
        """Return the rule for a refused submission; None means its fate is unknown."""
        for rule in self.submit_rules:
            if rule.fits(status, code=code, kind=kind, message=message):
                return None if rule.means == "unknown" else rule
        return None

    def failure_class(self, code: str) -> str:
        """Return the class of a failed task's error *code*."""
        return self.failure_classes.get(code, "unknown")


def find(value: Json, places: Places) -> Json:
    """Return what the first of *places* with anything in it holds, else None."""
    for where in places:
        found = _at(value, where)
        if found is not None:
            return found
    return None


def _at(value: Json, where: Where) -> Json:
    for step in where:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value
