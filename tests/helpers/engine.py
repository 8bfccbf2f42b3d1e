"""An engine without threads, clocks or channels: models from tiny bundles, requests, and a step by step driver."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from brood.engine.admission import Permit
from brood.engine.core import EngineCore
from brood.engine.executor import Executor
from brood.engine.model import EngineModel
from brood.engine.plan import StepPlan, StepReport
from brood.engine.rows import make_job
from brood.engine.scheduler import Scheduler
from brood.host.loading import model_state
from brood.host.warmup import complete_params
from brood.program import compile_program, run_row
from brood.protocol.events import Done, Event, Failed, Sample
from brood.protocol.requests import Generation
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.load import load_graphs
from brood.runtimes.slots import HostSlots
from brood.store.store import read_bundle


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def engine_model(directory: Path, *, capacity: int = 16, row_cost_s: float = 0.001) -> EngineModel:
    """A model of a tiny bundle, with a cost that grows with the bucket and leaves batching worth while."""
    bundle = read_bundle(directory)
    graphs = load_graphs(bundle.directory, bundle.manifest, RuntimeOptions(1))
    programs = {name: compile_program(bundle.manifest, name) for name in bundle.manifest.operations}
    cost = {name: {b: row_cost_s * (1 + b / 4) for b in graph.spec.buckets} for name, graph in graphs.items()}
    runtime = HostSlots(graphs, model_state(bundle.manifest), capacity)
    return EngineModel(bundle.manifest.name, bundle.manifest.version, programs, runtime, cost)


def generation(
    model: EngineModel,
    request_id: str,
    *,
    n: int = 1,
    seed: int = 7,
    index: int = 0,
    operation: str = "generate",
    deadline: float | None = None,
    inputs: dict[str, np.ndarray] | None = None,
    **params: Any,
) -> Generation:
    """A checked request, as the data plane would make it."""
    full = complete_params(model.programs[operation], params)
    return Generation(request_id, model.name, model.version, operation, n, seed, index, full, inputs or {}, deadline)


@dataclass
class Driver:
    """Submits and steps; keeps what everyone was told and every plan made."""

    clock: Clock = field(default_factory=Clock)
    scheduler: Scheduler = field(default_factory=Scheduler)
    told: dict[str, list[Event]] = field(default_factory=dict)
    plans: list[StepPlan] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.executor = Executor(self.clock)
        self.core = EngineCore(self.scheduler, self._execute, self.clock, self._watch)

    async def _execute(self, plan: StepPlan) -> StepReport:
        return self.executor.execute(plan)

    def _watch(self, plan: StepPlan, report: StepReport) -> None:
        self.plans.append(plan)

    def submit(self, model: EngineModel, request: Generation) -> None:
        """Queue a request."""
        self.core.submit(Permit(make_job(request, model, self.clock())))

    async def step(self) -> bool:
        """One graph call, if there is one to make."""
        worked, told = await self.core.step()
        for request_id, event in told:
            self.told.setdefault(request_id, []).append(event)
        self.clock.now += 1.0
        return worked

    async def run(self) -> None:
        """Until nothing is runnable."""
        while await self.step():
            pass

    def samples(self, request_id: str) -> dict[int, Sample]:
        """The samples a request got, by index; fails on one that came twice."""
        found = [event for event in self.told.get(request_id, []) if isinstance(event, Sample)]
        assert len({sample.index for sample in found}) == len(found)
        return {sample.index: sample for sample in found}

    def ending(self, request_id: str) -> Done | Failed:
        """The last event of a request; fails if it is not the only one of its kind."""
        endings = [event for event in self.told[request_id] if isinstance(event, Done | Failed)]
        assert len(endings) == 1
        assert self.told[request_id][-1] is endings[0]
        return endings[0]


def oracle(directory: Path, request: Generation, index: int) -> dict[str, np.ndarray]:
    """What the reference interpreter gives for one sample of a request."""
    bundle = read_bundle(directory)
    graphs = load_graphs(bundle.directory, bundle.manifest, RuntimeOptions(1))
    inputs = {name: value[index - request.index] for name, value in request.inputs.items()}
    program = compile_program(bundle.manifest, request.operation)
    return run_row(program, graphs, seed=request.seed, index=index, params=request.params, inputs=inputs)
