"""Targets: the file formats a step graph can be exported to."""

from collections.abc import Mapping

from brood_export.targets.base import Target
from brood_export.targets.onnx import ONNX
from brood_export.targets.pt2 import PT2
from brood_export.targets.torchscript import TORCHSCRIPT

TARGETS: Mapping[str, Target] = {target.runtime: target for target in (ONNX, TORCHSCRIPT, PT2)}

__all__ = ["TARGETS", "Target"]
