"""What a family adapter returns: the step graphs of a trained model and everything the manifest says about them.

An adapter is a function ``model, options -> ExportSpec``. It only composes and declares: exporting, checking and
writing are the same for all families. All randomness and all numbers that differ between rows enter a graph as inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from brood.protocol.manifest import (
    Family,
    GraphInput,
    GraphOutput,
    Noise,
    Operation,
    Output,
    Param,
    Sample,
    Scalar,
    Schedule,
)
from brood.sampling.noise import noise
from brood_export.errors import Misfit

# Streams of the seed contract: one word has one stream in every family.
LATENT_STREAM = 0  # the latent of a single-shot model; the draws of a stepwise one
LABEL_STREAM = 1  # which class, where any is wanted
EXTRA_STREAM = 2  # dequantisation; the units an annealed walk starts from
STEP_STREAM = 3  # what a solver adds in every step
VARY_STREAM = 4  # what an offspring differs in from its parent
CROSS_STREAM = 5  # from which parent each number of an offspring is
SHEET_ROWS = 3

Range = tuple[float, float]
Ranges = (
    Range | tuple[tuple[float, ...], tuple[float, ...]]
)  # of all numbers of a tensor, or of each along its last axis
Margin = Callable[..., Tensor]


@dataclass(frozen=True, slots=True)
class StepGraph:
    """One graph before it is exported."""

    module: nn.Module  # forward(tensors in the order of `inputs`) -> tuple in the order of `outputs`
    inputs: Mapping[str, GraphInput]
    outputs: Mapping[str, GraphOutput]  # no name that an input has: in a file, a name is one value
    ranges: Mapping[str, Ranges]  # input that is not noise -> lowest and highest value it is checked with
    # For graphs that make random decisions: (tensors as for forward) -> [rows], how far the nearest uniform number is
    # from the edge at which its decision would turn.
    margin: Margin | None = None
    exported: nn.Module | None = None  # what is exported in its place: the same, in operations that a file can hold

    @property
    def source(self) -> nn.Module:
        """What is exported."""
        return self.exported or self.module


@dataclass(frozen=True, slots=True)
class Request:
    """One sample, asked for with all parameters and inputs; inputs without the rows axis."""

    id: str
    operation: str
    seed: int
    index: int = 0
    params: Mapping[str, Scalar] = field(default_factory=dict)
    inputs: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Examples:
    """Samples of the kind a model was trained on, for golden requests that need one."""

    images: NDArray[np.float32]  # [m, *shape], in the range of the model's inputs
    labels: NDArray[np.int64]  # [m]


def examples_or_drawn(
    examples: Examples | None, shape: tuple[int, ...], classes: int, value_range: Range = (0.0, 1.0)
) -> Examples:
    """The examples; where none are given, two samples of noise: golden runs prove an export with them as well.

    Raises:
        Misfit: the given ones are fewer than two, of another shape, or of classes that there are not.
    """
    if examples is None:
        low, high = value_range
        even = noise("uniform", seed=0, stream=0, index=0, step=0, shape=(2, *shape))
        return Examples(np.float32(low) + np.float32(high - low) * even, np.arange(2, dtype=np.int64) % classes)
    found, labels = examples.images.shape, examples.labels
    if found[1:] != shape or len(labels) != found[0] or found[0] < 2:
        text = f"examples are {list(found)} with {len(labels)} labels"
        raise Misfit(f"{text}; allowed: [m, {', '.join(map(str, shape))}] with m labels, m at least 2")
    if labels.min() < 0 or labels.max() >= classes:
        raise Misfit(f"examples have labels {labels.min()} to {labels.max()}; allowed: 0 to {classes - 1}")
    return examples


@dataclass(frozen=True, slots=True)
class ExportSpec:
    """A model in the words of the manifest, with its graphs as torch modules."""

    family: Family
    domain: Literal["continuous", "discrete"]
    description: str
    graphs: Mapping[str, StepGraph]
    operations: Mapping[str, Operation]
    sample: Sample | None  # None: samples are no pictures
    golden: tuple[Request, ...]
    preview: tuple[Request, ...]  # the sample sheet, row by row
    preview_columns: int
    schedule: Schedule | None = None
    # What the original makes of a request with all its parameters, where that is more than its graphs in order: every
    # output of the operation, without the rows axis.
    original: Callable[[Request], Mapping[str, NDArray[np.generic]]] | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)  # further ones of the bundle, such as a tokenizer


def require(model: nn.Module, family: str, *names: str) -> None:
    """Refuse a model without the methods or attributes that the family's adapter calls.

    Raises:
        Misfit: naming the class and what is missing.
    """
    missing = [name for name in names if not hasattr(model, name)]
    if missing:
        raise Misfit(f"{called(model)} has no {', '.join(missing)}: family {family!r} needs {', '.join(names)}")


def called(model: nn.Module) -> str:
    """The class of a model, of its own if it is wrapped in one that takes no label."""
    return type(getattr(model, "unlabelled", model)).__name__


def tried(model: nn.Module, family: str, method: str, *arguments: Tensor) -> tuple[Tensor, ...]:
    """What a model gives when a family's adapter calls it for the first time.

    Args:
        method: ``forward`` or another one.

    Raises:
        Misfit: it fails, or gives something else than tensors with an axis of rows in front.
    """
    call = model if method == "forward" else getattr(model, method)
    taken = arguments[:-1] if hasattr(model, "unlabelled") else arguments
    given = ", ".join(f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}" for value in taken)
    where = f"family {family!r} calls {called(model)}.{method}({given})"
    try:
        with torch.no_grad():
            found = call(*arguments)
    except Exception as error:  # code of others
        lines = str(error).strip().splitlines()[:1]
        raise Misfit(f"{where}, which fails: {type(error).__name__}: {''.join(lines)}") from error
    results = found if isinstance(found, tuple) else (found,)
    rows = len(arguments[0])
    for place, result in enumerate(results):
        if not isinstance(result, Tensor):
            raise Misfit(f"{where}: result {place} is a {type(result).__name__}; allowed: tensors")
        if result.shape[:1] != (rows,):
            raise Misfit(f"{where}: result {place} is {list(result.shape)}; allowed: {rows} rows in front")
    return results


def any_label(label: Tensor, noise: Tensor, classes: int) -> Tensor:
    """Labels [rows] int64 with -1 replaced by a class drawn with `noise` [rows] in (0, 1): floor(noise * classes)."""
    drawn = (noise * classes).to(torch.int64).clamp(max=classes - 1)
    return torch.where(label < 0, drawn, label)


def finite(*tensors: Tensor) -> Tensor:
    """[rows] bool: whether all numbers of a row are finite in all tensors [rows, ...]."""
    rows = [torch.isfinite(tensor).reshape(tensor.shape[0], -1).all(1) for tensor in tensors]
    return torch.stack(rows).all(0) if len(rows) > 1 else rows[0]


def per_row(numbers: Tensor, like: Tensor) -> Tensor:
    """Numbers [rows] with axes of length one added, so that they broadcast against `like` [rows, ...]."""
    return numbers.reshape(-1, *[1] * (like.dim() - 1))


def is_picture(shape: tuple[int, ...]) -> bool:
    """Whether a row of this shape can be shown: channels (grey or RGB), height, width."""
    return len(shape) == 3 and shape[0] in (1, 3)


def row_shape(tensor: Tensor) -> tuple[int, ...]:
    """The shape without the rows axis, as plain integers."""
    return tuple(int(size) for size in tensor.shape[1:])


def label_param(classes: int) -> Param:
    """The class to make, -1 for any."""
    text = f"class to make, 0 to {classes - 1}; -1: one drawn at random"
    return Param(type="int", default=-1, minimum=-1, maximum=classes - 1, description=text)


def true_label_param(classes: int) -> Param:
    """The class of a given picture; there is no default."""
    text = f"class of what is given, 0 to {classes - 1}"
    return Param(type="int", default=None, minimum=0, maximum=classes - 1, description=text)


def temperature_param(default: float = 1.0) -> Param:
    """Scale of the latent's standard deviation."""
    text = "factor on the latent's standard deviation: below 1 more typical samples, 0 the most typical one"
    return Param(type="float", default=default, minimum=0.0, maximum=2.0, description=text)


