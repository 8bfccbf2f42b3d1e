"""Schedules against their formulas."""

import numpy as np
import pytest

from brood.protocol.errors import InvalidArgument
from brood.protocol.manifest import Schedule
from brood.sampling.schedules import CACHED, COLUMNS, KINDS, ONCE, make_schedule

FIXED: dict[str, dict[str, float]] = {
    "raster": {"count": 9},
    "annealing": {"start": 4.0, "hold": 0.25},
    "diffusion": {"train_steps": 100, "beta_start": 1e-4, "beta_end": 0.02},
    "flow": {"train_steps": 100},
    "langevin": {"step": 0.01},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_makes_the_columns_it_lists(kind: str) -> None:
    words = {"betas": "linear", "prediction": "epsilon"} if kind == "diffusion" else {}
    made = KINDS[kind]({"steps": 8, "temperature": 1.0}, FIXED[kind], words)
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


def test_equal_parameters_share_one_schedule_and_others_do_not_count() -> None:
    words = Schedule(kind="diffusion", numbers=FIXED["diffusion"], words={"betas": "linear", "prediction": "v"})
    first = make_schedule(words, {"steps": 5, "guidance": 2.0, "label": 3})
    again = make_schedule(words.model_copy(), {"label": 4, "guidance": 2, "steps": 5, "temperature": 0.1})
    assert again is first
    assert make_schedule(words, {"steps": 6, "guidance": 2.0}) is not first
    cosine = words.model_copy(update={"words": {"betas": "cosine", "prediction": "v"}})
    assert make_schedule(cosine, {"steps": 5, "guidance": 2.0}) is not first


def test_shared_schedules_cannot_be_written_to() -> None:
    made = make_schedule(Schedule(kind="raster", numbers={"count": 5}), {})
    with pytest.raises(ValueError, match="read-only"):
        made.columns["position"][0] = 7


def test_the_number_of_schedules_that_are_kept_is_bounded() -> None:
    words = Schedule(kind="annealing", numbers=FIXED["annealing"])
    first = make_schedule(words, {"steps": 2, "temperature": 1.0})
    for k in range(CACHED):
        make_schedule(words, {"steps": 2, "temperature": 2.0 + k})
    assert make_schedule(words, {"steps": 2, "temperature": 1.0}) is not first


def test_refusals_are_not_kept() -> None:
    words = Schedule(kind="annealing", numbers=FIXED["annealing"])
    for _ in range(2):
        with pytest.raises(InvalidArgument, match=r"params\.steps"):
            make_schedule(words, {"steps": 0, "temperature": 1.0})
