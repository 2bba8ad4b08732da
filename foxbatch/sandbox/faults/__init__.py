"""Fault plans: the pretend service's misbehaviour, as data.

plan        rules, conditions and actions: values
checks      what is wrong in a file
language    files made into values
shaping     the bodies and headers of wrong replies
engine      what a plan does to a request
catalogue   the plans that come with foxbatch
"""

from __future__ import annotations

from foxbatch.sandbox.faults.catalogue import (
    ALWAYS,
    Listed,
    choose,
    listing,
    load,
    named,
    names,
)
from foxbatch.sandbox.faults.engine import (
    FaultState,
    Occasion,
    Outage,
    outage,
    remember,
    through,
)
from foxbatch.sandbox.faults.language import read_plan
from foxbatch.sandbox.faults.plan import Plan, Route, Rule

__all__ = [
    "ALWAYS",
    "FaultState",
    "Listed",
    "Occasion",
    "Outage",
    "Plan",
    "Route",
    "Rule",
    "choose",
    "listing",
    "load",
    "named",
    "names",
    "outage",
    "read_plan",
    "remember",
    "through",
]
