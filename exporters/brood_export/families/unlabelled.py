"""Models without classes: to an adapter, a model of one class that nobody speaks about.

An adapter is written once, for labels. For a model that takes none, it gets one that ignores them, and what it
returns loses every word and every tensor that is about them; so nothing of a label is left in the bundle. For a model
with several conditions, see `conditions`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from brood.protocol.manifest import Operation, Scalar, Stage
from brood_export.families.base import ExportSpec, Request, StepGraph
from brood_export.families.conditions import Conditions, combinations, with_conditions

LABELLED = ("encode", "decode", "from_noise", "inverse", "cell", "step", "log_probabilities")
GUIDANCE = frozenset({"guidance", "guidance_start", "guidance_stop"})  # what is guided is the label
WORDS = frozenset({"label", *GUIDANCE})
TENSORS = {"label": torch.int64, "label_noise": torch.float32}  # inputs that vanish
MADE = "made_label"
COLUMNS = 8  # of a sample sheet

Adapter = TypeVar("Adapter", bound=Callable[..., ExportSpec])


class Unlabelled(nn.Module):
    """A model whose calls have a label for their last argument, which it does not get."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.unlabelled = model

    def forward(self, *arguments: Tensor) -> Any:
        return self.unlabelled(*arguments[:-1])

    def __getattr__(self, name: str) -> Any:
        if name == "unlabelled":
            return super().__getattr__(name)
        found = getattr(self.unlabelled, name)
        if name not in LABELLED:
            return found
        return lambda *arguments: found(*arguments[:-1])


class WithoutLabels(nn.Module):
    """A step graph without the tensors that are about labels."""

    def __init__(self, step: nn.Module, graph: StepGraph) -> None:
        super().__init__()
        self.step = step
        self.inputs, self.outputs = tuple(graph.inputs), tuple(graph.outputs)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        results = self.step(*self.filled(tensors))
        return tuple(result for name, result in zip(self.outputs, results, strict=True) if name != MADE)

    def filled(self, tensors: tuple[Tensor, ...]) -> list[Tensor]:
        """The tensors with label 0, and a number that would draw it, in their places."""
        rows, given = tensors[0].shape[0], iter(tensors)
        return [
            torch.zeros(rows, dtype=TENSORS[name], device=tensors[0].device) if name in TENSORS else next(given)
            for name in self.inputs
        ]


def labels_optional(adapter: Adapter) -> Adapter:
    """An adapter of labelled models that takes ``classes=0``, the default, for a model without labels.

    And ``classes={"note": 24, "timbre": 4}`` for one whose label, of 96, says both (`conditions`).
    """

    @wraps(adapter)
    def adapted(model: nn.Module, **options: Any) -> ExportSpec:
        classes = options.get("classes", 0)
        if isinstance(classes, Mapping):
            spec = adapter(model, **options | {"classes": combinations(classes)})
            return with_conditions(spec, classes)
        if classes != 0:
            return adapter(model, **options)
        return without_labels(adapter(Unlabelled(model), **options | {"classes": 1}))

    adapted.__annotations__ = adapter.__annotations__ | {"classes": int | Conditions}
    return cast(Adapter, adapted)


def without_labels(spec: ExportSpec) -> ExportSpec:
    """The spec of a model that knows no labels: no parameter, tensor or output is about them, nothing is guided."""
    operations = {name: _operation(operation) for name, operation in spec.operations.items()}
    called = {stage.graph for operation in operations.values() for stage in operation.stages}
    called |= {operation.preview.graph for operation in operations.values() if operation.preview}
    original = spec.original
    pictured = spec.sample is not None and bool(spec.preview)
    sheet = [replace(first, id=f"sheet_{n}", index=n) for first in spec.preview[:1] for n in range(3 * COLUMNS)]
    return replace(
        spec,
        graphs={name: _graph(graph) for name, graph in spec.graphs.items() if name in called},
        operations=operations,
        golden=tuple(map(_request, spec.golden)),
        preview=tuple(map(_request, sheet if pictured else spec.preview)),
        preview_columns=COLUMNS if pictured else 1,
        original=None if original is None else lambda request: _made(original, request),
    )


def _made(original: Callable[[Request], Mapping[str, Any]], request: Request) -> Mapping[str, Any]:
    """What the original makes of a request; it wants to hear of label and guidance all the same."""
    params: dict[str, Scalar] = {"label": 0, "guidance": 1.0, "guidance_start": 0.0, "guidance_stop": 1.0}
    made = original(replace(request, params=params | dict(request.params)))
    return {name: value for name, value in made.items() if name != "label"}


def _operation(operation: Operation) -> Operation:
    return operation.model_copy(
        update={
            "params": _but(operation.params, WORDS),
            "state": _but(operation.state, TENSORS),
            "stages": tuple(map(_stage, operation.stages)),
            "outputs": _but(operation.outputs, {"label"}),
        }
    )


def _stage(stage: Stage) -> Stage:
    guided = stage.variant is not None and stage.variant.column == "guidance"
    return stage.model_copy(update={"bind": _but(stage.bind, TENSORS), "variant": None if guided else stage.variant})


def _graph(graph: StepGraph) -> StepGraph:
    if "label" not in graph.inputs:
        return graph
    module, margin = WithoutLabels(graph.module, graph), graph.margin
    return replace(
        graph,
        module=module,
        inputs=_but(graph.inputs, TENSORS),
        outputs=_but(graph.outputs, {MADE}),
        ranges=_but(graph.ranges, TENSORS),
        exported=None if graph.exported is None else WithoutLabels(graph.exported, graph),
        margin=None if margin is None else lambda *tensors: margin(*module.filled(tensors)),
    )


def _request(request: Request) -> Request:
    return replace(request, id=request.id.replace("_label", "_one"), params=_but(request.params, WORDS))


def _but(words: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in words.items() if name not in names}
