"""Between messages and calls: every datatype by both ways, and whatever a message can say that no call can."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from brood.frontends.grpc.inference_messages import LISTS, answer_message, call_of, call_s
from brood.frontends.oip import InferAnswer, Tensor
from brood.frontends.oip.datatypes import DATATYPES, NUMPY
from brood.protocol.errors import BroodError, InvalidArgument, Unsupported
from brood.protocol.wire import inference_pb2 as pb


def request(datatype: str, shape: tuple[int, ...], raw: bytes | None = None, **contents: Any) -> pb.ModelInferRequest:
    message = pb.ModelInferRequest(model_name="m")
    message.inputs.add(name="x", datatype=datatype, shape=shape)
    if contents:
        message.inputs[0].contents.CopyFrom(pb.InferTensorContents(**contents))
    if raw is not None:
        message.raw_input_contents.append(raw)
    return message


@pytest.mark.parametrize("datatype", sorted(set(LISTS) & set(NUMPY)))
def test_lists_and_bytes_say_the_same(datatype: str) -> None:
    array = np.array([[0, 1], [1, 0]], NUMPY[datatype])
    raw = call_of(request(datatype, (2, 2), array.tobytes())).inputs[0]
    listed = call_of(request(datatype, (2, 2), None, **{LISTS[datatype][0]: array.ravel().tolist()})).inputs[0]
    assert raw.datatype == listed.datatype == datatype
    assert raw.array.dtype == listed.array.dtype
    np.testing.assert_array_equal(raw.array, listed.array)


def test_strings() -> None:
    raw = call_of(request("BYTES", (2,), b"\x02\0\0\0ab\0\0\0\0")).inputs[0]
    listed = call_of(request("BYTES", (2,), None, bytes_contents=[b"ab", b""])).inputs[0]
    assert list(raw.array) == list(listed.array) == [b"ab", b""]


def test_every_datatype_has_a_list_or_is_binary_only() -> None:
    assert set(DATATYPES) - set(LISTS) == {"FP16", "BF16"}


@pytest.mark.parametrize(
    ("message", "kind", "text"),
    [
        (request("FP16", (1,)), InvalidArgument, "FP16 only as binary data"),
        (request("FP33", (1,)), InvalidArgument, r"inputs\.x\.datatype"),
        (request("FP32", (1,), None, fp64_contents=[1.0]), InvalidArgument, "fp32_contents for FP32"),
        (request("INT8", (1,), None, int_contents=[300]), InvalidArgument, "numbers of dtype int8"),
        (request("FP32", (2,), None, fp32_contents=[1.0]), InvalidArgument, "1 values are not allowed; allowed: 2"),
        (request("FP32", (2,), b"\0" * 4), InvalidArgument, "4 bytes of binary data are not allowed; allowed: 8"),
        (request("FP32", (1,), b"\0" * 4, fp32_contents=[1.0]), InvalidArgument, "not beside raw contents"),
        (request("FP32", (-1,), b"\0" * 4), InvalidArgument, r"inputs\.x\.shape"),
    ],
    ids=["fp16-list", "datatype", "list", "range", "few", "short", "twice", "shape"],
)
def test_tensors_that_do_not_fit(message: pb.ModelInferRequest, kind: type[BroodError], text: str) -> None:
    with pytest.raises(kind, match=text):
        call_of(message)


def test_as_many_contents_as_inputs() -> None:
    message = request("FP32", (1,), b"\0" * 4)
    message.raw_input_contents.append(b"")
    with pytest.raises(InvalidArgument, match="2 raw contents for 1 inputs are not allowed"):
        call_of(message)


def test_shared_memory_is_refused() -> None:
    message = request("FP32", (1,))
    message.inputs[0].parameters["shared_memory_region"].string_param = "region"
    with pytest.raises(Unsupported, match=r"inputs\.x: shared memory is not offered here"):
        call_of(message)


def test_parameters_of_every_kind_and_of_none() -> None:
    message = pb.ModelInferRequest(model_name="m", model_version="3", id="mine")
    message.parameters["a"].bool_param = True
    message.parameters["b"].int64_param = -2
    message.parameters["c"].string_param = "word"
    message.parameters["d"].double_param = 0.5
    message.parameters["e"].uint64_param = 7
    call = call_of(message)
    assert (call.model, call.version, call.id) == ("m", 3, "mine")
    assert call.parameters == {"a": True, "b": -2, "c": "word", "d": 0.5, "e": 7}
    message.parameters["f"].SetInParent()
    with pytest.raises(InvalidArgument, match=r"parameters\.f: null is not allowed"):
        call_of(message)


def test_lists_are_predicted_to_take_longer_than_bytes() -> None:
    listed = request("FP32", (4, 250), None, fp32_contents=[0.0] * 1000)
    assert call_s(listed) > 10 * call_s(request("FP32", (4, 250), b"\0" * 4000)) == 0


def test_an_answer_is_raw() -> None:
    tensors = (
        Tensor("y", "FP32", np.array([[1.0, 2.0]], np.float32)),
        Tensor("words", "BYTES", np.array([b"ab"], object)),
    )
    message = answer_message(InferAnswer("m", 3, "mine", {"row": 1, "exact": True, "p": 0.5, "w": "x"}, tensors))
    assert (message.model_name, message.model_version, message.id) == ("m", "3", "mine")
    assert message.parameters["exact"].WhichOneof("parameter_choice") == "bool_param"
    assert [message.parameters[name].WhichOneof("parameter_choice") for name in ("row", "p", "w")] == [
        "int64_param",
        "double_param",
        "string_param",
    ]
    assert [(each.name, each.datatype, list(each.shape)) for each in message.outputs] == [
        ("y", "FP32", [1, 2]),
        ("words", "BYTES", [1]),
    ]
    assert list(message.raw_output_contents) == [np.array([1, 2], "<f4").tobytes(), b"\x02\0\0\0ab"]
    assert not any(each.HasField("contents") for each in message.outputs)
