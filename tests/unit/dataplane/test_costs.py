from __future__ import annotations

import numpy as np

from brood.dataplane.costs import decoding_s, encoding_s
from brood.dataplane.offload import ON_THE_SPOT_S
from brood.protocol.events import Sample


def samples(count: int, side: int) -> list[Sample]:
    outputs: dict[str, np.ndarray] = {"sample": np.zeros((3, side, side), np.float32), "label": np.zeros((), np.int64)}
    return [Sample(index, 7, outputs) for index in range(count)]


def test_one_small_picture_is_encoded_on_the_spot() -> None:
    assert encoding_s(samples(1, 28), "png") <= ON_THE_SPOT_S


def test_many_or_large_pictures_are_not() -> None:
    assert encoding_s(samples(64, 28), "png") > ON_THE_SPOT_S
    assert encoding_s(samples(1, 512), "png") > ON_THE_SPOT_S


def test_raw_bytes_cost_far_less_than_pictures() -> None:
    assert encoding_s(samples(64, 28), "raw") < encoding_s(samples(64, 28), "png") / 5


def test_nothing_costs_nothing() -> None:
    assert encoding_s([], "png") == 0
    assert decoding_s(0) == 0


def test_large_inputs_are_decoded_elsewhere() -> None:
    assert decoding_s(28 * 28 * 4) <= ON_THE_SPOT_S < decoding_s(2**20)
