"""Files whole or not at all, checked by digest and by what they contain."""

from __future__ import annotations

from foxbatch.artifacts.media import (
    extension_for,
    is_page,
    media_facts,
    mismatches,
    open_media,
    sniff,
)
from foxbatch.artifacts.store import Partial, Store, Stored, verify_stored

__all__ = [
    "Partial",
    "Store",
    "Stored",
    "extension_for",
    "is_page",
    "media_facts",
    "mismatches",
    "open_media",
    "sniff",
    "verify_stored",
]
