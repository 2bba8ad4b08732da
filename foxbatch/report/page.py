"""One HTML file that holds all it needs: scripts, styles, and the data of runs."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path

import msgspec

from foxbatch.durable import write_whole
from foxbatch.errors import RunDirError
from foxbatch.pages import look
from foxbatch.report.data import Gallery

_MAIN = "main.js"
_STYLES = ("page.css", "toolbar.css", "grid.css", "play.css")
_CHARTS = "vendor/chart.js"  # no module: it makes a global name

# Of a page opened from a disk, 'self' is not the folder it lies in.
_POLICY = (
    "default-src 'none'; script-src {scripts}; style-src {styles}; "
    "img-src 'self' file: data: blob:; media-src 'self' file: blob:; "
    "connect-src 'self' file:; base-uri 'none'; form-action 'none'"
)


def page_of(shown: Gallery) -> bytes:
    """Return the page that shows *shown*, UTF-8."""
    cells = msgspec.structs.replace(shown, details=[])
    return _filled(
        gallery=_packed(msgspec.json.encode(cells)),
        details=_packed(msgspec.json.encode(shown.details)),
    )


def live_page(token: str, who: str) -> bytes:
    """Return the page that asks its server for all that it shows, UTF-8.

    Args:
        token: Proves that what the page sends comes from it.
        who: Whose ratings are kept there.
    """
    return _filled(
        live=f'<meta name="foxbatch-live" content="{escape(token)}" '
        f'data-who="{escape(who)}">\n'
    )


def policy() -> str:
    """Return the Content-Security-Policy of every page."""
    scripts = f"{_digest(_part(_CHARTS))} {_digest(_script())}"
    return _POLICY.format(scripts=scripts, styles=_digest(_style()))


def _filled(*, gallery: str = "", details: str = "", live: str = "") -> bytes:
    parts = {
        "policy": policy(),
        "style": _style(),
        "charts": _part(_CHARTS),
        "script": _script(),
        "gallery": gallery,
        "details": details,
        "live": live,
    }
    # One pass over the template: nothing that is put in is looked at again.
    page = re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _part("page.html"))
    return page.encode()


def _style() -> str:
    return "\n".join([look(), *map(_part, _STYLES)])


def write_page(shown: Gallery, path: Path) -> None:
    """Write the page to *path*, whole or not at all.

    Raises:
        RunDirError: The disk does not take it. The file is as it was.
    """
    try:
        write_whole(path, [page_of(shown)])
    except OSError as error:
        raise RunDirError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="Mend that, or name another place with -o.",
        ) from error


def _packed(data: bytes) -> str:
    """Return *data* in letters that mean nothing in HTML.

    Equal data gives equal text: no time is written into it.
    """
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()


def _digest(text: str) -> str:
    packed = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{packed}'"


@cache
def _part(name: str) -> str:
    return files("foxbatch.report").joinpath("page", name).read_text("utf-8")


# ---- One script out of modules
#
# A page from a disk cannot import modules: each file is another origin to a browser.
# So each becomes a function that returns what it exports, after those it imports. Only
# the forms of import and export that the folder uses are understood.

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w./-]+)";\n', re.MULTILINE)
_EXPORT = re.compile(
    r"^export (?=(?:async )?(?:function|const|class) (\w+))", re.MULTILINE
)
_EXPORT_LIST = re.compile(r"export ?\{([^}]*)\};?\s*$")


@cache
def _script() -> str:
    modules: dict[str, str] = {}
    _link(_MAIN, modules)
    body = "\n".join(modules.values())
    return f'"use strict";\n(() => {{\nconst modules = {{}};\n{body}\n}})();\n'


def _link(name: str, modules: dict[str, str]) -> None:
    """Add the module *name* to *modules*, behind all that it imports."""
    if name in modules:
        return
    text = _part(name)
    for found in _IMPORT.finditer(text):
        _link(found[2], modules)
    modules[name] = _as_function(name, text)


def _as_function(name: str, text: str) -> str:
    exports = [found[1] for found in _EXPORT.finditer(text)]
    listed = _EXPORT_LIST.search(text)
    renamed = list(_renamed(listed[1])) if listed else []
    text = _IMPORT.sub(
        lambda found: (
            f'const {{{found[1].replace(" as ", ": ")}}} = modules["{found[2]}"];\n'
        ),
        _EXPORT.sub("", _EXPORT_LIST.sub("", text)),
    )
    given = ", ".join([*exports, *(f"{new}: {old}" for old, new in renamed)])
    return f'modules["{name}"] = (() => {{\n{text}\nreturn {{ {given} }};\n}})();'


def _renamed(listed: str) -> Iterator[tuple[str, str]]:
    """Yield pairs of names in `old as new, same`."""
    for item in filter(None, (part.strip() for part in listed.split(","))):
        old, _, new = item.partition(" as ")
        yield old, new or old
