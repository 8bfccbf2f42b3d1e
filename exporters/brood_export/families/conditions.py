"""Models that are told several things, as a note and an instrument: to an adapter, one label for each combination.

An adapter is written once, for one label. For a model with several conditions it gets their product, and what it
returns speaks of each by its own name: note and timbre are two parameters, and label = note · timbres + timbre is what
the model is told. Each can be left to be drawn, whatever is said of the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from brood.protocol.manifest import Operation, Output, Param, Scalar
from brood_export.errors import Misfit
from brood_export.families.base import ExportSpec, Request, StepGraph, label_input, label_output

Conditions = Mapping[str, int]  # name -> how many values, in the order of the label's digits, the last one fastest
LABEL, DRAWN, MADE = "label", "label_noise", "made_label"
SHOWN = 4  # values of each condition but the last that a sample sheet shows


def combinations(conditions: Conditions) -> int:
    """How many labels there are.

    Raises:
        Misfit: a condition is no name, or has no values.
    """
    for name, values in conditions.items():
        if not name.isidentifier() or values < 1:
            raise Misfit(f"classes: {name!r} of {values} values is not allowed; allowed: names with 1 or more values")
    return math.prod(conditions.values())


def label_of(values: Mapping[str, int], conditions: Conditions) -> int:
    """The label of a combination; -1 where one of its values is not said."""
    label = 0
    for name, size in conditions.items():
        label = label * size + values[name]
    return -1 if min(values[name] for name in conditions) < 0 else label


def values_of(label: Any, conditions: Conditions) -> dict[str, Any]:
    """The values of a label, or of many."""
    found = {}
    for name, size in reversed(list(conditions.items())):
        label, found[name] = label // size, label % size
    return dict(reversed(list(found.items())))


class Conditioned(nn.Module):
    """A step graph that is told each condition in place of the label."""

    def __init__(self, step: nn.Module, graph: StepGraph, conditions: Conditions) -> None:
        super().__init__()
        self.step, self.conditions = step, dict(conditions)
        self.inputs, self.outputs = tuple(graph.inputs), tuple(graph.outputs)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        told: list[Tensor] = []
        for name, result in zip(self.outputs, self.step(*self.filled(tensors)), strict=True):
            told += values_of(result, self.conditions).values() if name == MADE else [result]
        return tuple(told)

    def filled(self, tensors: tuple[Tensor, ...]) -> list[Tensor]:
        """The tensors with one label in the conditions' place."""
        place = self.inputs.index(LABEL)
        said = tensors[place : place + len(self.conditions)]
        others = [*tensors[:place], *tensors[place + len(said) :]]
        names = [name for name in self.inputs if name != LABEL]
        noise = others[names.index(DRAWN)] if DRAWN in names else None
        return [*others[:place], self.label(said, noise), *others[place:]]

    def label(self, said: tuple[Tensor, ...], noise: Tensor | None) -> Tensor:
        """[rows]; each value below 0 is that of a label drawn with `noise` [rows] in (0, 1): all are equally likely."""
        values = dict(zip(self.conditions, said, strict=True))
        if noise is not None:
            labels = math.prod(self.conditions.values())
            drawn = values_of((noise * labels).to(torch.int64).clamp(max=labels - 1), self.conditions)
            values = {name: torch.where(value < 0, drawn[name], value) for name, value in values.items()}
        label = torch.zeros_like(said[0])
        for name, size in self.conditions.items():
            label = label * size + values[name]
        return label


def with_conditions(spec: ExportSpec, conditions: Conditions) -> ExportSpec:
    """The spec of a model of one label for each combination, in the words of the conditions.

    Raises:
        Misfit: a condition is called like a tensor or a parameter that there is.
    """
    taken = {name for graph in spec.graphs.values() for name in (*graph.inputs, *graph.outputs)}
    taken |= {name for operation in spec.operations.values() for name in (*operation.params, *operation.inputs)}
    if used := sorted(taken & {*conditions, *map(_made, conditions)}):
        raise Misfit(f"classes: {used[0]!r} is not allowed; allowed: names that the family does not use itself")
    original = spec.original
    return replace(
        spec,
        graphs={name: _graph(graph, conditions) for name, graph in spec.graphs.items()},
        operations={name: _operation(operation, conditions) for name, operation in spec.operations.items()},
        golden=tuple(_request(request, conditions) for request in spec.golden),
        preview=_sheet(spec.preview[:1], conditions),
        preview_columns=list(conditions.values())[-1],
        original=None
        if original is None
        else lambda request: _original(original(_labelled(request, conditions)), conditions),
    )


