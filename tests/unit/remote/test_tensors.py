"""Arrays behind a message."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from brood.protocol.wire import worker_pb2 as pb
from brood.remote.tensors import Payload, framed, specs_of

ARRAYS = st.lists(
    npst.arrays(
        st.sampled_from([np.float32, np.float64, np.float16, np.uint8, np.int64, np.bool_]),
        npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
    ),
    max_size=5,
)


@settings(max_examples=100, deadline=None)
@given(ARRAYS)
def test_what_goes_in_comes_out(arrays: list[np.ndarray]) -> None:
    message = pb.FromWorker(told=[pb.Told(chunk=5, accepted="exact")])
    read = pb.FromWorker.FromString(framed(message, arrays))
    assert read.told[0].accepted == "exact"
    payload = Payload(read.payload)
    for array in arrays:
        found = payload.take(array.dtype, array.shape)
        assert found.dtype == array.dtype
        assert found.shape == array.shape
        assert found.tobytes() == array.tobytes()
        assert found.flags.aligned


def test_views_in_any_order_are_sent_as_they_look() -> None:
    array = np.arange(24, dtype=np.float32).reshape(4, 6).T[::2]
    read = pb.ToWorker.FromString(framed(pb.ToWorker(), [array]))
    assert np.array_equal(Payload(read.payload).take(array.dtype, array.shape), array)


def test_small_arrays_do_not_keep_the_message() -> None:
    large, small = np.zeros(10_000, np.uint8), np.ones(8, np.uint8)
    payload = Payload(pb.ToWorker.FromString(framed(pb.ToWorker(), [large, small])).payload)
    assert payload.take(large.dtype, large.shape).base is not None
    assert payload.take(small.dtype, small.shape).base is None


def test_what_nobody_wants_is_passed_over() -> None:
    arrays = {"a": np.arange(3, dtype=np.uint8), "b": np.arange(2.0)}
    content = framed(pb.ToWorker(), [*arrays.values(), np.array(7)])
    payload = Payload(pb.ToWorker.FromString(content).payload)
    payload.skip(specs_of(arrays.items()))
    assert payload.take(np.dtype(np.int64), ()) == 7


def test_too_little_is_an_error() -> None:
    with pytest.raises(ValueError, match="buffer"):
        Payload(bytes(8)).take(np.dtype(np.float64), (2,))