def label_input() -> GraphInput:
    return GraphInput(dtype="int64", role="param")


def number_input() -> GraphInput:
    """A float parameter."""
    return GraphInput(dtype="float32", role="param")


def label_noise_input() -> GraphInput:
    """The uniform number that decides the class; for graphs that run once."""
    return GraphInput(dtype="float32", role="noise", noise=label_noise())


def label_noise() -> Noise:
    return Noise(distribution="uniform", stream=LABEL_STREAM)


def label_output() -> GraphOutput:
    return GraphOutput(dtype="int64", role="output")


def ok_output() -> GraphOutput:
    return GraphOutput(dtype="bool", role="ok")


def made_label() -> Output:
    """What the caller learns about the class."""
    return Output(dtype="int64", kind="scalar", value="made_label", description="class that was made")


def complete_params(operation: Operation, params: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Every parameter of an operation: those given, defaults for the rest.

    Raises:
        ValueError: one is missing, or there is no such parameter.
    """
    filled = {name: param.default for name, param in operation.params.items()} | dict(params)
    wrong = [name for name, value in filled.items() if value is None or name not in operation.params]
    if wrong:
        raise ValueError(f"params.{wrong[0]}: is {filled[wrong[0]]!r}; the operation has {', '.join(operation.params)}")
    return {name: value for name, value in filled.items() if value is not None}


def sheet(classes: int, rows: int = SHEET_ROWS) -> tuple[Request, ...]:
    """Requests for a sample sheet with a column for each class."""
    return tuple(
        Request(f"sheet_{index}", "generate", 0, index, {"label": index % classes}) for index in range(rows * classes)
    )
