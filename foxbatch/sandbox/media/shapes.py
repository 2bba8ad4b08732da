"""Colours and soft-edged shapes that the cards are made of."""

from __future__ import annotations

import colorsys
from typing import TypeAlias

from foxbatch.errors import MissingExtraError

try:
    from PIL import Image, ImageDraw
except ImportError as error:  # pragma: no cover  # seen in a process of its own
    raise MissingExtraError("the sandbox", "sandbox") from error

Colour: TypeAlias = tuple[int, int, int]

WHITE: Colour = (255, 255, 255)

_SMOOTHING = 4  # shapes are drawn this much larger, then reduced: smooth edges
_BRIGHTEST = 132  # of 255
_LARGEST = 256  # discs beyond it are enlarged ones: their edges may be soft


def colour(hue: float, lightness: float, saturation: float) -> Colour:
    """Return a colour; *hue* goes round in 1, the others are from 0 to 1."""
    red, green, blue = colorsys.hls_to_rgb(hue % 1, lightness, saturation)
    return round(255 * red), round(255 * green), round(255 * blue)


def dimmed(bright: Colour) -> Colour:
    """Return the colour, darkened where white text on it could not be read."""
    red, green, blue = bright
    seen = 0.30 * red + 0.59 * green + 0.11 * blue  # as bright as the eye has it
    return mixed((0, 0, 0), bright, min(1.0, _BRIGHTEST / seen))


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """Return the colour that lies *share* of the way from *first* to *second*."""
    red, green, blue = (
        round(a + (b - a) * share) for a, b in zip(first, second, strict=True)
    )
    return red, green, blue


def rounded(width: int, height: int, radius: float) -> Image.Image:
    """Return a mask with round corners and smooth edges."""
    large = Image.new("L", (width * _SMOOTHING, height * _SMOOTHING))
    corner = (large.width - 1, large.height - 1)
    ImageDraw.Draw(large).rounded_rectangle(
        (0, 0, *corner), radius * _SMOOTHING, fill=255
    )
    return large.reduce(_SMOOTHING)


def disc(diameter: int) -> Image.Image:
    """Return the mask of a disc."""
    drawn = min(diameter, _LARGEST)
    mask = rounded(drawn, drawn, drawn / 2)
    return mask.resize((diameter, diameter), Image.Resampling.BICUBIC)


def gradient(
    size: tuple[int, int], top: Colour, bottom: Colour, *, bend: float = 1.0
) -> Image.Image:
    """Return a picture that goes from *top* to *bottom*, each row in one colour.

    Args:
        size: Width and height in pixels.
        top: Colour of the first row.
        bottom: Colour of the last row.
        bend: 1 for an even change, more for one that happens near the bottom.
    """
    column = Image.new("RGB", (1, size[1]))
    last = max(1, size[1] - 1)
    column.putdata([mixed(top, bottom, (y / last) ** bend) for y in range(size[1])])
    return column.resize(size, Image.Resampling.NEAREST)
