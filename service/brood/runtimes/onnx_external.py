"""The tensors that lie in an ONNX file, and those that it would read from other files.

A bundle's hashes cover the files it lists, so a graph's weights must lie in the graph file itself. The file is walked
as the protocol buffer it is (onnx/onnx.proto, protobuf wire format); tensors' contents are skipped, and the `onnx`
package is not needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from brood.protocol.wire.fields import fields

# message → field number → message of that field; only fields that can lead to a tensor
FIELDS: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 25: "Function"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
}
TENSOR_DATA_TYPE, TENSOR_NAME, TENSOR_EXTERNAL_DATA, TENSOR_DATA_LOCATION = 2, 8, 13, 14
FLOATS = {1: "float32", 10: "float16", 11: "float64", 16: "bfloat16", 17: "float8", 18: "float8", 19: "float8"}
DEPTH_LIMIT = 64


def external_tensors(model: bytes) -> list[str]:
    """Names of all tensors of a serialised ONNX model whose contents lie outside it.

    Raises:
        ValueError: it is not a protocol buffer.
    """
    return [name for tensor in _walk("Model", memoryview(model), 0) for name in _external(tensor)]


def weights_dtype(model: bytes) -> str:
    """The floating-point type in which most bytes of a serialised ONNX model's tensors are; empty if there are none.

    Raises:
        ValueError: it is not a protocol buffer.
    """
    sizes: Counter[str] = Counter()
    for tensor in _walk("Model", memoryview(model), 0):
        kind = next((value for field, value in fields(tensor) if field == TENSOR_DATA_TYPE), None)
        if isinstance(kind, int) and kind in FLOATS:
            sizes[FLOATS[kind]] += len(tensor)
    return max(sizes, key=lambda name: sizes[name], default="")


def _walk(message: str, content: memoryview, depth: int) -> Iterator[memoryview]:
    """All tensors, as the messages they are."""
    if depth > DEPTH_LIMIT:
        raise ValueError(f"messages are nested deeper than {DEPTH_LIMIT}")
    if message == "Tensor":
        yield content
        return
    for field, value in fields(content):
        below = FIELDS[message].get(field)
        if below is not None and isinstance(value, memoryview):
            yield from _walk(below, value, depth + 1)


def _external(tensor: memoryview) -> Iterator[str]:
    name, external = "", False
    for field, value in fields(tensor):
        if field == TENSOR_NAME and isinstance(value, memoryview):
            name = bytes(value).decode("utf-8", "replace")
        external |= field == TENSOR_EXTERNAL_DATA or (field == TENSOR_DATA_LOCATION and value != 0)
    if external:
        yield name or "(unnamed)"
