"""Where steps call the network and where they lead."""

from collections.abc import Callable

import numpy as np
import pytest

from brood.protocol.errors import BundleError, InvalidArgument
from brood.sampling.grid import Grid, between, chain, spare, strides
from brood.sampling.terms import Floats, Given

T = 100
LEVELS = np.cumprod(np.full(T, 0.97))


def given(steps: int, spacing: str = "leading", **fixed: float) -> Given:
    return Given({"steps": steps, "spacing": spacing}, fixed, {})


def at(*timesteps: int) -> Floats:
    """Levels of timesteps; −1 is the finished sample."""
    return np.array([1.0 if t < 0 else LEVELS[t] for t in timesteps])


def test_the_steps_of_ddpm_lead_to_each_other() -> None:
    grid = chain(given(3, steps_offset=1), LEVELS)
    assert grid.t.tolist() == [67, 34, 1]
    np.testing.assert_array_equal(grid.level, at(67, 34, 1))
    np.testing.assert_array_equal(grid.to, at(34, 1, -1))


def test_the_steps_of_ddim_lead_to_each_other_or_down_by_strides() -> None:
    asked = given(3, "trailing")
    np.testing.assert_array_equal(strides(asked, LEVELS).level, at(99, 66, 32))
    np.testing.assert_array_equal(strides(asked, LEVELS).to, at(66, 32, -1))
    strided = Given(asked.params, asked.numbers, {"leads": "stride"})
    np.testing.assert_array_equal(strides(strided, LEVELS).to, at(66, 33, -1))


@pytest.mark.parametrize("leads", ["next", "stride"])
def test_ddim_may_end_at_the_first_timestep(leads: str) -> None:
    asked = Given({"steps": 4}, {"set_alpha_to_one": 0}, {"leads": leads})
    np.testing.assert_array_equal(strides(asked, LEVELS).to, at(50, 25, 0, 0))


def test_euler_interpolates_sigma_between_timesteps() -> None:
    grid = between(given(3, "linspace"), LEVELS)
    assert grid.t.tolist() == [99, 49.5, 0]
    sigma = np.sqrt(1 / LEVELS - 1)
    np.testing.assert_allclose(np.sqrt(1 / grid.level - 1), [sigma[99], (sigma[49] + sigma[50]) / 2, sigma[0]])
    np.testing.assert_allclose(grid.to, [*grid.level[1:], 1.0])


@pytest.mark.parametrize(
    ("spacing", "expected"), [("leading", [75, 50, 25]), ("linspace", [99, 66, 33]), ("trailing", [99, 66, 32])]
)
def test_dpm_solver_leaves_the_lowest_out(spacing: str, expected: list[int]) -> None:
    assert spare(given(3, spacing), LEVELS).t.tolist() == expected


def test_the_last_steps_of_a_grid() -> None:
    grid = chain(given(4), LEVELS).last(2)
    assert (grid.t.tolist(), grid.to.tolist()) == ([25, 0], [LEVELS[0], 1.0])


@pytest.mark.parametrize("rule", [chain, strides, between, spare])
@pytest.mark.parametrize("steps", [0, 101, 10**6])
def test_more_steps_than_trained_on_are_refused(rule: Callable[[Given, Floats], Grid], steps: int) -> None:
    most = 99 if rule is spare else 100
    allowed = rf"allowed: a finite number from 1 to {most} \(the model was trained on 100 timesteps\)"
    with pytest.raises(InvalidArgument, match=rf"params\.steps: {steps} is not allowed; {allowed}"):
        rule(Given({"steps": steps}, {}, {}), LEVELS)


def test_an_offset_that_leads_beyond_the_training_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"steps_offset 3 begin below 100, not at 102") as caught:
        chain(given(100, steps_offset=3), LEVELS)
    assert caught.value.field == "params.steps"
    with pytest.raises(BundleError, match=r"schedule\.numbers\.steps_offset"):
        chain(given(3, steps_offset=-1), LEVELS)
