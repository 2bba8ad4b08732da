"""What is valid in a manifest, and probably not meant: warnings and notes.

Each looks at values and says what is odd, where, and what to write; none of them
changes what is sent. What needs the matrix is found there.

spelling   what other tools, or people, read in the same characters
texts      prompts that were probably meant otherwise
requests   requests that cost more than they seem to
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from foxbatch.errors import Problem
from foxbatch.lint.requests import odd_requests
from foxbatch.lint.spelling import odd_spelling
from foxbatch.lint.texts import odd_texts
from foxbatch.manifest import Manifest
from foxbatch.matrix import Job
from foxbatch.provider import Provider

__all__ = ["lint"]


def lint(
    manifest: Manifest, provider: Provider, jobs: Iterable[Job]
) -> Iterator[Problem]:
    """Yield warnings and notes about a manifest and its valid *jobs*, in any order.

    The jobs are taken one at a time, and none is kept.
    """
    yield from odd_spelling(manifest.document, provider)
    yield from odd_texts(manifest.document)
    yield from odd_requests(manifest, provider, jobs)
