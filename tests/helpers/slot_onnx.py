"""The graphs of `helpers.slot_graphs` for ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from brood.runtimes.base import LoadedGraph, Placement
from brood.runtimes.onnx_graph import OnnxDeviceGraph, OnnxGraph
from helpers.slot_graphs import SUMS, slot_spec

HERE = Placement("CPUExecutionProvider", "float32")
TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
NODES: dict[str, list[tuple[str, list[str], str, dict[str, Any]]]] = {
    "half": [
        ("Mul", ["x", "half"], "halved", {}),
        ("Add", ["halved", "noise"], "next_x", {}),
        ("Add", ["count", "one"], "next_count", {}),
    ],
    "step": [
        ("Mul", ["x", "half"], "halved", {}),
        ("Add", ["halved", "told"], "moved", {}),
        ("Add", ["moved", "noise"], "next_x", {}),
        ("Add", ["count", "one"], "next_count", {}),
        ("ReduceSum", ["grown", "two"], "summed", {"keepdims": 1}),
        ("Add", ["summed", "half"], "more", {}),
        ("Identity", ["noise"], "seen", {}),
    ],
    "look": [("Add", ["x", "noise"], "seen", {})],
}
CONSTANTS: dict[str, np.ndarray] = {
    "half": np.array(0.5, np.float32),
    "one": np.array(1, np.int64),
    "two": np.array([2], np.int64),
}


def slot_onnx(device: str | None) -> dict[str, LoadedGraph]:
    """All graphs; with ``device``, as on a device of that name whose memory is its own."""
    return {name: _graph(name, device) for name in SUMS}


def _graph(name: str, device: str | None) -> OnnxGraph:
    spec = slot_spec(name)
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(slot_model(name), settings, providers=["CPUExecutionProvider"])
    return OnnxGraph(spec, session, HERE) if device is None else OnnxDeviceGraph(spec, session, HERE, device, 0)


def slot_model(name: str) -> bytes:
    """The file of a graph."""
    spec = slot_spec(name)
    nodes = [helper.make_node(op, inputs, [output], **words) for op, inputs, output, words in NODES[name]]
    used = {value for node in nodes for value in node.input}
    constants = [numpy_helper.from_array(value, key) for key, value in CONSTANTS.items() if key in used]
    inputs, outputs = (
        [helper.make_tensor_value_info(key, TYPES[t.dtype], ["rows", *t.shape]) for key, t in tensors.items()]
        for tensors in (spec.inputs, spec.outputs)
    )
    graph = helper.make_graph(nodes, name, inputs, outputs, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    content: bytes = made.SerializeToString()
    return content
