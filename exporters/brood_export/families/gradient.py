"""The gradient of a network as a graph: autograd for the original, plain operations for the export.

Files hold no autograd, so the gradient is traced: every operation of the backward pass is written out, those that the
file formats lack in terms of others. The two are compared wherever parity is measured; that autograd itself sees the
whole of an energy is checked against its differences.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch._decomp import core_aten_decompositions
from torch.fx.experimental.proxy_tensor import make_fx

from brood.sampling.noise import noise
from brood_export.errors import Misfit, NotExportable
from brood_export.families.base import called

DIFFERENCE = 1e-5  # half of the distance over which an energy's slope is measured, in float64
SLOPE_TOLERANCE = 1e-3  # of the slope
ATEN = torch.ops.aten


class Score(nn.Module):
    """∇_x log p(x) = −∇_x E(x), for ``model(x, label) -> E [rows]``; called as a denoiser, with a t that it ignores."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        with torch.enable_grad():
            place = x.detach().requires_grad_(True)
            (slope,) = torch.autograd.grad(self.model(place, label).sum(), place)
        return -slope


class Traced(nn.Module):
    """A score whose operations are written out."""

    def __init__(self, graph: nn.Module) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        score: Tensor = self.graph(x, label)
        return score


def traced_score(score: Score, shape: tuple[int, ...], rows: int = 3) -> Traced:
    """The score in plain operations, for any number of rows.

    Raises:
        NotExportable: an operation of the backward pass has no plain form.
    """
    x, label = torch.zeros(rows, *shape), torch.zeros(rows, dtype=torch.int64)
    table = cast(dict[Any, Callable[..., Any]], dict(core_aten_decompositions())) | PLAIN
    trace: Any = make_fx(
        lambda place, of: score(place, place, of),
        tracing_mode="symbolic",
        decomposition_table=table,
        _allow_non_fake_inputs=True,
    )
    graph = trace(x, label)
    names = [str(node.target) for node in graph.graph.nodes if node.op == "call_function"]
    if lost := sorted({name for name in names if "backward" in name}):
        raise NotExportable(f"{called(score.model)}: the gradient needs {lost[0]}, which no file format has")
    return Traced(graph)


def convolution_backward(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    bias_sizes: Any,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    wanted: Any,
) -> tuple[Tensor, None, None]:
    """The gradient of a convolution by its input: the convolution transposed. Weights have none here."""
    axes = range(len(stride))
    if transposed:
        back = ATEN.convolution(grad, weight, None, stride, padding, dilation, False, [0 for _ in axes], groups)
        return back, None, None
    reached = [
        (grad.shape[2 + i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (weight.shape[2 + i] - 1) + 1 for i in axes
    ]
    missed = [x.shape[2 + i] - reached[i] for i in axes]
    return ATEN.convolution(grad, weight, None, stride, padding, dilation, True, missed, groups), None, None


def avg_pool2d_backward(
    grad: Tensor,
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
) -> Tensor:
    """The gradient of mean pooling: a transposed convolution of every channel with the mean's weights."""
    step, size = list(stride) or list(kernel), divisor or kernel[0] * kernel[1]
    weight = torch.full((x.shape[1], 1, *kernel), 1.0 / size)
    missed = [x.shape[2 + i] - ((grad.shape[2 + i] - 1) * step[i] - 2 * padding[i] + kernel[i]) for i in range(2)]
    back: Tensor = ATEN.convolution(grad, weight, None, step, padding, [1, 1], True, missed, x.shape[1])
    return back


PLAIN: dict[Any, Callable[..., Any]] = {
    ATEN.convolution_backward.default: convolution_backward,
    ATEN.avg_pool2d_backward.default: avg_pool2d_backward,
}


def check_slope(score: Score, shape: tuple[int, ...]) -> None:
    """Whether autograd's gradient is the slope of the energy, in a direction, measured in float64.

    Raises:
        Misfit: it is not: part of the energy is hidden from autograd (``detach``, ``no_grad``), or has no slope.
    """
    try:
        double = Score(copy.deepcopy(score.model).double())
    except RuntimeError:  # weights that are made from others cannot be copied
        return
    x, way = (
        torch.from_numpy(noise("normal", seed=0, stream=stream, index=0, step=0, shape=(1, *shape))).double()
        for stream in (0, 1)
    )
    label = torch.zeros(1, dtype=torch.int64)
    slope = float(-(double(x, x, label) * way).sum())
    with torch.no_grad():
        up, down = (float(double.model(x + sign * DIFFERENCE * way, label).sum()) for sign in (1, -1))
    measured = (up - down) / (2 * DIFFERENCE)
    if not abs(slope - measured) <= SLOPE_TOLERANCE * max(1.0, abs(measured)):
        raise Misfit(
            f"{called(score.model)}: autograd gives a slope of {slope:.6g} where the energy's is {measured:.6g}; "
            "the energy must be differentiable, with nothing of it under detach or no_grad"
        )
