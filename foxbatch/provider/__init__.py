"""A service as data: where it is, its models, and what its answers mean."""

from __future__ import annotations

from foxbatch.provider.address import (
    canonical_url,
    host_of,
    is_loopback,
    variable_suffix,
)
from foxbatch.provider.loading import builtin_names, load_provider, parse_provider
from foxbatch.provider.service import (
    AccountRoutes,
    Answers,
    BalanceRoute,
    ChargesRoute,
    Model,
    Places,
    Polling,
    Provider,
    State,
    SubmitRule,
    find,
)

__all__ = [
    "AccountRoutes",
    "Answers",
    "BalanceRoute",
    "ChargesRoute",
    "Model",
    "Places",
    "Polling",
    "Provider",
    "State",
    "SubmitRule",
    "builtin_names",
    "canonical_url",
    "find",
    "host_of",
    "is_loopback",
    "load_provider",
    "parse_provider",
    "variable_suffix",
]
