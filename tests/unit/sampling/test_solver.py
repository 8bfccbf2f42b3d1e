"""The solver's row: its order, guidance, strength, and samplers it does not say."""

import numpy as np
import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from brood.protocol.errors import InvalidArgument
from brood.sampling.diffusion import SAMPLERS
from brood.sampling.solver import INDEX, INEXPRESSIBLE, ROW, guidance, kept, sampler_name, solved, table
from brood.sampling.terms import FLOAT32_MAX, Given
from brood.sampling.terms import Given as GivenValues

SHARE = st.floats(0, 1)


def test_the_row_has_the_order_that_the_graphs_read() -> None:
    assert " ".join(ROW) == "t s g p q a b c d e lo hi"
    t = np.array([7.0, 3.0])
    rows = table(t=t, s=2.0, p=3.0, q=4.0, a=5.0, b=6.0, c=7.0, d=8.0, e=t)
    largest = float(np.finfo(np.float32).max)
    assert rows.tolist() == [[end, 2, 1, 3, 4, 5, 6, 7, 8, end, -largest, largest] for end in (7.0, 3.0)]


def test_guidance_and_clamp_are_filled_in() -> None:
    made = solved(Given({"guidance": 4}, {"clip": 1.5}, {}), table(t=np.zeros(3), p=1.0, q=0.0, a=1.0), (0.5, 2.0))
    rows = made.columns["solver"]
    assert rows[:, INDEX["lo"] :].tolist() == [[-1.5, 1.5]] * 3
    assert rows[:, INDEX["g"]].tolist() == made.columns["guidance"].tolist() == [4.0] * 3
    assert (made.steps, made.init) == (3, (0.5, 2.0))


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (0, 1, "ggggg"),
        (0.2, 0.6, ".gg.."),
        (0.3, 0.7, "..g.."),
        (0.5, 0.5, "....."),
        (0, 0.19, "....."),
        (1, 1, "....."),
    ],
)
def test_a_step_is_guided_if_all_of_it_lies_in_the_interval(start: float, stop: float, expected: str) -> None:
    scale = guidance(Given({"guidance": 3.0, "guidance_start": start, "guidance_stop": stop}, {}, {}), 5)
    assert "".join("g" if number == 3.0 else "." for number in scale) == expected
    assert set(scale.tolist()) <= {1.0, 3.0}


@forall(SHARE, SHARE, st.integers(1, 200), st.floats(-20, 20))
def test_guidance_stays_inside_of_its_interval(one: float, other: float, steps: int, scale: float) -> None:
    start, stop = sorted((one, other))
    given = GivenValues({"guidance": scale, "guidance_start": start, "guidance_stop": stop}, {}, {})
    for k in np.flatnonzero(guidance(given, steps) != 1.0):
        assert start <= k / steps < (k + 1) / steps <= stop


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"guidance": float("nan")}, "guidance"),
        ({"guidance": float("inf")}, "guidance"),
        ({"guidance_start": -0.1}, "guidance_start"),
        ({"guidance_start": 0.6, "guidance_stop": 0.5}, "guidance_stop"),
    ],
)
def test_wrong_guidance_is_refused(params: dict[str, bool | int | float | str], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        guidance(Given(params, {}, {}), 4)
    assert caught.value.field == f"params.{field}"


@forall(SHARE, st.integers(1, 1000))
def test_strength_keeps_at_least_one_step_and_at_most_all(strength: float, steps: int) -> None:
    assert kept(Given({"strength": strength}, {}, {}), steps) == max(1, int(strength * steps))
    assert kept(Given({}, {}, {}), steps) == kept(Given({"strength": 1}, {}, {}), steps) == steps


@pytest.mark.parametrize("name", INEXPRESSIBLE)
def test_what_no_row_says_is_refused_with_a_sampler_to_use_instead(name: str) -> None:
    instead, _, why = INEXPRESSIBLE[name].replace(":", "").partition(" ")
    assert instead in SAMPLERS
    assert why
    with pytest.raises(InvalidArgument, match=f"instead of {name}: {instead}") as caught:
        sampler_name(Given({"sampler": name}, {}, {}), SAMPLERS, "ddim")
    assert caught.value.field == "params.sampler"


def test_an_alternative_that_is_not_offered_is_not_named() -> None:
    with pytest.raises(InvalidArgument, match=r"allowed: one of euler$"):
        sampler_name(Given({"sampler": "unipc"}, {}, {}), ("euler",), "euler")
    with pytest.raises(InvalidArgument, match="instead of heun: euler with twice the steps"):
        sampler_name(Given({"sampler": "heun"}, {}, {}), ("euler",), "euler")


def test_no_clamp_is_the_largest_float32() -> None:
    assert np.float32(FLOAT32_MAX) == np.finfo(np.float32).max
