"""A small ONNX model, and what a manifest says of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper


def model(*, rows: Any = "rows", columns: int = 3, weight: TensorProto | None = None, constant: bool = False) -> bytes:
    """y = x · w and its flag ok = (label > 0), as a serialised model."""
    weight = weight or onnx.numpy_helper.from_array(np.arange(columns, dtype=np.float32), "w")
    nodes = [
        helper.make_node("Mul", ["x", "w"], ["y"]),
        helper.make_node("Greater", ["label", "zero"], ["ok"]),
        helper.make_node("Constant", [], ["zero"], value=helper.make_tensor("zero", TensorProto.INT64, [], [0])),
    ]
    if constant:
        nodes.append(helper.make_node("Constant", [], ["w"], value=weight))
    graph = helper.make_graph(
        nodes[::-1],
        "graph",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, columns]),
            helper.make_tensor_value_info("label", TensorProto.INT64, ["rows"]),
        ],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, columns]),
            helper.make_tensor_value_info("ok", TensorProto.BOOL, ["rows"]),
        ],
        [] if constant else [weight],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    content: bytes = made.SerializeToString()
    return content


def words() -> dict[str, Any]:
    return {
        "file": "graph.onnx",
        "runtime": "onnx",
        "buckets": (1, 2),
        "inputs": {
            "label": {"dtype": "int64", "role": "param"},
            "x": {"dtype": "float32", "shape": (3,), "role": "input"},
        },
        "outputs": {
            "ok": {"dtype": "bool", "role": "ok"},
            "y": {"dtype": "float32", "shape": (3,), "role": "output"},
        },
    }
