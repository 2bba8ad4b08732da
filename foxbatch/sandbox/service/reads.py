"""What the service tells about itself and a key: models, prices, balance, charges."""

from __future__ import annotations

from collections.abc import Mapping

from foxbatch.sandbox.messages import Json, Reply, Request, json_reply
from foxbatch.sandbox.service import catalogue, llm, prices
from foxbatch.sandbox.service.accounts import (
    GROUP,
    Account,
    granted_to,
    is_known,
    owner_of,
)
from foxbatch.sandbox.service.prices import CREDITS_PER_USD, QUOTA_PER_USD
from foxbatch.sandbox.service.state import Sandbox

_UNLIMITED_USD = 100_000_000
_QUOTA_PER_CREDIT = QUOTA_PER_USD // CREDITS_PER_USD
_VOICES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "zh": (("male-qn-qingse", "青涩青年音色"), ("female-shaonv", "少女音色")),
    "en": (
        ("English_Graceful_Lady", "Graceful Lady"),
        ("English_Trustworth_Man", "Man"),
    ),
}


def models(sandbox: Sandbox, request: Request, now: float) -> Reply:
    """List what the key may ask for: bare ids and ids with brackets."""
    del request, now
    closed = sandbox.options.closed
    names = [*catalogue.models(), *catalogue.variants(), *llm.MODELS]
    listed: list[Json] = [
        {"id": name, "owned_by": "custom", "supported_endpoint_types": ["openai"]}
        for name in names
        if name not in closed
    ]
    return json_reply(200, {"object": "list", "data": listed})


def llm_models(sandbox: Sandbox, request: Request, now: float) -> Reply:
    """List the language models and what each can read."""
    del request, now
    listed: list[Json] = [
        {"id": name, "object": "model", "capabilities": list(capabilities)}
        for name, capabilities in llm.MODELS.items()
        if name not in sandbox.options.closed
    ]
    return json_reply(200, {"object": "list", "data": listed})


def preset_voices(sandbox: Sandbox, request: Request, now: float) -> Reply:
    """List preset voices: a bare array, as the service does."""
    del sandbox, now
    language = request.query.get("language", "zh")
    listed: list[Json] = [
        {"voice_id": voice, "voice_name": name}
        for voice, name in _VOICES.get(language, ())
    ]
    return json_reply(200, listed)


def pricing(sandbox: Sandbox, request: Request, now: float) -> Reply:
    """Tell the price list; no key is needed."""
    del sandbox, request, now
    groups: list[Json] = list(prices.GROUPS)
    rows: list[Json] = [
        {
            "model_name": row.name,
            "quota_type": 0 if row.by_tokens else 1,
            "model_ratio": row.usd if row.by_tokens else 0,
            "model_price": 0 if row.by_tokens else row.usd,
            "completion_ratio": 4 if row.by_tokens else 0,
            "owner_by": "",
            "enable_groups": groups,
            "supported_endpoint_types": ["openai"],
        }
        for row in prices.price_list()
    ]
    return json_reply(
        200,
        {
            "success": True,
            "data": rows,
            "vendors": [],
            "group_ratio": dict(prices.GROUPS),
            "usable_group": {name: name for name in prices.GROUPS},
            "supported_endpoint": {},
            "auto_groups": [],
            "pricing_version": "sandbox-1",
        },
    )


def _account(sandbox: Sandbox, request: Request, now: float) -> Account:
    granted = granted_to(request, sandbox.options)
    account = sandbox.account(owner_of(request), granted)
    account.settle(now)
    return account


def _bad_key() -> Reply:
    return json_reply(200, {"success": False, "message": "No such token"})


def token_usage(sandbox: Sandbox, request: Request, now: float) -> Reply:
    """Tell what the key was granted and has used, in quota."""
    if not is_known(request, sandbox.options):
        return _bad_key()
    account = _account(sandbox, request, now)
    left = account.left(now)
    used = (account.used + account.reserved) * _QUOTA_PER_CREDIT
    granted = 0 if account.granted is None else account.granted * _QUOTA_PER_CREDIT
    return json_reply(
        200,
        {
            "code": True,
            "message": "ok",
            "data": {
                "object": "token_usage",
                "name": account.name or "sandbox",
                "total_granted": granted,
                "total_used": used,
                "total_available": 0 if left is None else left * _QUOTA_PER_CREDIT,
                "unlimited_quota": left is None,
                "model_limits": {},
                "model_limits_enabled": False,
                "expires_at": 0,
            },
        },
    )


def subscription(sandbox: Sandbox, request: Request, now: float) -> Reply:
    """Tell the limit of the key in dollars; a huge one stands for none."""
    if not is_known(request, sandbox.options):
        return _bad_key()
    granted = _account(sandbox, request, now).granted
    limit = _UNLIMITED_USD if granted is None else granted / CREDITS_PER_USD
    return json_reply(
        200,
        {
            "object": "billing_subscription",
            "has_payment_method": True,
            "soft_limit_usd": limit,
            "hard_limit_usd": limit,
            "system_hard_limit_usd": limit,
            "access_until": 0,
        },
    )


def billing_usage(sandbox: Sandbox, request: Request, now: float) -> Reply:
    """Tell what the key has used, in cents."""
    if not is_known(request, sandbox.options):
        return _bad_key()
    account = _account(sandbox, request, now)
    cents = 100 * (account.used + account.reserved) / CREDITS_PER_USD
    return json_reply(200, {"object": "list", "total_usage": cents})


def charges(sandbox: Sandbox, request: Request, now: float) -> Reply:
    """List the newest charges of the key."""
    if not is_known(request, sandbox.options):
        return _bad_key()
    account = _account(sandbox, request, now)
    listed: list[Json] = [
        {
            "id": number,
            "created_at": int(task.created_at),
            "model_name": task.model,
            "quota": task.credits * _QUOTA_PER_CREDIT,
            "group": GROUP,
        }
        for number, task in zip(
            range(account.tasks, 0, -1), reversed(account.newest), strict=False
        )
    ]
    return json_reply(200, {"data": listed})


def credits_left(sandbox: Sandbox, request: Request, now: float) -> Reply:
    """Tell what is left, in credits. The shape is a guess: no page shows it."""
    account = _account(sandbox, request, now)
    return json_reply(
        200,
        {
            "credits_left": account.left(now),
            "credits_reserved": account.reserved,
            "credits_used": account.used,
        },
    )
