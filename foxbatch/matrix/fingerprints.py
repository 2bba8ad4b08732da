"""Which job had a digest first, in sixteen bytes for each job.

A dictionary of a million digests takes 200 MB, and two arrays that are hashed by hand
take 32. Only the first 64 bits of a digest are kept: whoever is told of an earlier job
with the same ones has to compare the rest.
"""

from __future__ import annotations

from array import array

_SMALLEST = 1 << 10
_BITS = 64


class Fingerprints:
    """Numbers by the beginning of a digest."""

    def __init__(self) -> None:
        self._count = 0
        self._keys, self._numbers = _empty(_SMALLEST), _empty(_SMALLEST)

    def first(self, digest: bytes, number: int) -> int:
        """Return the number that came first with such a digest: maybe *number*."""
        key = int.from_bytes(digest[: _BITS // 8], "big") or 1  # 0 means a free place
        keys = self._keys
        mask = len(keys) - 1
        place = key & mask
        while found := keys[place]:
            if found == key:
                return self._numbers[place]
            place = (place + 1) & mask
        keys[place], self._numbers[place] = key, number
        self._count += 1
        if 3 * self._count > 2 * len(keys):
            self._grow()
        return number

    def _grow(self) -> None:
        before = zip(self._keys, self._numbers, strict=True)
        size = 2 * len(self._keys)
        keys, numbers = _empty(size), _empty(size)
        for key, number in before:
            if key:
                place = key & (size - 1)
                while keys[place]:
                    place = (place + 1) & (size - 1)
                keys[place], numbers[place] = key, number
        self._keys, self._numbers = keys, numbers


def _empty(size: int) -> array[int]:
    return array("Q", bytes(8 * size))
