"""The commands that show what may be asked for: models, schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foxbatch.canonical import Json
from foxbatch.cli import _options as options
from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import one_line
from foxbatch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from foxbatch.provider import Model, Provider

_CHOSEN_BEFORE = ("model", "prompt")


@click.command()
@click.argument("name", required=False, shell_complete=options.complete_model)
@click.option(
    "--provider",
    metavar="NAME|FILE",
    default="foxapi",
    show_default=True,
    shell_complete=options.complete_provider,
    help="Whose models.",
)
@options.formats("table", "json")
@click.pass_obj
def models_command(
    terminal: Terminal, *, name: str | None, provider: str, form: str
) -> int:
    """Show the models of a provider and their parameters.

    With NAME, what a manifest may write under `params` for that model.

    \b
    Example:
      foxbatch models veo-3.1-fast
    """
    from foxbatch.provider import load_provider

    known = load_provider(provider, base=Path.cwd())
    if name is None:
        _show_all(terminal, known, form)
    else:
        _show_one(terminal, _find(known, name), known, form)
    return ExitCode.DONE


@click.command()
@click.argument("name", required=False, shell_complete=options.complete_schema)
@click.option(
    "--provider",
    metavar="NAME|FILE",
    shell_complete=options.complete_provider,
    help="Whose models the schema of manifests knows; foxapi where left out.",
)
@click.pass_obj
def schema_command(
    terminal: Terminal, *, name: str | None, provider: str | None
) -> int:
    """Print a JSON Schema.

    Of manifests, provider files, ledger lines, or the requests of a model; without
    NAME, the names there are. That of manifests is for editors: it has the models and
    their parameters in it.

    \b
    Example:
      foxbatch schema manifest > .foxbatch/manifest.schema.json
    """
    from foxbatch.cli._editor import manifest_schema
    from foxbatch.schema import load_schema, schema_names

    if provider is not None and name != "manifest":
        raise UsageError(
            "--provider needs the name manifest",
            hint="Only the schema of manifests has models in it.",
        )
    if name is None:
        for known in schema_names():
            terminal.emit(known)
    elif name == "manifest":
        terminal.emit_json(manifest_schema(provider or "foxapi"), indent=2)
    else:
        terminal.emit_json(load_schema(name), indent=2)
    return ExitCode.DONE


def _find(provider: Provider, name: str) -> Model:
    from foxbatch.schema import suggest

    if name not in provider.models:
        raise UsageError(
            f"{provider.id} has no model {name!r}",
            hint=suggest(name, provider.models, "Models"),
        )
    return provider.models[name]


def _show_all(terminal: Terminal, provider: Provider, form: str) -> None:
    models = provider.models.values()
    if form == "json":
        found: list[Json] = [_as_json(model) for model in models]
        terminal.emit_json({"provider": provider.id, "models": found}, indent=2)
        return
    from foxbatch.cli._tables import Column, show_table

    columns = [
        Column("MODEL", style="bold cyan"),
        Column("MAKES"),
        Column("PARAMETERS", wraps=True, style="dim"),
    ]
    rows = [[m.name, m.kind, ", ".join(_parameters(m))] for m in models]
    show_table(terminal, columns, rows)
    terminal.say(f"{provider.title}: foxbatch models NAME shows what a model takes")


def _show_one(terminal: Terminal, model: Model, provider: Provider, form: str) -> None:
    if form == "json":
        schema = dict(model.schema)
        described = {"provider": provider.id, **_as_json(model), "schema": schema}
        terminal.emit_json(described, indent=2)
        return
    from foxbatch.cli._tables import Column, show_table

    columns = [
        Column("PARAMETER", style="bold cyan"),
        Column("VALUES", cut=True),
        Column("DEFAULT", cut=True, rank=1),
        Column("MEANS", wraps=True, style="dim"),
    ]
    rows = [
        [name, values(about), _written(about, "default"), _text(about, "description")]
        for name, about in _parameters(model).items()
    ]
    show_table(terminal, columns, rows)
    terminal.say(
        f"{model.name} on {provider.title} makes {model.kind}; its whole schema, with"
        f" the rules between parameters: foxbatch schema {model.schema_name}"
    )


def _as_json(model: Model) -> dict[str, Json]:
    found: dict[str, Json] = {
        "name": model.name,
        "kind": model.kind,
        "endpoint": model.endpoint,
        "schema_name": model.schema_name,
        "parameters": list(_parameters(model)),
    }
    return found


def _parameters(model: Model) -> dict[str, Mapping[str, Json]]:
    """Return what may stand under `params`, each with its schema."""
    properties = model.schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    return {
        name: about if isinstance(about, dict) else {}
        for name, about in properties.items()
        if name not in _CHOSEN_BEFORE
    }


def values(about: Mapping[str, Json]) -> str:
    """Return which values a parameter's schema allows, for people."""
    choices = about.get("enum")
    if isinstance(choices, list):
        return " | ".join(map(_plain, choices))
    return ", ".join(_kinds(about))


def _kinds(about: Mapping[str, Json]) -> Iterator[str]:
    kind = about.get("type", "any value")
    kinds = kind if isinstance(kind, list) else [kind]
    yield " or ".join(_KINDS.get(str(one), str(one)) for one in kinds)
    low, high = about.get("minimum"), about.get("maximum")
    if low is not None and high is not None:
        yield f"{_plain(low)} to {_plain(high)}"
    elif low is not None:
        yield f"at least {_plain(low)}"
    elif high is not None:
        yield f"at most {_plain(high)}"
    if "maxItems" in about:
        yield f"up to {_plain(about['maxItems'])}"


_KINDS = {
    "string": "text",
    "integer": "whole number",
    "boolean": "true | false",
    "array": "list",
    "object": "mapping",
}


def _written(about: Mapping[str, Json], key: str) -> str:
    return _plain(about[key]) if key in about else "-"


def _text(about: Mapping[str, Json], key: str) -> str:
    return one_line(str(about.get(key, "")))


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
