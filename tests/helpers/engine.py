"""An engine without threads, clocks or channels: models from tiny bundles, requests, and a step by step driver."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor as Threads
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from brood.engine.admission import Admission, Permit
from brood.engine.ahead import Ahead
from brood.engine.core import EngineCore
from brood.engine.cost import CostModel
from brood.engine.executor import Executor
from brood.engine.model import EngineModel
from brood.engine.plan import StepPlan, StepReport
from brood.engine.rows import make_job
from brood.engine.scheduler import Scheduler
from brood.host.examples import complete_params
from brood.host.loading import model_state
from brood.program import compile_program, run_row
from brood.protocol.errors import BroodError
from brood.protocol.events import Done, Event, Failed, Sample
from brood.protocol.requests import Generation
from brood.runtimes.base import Arrays, RuntimeOptions
from brood.runtimes.load import load_graphs
from brood.runtimes.slots import HostSlots, Pairs, SlotRuntime
from brood.store.store import read_bundle


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def engine_model(
    directory: Path, *, capacity: int = 16, row_cost_s: float = 0.001, exact: Collection[int] = range(1, 9)
) -> EngineModel:
    """A model of a tiny bundle, with a cost that grows with the bucket and leaves batching worth while.

    Args:
        exact: those of its buckets that are certified.
    """
    bundle = read_bundle(directory)
    graphs = load_graphs(bundle.directory, bundle.manifest, RuntimeOptions(1))
    programs = {name: compile_program(bundle.manifest, name) for name in bundle.manifest.operations}
    cost = {name: {b: row_cost_s * (1 + b / 4) for b in graph.spec.buckets} for name, graph in graphs.items()}
    runtime = HostSlots(graphs, model_state(bundle.manifest), capacity)
    certified = {name: frozenset(graph.spec.buckets) & frozenset(exact) for name, graph in graphs.items()}
    return EngineModel(bundle.manifest.name, bundle.manifest.version, programs, runtime, CostModel(cost), certified)


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
    words: dict[str, Any] | None = None,
    **params: Any,
) -> Generation:
    """A checked request, as the data plane would make it; ``words`` are further fields of `Generation`."""
    full = complete_params(model.programs[operation], params)
    given = (n, seed, index, full, inputs or {}, deadline)
    return Generation(request_id, model.name, model.version, operation, *given, **(words or {}))


@dataclass
class Recorded:
    """A `SlotRuntime` that remembers its calls."""

    runtime: SlotRuntime
    calls: list[tuple[str, int, int]] = field(default_factory=list)  # graph, rows, bucket

    def __post_init__(self) -> None:
        self.capacity, self.state_bytes = self.runtime.capacity, self.runtime.state_bytes

    def write(self, slot: int, name: str, value: np.ndarray) -> None:
        """See `SlotRuntime`."""
        self.runtime.write(slot, name, value)

    def read(self, slot: int, name: str) -> np.ndarray:
        """See `SlotRuntime`."""
        return self.runtime.read(slot, name)

    def run(
        self, graph: str, slots: Sequence[int], bucket: int, host: Arrays, reads: Pairs, writes: Pairs
    ) -> dict[str, np.ndarray]:
        """See `SlotRuntime`."""
        self.calls.append((graph, len(slots), bucket))
        return self.runtime.run(graph, slots, bucket, host, reads, writes)


def recorded(model: EngineModel) -> tuple[EngineModel, Recorded]:
    """The model with a runtime that remembers its calls."""
    runtime = Recorded(model.runtime)
    return replace(model, runtime=runtime), runtime


@dataclass
class Driver:
    """Submits and steps; keeps what everyone was told and every plan made."""

    clock: Clock = field(default_factory=Clock)
    scheduler: Scheduler = field(default_factory=Scheduler)
    told: dict[str, list[Event]] = field(default_factory=dict)
    plans: list[StepPlan] = field(default_factory=list)
    ahead: Threads | None = None  # where noise is drawn ahead
    interrupted: Callable[[], bool] = lambda: False  # whether a run ends after the call that was just made

    def __post_init__(self) -> None:
        ahead = None if self.ahead is None else Ahead(self.ahead)
        self.executor = Executor(self.clock, ahead, interrupted=self.interrupted)
        self.core = EngineCore(self.scheduler, self._execute, self.clock, self._watch)

    async def _execute(self, plan: StepPlan) -> StepReport:
        return self.executor.execute(plan)

    def _watch(self, plan: StepPlan, report: StepReport, error: float) -> None:
        self.plans.append(plan)

    def submit(self, model: EngineModel, request: Generation, admission: Admission | None = None) -> None:
        """Queue a request, if admission (where there is one) lets it in."""
        job = make_job(request, model, self.clock())
        permit = Permit(job) if admission is None else admission.admit(job, self.scheduler, self.clock())
        self.core.submit(permit)

    async def step(self) -> bool:
        """One plan, if there is anything to do."""
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

    def survives(self, directory: Path, request: Generation) -> None:
        """Fails unless the request got all its samples, bit for bit what the reference interpreter gives."""
        samples = self.samples(request.request_id)
        assert sorted(samples) == list(range(request.index, request.index + request.n))
        for index, sample in samples.items():
            expected = oracle(directory, request, index)
            assert sorted(sample.outputs) == sorted(expected)
            for name, array in expected.items():
                found = sample.outputs[name]
                assert (found.dtype, found.shape) == (array.dtype, array.shape)
                assert found.tobytes() == array.tobytes(), (request.request_id, index, name)

    def failure(self, request_id: str) -> BroodError:
        """Why a request failed."""
        ending = self.ending(request_id)
        assert isinstance(ending, Failed)
        return ending.error


def oracle(directory: Path, request: Generation, index: int) -> dict[str, np.ndarray]:
    """What the reference interpreter gives for one sample of a request."""
    bundle = read_bundle(directory)
    graphs = load_graphs(bundle.directory, bundle.manifest, RuntimeOptions(1))
    inputs = {name: value[index - request.index] for name, value in request.inputs.items()}
    program = compile_program(bundle.manifest, request.operation)
    return run_row(program, graphs, seed=request.seed, index=index, params=request.params, inputs=inputs)
