"""Arrays as bytes, and what an answer offers."""

from typing import Any

import numpy as np
import pytest

from brood_client import Generation, InvalidArgument, Sample
from brood_client._types import array_of, tensor_of


def generation(*outputs: dict[str, Any]) -> Generation:
    samples = [Sample(index, 7, each) for index, each in enumerate(outputs)]
    return Generation("id-1", "tiny", 1, "generate", 7, "exact", samples)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float32", "float64", ">f4", ">i8"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 1, 3)])
def test_an_array_survives_as_bytes(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    tensor = tensor_of("image", array)
    back = array_of(tensor["b64"], tensor["dtype"], tensor["shape"])
    assert tensor["format"] == "raw"
    assert tensor["dtype"] == np.dtype(dtype).newbyteorder("=").name
    np.testing.assert_array_equal(back, array)
    assert back.flags.writeable


def test_a_slice_is_sent_in_c_order() -> None:
    array = np.arange(12, dtype=np.int32).reshape(3, 4).T[::2]
    tensor = tensor_of("image", array)
    np.testing.assert_array_equal(array_of(tensor["b64"], tensor["dtype"], tensor["shape"]), array)


@pytest.mark.parametrize("value", [["a", "b"], [None], np.array([1j]), np.array(["2020-01-01"], "datetime64[D]")])
def test_what_is_no_number_is_not_sent(value: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"inputs\.image: .* is not allowed; allowed: numbers") as caught:
        tensor_of("image", value)
    assert caught.value.field == "inputs.image"


def test_the_array_stacks_the_first_array_output() -> None:
    one, two = np.zeros((1, 2)), np.ones((1, 2))
    stacked = generation({"label": 3, "sample": one, "z": two}, {"label": 4, "sample": two, "z": one}).array
    assert stacked.shape == (2, 1, 2)
    np.testing.assert_array_equal(stacked, [one, two])


def test_scalars_alone_do_not_stack() -> None:
    with pytest.raises(ValueError, match="tiny/generate gives scalars only: energy, label"):
        _ = generation({"energy": 0.5, "label": 3}).array
