"""The scenarios in the words of the Open Inference Protocol, and which of them have none in it."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from brood.protocol.wire import inference_pb2 as pb
from contract.scenarios import BAD, GOOD, STREAMED, Scenario, expected

DATATYPES = {"float32": "FP32", "float64": "FP64", "uint8": "UINT8"}
AS_PARAMETERS = ("operation", "n", "seed", "index", "determinism")  # by the same names
BULK = 2  # priorities count down; 1 is the highest

_NO_FORMATS = "tensors are numbers; no part of a call says that they are a file, or in which format to answer"
_NO_EVENTS = "an answer is samples only; nothing asks for progress or previews"
_NO_OTHER_PRIORITIES = "priorities are numbers from 0 on, all of which are allowed"
# What cannot be said, and why.
UNSAID: dict[str, str] = {
    **dict.fromkeys(
        (
            "input that is not npy",
            "input that is not base64",
            "a picture of another size",
            "a picture that claims to be huge",
            "a picture that is cut off",
            "a picture that is none",
            "npy that claims to be huge",
            "npy that is cut off",
            "npy of objects",
            "unknown format",
            "a quality of what loses nothing",
            "a quality beyond 100",
        ),
        _NO_FORMATS,
    ),
    **dict.fromkeys(
        (
            "progress every 0 steps",
            "progress every half step",
            "a preview every -1 steps",
            "previews of what has none",
            *(scenario.name for scenario in STREAMED),
        ),
        _NO_EVENTS,
    ),
    "unknown priority": _NO_OTHER_PRIORITIES,
    "priority is a number": _NO_OTHER_PRIORITIES,
    "unknown field": "what is no parameter of the protocol is one of the operation: see 'unknown parameter'",
    "deadline 0": "a timeout of 0 means none",
    "raw bytes of no dtype": "a tensor always has a datatype",
}
# What only one of the transports can say.
UNSAID_OVER_HTTP = {"no model": "the address names it"}
UNSAID_OVER_GRPC = {
    **{scenario.name: "messages have types" for scenario in BAD if scenario.json_only},
    "input without a value": "a message always has bytes",
}
# Said in words of the protocol's own: the same code, but a field of a call or a tensor, such as its datatype.
OWN_WORDS: dict[str, str] = {
    "version 0": "version",
    "unknown input": "inputs.mask",
    "input of the wrong shape": "inputs.image.shape",
    "input of the wrong dtype": "inputs.known.datatype",
    "raw bytes that are too few": "inputs.image",
    "raw bytes that are too many": "inputs.image",
    "raw bytes of another dtype than the input": "inputs.image.datatype",
    "input without a value": "inputs.image.data",
    "deadline negative": "parameters.timeout",
    "label is null": "parameters.label",
    "label is a list": "parameters.label",
}


@dataclass(frozen=True)
class TensorWords:
    """A tensor, rows first; its bytes may be too few or too many, or missing."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    content: bytes | None


@dataclass(frozen=True)
class Call:
    """A request as a call of the protocol."""

    model: str
    version: str
    parameters: dict[str, Any]
    tensors: tuple[TensorWords, ...]

    @property
    def path(self) -> str:
        """Its address over HTTP."""
        version = f"/versions/{self.version}" if self.version else ""
        return f"/v2/models/{self.model}{version}/infer"

    def body(self) -> tuple[bytes, int]:
        """Its body over HTTP, all tensors as bytes both ways, and the length of the JSON part."""
        inputs = [
            {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
            | ({} if tensor.content is None else {"parameters": {"binary_data_size": len(tensor.content)}})
            for tensor in self.tensors
        ]
        parameters = self.parameters | {"binary_data_output": True}
        head = json.dumps({"parameters": parameters, "inputs": inputs}).encode()
        return b"".join([head, *(tensor.content or b"" for tensor in self.tensors)]), len(head)

    def message(self) -> pb.ModelInferRequest:
        """Its message over gRPC."""
        return pb.ModelInferRequest(
            model_name=self.model,
            model_version=self.version,
            parameters={name: _parameter(value) for name, value in self.parameters.items()},
            inputs=[
                pb.ModelInferRequest.InferInputTensor(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
                for tensor in self.tensors
            ],
            raw_input_contents=[tensor.content or b"" for tensor in self.tensors],
        )


def call_of(scenario: Scenario) -> Call:
    """A scenario as a call: its fields and parameters are parameters, its inputs are tensors."""
    request = scenario.request
    parameters = {name: request[name] for name in AS_PARAMETERS if name in request} | request.get("params", {})
    if request.get("priority") == "bulk":
        parameters["priority"] = BULK
    if "deadline_ms" in request:
        parameters["timeout"] = round(request["deadline_ms"] * 1000)
    tensors = tuple(_tensor(name, value, request.get("n", 1)) for name, value in request.get("inputs", {}).items())
    return Call(request["model"], str(request.get("version", "")), parameters, tensors)


def said(scenarios: tuple[Scenario, ...], *unsaid: dict[str, str]) -> list[Scenario]:
    """Those that can be said."""
    return [scenario for scenario in scenarios if not any(scenario.name in names for names in (UNSAID, *unsaid))]


def check_names() -> None:
    """The tables above speak of scenarios that there are."""
    known = {scenario.name for scenario in (*GOOD, *BAD, *STREAMED)}
    assert (UNSAID.keys() | UNSAID_OVER_HTTP.keys() | UNSAID_OVER_GRPC.keys() | OWN_WORDS.keys()) <= known
    assert not OWN_WORDS.keys() & UNSAID.keys()


def check_samples(scenario: Scenario, found: dict[str, np.ndarray]) -> None:
    """An answer holds the samples that are expected, bit for bit: of every output a row for each."""
    wanted = expected(scenario)
    assert found["index"].ravel().tolist() == [index for index, _, _ in wanted]
    assert found["seed"].ravel().tolist() == [seed for _, seed, _ in wanted]
    for row, (_, _, outputs) in enumerate(wanted):
        assert set(found) == {*outputs, "seed", "index"}
        for name, array in outputs.items():
            assert (found[name].dtype, found[name][row].tobytes()) == (array.dtype, array.tobytes()), name


def _tensor(name: str, value: dict[str, Any], n: int) -> TensorWords:
    """An input of a request. One for all samples is a tensor of one row."""
    if not value:
        return TensorWords(name, "FP32", (1, 1, 28, 28), None)
    if value.get("format") == "raw":
        shape, content = tuple(value["shape"]), base64.b64decode(value["b64"])
        datatype = DATATYPES[value["dtype"]]
    else:
        array = np.array(value["data"], np.uint8) if "data" in value else _read_npy(value["b64"])
        shape, content, datatype = array.shape, array.tobytes(), DATATYPES[str(array.dtype)]
    given_each = len(shape) == 4 and shape[0] == n
    return TensorWords(name, datatype, shape if given_each else (1, *shape), content)


def _read_npy(text: str) -> np.ndarray:
    return cast("np.ndarray", np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False))


def _parameter(value: bool | int | float | str) -> pb.InferParameter:
    kinds = {bool: "bool_param", int: "int64_param", float: "double_param", str: "string_param"}
    return pb.InferParameter(**cast("Any", {kinds[type(value)]: value}))
