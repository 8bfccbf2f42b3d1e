"""The policy as Ray Serve calls it: with its own context, wrapped as its controller wraps it, without any processes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from ray import cloudpickle
from ray.serve._private.autoscaling_state import _resolve_policy_callable
from ray.serve._private.common import DeploymentID, ReplicaID, TimeStampedValue
from ray.serve.autoscaling_policy import _apply_autoscaling_config
from ray.serve.config import AutoscalingContext
from ray.serve.schema import DeploymentSchema

from brood.generators import Autoscaling
from brood.serve.desired import WorkerLoad
from brood.serve.scaling import LOOK_BACK_S, REPORT_S, STALE_S, BacklogPolicy, policy_config, stats

DEPLOYMENT = DeploymentID("generator", "brood")
IDLE = WorkerLoad(0.0, 0.0, 1e6)
BUSY = WorkerLoad(7.0, 1.0, 0.0)


@dataclass
class Serve:
    """As much of Serve's controller as calls a policy."""

    autoscaling: Autoscaling
    now: float = 1e9
    target: int = 0
    waiting: float = 0.0  # calls that wait in handles
    reports: dict[int, tuple[float, Mapping[str, float]]] = field(default_factory=dict)  # of each replica: when, what
    state: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.config = policy_config(self.autoscaling)
        self.policy = _apply_autoscaling_config(_resolve_policy_callable(self.config.policy))

    def report(self, *loads: WorkerLoad) -> None:
        """So many replicas run, and report this now."""
        self.reports = {number: (self.now, stats(load)) for number, load in enumerate(loads)}

    def tick(self, seconds: float = 1.0) -> int:
        """The number of replicas after so much time."""
        self.now += seconds
        names = {number: ReplicaID(str(number), DEPLOYMENT) for number in self.reports}
        raw: dict[str, dict[ReplicaID, list[TimeStampedValue]]] = {}
        for number, (at, told) in self.reports.items():
            for name, value in told.items():
                old = TimeStampedValue(at - 9.0, 1e9)  # what was true before
                raw.setdefault(name, {})[names[number]] = [old, TimeStampedValue(at, value)]
        context = AutoscalingContext(
            deployment_id=DEPLOYMENT,
            deployment_name=DEPLOYMENT.name,
            app_name=DEPLOYMENT.app_name,
            current_num_replicas=len(self.reports),
            target_num_replicas=self.target,
            running_replicas=list(names.values()),
            total_num_requests=self.waiting,
            total_queued_requests=self.waiting,
            aggregated_metrics={},
            raw_metrics=raw,
            capacity_adjusted_min_replicas=self.config.min_replicas,
            capacity_adjusted_max_replicas=self.config.max_replicas,
            policy_state=self.state,
            last_scale_up_time=None,
            last_scale_down_time=None,
            current_time=self.now,
            config=self.config,
        )
        self.target, self.state = self.policy(context)
        return self.target


def test_backlog_adds_workers_after_the_delay_and_quiet_takes_them_away() -> None:
    serve = Serve(Autoscaling(min=1, max=5, target_backlog_s=2.0, up_delay_s=3.0, down_delay_s=20.0), target=1)
    serve.report(BUSY)
    assert [serve.tick() for _ in range(6)] == [1, 1, 1, 1, 4, 4]
    serve.report(*[WorkerLoad(0.0, 0.3, 0.0)] * 4)
    counts = [serve.tick() for _ in range(25)]
    assert counts[:20] == [4] * 20
    assert counts[-1] == 2  # 4 · 0.3 / 0.7


def test_to_zero_and_awake_again() -> None:
    serve = Serve(Autoscaling(min=0, max=3, idle_delay_s=30.0))
    assert serve.tick() == 1  # whether its models load
    assert serve.tick() == 1
    serve.report(WorkerLoad(0.0, 0.0, 29.0))
    assert serve.tick() == 1
    serve.report(WorkerLoad(0.0, 0.0, 31.0))
    assert serve.tick() == 0
    serve.report()
    assert [serve.tick() for _ in range(3)] == [0, 0, 0]
    serve.waiting = 2.0
    assert serve.tick() == 1
    serve.waiting = 0.0
    assert serve.tick() == 1
    serve.report(WorkerLoad(0.1, 0.5, 0.0))
    assert serve.tick() == 1


def test_several_that_are_idle_go_one_delay_after_the_other() -> None:
    serve = Serve(Autoscaling(min=0, max=3, down_delay_s=10.0, idle_delay_s=5.0), target=3)
    counts = []
    for _ in range(14):
        serve.report(*[IDLE] * max(1, serve.target))
        counts.append(serve.tick())
    assert counts == [3] * 11 + [1, 0, 0]


def test_replicas_that_say_nothing_or_said_it_long_ago_are_not_ended() -> None:
    serve = Serve(Autoscaling(min=0, max=3, down_delay_s=0.0, idle_delay_s=0.0), target=2)
    serve.report(IDLE, IDLE)
    serve.reports[1] = (serve.now - STALE_S - 1.0, serve.reports[1][1])
    assert [serve.tick(0.1) for _ in range(20)] == [2] * 20
    serve.reports[1] = (serve.now, {})
    assert [serve.tick(0.1) for _ in range(20)] == [2] * 20
    serve.report(IDLE, IDLE)
    assert [serve.tick(0.1) for _ in range(3)] == [1, 0, 0]


def test_serve_takes_the_configuration_and_carries_it_everywhere() -> None:
    config = policy_config(Autoscaling(min=0, max=8, target_backlog_s=4.0, target_load=0.5))
    assert (config.min_replicas, config.max_replicas) == (0, 8)
    assert (config.metrics_interval_s, config.look_back_period_s) == (REPORT_S, LOOK_BACK_S)
    assert config.policy.policy_kwargs["target_backlog_s"] == 4.0
    carried = cloudpickle.loads(config.policy.get_serialized_policy_def())(**config.policy.policy_kwargs)
    assert type(carried).__name__ == BacklogPolicy.__name__
    words = json.loads(config.model_dump_json())
    with pytest.warns(DeprecationWarning, match="metrics_interval_s"):
        schema = DeploymentSchema.model_validate({"name": "generator", "autoscaling_config": words})
    assert schema.autoscaling_config["policy"]["policy_function"] == "brood.serve.scaling:BacklogPolicy"
