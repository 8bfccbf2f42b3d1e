"""Autoscaling on a ramp, simulated with the engine and the policy that serve: writes results/scaling.{json,png}.

Run it from the root of the project: python tests/bench/bench_scaling.py
"""

from __future__ import annotations

import json
import math
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from brood.generators import Autoscaling
from brood.serve.desired import ScalingConfig, ScalingState, ScalingStats, WorkerLoad, desired
from brood.simulation.curves import affine
from brood.simulation.fleet import Elastic, FleetRun, Moment, Scaler, Sight, simulate_fleet
from brood.simulation.kinds import Kind
from brood.simulation.ramps import Points, ramp
from brood.simulation.setting import Setting
from brood.simulation.step_level import StepLevel

RESULTS = Path(__file__).parent / "results"
COMMAND = "python tests/bench/bench_scaling.py"
SEED = 1
KIND = Kind(steps=25, n=8)
SETTING = Setting({"step": affine(0.040, 0.0008, (1, 2, 4, 8, 16, 32))})
ELASTIC = Elastic(start_s=30.0, look_s=1.0, report_s=4.0)
WORDS = Autoscaling(min=0, max=8)
# Of what one worker could do in full calls: nothing, little, four times it, little; a crowd; nothing.
LEVELS: Points = (
    (420.0, 0.2),
    (720.0, 0.2),
    (1320.0, 4.0),
    (1920.0, 4.0),
    (2520.0, 0.2),
    (2820.0, 0.2),
    (2821.0, 2.5),
    (2920.0, 2.5),
    (2921.0, 0.2),
    (3200.0, 0.2),
)
UNTIL = 3900.0
LATE_S = 10.0  # a request alone takes 1.2 s


def scaler(config: ScalingConfig) -> Scaler:
    """The policy that serves, for the simulation."""
    state = ScalingState()

    def ask(sight: Sight, now: float) -> int:
        nonlocal state
        workers = [WorkerLoad(each.backlog_s, each.load, each.idle_s) for each in sight.workers]
        wanted, state = desired(ScalingStats(sight.target, workers, sight.silent, sight.held), state, config, now)
        return wanted

    return ask


def fixed(workers: int) -> Scaler:
    """Always as many."""
    return lambda sight, now: workers


def figures(run: FleetRun) -> dict[str, Any]:
    """What it was like."""
    outcomes, moments = run.outcomes, run.moments
    arrived = np.array([arrival.at for arrival in outcomes.trace])
    latency = np.array(outcomes.ended) - arrived
    finished = latency[np.isfinite(latency)]
    changes = sum(before.target != after.target for before, after in pairwise(moments))
    p50, p95, p99 = np.quantile(finished, (0.5, 0.95, 0.99)).tolist()
    return {
        "requests": len(outcomes.trace),
        "refused": len(outcomes.failed),
        "latency s": {"p50": round(p50, 2), "p95": round(p95, 2), "p99": round(p99, 2)},
        f"within {LATE_S:g} s": round(float((finished <= LATE_S).sum()) / len(outcomes.trace), 3),
        "worker hours": round(sum(moment.running for moment in moments) / 3600, 2),
        "most workers": max(moment.running for moment in moments),
        "changes": changes,
    }


@dataclass(frozen=True)
class Ramp:
    """What comes."""

    levels: Points  # in full workers
    rate: float  # requests a second that one worker serves


def plot(moments: Sequence[Moment], given: Ramp, title: str, path: Path) -> None:
    """Work that comes, workers, and what waits, over time."""
    at = [moment.at / 60 for moment in moments]
    figure = Figure(figsize=(9.0, 6.6), layout="constrained")
    work, workers, backlog = figure.subplots(3, 1, sharex=True)
    work.plot(at, _arriving(moments, given.rate), color="#7a7a7a", lw=0.8, label="requests that come")
    corners = given.levels
    work.plot([x / 60 for x, _ in corners], [level for _, level in corners], color="#c2571a", label="their mean")
    work.set_ylabel("work that comes,\nin full workers")
    workers.step(at, [moment.target for moment in moments], where="post", color="#c2571a", label="asked for")
    workers.step(at, [moment.running for moment in moments], where="post", color="#0b6e99", label="ready")
    workers.set_ylabel("workers")
    backlog.plot(at, [moment.backlog_s for moment in moments], color="#0b6e99", label="at workers, predicted seconds")
    backlog.plot(at, [moment.held for moment in moments], color="#c2571a", label="held at the ingress, requests")
    backlog.set(ylabel="waiting", xlabel="minutes", yscale="symlog", ylim=(0, None))
    for panel in (work, workers, backlog):
        panel.grid(alpha=0.2)
        panel.legend(loc="upper right", fontsize="small", frameon=False)
    figure.suptitle(title, fontsize="medium")
    figure.savefig(path, dpi=130)


def _arriving(moments: Sequence[Moment], rate: float, over: int = 15) -> list[float]:
    """Work of the last moments; they are a second apart."""
    counts = np.array([moment.arrived for moment in moments])
    before = np.concatenate([np.zeros(over), counts[:-over]])
    return [float(each) for each in (counts - before) / over / rate]


def main() -> None:
    began, rate = time.perf_counter(), SETTING.ideal_rate({KIND: 1.0})
    trace = ramp([(at, level * rate) for at, level in LEVELS], KIND, SEED)
    config = ScalingConfig(**WORDS.model_dump())
    run = simulate_fleet(StepLevel, trace, SETTING, scaler(config), ELASTIC, UNTIL)
    slow = simulate_fleet(StepLevel, trace, SETTING, scaler(config), replace(ELASTIC, start_s=120.0), UNTIL)
    most = simulate_fleet(StepLevel, trace, SETTING, fixed(config.max), replace(ELASTIC, start_s=0.0), UNTIL)
    four = simulate_fleet(StepLevel, trace, SETTING, fixed(math.ceil(4.0 / 0.7)), replace(ELASTIC, start_s=0.0), UNTIL)
    title = f"0 → N → 0: workers start in {ELASTIC.start_s:g} s, requests of {KIND.label}"
    plot(run.moments, Ramp(LEVELS, rate), title, RESULTS / "scaling.png")
    words = {
        "command": COMMAND,
        "machine": {"system": platform.platform(), "python": platform.python_version()},
        "policy": WORDS.model_dump(),
        "request": KIND.label,
        "one worker serves, requests/s": round(rate, 2),
        "autoscaled, workers start in 30 s": figures(run),
        "autoscaled, workers start in 120 s": figures(slow),
        f"always {config.max} workers": figures(most),
        f"always {math.ceil(4.0 / 0.7)} workers": figures(four),
        "workers asked for, at seconds": _steps(run.moments),
        "seconds it took": round(time.perf_counter() - began, 1),
    }
    (RESULTS / "scaling.json").write_text(json.dumps(words, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(words, indent=1, ensure_ascii=False))


def _steps(moments: Sequence[Moment]) -> list[list[float]]:
    """[when, workers] at each change."""
    found: list[list[float]] = []
    for moment in moments:
        if not found or found[-1][1] != moment.target:
            found.append([moment.at, moment.target])
    return found


if __name__ == "__main__":
    main()
