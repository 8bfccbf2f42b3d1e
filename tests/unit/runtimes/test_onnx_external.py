"""External tensors are found wherever ONNX lets them be, and nowhere else."""

from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from brood.runtimes.onnx_external import external_tensors, weights_dtype


def tensor(name: str, *, external: bool) -> TensorProto:
    if not external:
        return helper.make_tensor(name, TensorProto.FLOAT, [2], [1.0, 2.0])
    made = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    made.external_data.add(key="location", value="elsewhere.bin")
    return made


def places(*, external: bool) -> dict[str, onnx.ModelProto]:
    """A model for each place a tensor can be in."""
    made = tensor("w", external=external)
    sparse = onnx.SparseTensorProto(values=made, indices=tensor("at", external=False), dims=[9])
    constant = helper.make_node("Constant", [], ["w"], value=made)
    inner = helper.make_graph([constant], "inner", [], [])
    branch = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    several = helper.make_node("Custom", [], ["y"], domain="test")
    several.attribute.append(helper.make_attribute("tensors", [made]))
    function = helper.make_function("test", "f", [], ["w"], [constant], [helper.make_opsetid("", 18)])
    return {
        "initializer": model(initializer=[made]),
        "sparse": model(sparse_initializer=[sparse]),
        "constant": model(node=[constant]),
        "sparse-constant": model(node=[helper.make_node("Constant", [], ["w"], sparse_value=sparse)]),
        "tensors": model(node=[several]),
        "branch": model(node=[branch]),
        "function": onnx.ModelProto(functions=[function]),
    }


def model(**graph: Any) -> onnx.ModelProto:
    return onnx.ModelProto(ir_version=9, graph=onnx.GraphProto(name="g", **graph))


@pytest.mark.parametrize("place", list(places(external=True)))
def test_found_in_every_place(place: str) -> None:
    assert set(external_tensors(places(external=True)[place].SerializeToString())) == {"w"}
    assert external_tensors(places(external=False)[place].SerializeToString()) == []


def test_either_sign_of_external_data_counts() -> None:
    made = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    made.external_data.add(key="location", value="elsewhere.bin")
    assert external_tensors(model(initializer=[made]).SerializeToString()) == ["w"]


def test_nameless_tensors_count() -> None:
    assert external_tensors(model(initializer=[tensor("", external=True)]).SerializeToString()) == ["(unnamed)"]


@pytest.mark.parametrize(
    "content", [b"\x80" * 20, b"\x3a\xff\x01", b"\x3b", b"\x3d\x00", b"\x38"], ids=["varint", "cut", "group", "4", "v"]
)
def test_what_is_no_protocol_buffer_is_an_error(content: bytes) -> None:
    with pytest.raises(ValueError, match="not a protocol buffer"):
        external_tensors(content)


def test_endless_nesting_is_an_error() -> None:
    content = b""
    for _ in range(40):  # graphs in attributes of nodes of graphs …
        for field in (6, 5, 1):
            content = bytes([field << 3 | 2]) + varint(len(content)) + content
    content = bytes([7 << 3 | 2]) + varint(len(content)) + content
    with pytest.raises(ValueError, match="nested deeper than 64"):
        external_tensors(content)


def varint(value: int) -> bytes:
    return bytes([value & 127 | 128, value >> 7]) if value > 127 else bytes([value])


@pytest.mark.parametrize("place", list(places(external=False)))
def test_weights_count_wherever_they_are(place: str) -> None:
    assert weights_dtype(places(external=False)[place].SerializeToString()) == "float32"


def test_the_type_of_most_bytes_counts_and_only_floating_point() -> None:
    made = [
        helper.make_tensor("few", TensorProto.FLOAT, [2], [1.0, 2.0]),
        helper.make_tensor("most", TensorProto.FLOAT16, [64], [1.0] * 64),
        helper.make_tensor("places", TensorProto.INT64, [640], [1] * 640),
    ]
    assert weights_dtype(model(initializer=made).SerializeToString()) == "float16"
    assert weights_dtype(model(initializer=made[:1]).SerializeToString()) == "float32"
    assert weights_dtype(model(initializer=made[2:]).SerializeToString()) == ""
    assert weights_dtype(b"") == ""
