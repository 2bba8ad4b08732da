"""The page for people: files of the package, served beside the pretend service.

Nothing in it comes from another host, and its policy forbids that: prompts and links
in it were written by strangers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files

from foxbatch.pages import look
from foxbatch.sandbox.messages import Reply

_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_STYLE = "page.css"
_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/sandbox/page.css": (_STYLE, "text/css; charset=utf-8"),
    "/sandbox/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/sandbox/page.svg": ("page.svg", "image/svg+xml"),
}


def pages(*, needs_key: bool) -> Mapping[str, Reply]:
    """Return the files of the page by their path."""
    shown = {path: _reply(*file) for path, file in _FILES.items()}
    if needs_key:
        page = shown["/"]
        body = page.body.replace(b'data-key="any-key"', b'data-key=""')
        shown["/"] = replace(page, body=body)
    return shown


@cache
def _reply(name: str, content_type: str) -> Reply:
    return Reply(
        status=200,
        headers={
            "Content-Type": content_type,
            "Cache-Control": "no-cache",
            "Content-Security-Policy": _POLICY,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        },
        body=(look().encode() if name == _STYLE else b"") + _part(name),
    )


def _part(name: str) -> bytes:
    return (files("foxbatch.sandbox.web") / name).read_bytes()
