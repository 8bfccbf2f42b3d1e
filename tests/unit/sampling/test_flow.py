"""Schedules of flow matching."""

import numpy as np
import pytest

from brood.protocol.errors import InvalidArgument
from brood.protocol.manifest import Scalar
from brood.sampling.schedules import KINDS, Schedule
from helpers.solver import column, run_table


def made(shift: float = 1.0, clip: float | None = None, **params: Scalar) -> Schedule:
    numbers = {"train_steps": 1000.0, "shift": shift} | ({} if clip is None else {"clip": clip})
    return KINDS["flow"](params, numbers, {})


def test_a_step_is_eulers() -> None:
    schedule = made(steps=4, spacing="trailing")
    x, v = np.array([0.3]), np.array([-0.7])
    assert column(schedule, "t").tolist() == [1000, 750, 500, 250]
    for k in range(4):
        one = Schedule(1, {"solver": schedule.columns["solver"][k : k + 1]}, (0.0, 1.0))
        end = run_table(one, lambda x, t: v, x, np.zeros((1, 1))).x[-1]
        np.testing.assert_allclose(end, x - 0.25 * v)


def test_linspace_ends_at_the_smallest_level_of_training_and_shift_bends() -> None:
    np.testing.assert_allclose(column(made(steps=3), "t"), [1000, 500.5, 1])
    np.testing.assert_allclose(column(made(shift=3.0, steps=2, spacing="trailing"), "t"), [1000, 750])


def test_strength_mixes_along_the_straight_path() -> None:
    schedule = made(steps=10, spacing="trailing", strength=0.4)
    assert schedule.steps == 4
    assert schedule.init == pytest.approx((0.6, 0.4))
    assert made(steps=1, strength=0.0).steps == 1


@pytest.mark.parametrize("steps", [1, 5])
def test_masks_and_clamps_act_on_the_whole_step(steps: int) -> None:
    schedule = made(steps=steps, clip=1.0, guidance=2.0)
    mask, noise = np.array([1.0, 0.0]), np.zeros((steps, 2))
    end = run_table(schedule, lambda x, t: -500 * np.ones(2), np.array([0.4, 0.9]), noise, mask=mask, known=0.25).x[-1]
    np.testing.assert_allclose(end, [0.25, 1.0])


@pytest.mark.parametrize(
    ("params", "field"),
    [({"sampler": "ddim"}, "sampler"), ({"steps": 1001}, "steps"), ({"spacing": "leading"}, "spacing")],
)
def test_what_flow_does_not_do_is_refused(params: dict[str, Scalar], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        KINDS["flow"]({"steps": 4} | params, {"train_steps": 1000.0}, {})
    assert caught.value.field == f"params.{field}"
