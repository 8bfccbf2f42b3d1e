"""What is written is what the format's own library reads."""

import struct

import numpy as np
import pytest
import safetensors.numpy

from brood.media.safetensors import ALIGNMENT, DTYPES, Named, write_safetensors


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_is_read_back(dtype: str) -> None:
    arrays = np.random.default_rng(0).integers(0, 2, (3, 2, 5)).astype(dtype)
    named = Named("x", dtype, arrays.shape, tuple(array.tobytes() for array in arrays))
    read = safetensors.numpy.load(write_safetensors([named], {}))["x"]
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, arrays)


def test_several_tensors_follow_one_another_where_they_can_be_mapped() -> None:
    tensors = [Named("a", "uint8", (3,), (b"\1\2", b"\3")), Named("b", "float32", (), (struct.pack("<f", 0.5),))]
    content = write_safetensors(tensors, {"seed": "7"})
    (length,) = struct.unpack_from("<Q", content)
    assert length % ALIGNMENT == 0
    read = safetensors.numpy.load(content)
    assert (read["a"].tolist(), float(read["b"])) == ([1, 2, 3], 0.5)
    assert content == write_safetensors(tensors, {"seed": "7"})
