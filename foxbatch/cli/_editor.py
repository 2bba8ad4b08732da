"""The schema of manifests that editors get."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from foxbatch.canonical import Json

if TYPE_CHECKING:
    from foxbatch.provider import Provider


def manifest_schema(provider: str) -> dict[str, Json]:
    """Return the schema of manifests with the models of *provider* in it.

    *provider* is a built-in name, or a path from the working directory.

    Raises:
        InvalidError: Its file cannot be used.
    """
    from foxbatch.provider import load_provider
    from foxbatch.schema import load_schema
    from foxbatch.schema.editor import editor_schema

    service = load_provider(provider, base=Path.cwd())
    models = {name: model.schema for name, model in service.models.items()}
    named = _named(provider, service)
    return editor_schema(load_schema("manifest"), models, providers=named)


def _named(written: str, service: Provider) -> dict[str, Json]:
    """Return a schema of what manifests call *service*, or others with its models."""
    from foxbatch.provider import builtin_names, load_provider

    if not service.builtin:
        # A manifest names it from its own folder.
        name = re.sub(r"[.^$*+?()\[\]{}|\\]", r"\\\g<0>", Path(written).name)
        return {"pattern": f"(^|/){name}$"}
    builtin = [load_provider(name, base=Path()) for name in builtin_names()]
    return {"enum": [one.id for one in builtin if one.models == service.models]}
