"""Provider files: read, checked, and made into one value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from foxbatch.canonical import Json, sha256
from foxbatch.errors import InvalidError, Position, Problem, UsageError
from foxbatch.policy import Limits
from foxbatch.provider.address import (
    canonical_url,
    host_of,
    is_loopback,
    variable_suffix,
)
from foxbatch.provider.files import confined, problem_at, read
from foxbatch.provider.model_schemas import model_schema
from foxbatch.provider.service import (
    AccountRoutes,
    Answers,
    BalanceRoute,
    ChargesRoute,
    Means,
    Model,
    Places,
    Polling,
    Provider,
    State,
    SubmitRule,
    find,
)
from foxbatch.schema import (
    Checker,
    load_schema,
    show,
    suggest,
)
from foxbatch.yaml12 import Document, Where, parse

# Who the service is and which key it gets is said by each file itself: a file in a
# checkout that starts from `foxapi` must not inherit FoxAPI's key.
_TAKEN_OVER = (
    "models",
    "limits",
    "polling",
    "task",
    "statuses",
    "answers",
    "submit",
    "failures",
    "account",
)
_OURS_ALONE = ("embedded", "base_url_env", "account_env")


class _ModelEntry(msgspec.Struct):
    name: str
    kind: str
    endpoint: str
    schema: str


class _Task(msgspec.Struct):
    path: str
    sync_query: dict[str, str] = {}


class _Answers(msgspec.Struct):
    id: list[str]
    status: list[str]
    results: list[str]
    progress: list[str] = []
    model: list[str] = []
    created: list[str] = []
    credits: list[str] = []
    estimate: list[str] = []
    error: list[str] = []
    extras: dict[str, list[str]] = {}


class _Rule(msgspec.Struct):
    status: list[int | str]
    means: Means
    codes: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    messages: frozenset[str] = frozenset()
    error_class: str = msgspec.field(name="class", default="")


class _Balance(msgspec.Struct):
    path: str
    used: list[str] = []
    available: list[str] = []
    unlimited: list[str] = []


class _Charges(msgspec.Struct):
    path: str
    items: list[str]
    at: list[str]
    model: list[str]
    amount: list[str] = []


class _Account(msgspec.Struct):
    unit: str = ""
    per_credit: float | None = None
    balance: _Balance | None = None
    charges: _Charges | None = None


class _File(msgspec.Struct):
    """A provider file as it is written; the schema has checked it already."""

    id: str
    models: list[_ModelEntry]
    task: _Task
    statuses: dict[State | Literal["queued"], list[str]]
    answers: _Answers
    submit: list[_Rule]
    title: str = ""
    base_url: str = ""
    aliases: list[str] = []
    key_env: str | None = None
    base_url_env: str | None = None
    account_env: str | None = None
    paid: bool = True
    embedded: bool = False
    limits: Limits = Limits()
    polling: Polling = Polling()
    failures: dict[str, list[str]] = {}
    account: _Account | None = None


def builtin_names() -> list[str]:
    """Return the ids of the providers that come with foxbatch, sorted."""
    folder = resources.files("foxbatch") / "providers"
    names = (entry.name for entry in folder.iterdir())
    return sorted(name[:-5] for name in names if name.endswith(".yaml"))


def load_provider(
    reference: str, *, base: Path, at: Position | None = None
) -> Provider:
    """Return the provider that *reference* names.

    Args:
        reference: Name of one that comes with foxbatch, or the path of a file.
        base: Folder that a path is relative to; the file must be in its repository.
        at: Where the reference is written; None where somebody typed it.

    Raises:
        UsageError: No such name.
        InvalidError: The file cannot be read or is wrong; all problems are in it.
    """
    if reference in builtin_names():
        return _builtin(reference)
    if "/" not in reference and not reference.endswith((".yaml", ".yml")):
        raise UsageError(
            f"there is no provider {show(reference)}",
            hint=suggest(reference, [*builtin_names(), "./FILE.yaml"], "Providers"),
        )
    at = at or Position("--provider")
    path = confined(reference, base, at)
    content = read(path, reference, at)
    shown = (base / reference).as_posix()
    return parse_provider(content, shown_as=shown, folder=path.parent)


def parse_provider(content: bytes, *, shown_as: str, folder: Path | None) -> Provider:
    """Return the provider that the bytes of a file in a checkout describe.

    Args:
        content: Exact bytes.
        shown_as: Name of the file in messages.
        folder: What the paths of model schemas are relative to. None for a copy that
            was kept with a run: its own model schemas stay empty, since collecting
            results checks no requests.

    Raises:
        InvalidError: With every problem of the file.
    """
    document = parse(content, file=shown_as)
    _check(document, builtin=False)
    file = _merged(document)
    schemas, problems = _schemas(document, file, folder)
    if problems:
        raise InvalidError(tuple(problems))
    return _provider(file, schemas, content=content, builtin=False)


def _builtin(name: str) -> Provider:
    content = _builtin_bytes(name)
    document = parse(content, file=f"{name}.yaml")
    _check(document, builtin=True)
    file = _merged(document)
    schemas = {model.schema: load_schema(model.schema) for model in file.models}
    return _provider(file, schemas, content=content, builtin=True)


def _builtin_bytes(name: str) -> bytes:
    return (resources.files("foxbatch") / "providers" / f"{name}.yaml").read_bytes()


def _check(document: Document, *, builtin: bool) -> None:
    """Raise `InvalidError` with everything that is wrong in the file itself."""
    checker = Checker(load_schema("provider"))

    def locate(where: Where, key: bool) -> Position:  # noqa: FBT001  schema.Locate
        return document.position(where, key=key)

    problems: list[Problem] = []
    if not checker.is_valid(document.value):
        problems += checker.problems(document.value, locate)
    elif isinstance(document.value, dict):
        problems += _rules(document, document.value)
        if not builtin:
            problems += _checkout_rules(document, document.value)
    if problems:
        raise InvalidError(tuple(sorted(problems, key=lambda one: one.position)))


def _rules(document: Document, value: Mapping[str, Json]) -> Iterator[Problem]:
    """Yield what the schema cannot say."""
    like = value.get("like")
    if like is not None and like not in builtin_names():
        yield problem_at(
            document,
            ("like",),
            "E-PROVIDER-LIKE",
            f"there is no provider {show(like)} to start from",
            hint=f"Write one of {', '.join(builtin_names())}.",
        )
    addresses: list[Where] = [("base_url",)] if "base_url" in value else []
    aliases = value.get("aliases")
    if isinstance(aliases, list):
        addresses += [("aliases", index) for index in range(len(aliases))]
    for where in addresses:
        message = _address_fault(str(find(dict(value), (where,))))
        if message:
            yield problem_at(document, where, "E-PROVIDER-ADDRESS", message)


def _address_fault(text: str) -> str:
    try:
        url = canonical_url(text)
    except ValueError as error:
        return str(error)
    if url.startswith("http:") and not is_loopback(host_of(url)):
        return f"{text} is not https, which only this machine itself may do without"
    return ""


def _checkout_rules(document: Document, value: Mapping[str, Json]) -> Iterator[Problem]:
    """Yield what a provider file in a checkout must not say: it may be a stranger's."""
    provider_id = str(value["id"])
    if provider_id in builtin_names():
        yield problem_at(
            document,
            ("id",),
            "E-PROVIDER-ID",
            f"{show(provider_id)} is the id of a provider that comes with foxbatch",
            hint="Write another id: it is part of the identity of every job.",
        )
    allowed = f"FOXBATCH_KEY_{variable_suffix(provider_id)}"
    if value.get("key_env", allowed) != allowed:
        yield problem_at(
            document,
            ("key_env",),
            "E-PROVIDER-KEY",
            f"a provider file in a checkout may not read {value['key_env']}",
            hint=f"Write {allowed} and set that variable to this service's key.",
        )
    for name in _OURS_ALONE:
        if name in value:
            yield problem_at(
                document,
                (name,),
                "E-PROVIDER-KEY",
                f"{name} is only for providers that come with foxbatch",
                hint="Remove it.",
                key=True,
            )


