"""What rows cost at a worker: for those who share work out, and for its own load."""

from __future__ import annotations

import math
from collections.abc import Mapping

from brood.engine.cost import CostModel
from brood.engine.model import EngineModel
from brood.program.compile import Program
from brood.remote import OperationCost


class RowCosts:
    """What one row of a graph costs, by the name of its model: of the version that became ready last.

    Read on the engine's thread.
    """

    def __init__(self) -> None:
        self._models: dict[str, CostModel] = {}

    def ready(self, model: EngineModel) -> None:
        """A model has become ready."""
        self._models[model.name] = model.costs

    def row_s(self, model: str, graph: str) -> float:
        """Predicted seconds of one row in a full call; infinite if nothing is known."""
        costs = self._models.get(model)
        try:
            return math.inf if costs is None else costs.row_s(graph)
        except KeyError:  # the last version has no graph of that name
            return math.inf


def costs_of(model: EngineModel) -> Mapping[str, OperationCost]:
    """What a row of each operation takes, as the model has been measured."""
    return {name: _cost(program, model.costs) for name, program in model.programs.items()}


def _cost(program: Program, costs: CostModel) -> OperationCost:
    """A stage with a variant counts as its own graph: which of the two a step calls, its parameters say.

    What is made once for all rows of a part is no row's cost.
    """
    once = [stage.graph for stage in program.stages if not stage.per_step and not stage.shared]
    step = [stage.graph for stage in program.stages if stage.per_step]
    return OperationCost(
        once_s=sum(map(costs.row_s, once)),
        step_s=sum(map(costs.row_s, step)),
        batch=max(map(costs.cap, (*once, *step))),
    )
