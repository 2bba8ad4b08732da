"""Whether the jobs of a product all differ, known before one is made.

Two of its cells differ in the row of some dimension. If for every dimension there is a
part of the request that is another one in another row, no two requests are equal, and
nobody has to remember a million identities to see it.
"""

from __future__ import annotations

import itertools
import math

from foxbatch import canonical
from foxbatch.matrix.cells import Product
from foxbatch.matrix.locals import local_files
from foxbatch.matrix.requests import Recipe

_MOST_TRIED = 200  # combinations, of all that one part depends on: milliseconds


def all_differ(recipe: Recipe, product: Product) -> bool:
    """Return whether no two cells can ask for the same; False where it is not plain."""
    if product.includes:
        return False
    needs = recipe.needs()
    open_ones = {
        number
        for number, dimension in enumerate(product.dimensions)
        if len(dimension.rows) > 1
    }
    for name, need in needs.items():
        if need.direct and need.axes and _is_kept(name, product):
            open_ones -= _dimensions(need.axes, product)
    for name, need in needs.items():
        dimensions = _dimensions(need.axes, product)
        if open_ones & dimensions and _tells_apart(name, dimensions, recipe, product):
            open_ones -= dimensions
    return not open_ones


def _dimensions(axes: frozenset[str], product: Product) -> set[int]:
    return {product.dimension_of(axis) for axis in axes}


def _is_kept(name: str, product: Product) -> bool:
    """Return whether values of an axis, all different, are so in identities too."""
    values = (choice.value for choice in product.axes[name].choices)
    return not any(True for value in values for _ in local_files(value, ()))


def _tells_apart(
    name: str, dimensions: set[int], recipe: Recipe, product: Product
) -> bool:
    """Return whether a part of the request is never the same in two rows of these."""
    rows = [
        range(len(dimension.rows) if number in dimensions else 1)
        for number, dimension in enumerate(product.dimensions)
    ]
    tried = math.prod(map(len, rows))
    if tried > _MOST_TRIED:
        return False
    values: set[bytes] = set()
    for at in itertools.product(*rows):
        draft = recipe.draft(product.cell(at), 1)
        value = draft.request.get(name)
        if not draft.broken and not any(local_files(value, ())):
            values.add(canonical.encode(value))
    return len(values) == tried
