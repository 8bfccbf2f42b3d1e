"""Whether bytes are what they say they are."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from brood.loadgen.checks import (
    check_indices,
    check_npy,
    check_oip,
    check_png,
    check_tensor,
    safetensors_body,
)
from brood.loadgen.outcome import WRONG, Failed
from brood.media.npy import write_npy
from brood.media.safetensors import Named, write_safetensors

ARRAY = np.arange(6, dtype=np.float32).reshape(2, 3)
NPY = write_npy(ARRAY)


def picture(format: str) -> bytes:
    file = io.BytesIO()
    Image.new("L", (4, 4)).save(file, format)
    return file.getvalue()


def test_good_bytes_pass() -> None:
    check_tensor("x", "raw", "float32", (2, 3), ARRAY.tobytes())
    check_tensor("x", "npy", "float32", (2, 3), NPY)
    for format in ("png", "jpeg", "webp"):
        check_tensor("x", format, "uint8", (1, 4, 4), picture(format))
    check_oip("x", "FP32", (2, 3), ARRAY.tobytes(), 2)
    check_oip("x", "BYTES", (2,), b"whatever", None)
    check_indices([1, 0, 2], 3)


def test_the_body_of_a_safetensors_file() -> None:
    file = write_safetensors([Named("image", "float32", (2, 3), (ARRAY.tobytes(),))], {"seed": "7"})
    assert safetensors_body(file, 2) == ARRAY.tobytes()
    for bad, message in ((file[:-1], "instead of"), (b"", "no safetensors"), (b"\xff" * 30, "no safetensors")):
        with pytest.raises(Failed, match=message):
            safetensors_body(bad, 2)
    with pytest.raises(Failed, match="tensors of \\[2\\] rows instead of 3"):
        safetensors_body(file, 3)


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (lambda: check_tensor("x", "raw", "float32", (2, 3), b"12"), "x: 2 bytes instead of 24"),
        (lambda: check_tensor("x", "npy", "float32", (3, 2), NPY), r"x: shape \[2, 3\] instead of \[3, 2\]"),
        (lambda: check_tensor("x", "jpeg", "uint8", (1,), b"\x89PNG"), "x: 4 bytes that are no jpeg"),
        (lambda: check_tensor("x", "webp", "uint8", (1,), b""), "x: 0 bytes that are no webp"),
        (lambda: check_tensor("x", "gif", "uint8", (1,), b""), "x: 0 bytes that are no gif"),
        (lambda: check_npy("x", NPY[:-1]), f"x: {len(NPY) - 1} bytes instead of {len(NPY)}"),
        (lambda: check_npy("x", NPY[:9]), "x: 9 bytes that are no .npy"),
        (lambda: check_npy("x", b"PK" + NPY), "that are no .npy: another begin"),
        (lambda: check_npy("x", NPY[:10] + b"[" * 20), "that are no .npy"),
        (lambda: check_png("x", picture("png")[:-1]), "x: .* bytes that are no whole PNG"),
        (lambda: check_oip("x", "FP32", (2, 3), b"", 2), "x: 0 bytes instead of 24"),
        (lambda: check_oip("x", "FP32", (2, 3), ARRAY.tobytes(), 3), r"x: shape \[2, 3\] instead of 3 rows"),
        (lambda: check_indices([0, 0], 2), "2 samples .* instead of 2"),
        (lambda: check_indices([1, 2], 2), "from index 0"),
    ],
)
def test_bad_bytes_are_told(check: Callable[[], Any], words: str) -> None:
    with pytest.raises(Failed, match=words) as caught:
        check()
    assert caught.value.code == WRONG
