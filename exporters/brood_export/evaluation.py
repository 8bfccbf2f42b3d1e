"""The model as it is exported: in evaluation mode, float32, on the CPU, with finite weights; it is left as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from brood_export.checkpoint import check_finite
from brood_export.errors import Misfit


@contextlib.contextmanager
def in_evaluation(model: nn.Module) -> Iterator[nn.Module]:
    """Evaluation mode for a while: every part of the model gets its own mode back."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield model
    finally:
        for module, mode in modes.items():
            module.training = mode


def check_weights(model: nn.Module) -> None:
    """Whether the weights can be exported as they are.

    Raises:
        Misfit: some lie on another device, or are not float32.
        CheckpointRefused: some are not finite.
    """
    name = type(model).__name__
    weights = model.state_dict()
    for key, tensor in weights.items():
        if tensor.device.type != "cpu":
            raise Misfit(f"{name}: {key} lies on {tensor.device}; exports are made on the CPU: call model.cpu() first")
        if tensor.is_floating_point() and tensor.dtype not in (torch.float32, torch.float64):
            raise Misfit(f"{name}: {key} is {tensor.dtype}; parity is measured in float32: call model.float() first")
    check_finite(weights, name)
