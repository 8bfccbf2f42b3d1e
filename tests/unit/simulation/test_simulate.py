"""The simulation against conservation, a closed form, and the real engine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brood.engine.admission import Admission
from brood.engine.core import EngineCore
from brood.engine.executor import Executor
from brood.engine.plan import StepPlan, StepReport
from brood.engine.rows import make_job
from brood.engine.scheduler import Scheduler
from brood.protocol.errors import BroodError, InvalidArgument
from brood.simulation.curves import affine
from brood.simulation.kinds import Kind, read_mix
from brood.simulation.measures import summarize
from brood.simulation.policies import POLICIES
from brood.simulation.servers import Outcomes
from brood.simulation.setting import Setting
from brood.simulation.simulate import simulate
from brood.simulation.step_level import StepLevel
from brood.simulation.traces import Arrival, Drawn
from helpers.bundles import steps_bundle
from helpers.engine import Clock, engine_model, generation

FLAT = {"step": affine(0.010, 0.0002, (1, 2, 4, 8))}
LINEAR = {"step": affine(0.0, 0.010, (1, 2, 4, 8))}

arrivals = st.lists(
    st.builds(
        Arrival,
        st.floats(0, 0.5),
        st.builds(Kind, st.integers(1, 9), st.integers(1, 12), st.sampled_from(["interactive", "bulk"])),
        st.sampled_from(["", "label=3"]),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(arrivals, st.sampled_from(sorted(POLICIES)), st.integers(1, 3), st.sampled_from([0.0, 0.3]))
def test_every_request_is_finished_once_after_all_its_steps(
    trace: list[Arrival], policy: str, replicas: int, noise: float
) -> None:
    trace = sorted(trace, key=lambda arrival: arrival.at)
    run = simulate(POLICIES[policy], trace, Setting(FLAT, replicas=replicas, noise=noise))
    outcomes = run.outcomes
    assert not outcomes.failed
    assert sum(server.tally.steps for server in run.servers) == sum(each.kind.steps * each.kind.n for each in trace)
    for number, arrival in enumerate(trace):
        assert arrival.at <= outcomes.started[number] < outcomes.ended[number] <= outcomes.until
        if not noise:
            shortest_s = FLAT["step"][1] * arrival.kind.steps * max(1, math.ceil(arrival.kind.n / 8))
            assert outcomes.ended[number] - outcomes.started[number] >= shortest_s - 1e-9
    for server in run.servers:
        assert server.backlog_s == pytest.approx(0.0, abs=1e-9)
        assert server.tally.busy_s <= outcomes.until - trace[0].at + 1e-9


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_equal_requests_one_at_a_time_wait_as_pollaczek_and_khinchine_say(policy: str) -> None:
    """M/D/1: the mean wait is ρ·s / 2(1−ρ)."""
    load, seconds = 0.7, 0.05
    trace = Drawn(read_mix(["100% steps=1"]), 10_000, 2).at(load / seconds)
    summary = summarize(simulate(POLICIES[policy], trace, Setting({"step": {1: seconds}})))
    assert summary.total.wait.mean == pytest.approx(load * seconds / (2 * (1 - load)), rel=0.06)
    assert summary.busy == pytest.approx(load, rel=0.02)
    assert summary.occupancy == 1.0


def test_requests_of_two_sizes_one_at_a_time_wait_as_pollaczek_and_khinchine_say() -> None:
    """M/G/1 in the order of arrival: the mean wait is λ·E[S²] / 2(1−ρ)."""
    rate, sizes = 10.0, (0.02, 0.10)
    trace = Drawn(read_mix(["50% steps=1", "50% steps=5"]), 20_000, 0).at(rate)
    summary = summarize(simulate(POLICIES["padded"], trace, Setting({"step": {1: 0.02}})))
    expected = rate * sum(size**2 for size in sizes) / 2 / (2 * (1 - rate * sum(sizes) / 2))
    assert summary.total.wait.mean == pytest.approx(expected, rel=0.05)


class Recorder(StepLevel):
    """Notes every plan."""

    def __init__(self, setting: Setting, outcomes: Outcomes, seed: int) -> None:
        super().__init__(setting, outcomes, seed)
        self.plans: list[object] = []

    def watch(self, plan: StepPlan, report: StepReport, error: float) -> None:
        super().watch(plan, report, error)
        self.plans.append(words(plan))


def words(plan: StepPlan) -> object:
    return plan.group.graph, plan.bucket, [(row.job.generation.request_id, row.index) for row in plan.rows]


class Real:
    """The engine with its executor and a runtime, at whose calls a clock is moved on."""

    def __init__(self, directory: Path, trace: Sequence[Arrival], setting: Setting) -> None:
        self.model, self.scheduler, self.clock = engine_model(directory, capacity=64), Scheduler(), Clock()
        self.core = EngineCore(self.scheduler, self.execute, self.clock, self.watch)
        # The simulator makes one call for each plan.
        self.executor = Executor(self.clock, interrupted=lambda: True)
        self.admission = Admission(setting.max_backlog_s, 2**30)
        self.coming, self.curves = list(enumerate(trace)), setting.curves
        self.plans: list[object] = []
        self.refused: dict[int, str] = {}

    async def run(self) -> None:
        while True:
            worked, _ = await self.core.step()
            if not worked and not self.coming:
                return
            if not worked:
                self.pass_to(self.coming[0][1].at)

    def pass_to(self, until: float) -> None:
        while self.coming and self.coming[0][1].at <= until:
            number, arrival = self.coming.pop(0)
            self.clock.now, kind = arrival.at, arrival.kind
            deadline = None if kind.deadline_s is None else arrival.at + kind.deadline_s
            further = {"priority": kind.priority, "tenant": kind.tenant}
            request = generation(
                self.model, str(number), n=kind.n, index=0, deadline=deadline, words=further, steps=kind.steps
            )
            try:
                job = make_job(request, self.model, arrival.at)
                self.core.submit(self.admission.admit(job, self.scheduler, arrival.at))
            except BroodError as error:
                self.refused[number] = type(error).__name__
        self.clock.now = until

    async def execute(self, plan: StepPlan) -> StepReport:
        report = self.executor.execute(plan)
        seconds = self.curves[plan.group.graph][plan.bucket]
        self.pass_to(self.clock.now + seconds)
        return StepReport(self.clock.now, seconds, report.outputs, report.failures, report.shots)

    def watch(self, plan: StepPlan, report: StepReport, error: float) -> None:
        self.plans.append(words(plan))


async def test_the_real_engine_makes_the_same_plans_of_the_same_trace(tmp_path: Path) -> None:
    """Classes, tenants, deadlines that are kept, missed and refused; a graph of every step and one at the end."""
    mix = ["40% steps=2", "20% steps=6 n=3 tenant=a", "20% steps=9 n=5 priority=bulk"]
    mix += ["15% steps=4 deadline_ms=25", "5% steps=4 deadline_ms=5"]
    curves = {name: {bucket: 0.001 * (1 + bucket / 4) for bucket in (1, 2, 4, 8)} for name in ("step", "finish")}
    setting = Setting(curves, "step*,finish")
    load = Drawn(read_mix(mix), 120, 4)
    trace = load.at(1.3 * setting.ideal_rate(load.shares))
    run = simulate(Recorder, trace, setting)
    real = Real(steps_bundle(tmp_path), trace, setting)
    await real.run()
    (server,) = run.servers
    assert isinstance(server, Recorder)
    assert server.plans == real.plans
    assert len(server.plans) > 100
    refused = {number: name for number, name in run.outcomes.failed.items() if name != "DeadlineExceeded"}
    assert refused == real.refused
    assert "DeadlineInfeasible" in refused.values()


def test_what_is_refused_costs_nothing_and_is_told() -> None:
    mix = ["50% steps=20", "50% steps=20 deadline_ms=400"]
    setting = Setting(FLAT, max_backlog_s=1.0)
    load = Drawn(read_mix(mix), 800, 0)
    run = simulate(POLICIES["step-level"], load.at(2 * setting.ideal_rate(load.shares)), setting)
    summary = summarize(run)
    assert summary.total.refused > 200
    assert summary.total.done + summary.total.refused + summary.total.late == 800
    assert summary.total.wait.p99 < 3.0
    assert sum(server.tally.steps for server in run.servers) >= 20 * summary.total.done


def test_a_linear_curve_is_hardly_batched_and_nobody_is_slower() -> None:
    """But for the calls in which a larger bucket is tried."""
    load = Drawn(read_mix(["100% steps=10"]), 400, 0)
    setting = Setting(LINEAR)
    trace = load.at(0.7 * setting.ideal_rate(load.shares))
    ends = {name: simulate(policy, trace, setting).outcomes.ended for name, policy in POLICIES.items()}
    shortest = min(setting.curves["step"].values())
    assert ends["step-level"] == pytest.approx(ends["padded"], abs=2 * shortest)
    assert ends["step-level"] == pytest.approx(ends["same-parameters"], abs=2 * shortest)


def test_short_requests_are_not_behind_long_ones() -> None:
    """The reason for all of this: at half of the capacity, they are quicker by far."""
    setting = Setting(FLAT)
    load = Drawn(read_mix(["50% steps=4", "50% steps=50"]), 500, 0)
    trace = load.at(0.5 * setting.ideal_rate(load.shares))
    short = {
        name: summarize(simulate(policy, trace, setting)).kinds["4 steps"].latency.p95
        for name, policy in POLICIES.items()
    }
    assert 4 * short["step-level"] < min(short["same-parameters"], short["padded"])


def test_two_devices_share_the_work() -> None:
    load = Drawn(read_mix(["100% steps=20"]), 600, 0)
    one, two = Setting(FLAT), Setting(FLAT, replicas=2)
    assert two.ideal_rate(load.shares) == pytest.approx(2 * one.ideal_rate(load.shares))
    run = simulate(POLICIES["step-level"], load.at(0.8 * two.ideal_rate(load.shares)), two)
    first, second = (server.tally.steps for server in run.servers)
    assert first / second == pytest.approx(1.0, rel=0.15)
    assert not summarize(run).saturated


def test_costs_are_learned_although_calls_vary() -> None:
    setting = Setting(FLAT, noise=0.1)
    load = Drawn(read_mix(["100% steps=20"]), 500, 0)
    run = simulate(POLICIES["step-level"], load.at(0.5 * setting.ideal_rate(load.shares)), setting)
    error = summarize(run).prediction_error_p95
    assert error is not None
    assert 0.1 < error < 0.4
    assert summarize(simulate(POLICIES["padded"], run.outcomes.trace, setting)).prediction_error_p95 is None


def test_held_back_calls_are_woken_and_fuller() -> None:
    load = Drawn(read_mix(["100% steps=1"]), 500, 0)
    trace = load.at(0.3 * Setting(FLAT).ideal_rate(load.shares))
    now, later = (summarize(simulate(StepLevel, trace, Setting(FLAT, max_wait_s=wait))) for wait in (0.0, 0.05))
    assert later.total.done == now.total.done == 500
    assert later.occupancy > now.occupancy
    assert later.total.wait.mean > now.total.wait.mean


@pytest.mark.parametrize(("graphs", "kind"), [("", Kind()), ("stop*", Kind()), ("step*", Kind(graphs="begin,step*"))])
def test_an_unknown_graph_is_refused_before_anything_runs(graphs: str, kind: Kind) -> None:
    setting = Setting({"step": {1: 1.0}, "finish": {1: 1.0}}, graphs)
    with pytest.raises(InvalidArgument, match=r"graphs: .* is not allowed; allowed: step, finish, separated by commas"):
        simulate(POLICIES["padded"], [Arrival(0.0, kind)], setting)