def _merged(document: Document) -> _File:
    return msgspec.convert(_with_taken_over(document.value), _File)


def _with_taken_over(value: Json) -> dict[str, Json]:
    """Return a file's value with what it takes over, also at second hand."""
    assert isinstance(value, dict)  # noqa: S101  the schema says so
    if "like" not in value:
        return value
    content = _builtin_bytes(str(value["like"]))
    other = _with_taken_over(parse(content, file="").value)
    return {key: other[key] for key in _TAKEN_OVER if key in other} | value


def _schemas(
    document: Document, file: _File, folder: Path | None
) -> tuple[dict[str, Mapping[str, Json]], list[Problem]]:
    """Return the schemas that the models name, and what is wrong with them."""
    found: dict[str, Mapping[str, Json]] = {}
    problems: list[Problem] = []
    for index, model in enumerate(file.models):
        position = document.position(("models", index, "schema"))
        try:
            found[model.schema] = model_schema(model.schema, folder, position)
        except InvalidError as error:
            problems += error.problems
    return found, list(dict.fromkeys(problems))


def _provider(
    file: _File,
    schemas: Mapping[str, Mapping[str, Json]],
    *,
    content: bytes,
    builtin: bool,
) -> Provider:
    base_url = canonical_url(file.base_url) if file.base_url else ""
    aliases = tuple(canonical_url(alias) for alias in file.aliases)
    own_account = f"FOXBATCH_ACCOUNT_{variable_suffix(file.id)}"
    return Provider(
        id=file.id,
        title=file.title or file.id,
        base_url=base_url,
        aliases=aliases,
        hosts=frozenset(urlsplit(url).netloc for url in (base_url, *aliases) if url)
        if builtin
        else frozenset(),
        builtin=builtin,
        paid=file.paid,
        embedded=file.embedded,
        key_env=file.key_env,
        base_url_env=file.base_url_env,
        account_env=file.account_env if builtin else own_account,
        models={
            entry.name: Model(
                name=entry.name,
                kind=entry.kind,
                endpoint=entry.endpoint,
                schema=schemas[entry.schema],
                schema_name=entry.schema,
            )
            for entry in file.models
        },
        limits=file.limits,
        polling=file.polling,
        task_path=file.task.path,
        sync_query=file.task.sync_query,
        states={
            word: "running" if state == "queued" else state
            for state, words in file.statuses.items()
            for word in words
        },
        queued=frozenset(file.statuses.get("queued", ())),
        answers=_answers(file.answers),
        submit_rules=tuple(map(_rule, file.submit)),
        failure_classes={c: name for name, cs in file.failures.items() for c in cs},
        account=_account(file.account or _Account()),
        sha256=sha256(content),
        content=content,
    )


