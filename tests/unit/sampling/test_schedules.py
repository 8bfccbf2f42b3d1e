"""Schedules against their formulas."""

import numpy as np
import pytest

from brood.protocol.manifest import Schedule
from brood.sampling.schedules import COLUMNS, KINDS, ONCE, make_schedule


def test_every_kind_makes_the_columns_it_lists() -> None:
    numbers = {"count": 9, "start": 4.0, "hold": 0.25}
    for kind in KINDS:
        made = KINDS[kind]({"steps": 8, "temperature": 1.0}, numbers)
        assert tuple(made.columns) == COLUMNS[kind]
        assert all(len(column) == made.steps for column in made.columns.values())


def test_raster_counts_pixels() -> None:
    made = make_schedule(Schedule(kind="raster", numbers={"count": 5}), {})
    assert made.steps == 5
    assert made.columns["position"].tolist() == [0, 1, 2, 3, 4]


def test_annealing_falls_geometrically_then_holds() -> None:
    words = Schedule(kind="annealing", numbers={"start": 16.0, "hold": 0.375})
    made = make_schedule(words, {"steps": 8, "temperature": 1.0})
    np.testing.assert_allclose(made.columns["temperature"], [16, 8, 4, 2, 1, 1, 1, 1])


@pytest.mark.parametrize("steps", [1, 2, 3, 1000])
def test_annealing_ends_at_the_asked_temperature_and_never_rises(steps: int) -> None:
    words = Schedule(kind="annealing", numbers={"start": 5.0, "hold": 0.2})
    column = make_schedule(words, {"steps": steps, "temperature": 0.5}).columns["temperature"]
    assert len(column) == steps
    assert np.all(np.diff(column) <= 0)
    assert column[-1] == pytest.approx(0.5) if steps > 1 else column[-1] == 5.0


def test_annealing_never_starts_below_its_end() -> None:
    words = Schedule(kind="annealing", numbers={"start": 2.0, "hold": 0.0})
    assert make_schedule(words, {"steps": 4, "temperature": 7.0}).columns["temperature"].tolist() == [7.0] * 4


def test_no_schedule_is_one_step() -> None:
    assert make_schedule(None, {}) is ONCE
    assert ONCE.steps == 1
