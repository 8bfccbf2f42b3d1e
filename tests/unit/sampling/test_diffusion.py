"""Whole schedules of diffusion models: what holds for every sampler, spacing, prediction and count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from brood.protocol.errors import BundleError, InvalidArgument
from brood.protocol.manifest import Scalar
from brood.sampling.betas import BETAS
from brood.sampling.diffusion import SAMPLERS
from brood.sampling.prediction import PREDICTIONS
from brood.sampling.schedules import KINDS, Schedule
from brood.sampling.spacing import SPACINGS
from helpers.solver import Floats, column, run_table

T = 60
NUMBERS = {"train_steps": float(T), "beta_start": 1e-3, "beta_end": 0.2}
WORDS = {"betas": "linear", "prediction": "epsilon"}
SHAPE = (2, 3)


def made(words: dict[str, str] | None = None, numbers: dict[str, float] | None = None, **params: Scalar) -> Schedule:
    return KINDS["diffusion"](params, NUMBERS | (numbers or {}), WORDS | (words or {}))


def network(x: Floats, t: float) -> Floats:
    return np.tanh(x + t / T)


def noise(schedule: Schedule) -> tuple[Floats, Floats]:
    source = np.random.default_rng(schedule.steps)
    return source.normal(size=SHAPE), source.normal(size=(schedule.steps, *SHAPE))


@dataclass(frozen=True)
class Drawn:
    """Any schedule of this model, and what it was made from."""

    schedule: Schedule
    params: dict[str, Scalar]
    words: dict[str, str]
    clip: float | None


@st.composite
def schedules(draw: st.DrawFn, /, **fixed: str) -> Drawn:
    some = st.sampled_from
    words = {"betas": draw(some(sorted(BETAS))), "prediction": draw(some(sorted(PREDICTIONS)))}
    words |= {"epsilon": draw(some(["raw", "clipped"])), "leads": draw(some(["next", "stride"]))} | fixed
    params: dict[str, Scalar] = {
        "sampler": draw(some(sorted(SAMPLERS))),
        "spacing": draw(some(sorted(SPACINGS))),
        "steps": draw(st.integers(1, T - 1)),
        "eta": draw(st.floats(0, 1)),
        "guidance": draw(st.floats(-10, 10)),
    }
    if draw(st.booleans()):
        params["strength"] = draw(st.floats(0, 1))
    clip = draw(st.none() | st.floats(0.1, 3))
    return Drawn(made(words, {} if clip is None else {"clip": clip}, **params), params, words, clip)


@forall(schedules())
def test_every_table_is_finite_in_float32_and_of_its_shape(drawn: Drawn) -> None:
    schedule, params = drawn.schedule, drawn.params
    rows = schedule.columns["solver"]
    asked = int(params["steps"])
    assert schedule.steps == max(1, int(float(params.get("strength", 1.0)) * asked))
    assert rows.shape == (schedule.steps, 12)
    assert rows.dtype == np.float64
    assert np.isfinite(rows.astype(np.float32)).all()
    assert np.isfinite(schedule.init).all()
    np.testing.assert_array_equal(schedule.columns["guidance"], column(schedule, "g"))
    t = column(schedule, "t")
    assert 0 <= t.min() <= t.max() < T
    assert (np.diff(t) < 0).all()
    assert column(schedule, "c")[0] == 0  # x0_prev is not yet there
    assert (column(schedule, "lo") < column(schedule, "hi")).all()
    assert (column(schedule, "e") >= 0).all()


@forall(schedules(prediction="x0", leads="next"))
def test_where_the_network_knows_the_sample_every_run_ends_at_it(drawn: Drawn) -> None:
    known = np.full(SHAPE, 0.08)  # inside of every clamp

    def knowing(x: Floats, t: float) -> Floats:
        return known

    start, fresh = noise(drawn.schedule)
    end = run_table(drawn.schedule, knowing, start, fresh, given=start, unconditional=knowing).x[-1]
    np.testing.assert_allclose(end, known, atol=1e-9)


@forall(schedules())
def test_only_ddim_with_a_clamp_and_the_networks_own_epsilon_steps_past_x0(drawn: Drawn) -> None:
    own = drawn.params["sampler"] == "ddim" and drawn.words["epsilon"] == "raw" and drawn.clip is not None
    assert own or (column(drawn.schedule, "d") == 0).all()


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 2, 3, 17])
def test_a_mask_of_x0_puts_what_is_known_into_the_sample(sampler: str, steps: int) -> None:
    schedule = made({"epsilon": "clipped"}, {"clip": 1.0}, sampler=sampler, steps=steps, spacing="trailing")
    mask = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    known = np.linspace(-1, 1, 6).reshape(SHAPE)
    start, fresh = noise(schedule)
    end = run_table(schedule, network, start, fresh, mask=mask, known=known).x[-1]
    np.testing.assert_allclose(end[mask == 1], known[mask == 1], atol=1e-9)
    free = run_table(schedule, network, start, fresh).x[-1]
    np.testing.assert_array_equal(end[mask == 0], free[mask == 0])


def test_masked_ddim_keeps_what_is_known_at_its_noise_level_with_its_own_noise() -> None:
    schedule = made({"epsilon": "clipped"}, {"clip": 1.0}, sampler="ddim", steps=20, spacing="trailing")
    start, fresh = noise(schedule)
    xs = run_table(schedule, network, start, fresh, mask=1.0, known=0.3).x
    signal = 1 / np.sqrt(1 + (column(schedule, "q") ** 2))
    scale = np.sqrt(1 - signal**2)
    its_own = (start - signal[0] * 0.3) / scale[0]
    for k in range(20):
        np.testing.assert_allclose(xs[k], signal[k] * 0.3 + scale[k] * its_own, atol=1e-9)


def test_guidance_goes_beyond_the_conditional_network() -> None:
    schedule = made(sampler="ddim", steps=1, spacing="trailing", guidance=3.0)
    start, fresh = noise(schedule)
    one, zero = np.ones(SHAPE), np.zeros(SHAPE)
    guided = run_table(schedule, lambda x, t: one, start, fresh, unconditional=lambda x, t: zero).x0
    bare = run_table(made(sampler="ddim", steps=1, spacing="trailing"), lambda x, t: 3 * one, start, fresh).x0
    np.testing.assert_allclose(guided, bare)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_strength_runs_the_last_steps_from_what_is_given(sampler: str) -> None:
    whole = made(sampler=sampler, steps=10, spacing="trailing")
    part = made(sampler=sampler, steps=10, spacing="trailing", strength=0.45)
    assert part.steps == 4
    np.testing.assert_array_equal(column(part, "t"), column(whole, "t")[-4:])
    signal, scale = part.init
    sigma = -column(part, "q")[0]
    assert scale / signal == pytest.approx(sigma)
    assert signal == (1.0 if sampler.startswith("euler") else pytest.approx(1 / np.hypot(1, sigma)))
    assert whole.init[0] == 0.0


@pytest.mark.parametrize("spacing", SPACINGS)
def test_of_noise_alone_the_network_sees_noise_of_scale_one(spacing: str) -> None:
    for sampler in SAMPLERS:
        schedule = made(sampler=sampler, steps=10, spacing=spacing)
        assert schedule.init[1] * column(schedule, "s")[0] == pytest.approx(1.0, abs=0.01)


def test_defaults_are_ddim_and_leading() -> None:
    plain, named = made(steps=5), made(steps=5, sampler="ddim", spacing="leading", eta=0.0, guidance=1.0)
    np.testing.assert_array_equal(plain.columns["solver"], named.columns["solver"])


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"steps": 0}, "steps"),
        ({"steps": T + 1}, "steps"),
        ({"steps": T, "sampler": "dpmpp-2m"}, "steps"),
        ({"sampler": "heun"}, "sampler"),
        ({"sampler": "Euler"}, "sampler"),
        ({"eta": 1.5}, "eta"),
        ({"eta": float("nan")}, "eta"),
        ({"spacing": "karras"}, "spacing"),
        ({"strength": -0.1}, "strength"),
        ({"guidance": float("nan")}, "guidance"),
    ],
)
def test_wrong_parameters_are_named(params: dict[str, Scalar], field: str) -> None:
    with pytest.raises(InvalidArgument, match=f"params.{field}: .* is not allowed; allowed: ") as caught:
        KINDS["diffusion"]({"steps": 4} | params, NUMBERS, WORDS)
    assert caught.value.field == f"params.{field}"


@pytest.mark.parametrize(("name", "word"), [("prediction", "score"), ("betas", "sigmoid"), ("epsilon", "own")])
def test_wrong_words_are_the_bundles_fault(name: str, word: str) -> None:
    with pytest.raises(BundleError) as caught:
        made({name: word}, steps=4)
    assert caught.value.field == f"schedule.words.{name}"
