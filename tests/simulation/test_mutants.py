"""The simulation has teeth: it notices what is broken on purpose."""

from __future__ import annotations

import pytest

from tests.simulation.catching import MOST_SEEDS, catch, recorded
from tests.simulation.mutants import MUTANTS, Mutant

AGAIN = "look for another one: python -m tests.simulation.catching --write"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_recorded_seed_notices(mutant: Mutant) -> None:
    seed = recorded()[mutant.name]

    assert catch(mutant, [seed]) is not None, AGAIN
    assert seed < MOST_SEEDS


def test_every_mutant_is_listed_and_no_other() -> None:
    assert list(recorded()) == [mutant.name for mutant in MUTANTS], AGAIN
