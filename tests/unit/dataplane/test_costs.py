from __future__ import annotations

import numpy as np
import pytest

from brood.dataplane.costs import decoding_s, encoding_s
from brood.dataplane.offload import ON_THE_SPOT_S
from brood.protocol.events import Sample
from brood.protocol.manifest import Output
from brood.protocol.requests import OutputFormat


def predicted(count: int, side: int, form: OutputFormat | None) -> float:
    """For pictures with a scalar beside each."""
    image = np.zeros((3, side, side), np.float32)
    outputs: dict[str, np.ndarray] = {"sample": image, "label": np.zeros((), np.int64)}
    declared = {
        "sample": Output(dtype="float32", shape=image.shape, kind="image"),
        "label": Output(dtype="int64", kind="scalar"),
    }
    return encoding_s([Sample(index, 7, outputs) for index in range(count)], declared, form)


def test_one_small_picture_is_encoded_on_the_spot() -> None:
    assert predicted(1, 28, "png") <= ON_THE_SPOT_S


def test_many_or_large_pictures_are_not() -> None:
    assert predicted(64, 28, "png") > ON_THE_SPOT_S
    assert predicted(1, 512, "png") > ON_THE_SPOT_S


def test_what_is_not_said_costs_what_the_default_does() -> None:
    assert predicted(4, 28, None) == predicted(4, 28, "png")


def test_raw_bytes_cost_far_less_than_pictures() -> None:
    assert predicted(64, 28, "raw") < predicted(64, 28, "png") / 5


@pytest.mark.parametrize("form", [None, "mp4", "webm"])
def test_the_smallest_video_is_encoded_elsewhere(form: OutputFormat | None) -> None:
    video = np.zeros((1, 1, 2, 2), np.float32)
    declared = {"video": Output(dtype="float32", shape=video.shape, kind="video")}
    assert encoding_s([Sample(0, 7, {"video": video})], declared, form) > ON_THE_SPOT_S


def test_nothing_costs_nothing() -> None:
    assert encoding_s([], {}, "png") == 0
    assert decoding_s(0) == 0


def test_large_inputs_are_decoded_elsewhere() -> None:
    assert decoding_s(28 * 28 * 4) <= ON_THE_SPOT_S < decoding_s(2**20)
