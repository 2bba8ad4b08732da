"""Text that is fit for a terminal, whoever wrote it."""

from __future__ import annotations

TAB_CELLS = 4

_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_STEERING = {
    ord(character): f"\\u{ord(character):04x}" for character in f"{_BIDI}\u2028\u2029"
}
_STEERING |= {
    code: f"\\x{code:02x}"
    for code in (*range(0x20), *range(0x7F, 0xA0))
    if chr(code) not in "\n\t"
}


def visible(text: str) -> str:
    """Return *text* with everything that could steer a terminal spelt out.

    A manifest or a reply may come from a stranger: an escape sequence in it must not
    move the cursor, nor a bidirectional control turn a sentence round.
    """
    return text.translate(_STEERING)


def one_line(text: str, most: int = 0) -> str:
    """Return *text* on one line, cut to *most* characters where that is not 0."""
    line = visible(" ".join(text.split()))
    return line if not most or len(line) <= most else line[: most - 1] + "…"


def count(number: int, noun: str) -> str:
    """Return such as `1 job` or `1,200 jobs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


_UNITS = ("B", "kB", "MB", "GB", "TB")
_THOUSAND = 999.95  # what would be shown as 1000.0 belongs to the next unit


def size(size_bytes: int) -> str:
    """Return a size for people, in decimal units: `940 B`, `3.1 MB`."""
    number, steps = float(size_bytes), 0
    while number >= _THOUSAND and steps < len(_UNITS) - 1:
        number, steps = number / 1000, steps + 1
    return f"{number:.1f} {_UNITS[steps]}" if steps else f"{size_bytes} B"


def amount(number: float) -> str:
    """Return a number as people write it: `96`, `1,234.5`."""
    return f"{number:,.2f}".rstrip("0").rstrip(".")


def cells(text: str) -> int:
    """Return how many columns of a terminal *text* fills."""
    from rich.cells import cell_len

    return cell_len(text)
