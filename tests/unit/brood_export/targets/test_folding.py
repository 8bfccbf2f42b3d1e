"""What depends on weights alone becomes a number; the rest stays as it was."""

from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn

from brood_export.targets.folding import folded

pytestmark = pytest.mark.export


class Mixed(nn.Module):
    """Inverts a matrix of weights, and adds its log-determinant."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.randn(3, 3) + 3.0 * torch.eye(3))

    def forward(self, x: Tensor) -> Tensor:
        solved: Tensor = x @ torch.linalg.inv(self.mix) + torch.linalg.slogdet(self.mix)[1]
        return solved


def test_inverses_of_weights_are_numbers() -> None:
    torch.manual_seed(2)
    model, shapes = Mixed(), ({0: torch.export.Dim("rows", min=1, max=64)},)
    found = folded(model, (torch.zeros(3, 3),), shapes)
    assert isinstance(found, fx.GraphModule)
    called = [str(node.target) for node in found.graph.nodes if node.op == "call_function"]
    assert not any("linalg" in name for name in called)
    for rows in (1, 5):
        x = torch.randn(rows, 3)
        torch.testing.assert_close(found(x), model(x))
    again: Any = torch.export.export(found, (torch.zeros(3, 3),), dynamic_shapes=shapes)
    assert again.module()(torch.ones(7, 3)).shape == (7, 3)
