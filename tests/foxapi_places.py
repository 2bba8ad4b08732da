"""What the service answers about files and accounts, as it is known."""

from __future__ import annotations

import re
from collections.abc import Mapping

from foxbatch.sandbox.messages import Json
from foxbatch.sandbox.options import SandboxOptions
from tests.foxapi_shapes import MADE_VIDEO, TEXT, Example, Shape, refused

# ---- Files

_NOTE: Mapping[str, Json] = {"file_data": "aGVsbG8=", "file_name": "note.txt"}


def _stored(name: str, size: Shape = int) -> dict[str, Shape]:
    return {
        "id": re.compile(r"file-\d{10}-[a-z0-9]{6}"),
        "filename": name,
        "url": re.compile(rf"https?://.*/uploads/\d{{8}}/.*/{re.escape(name)}"),
        "size": size,
        "created": int,
    }


FILES = [
    Example(
        name="a client that calls itself Python-urllib",
        path="/v1/files/upload/base64",
        body=_NOTE,
        sends={"user-agent": "Python-urllib/3.12"},
        status=403,
        headers=TEXT,
        reply="error code: 1010",
    ),
    Example(
        name="an upload as a data URL",
        path="/v1/files/upload/base64",
        body={"file_data": "data:image/png;base64,iVBORw0KGgo=", "file_name": "a.png"},
        reply=_stored("a.png", 8),
    ),
    Example(
        name="an upload from a URL",
        path="/v1/files/upload/url",
        body={"url": "https://example.com/tram.png"},
        reply=_stored("tram.png"),
    ),
    refused(
        "an upload where there is no room",
        403,
        "permission_error",
        path="/v1/files/upload/base64",
        made=("upload", _NOTE),
        body={"file_data": "aGVsbG8=", "auto_cleanup": False},
        options=SandboxOptions(upload_files=1),
    ),
    refused(
        "an upload that is too large",
        413,
        "file_too_large_error",
        path="/v1/files/upload/stream",
        sends={"content-type": "multipart/form-data; boundary=x"},
        body=bytes(52 * 2**20),
    ),
    Example(
        name="a result that has expired",
        method="GET",
        path="{result}",
        key=None,
        made=MADE_VIDEO,
        later_s=24 * 3600,
        status=403,
        headers=TEXT,
        reply="AccessDenied",
    ),
]

# ---- Accounts

_PRICE: dict[str, Shape] = {
    "model_name": str,
    "quota_type": int,
    "model_price": float,
    "model_ratio": float,
    "completion_ratio": float,
    "enable_groups": ["default", "vip"],
    "owner_by": "",
    "supported_endpoint_types": ["openai"],
}
ACCOUNTS = [
    Example(
        name="the prices",
        method="GET",
        path="/api/pricing",
        key=None,
        reply={
            "success": True,
            "data": [_PRICE],
            "vendors": [],
            "group_ratio": {"default": float, "vip": float},
            "usable_group": {"default": str, "vip": str},
            "supported_endpoint": {},
            "auto_groups": [],
            "pricing_version": str,
        },
    ),
    Example(
        name="the models",
        method="GET",
        path="/v1/models",
        reply={
            "data": [
                {
                    "id": str,
                    "owned_by": "custom",
                    "supported_endpoint_types": ["openai"],
                }
            ]
        },
    ),
    Example(
        name="what is left",
        method="GET",
        path="/api/usage/token/",
        made=MADE_VIDEO,
        options=SandboxOptions(credits=1000),
        reply={
            "code": True,
            "message": "ok",
            "data": {
                "object": "token_usage",
                "name": str,
                "total_granted": 5_000_000,
                "total_used": int,
                "total_available": int,
                "unlimited_quota": False,
                "model_limits": {},
                "model_limits_enabled": False,
                "expires_at": 0,
            },
        },
    ),
    Example(
        name="what is left, for a wrong key",
        method="GET",
        path="/api/usage/token/",
        key="sk-wrong",
        options=SandboxOptions(keys={"sk-test": None}),
        reply={"success": False, "message": str},
    ),
    Example(
        name="what was charged",
        method="GET",
        path="/api/log/token",
        made=MADE_VIDEO,
        reply={
            "data": [
                {
                    "id": int,
                    "created_at": int,
                    "model_name": "veo-3.1",
                    "quota": int,
                    "group": str,
                }
            ]
        },
    ),
]