def _made(name: str) -> str:
    return f"made_{name}"


def _graph(graph: StepGraph, conditions: Conditions) -> StepGraph:
    if LABEL not in graph.inputs:
        return graph
    module, margin = Conditioned(graph.module, graph, conditions), graph.margin
    lowest = graph.ranges[LABEL][0]
    return replace(
        graph,
        module=module,
        inputs=_in_place(graph.inputs, LABEL, {name: label_input() for name in conditions}),
        outputs=_in_place(graph.outputs, MADE, {_made(name): label_output() for name in conditions}),
        ranges=_in_place(graph.ranges, LABEL, {name: (lowest, size - 1) for name, size in conditions.items()}),
        exported=None if graph.exported is None else Conditioned(graph.exported, graph, conditions),
        margin=None if margin is None else lambda *tensors: margin(*module.filled(tensors)),
    )


def _operation(operation: Operation, conditions: Conditions) -> Operation:
    params, outputs = operation.params, operation.outputs
    if LABEL in params:
        each = {name: _param(params[LABEL], name, size) for name, size in conditions.items()}
        params = _in_place(params, LABEL, each)
    told = {
        name: Output(dtype="int64", kind="scalar", value=_made(name), description=f"{name} that was made")
        for name in conditions
    }
    return operation.model_copy(update={"params": params, "outputs": _in_place(outputs, LABEL, told)})


def _param(label: Param, name: str, size: int) -> Param:
    anything = "; -1: one drawn at random" if label.default == -1 else ""
    return label.model_copy(update={"maximum": size - 1, "description": f"{name}, 0 to {size - 1}{anything}"})


def _request(request: Request, conditions: Conditions) -> Request:
    label = request.params.get(LABEL)
    if label is None:
        return request
    values = dict.fromkeys(conditions, -1) if int(label) < 0 else values_of(int(label), conditions)
    return replace(request, params=_in_place(request.params, LABEL, values))


def _labelled(request: Request, conditions: Conditions) -> Request:
    """The request as the label's original wants it.

    Raises:
        NotImplementedError: some values are said and others are not, which an original cannot be told.
    """
    values = {name: int(request.params[name]) for name in conditions}
    if min(values.values()) < 0 <= max(values.values()):
        raise NotImplementedError(f"{request.id}: all conditions or none are said in a golden request")
    params: dict[str, Scalar] = {name: value for name, value in request.params.items() if name not in conditions}
    return replace(request, params=params | {LABEL: label_of(values, conditions)})


def _original(made: Mapping[str, Any], conditions: Conditions) -> dict[str, Any]:
    told = {name: np.asarray(value, np.int64) for name, value in values_of(made[LABEL], conditions).items()}
    return _in_place(made, LABEL, told)


def _sheet(first: tuple[Request, ...], conditions: Conditions) -> tuple[Request, ...]:
    """A column for each value of the last condition; of the others a few values, from the lowest to the highest."""
    *others, last = conditions.values()
    shown = [sorted({round(k * (size - 1) / (SHOWN - 1)) for k in range(SHOWN)}) for size in others]
    return tuple(
        replace(request, id=f"sheet_{index}", index=index, params=dict(zip(conditions, values, strict=True)))
        for request in first
        for index, values in enumerate(product(*shown, range(last)))
    )


def _in_place(words: Mapping[str, Any], name: str, others: Mapping[str, Any]) -> dict[str, Any]:
    """The words with others in the place of one, if it is there."""
    found: dict[str, Any] = {}
    for key, value in words.items():
        found |= others if key == name else {key: value}
    return found