def _rule(entry: _Rule) -> SubmitRule:
    ends = [str(status).partition("-") for status in entry.status]
    return SubmitRule(
        statuses=tuple((int(low), int(high or low)) for low, _, high in ends),
        codes=entry.codes,
        types=entry.types,
        messages=frozenset(part.lower() for part in entry.messages),
        means=entry.means,
        error_class=entry.error_class or entry.means,
    )


def _answers(entry: _Answers) -> Answers:
    return Answers(
        id=_places(entry.id),
        status=_places(entry.status),
        results=_places(entry.results),
        progress=_places(entry.progress),
        model=_places(entry.model),
        created=_places(entry.created),
        credits=_places(entry.credits),
        estimate=_places(entry.estimate),
        error=_places(entry.error),
        extras={name: _places(places) for name, places in entry.extras.items()},
    )


def _account(entry: _Account) -> AccountRoutes:
    balance, charges = entry.balance, entry.charges
    return AccountRoutes(
        unit=entry.unit,
        per_credit=entry.per_credit,
        balance=None
        if balance is None
        else BalanceRoute(
            path=balance.path,
            used=_places(balance.used),
            available=_places(balance.available),
            unlimited=_places(balance.unlimited),
        ),
        charges=None
        if charges is None
        else ChargesRoute(
            path=charges.path,
            items=_places(charges.items),
            at=_places(charges.at),
            model=_places(charges.model),
            amount=_places(charges.amount),
        ),
    )


def _places(texts: list[str]) -> Places:
    return tuple(
        tuple(int(step) if step.isdecimal() else step for step in text.split("."))
        for text in texts
    )
