"""The models that the clients of others meet: shipped ones, and a bare function."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from brood.store.store import zoo_root
from brood_export.functions import FunctionTitle, import_onnx

SHIPPED = ("glyphs-diffusion", "glyphs-gan", "glyphs-vae", "points-diffusion")


def write_store(root: Path) -> None:
    """Copies of the shipped models, and ``dense``."""
    for name in SHIPPED:
        shutil.copytree(zoo_root() / name, root / name)
    _write_dense(root)


def _write_dense(root: Path) -> None:
    """``head/logits`` [rows, 2] = ``Input:0`` [rows, 3] · [[0, 1], [2, 3], [4, 5]]."""
    weight = onnx.numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(3, 2), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["Input:0", "w"], ["head/logits"])],
        "dense",
        [helper.make_tensor_value_info("Input:0", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("head/logits", TensorProto.FLOAT, ["batch", 2])],
        [weight],
    )
    path = root / "dense.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    import_onnx(path, FunctionTitle("dense"), root)
    path.unlink()
