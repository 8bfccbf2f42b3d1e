"""The scheduler without graphs: models on paper, calls that take what their costs say, on a clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from brood.engine.admission import Admission
from brood.engine.cost import CostModel
from brood.engine.model import EngineModel
from brood.engine.plan import Shot, StepPlan, StepReport
from brood.engine.rows import Job, Row, make_job
from brood.engine.scheduler import Scheduler
from brood.program import Program, compile_program
from brood.protocol.errors import BroodError
from brood.protocol.events import Done, Event, Failed, Preview, Progress, Sample
from brood.protocol.manifest import FORMAT, Manifest, Scalar
from brood.protocol.requests import Generation
from brood.runtimes.base import Arrays
from brood.runtimes.slots import Pairs

BUCKETS = (1, 2, 4, 8)
GRAPHS = ("encode", "step", "hot", "finish", "preview")
X = {"dtype": "float32", "shape": (2,)}
STEPS = {"type": "int", "default": 4, "minimum": 1, "maximum": 10_000, "description": "Steps."}
HEAT = {"type": "float", "default": 1.0, "minimum": 0.1, "maximum": 10, "description": "At the end."}


class NoRuntime:
    """Slots without anything in them."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.state_bytes = capacity, 0

    def write(self, slot: int, name: str, value: np.ndarray) -> None:
        """See `SlotRuntime.write`."""

    def read(self, slot: int, name: str) -> np.ndarray:
        """See `SlotRuntime.read`."""
        return np.zeros(2, np.float32)

    def run(
        self, graph: str, slots: object, bucket: int, host: Arrays, reads: Pairs, writes: Pairs
    ) -> dict[str, np.ndarray]:
        """See `SlotRuntime.run`."""
        return {}


def linear(call_s: float, row_s: float, buckets: tuple[int, ...] = BUCKETS) -> dict[int, float]:
    """Costs of a graph whose calls take ``call_s`` and for each of the bucket's rows ``row_s``."""
    return {bucket: call_s + row_s * bucket for bucket in buckets}


def paper_model(
    name: str = "paper",
    *,
    costs: Mapping[str, Mapping[int, float]] | None = None,
    capacity: int = 16,
    exact: Mapping[str, frozenset[int]] | None = None,
) -> EngineModel:
    """A model that is only scheduled.

    - ``generate`` (steps = 4, heat = 1): graph ``step`` in each step, but ``hot`` while the annealing schedule's
      temperature is not 1; then ``finish``. Preview by graph ``preview``.
    - ``led``: the same behind graph ``encode``, which runs once for all samples of a request.
    - ``score``: graph ``finish`` once.

    Args:
        costs: graph → bucket → seconds; by default 1 s a call and 0.25 s a row.
    """
    usual = linear(1.0, 0.25)
    known = {graph: (costs or {}).get(graph, usual) for graph in GRAPHS}
    runtime = NoRuntime(capacity)
    return EngineModel(name, 1, PROGRAMS, runtime, CostModel(known), exact or {})


def _manifest() -> Manifest:
    state, output = {**X, "role": "state"}, {**X, "role": "output"}
    heat = {"dtype": "float32", "role": "schedule"}
    inputs: dict[str, dict[str, Any]] = {
        "encode": {"steps": {"dtype": "int64", "role": "param"}},
        "step": {"x": state},
        "hot": {"x": state, "temperature": heat},
        "finish": {"x": state},
        "preview": {"x": state},
    }
    outputs = {
        "encode": {"hint": state},
        "step": {"x": state},
        "hot": {"x": state},
        "finish": {"y": output},
        "preview": {"y": output},
    }
    graphs = {
        name: {"file": "f", "runtime": "fake", "buckets": BUCKETS, "inputs": inputs[name], "outputs": outputs[name]}
        for name in inputs
    }
    common: dict[str, Any] = {
        "state": {"x": {**X, "init": "noise", "noise": {"distribution": "normal", "stream": 0}}},
        "outputs": {"y": {**X, "kind": "tensor"}},
    }
    varied = {"graph": "step", "repeat": "schedule", "variant": {"graph": "hot", "column": "temperature", "unless": 1}}
    generate: dict[str, Any] = {
        **common,
        "params": {"steps": STEPS, "temperature": HEAT},
        "stages": [varied, {"graph": "finish"}],
        "preview": {"graph": "preview"},
    }
    led = {
        **generate,
        "state": {**common["state"], "hint": {**X, "init": "zeros"}},
        "stages": [{"graph": "encode", "repeat": "per_request"}, *generate["stages"]],
    }
    words = {
        "format": FORMAT,
        "name": "paper",
        "version": 1,
        "family": "function",
        "modality": "tensor",
        "domain": "continuous",
        "description": "A model on paper.",
        "license": "Apache-2.0",
        "created": "2025-01-01T00:00:00Z",
        "provenance": {"framework": "none"},
        "files": {"f": "0" * 64},
        "graphs": graphs,
        "operations": {"generate": generate, "led": led, "score": {**common, "stages": [{"graph": "finish"}]}},
        "schedule": {"kind": "annealing", "numbers": {"start": 1.0, "hold": 0.0}},
    }
    return Manifest.model_validate(words)


