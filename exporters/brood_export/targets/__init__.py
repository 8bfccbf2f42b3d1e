"""Targets: the file formats a step graph can be exported to."""

from collections.abc import Mapping

from brood_export.targets.base import Target
from brood_export.targets.onnx import ONNX, ONNX_HALF
from brood_export.targets.pt2 import PT2
from brood_export.targets.torchscript import TORCHSCRIPT

TARGETS: Mapping[str, Target] = {target.runtime: target for target in (ONNX, TORCHSCRIPT, PT2)}
PRECISIONS: Mapping[str, Mapping[str, Target]] = {"fp32": TARGETS, "fp16": {"onnx": ONNX_HALF}}

__all__ = ["PRECISIONS", "TARGETS", "Target"]
