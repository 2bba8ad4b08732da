"""What a service's answers about an account mean; an odd one means nothing."""

from __future__ import annotations

from datetime import UTC, datetime

from foxbatch.account import Balance, Charge
from foxbatch.canonical import Json
from foxbatch.client.outcomes import number_in
from foxbatch.client.redaction import redact
from foxbatch.events import amount_in
from foxbatch.provider import BalanceRoute, ChargesRoute, find

_LONGEST_MODEL = 200


def is_refusal(reply: Json) -> bool:
    """Return whether a reply says no although its status says yes.

    Account routes answer a bad key with 200, and tell it in the body.
    """
    if not isinstance(reply, dict):
        return True
    denied = reply.get("success") is False or reply.get("code") is False
    return denied or reply.get("error") is not None


def read_balance(route: BalanceRoute, reply: Json) -> Balance | None:
    """Return the figures of *reply*; None where it does not say what is used."""
    used = amount_in(number_in(find(reply, route.used)))
    if is_refusal(reply) or used is None:
        return None
    unlimited = find(reply, route.unlimited)
    return Balance(
        used=used,
        available=number_in(find(reply, route.available)),
        unlimited=unlimited if isinstance(unlimited, bool) else None,
    )


def read_charges(route: ChargesRoute, reply: Json) -> tuple[Charge, ...] | None:
    """Return the charges that *reply* lists; None where it is not such a list."""
    items = find(reply, route.items)
    if is_refusal(reply) or not isinstance(items, list):
        return None
    charges = []
    for item in items:
        if route.amount and (number_in(find(item, route.amount)) or 0) <= 0:
            continue  # something was given back, or cost nothing
        charge = _charge(route, item)
        if charge is None:
            return None  # with one left out, the others would tell a wrong story
        charges.append(charge)
    return tuple(charges)


def _charge(route: ChargesRoute, item: Json) -> Charge | None:
    at, model = number_in(find(item, route.at)), find(item, route.model)
    if at is None or not isinstance(model, str):
        return None
    try:
        moment = datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):  # milliseconds, for one
        return None
    return Charge(moment, redact(model, bound=_LONGEST_MODEL))