PROGRAMS: dict[str, Program] = {name: compile_program(_manifest(), name) for name in ("generate", "led", "score")}


def paper_job(
    model: EngineModel,
    request_id: str,
    now: float = 0.0,
    *,
    n: int = 1,
    index: int = 0,
    operation: str = "generate",
    deadline: float | None = None,
    steps: int = 4,
    temperature: float = 1.0,
    **words: Any,
) -> Job:
    """A job of a model on paper; ``words`` are further fields of `Generation`."""
    params: dict[str, Scalar] = {} if operation == "score" else {"steps": steps, "temperature": temperature}
    asked = Generation(request_id, model.name, model.version, operation, n, 7, index, params, {}, deadline, **words)
    return make_job(asked, model, now)


@dataclass
class Paper:
    """A scheduler, its clock, and all that was told. Calls take the predicted time, or what ``takes`` says."""

    scheduler: Scheduler = field(default_factory=Scheduler)
    admission: Admission | None = None
    takes: Callable[[StepPlan], float] | None = None
    fails: Callable[[Row], BroodError | None] = lambda row: None
    ends: Callable[[Row], bool] = lambda row: False  # whether the coming step is said to be the last of its stage
    makes: Callable[[StepPlan], int] = lambda plan: 1  # how many of a run's calls are made before it is interrupted
    now: float = 0.0
    busy_s: float = 0.0
    told: dict[str, list[Event]] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)  # request → when
    plans: list[StepPlan] = field(default_factory=list)

    def submit(self, model: EngineModel, request_id: str, **words: Any) -> Job:
        """Queue a request, if it is admitted.

        Raises:
            BroodError: it is not.
        """
        job = paper_job(model, request_id, self.now, **words)
        if self.admission is not None:
            self.admission.admit(job, self.scheduler, self.now)
        self.scheduler.add(job)
        self.told[request_id] = []
        return job

    def cancel(self, request_id: str) -> None:
        """End a request."""
        self._tell(self.scheduler.cancel(request_id))

    def begin(self) -> StepPlan | None:
        """The first half of a step: a plan."""
        self._tell(self.scheduler.expire(self.now))
        plan = self.scheduler.plan(self.now)
        if plan is not None:
            self.plans.append(plan)
        return plan

    def finish(self, plan: StepPlan) -> None:
        """The second half: what came of it."""
        predicted = plan.model.costs.seconds(plan.group.graph, plan.bucket)
        seconds, made = predicted if self.takes is None else self.takes(plan), self._calls(plan)
        self.now += seconds * made
        self.busy_s += seconds * made
        self._tell(self.scheduler.commit(plan, self.report(plan, seconds * made, made)))

    def _calls(self, plan: StepPlan) -> int:
        """How many are made: a row that fails or is done ends a run. All but the last are counted."""
        made, most = 1, self.makes(plan)
        while made < most and not any(self.fails(row) or self.ends(row) for row in plan.rows):
            made += 1
            for row in plan.rows:
                row.pass_by(1)
        return made

    def report(self, plan: StepPlan, seconds: float, made: int = 1) -> StepReport:
        """What a device would say of it."""
        failures = {row: error for row in plan.rows if (error := self.fails(row)) is not None}
        left = [row for row in plan.rows if row not in failures]
        for row in left:
            row.done = self.ends(row)
        value = {"y": np.zeros(2, np.float32)}
        shots = [Shot(row, row.steps + 1, {}) for row in left if row.previews and row.job.program.preview]
        outputs = {row: value for row in left if row.finishes}
        shared = {row: {"hint": value["y"]} for row in left if row.opens}
        previews = dict.fromkeys(plan.shots, value)
        return StepReport(self.now, seconds, outputs, failures, shots, previews=previews, shared=shared, steps=made)

    def step(self) -> StepPlan | None:
        """One call, if there is one to make."""
        plan = self.begin()
        if plan is not None:
            self.finish(plan)
        return plan

    def run(self, until: float = float("inf")) -> Iterator[StepPlan]:
        """Call after call, until there is none to make or the time has come."""
        while self.now < until and (plan := self.step()) is not None:
            yield plan

    def rows(self, request_id: str) -> int:
        """How many graph calls rows of this request were in."""
        return sum(row.job.generation.request_id == request_id for plan in self.plans for row in plan.rows)

    def of(self, request_id: str, kind: type[Sample | Progress | Preview]) -> list[Any]:
        """All events of a kind."""
        return [event for event in self.told[request_id] if isinstance(event, kind)]

    def ending(self, request_id: str) -> Done | Failed | None:
        """The last event of a request, if it has ended; fails if it was told twice, or anything after it."""
        endings = [event for event in self.told[request_id] if isinstance(event, Done | Failed)]
        assert len(endings) <= 1
        assert not endings or self.told[request_id][-1] is endings[0]
        return endings[0] if endings else None

    def _tell(self, told: list[tuple[str, Event]]) -> None:
        for request_id, event in told:
            self.told[request_id].append(event)
            if isinstance(event, Done | Failed):
                self.ended[request_id] = self.now


def ids(plan: StepPlan | None) -> list[tuple[str, int]]:
    """Whose rows a plan has: (request, index)."""
    assert plan is not None
    return [(row.job.generation.request_id, row.index) for row in plan.rows]
