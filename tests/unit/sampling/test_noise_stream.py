"""One row's one noise input: addressable by step, refused outside its ranges, unrelated to its neighbours."""

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest

from brood.sampling.noise import TRANSFORMS, Distribution, NoiseStream, draw_seed, noise, normal, uniform

ROW: dict[str, int] = {"seed": 7, "stream": 3, "index": 5}
LARGEST = {"seed": 2**63 - 1, "stream": 2**32 - 1, "index": 2**63 - 1, "count": 2**32 - 1, "step": 2**32 - 1}


@pytest.mark.parametrize("count", [1, 3, 4, 5, 64])
def test_a_step_is_the_same_reached_by_walking_skipping_or_in_one_call(count: int) -> None:
    walking = NoiseStream(**ROW, count=count)
    walked = np.concatenate([walking.raw() for _ in range(6)])
    together = NoiseStream(**ROW, count=count).raw(6)
    skipped = np.concatenate([NoiseStream(**ROW, count=count, step=step).raw() for step in range(6)])
    assert together.shape == (6, count)
    assert together.dtype == np.uint64
    np.testing.assert_array_equal(together, walked)
    np.testing.assert_array_equal(together, skipped)


def test_mixed_strides_give_the_same_sequence() -> None:
    source = NoiseStream(**ROW, count=5)
    mixed = np.concatenate([source.raw(steps) for steps in (2, 1, 4)])
    np.testing.assert_array_equal(mixed, NoiseStream(**ROW, count=5).raw(7))


def test_a_step_of_one_to_four_numbers_is_a_prefix_of_one_block() -> None:
    full = NoiseStream(**ROW, count=4).raw(3)
    np.testing.assert_array_equal(NoiseStream(**ROW, count=3).raw(3), full[:, :3])


@pytest.mark.parametrize("distribution", get_args(Distribution))
def test_noise_is_the_transformed_stream_in_c_order(distribution: Distribution) -> None:
    raw = NoiseStream(**ROW, count=6, step=4).raw()
    values = noise(distribution, **ROW, step=4, shape=(2, 3))
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, TRANSFORMS[distribution](raw).reshape(2, 3))


def test_noise_without_axes_is_one_number() -> None:
    assert noise("uniform", **ROW, step=0, shape=()).shape == ()


def test_a_row_does_not_depend_on_the_rows_transformed_with_it() -> None:
    rows = np.concatenate([NoiseStream(seed=7, stream=0, index=index, count=777).raw() for index in range(33)])
    for transform in (normal, uniform):
        together = transform(rows)
        for index in (0, 13, 32):
            np.testing.assert_array_equal(together[index], transform(rows[index]))


@pytest.mark.parametrize("field", ["seed", "stream", "index", "step"])
def test_neighbours_are_uncorrelated(field: str) -> None:
    base = {"seed": 1, "stream": 1, "index": 1, "step": 0}
    size = 1 << 16
    values = [noise("normal", **{**base, field: base[field] + k}, shape=(size,)) for k in range(5)]
    correlation = np.corrcoef(np.stack(values).astype(np.float64))
    off_diagonal = np.abs(correlation - np.eye(len(values))).max()
    assert off_diagonal < 5 / size**0.5


def test_large_numbers_of_every_field_stay_apart() -> None:
    middle = {"seed": 2**62, "stream": 2**31, "index": 2**62, "count": 4, "step": 2**31}
    seen = {tuple(NoiseStream(**middle).raw()[0].tolist())}
    for field in ("seed", "stream", "index", "step"):
        seen.add(tuple(NoiseStream(**{**middle, field: LARGEST[field]}).raw()[0].tolist()))
    assert len(seen) == 5


@pytest.mark.parametrize("field", list(LARGEST))
def test_the_largest_number_is_allowed_and_the_next_refused(field: str) -> None:
    arguments = {**ROW, "count": 1, "step": 0}
    NoiseStream(**{**arguments, field: LARGEST[field]})
    refuses(lambda: NoiseStream(**{**arguments, field: LARGEST[field] + 1}), field, LARGEST[field] + 1)


@pytest.mark.parametrize(
    ("field", "value"),
    [("seed", -1), ("seed", "7"), ("seed", 7.0), ("seed", True), ("seed", None), ("index", -1), ("count", 0)],
)
def test_what_is_not_a_number_of_the_range_is_refused(field: str, value: Any) -> None:
    arguments: dict[str, Any] = {**ROW, "count": 1, "step": 0}
    refuses(lambda: NoiseStream(**{**arguments, field: value}), field, value)


def test_numpy_integers_are_integers() -> None:
    numbers: dict[str, Any] = {"seed": np.int64(7), "stream": np.uint8(3), "index": np.uint64(5)}
    plain, typed = NoiseStream(**ROW, count=4).raw(), NoiseStream(**numbers, count=4).raw()
    np.testing.assert_array_equal(plain, typed)


def test_the_last_step_ends_the_stream() -> None:
    source = NoiseStream(**ROW, count=1, step=2**32 - 2)
    refuses(lambda: source.raw(3), "steps", 3)
    assert source.raw(2).shape == (2, 1)
    refuses(source.raw, "steps", 1)


@pytest.mark.parametrize("steps", [0, -1])
def test_no_steps_are_refused(steps: int) -> None:
    refuses(lambda: NoiseStream(**ROW, count=1).raw(steps), "steps", steps)


def test_unknown_distribution_and_empty_shape_are_refused() -> None:
    unknown: Any = "cauchy"
    with pytest.raises(ValueError, match="distribution is 'cauchy'; allowed: normal, uniform"):
        noise(unknown, **ROW, step=0, shape=(1,))
    refuses(lambda: noise("normal", **ROW, step=0, shape=(3, 0)), "count", 0)


def test_drawn_seeds_differ_and_survive_json_readers() -> None:
    seeds = [draw_seed() for _ in range(100)]
    assert len(set(seeds)) == 100
    assert all(0 <= seed < 2**53 and int(float(seed)) == seed for seed in seeds)
    assert max(seeds) > 2**48


def refuses(call: Callable[[], object], field: str, value: object) -> None:
    with pytest.raises(ValueError, match="allowed: ") as caught:
        call()
    assert str(caught.value).startswith(f"{field} is {value!r}; allowed: ")
