"""Step-level against request-level batching, simulated: writes results/simulation.json and two pictures.

Run it from the root of the project: python tests/bench/bench_simulation.py
"""

from __future__ import annotations

import json
import math
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from brood.engine.cost import CostModel
from brood.simulation.curves import affine
from brood.simulation.explore import LOADS, Point, find_capacity, sweep
from brood.simulation.kinds import read_mix
from brood.simulation.plot import plot
from brood.simulation.policies import POLICIES
from brood.simulation.setting import Setting
from brood.simulation.simulate import simulate
from brood.simulation.traces import Drawn

RESULTS = Path(__file__).parent / "results"
COMMAND = "python tests/bench/bench_simulation.py"
COUNT, SEED = 4000, 1
BASELINES = ("same-parameters", "padded")
BUCKETS = {8: (1, 2, 4, 8), 32: (1, 2, 4, 8, 16, 32)}
CURVES = {cap: {"step": affine(0.010, 0.0002, buckets)} for cap, buckets in BUCKETS.items()}
MIXES = {"half short": (50, 50), "90 % short": (90, 10)}
VARIANTS = (1, 20)  # settings of the other parameters: labels, samplers, guidance
SLOWEST = 2.0  # of a capacity: 95 % within so many times what 50 steps take in full calls
OVERLOAD = 1.5
EQUAL_STEPS = 20
SHAPES = {"flat": (0.010, 0.0002), "middling": (0.010, 0.004), "linear": (0.0, 0.010)}  # seconds of a call, of a row
FIXED = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 6.0, 50.0)  # fixed seconds of a call, in units of those of a row


def mixed(short: int, long: int, variants: int = 1, count: int = COUNT) -> Drawn:
    texts = [f"{short}% steps=4 variants={variants}", f"{long}% steps=50 variants={variants}"]
    return Drawn(read_mix(texts), count, SEED)


def latencies(cap: int, mix: str) -> tuple[list[Point], dict[str, Any]]:
    """A sweep, and by how much the short ones are quicker than under the better baseline."""
    load, setting = mixed(*MIXES[mix]), Setting(CURVES[cap])
    points = sweep(POLICIES, load.at, setting, setting.ideal_rate(load.shares))
    ratios = {}
    for at in LOADS:
        short = {
            point.policy: point.summary.kinds["4 steps"].latency.p95
            for point in points
            if point.load == at and not point.summary.saturated
        }
        better = min((short[name] for name in BASELINES if name in short), default=None)
        ratios[str(at)] = None if better is None else round(better / short["step-level"], 2)
    return points, {"p95 of short ones, better baseline / step-level, by load": ratios}


def capacities(cap: int, mix: str) -> dict[str, Any]:
    """The load that each policy sustains within a latency, and what part of full calls it fills when more comes."""
    setting = Setting(CURVES[cap])
    slo_s = SLOWEST * 50 * CURVES[cap]["step"][cap]
    found: dict[str, Any] = {"p95 within s": round(slo_s, 3)}
    for variants in VARIANTS:
        load = mixed(*MIXES[mix], variants)
        ideal = setting.ideal_rate(load.shares)
        within = {name: round(find_capacity(name, load.at, setting, ideal, slo_s).load, 3) for name in POLICIES}
        (*crowded,) = sweep(POLICIES, load.at, Setting(CURVES[cap], max_backlog_s=math.inf), ideal, (OVERLOAD,))
        filled = {point.policy: round(point.summary.occupancy, 3) for point in crowded}
        found[f"{variants} settings of other parameters"] = {
            "load within that latency": within,
            "step-level / better baseline, within": _ratio(within["step-level"], [within[name] for name in BASELINES]),
            f"calls filled at {OVERLOAD:g}x overload without end": filled,
            "step-level / padded, without end": _ratio(filled["step-level"], [filled["padded"]]),
        }
    return found


def _ratio(one: float, others: Sequence[float]) -> float | None:
    return round(one / max(others), 2) if max(others) else None


def deadlines(fixed: float, row: float, noise: float, told: float) -> dict[str, Any]:
    """Requests with deadlines, alone or among others without: what is let in, and of that in time."""
    setting = Setting({"step": affine(fixed, row, BUCKETS[8])}, noise=noise)
    texts = [f"{50 * told:g}% steps=4 deadline_ms=1000", f"{50 * told:g}% steps=50 deadline_ms=3000"]
    texts += [f"{50 * (1 - told):g}% steps={steps}" for steps in (4, 50) if told < 1]
    load = Drawn(read_mix(texts), COUNT, SEED)
    found = {}
    for point in sweep(["step-level"], load.at, setting, setting.ideal_rate(load.shares), (0.6, 0.8, 2.0)):
        own = [figures for label, figures in point.summary.kinds.items() if " in " in label]
        asked, done, refused = (sum(getattr(each, name) for each in own) for name in ("requests", "done", "refused"))
        found[f"load {point.load:g}"] = {
            "let in": round(1 - refused / asked, 3),
            "in time": _part(done, asked - refused),
        }
    return found


def _part(some: int, of: int) -> float | None:
    return round(some / of, 4) if of else None


def several_graphs(number: int) -> dict[str, Any]:
    """Mean seconds of requests of equal steps that are spread over graphs, which cannot share calls."""
    curves = {f"step{each}": CURVES[8]["step"] for each in range(number)}
    texts = [f"{100 / number}% steps={EQUAL_STEPS} graphs={name}*" for name in curves]
    load, setting = Drawn(read_mix(texts), COUNT, SEED), Setting(curves)
    points = sweep(["step-level", "padded"], load.at, setting, setting.ideal_rate(load.shares), (0.3, 0.5, 0.7, 0.9))
    return {
        f"{point.policy}, load {point.load:g}": None if point.summary.saturated else round(mean, 3)
        for point in points
        for mean in [point.summary.total.latency.mean]
    }


def devices(number: int) -> float:
    """Requests a second within the latency, for each device."""
    load, setting = mixed(50, 50), Setting(CURVES[8], replicas=number)
    slo_s = SLOWEST * 50 * CURVES[8]["step"][8]
    found = find_capacity("step-level", load.at, setting, setting.ideal_rate(load.shares), slo_s)
    return round(found.rate / number, 2)


def equal_requests(fixed: float, n: int) -> dict[str, Any]:
    """Mean latency of step-level over padded, for equal requests of n samples, on a curve fixed + row."""
    curve = affine(0.01 * fixed / (1 + fixed), 0.01 / (1 + fixed), BUCKETS[8])
    load, setting = Drawn(read_mix([f"100% steps={EQUAL_STEPS} n={n}"]), COUNT // n, SEED), Setting({"step": curve})
    points = sweep(["step-level", "padded"], load.at, setting, setting.ideal_rate(load.shares))
    mean = {(point.policy, point.load): point.summary.total.latency.mean for point in points}
    ratios = {str(at): round(mean["step-level", at] / mean["padded", at], 3) for at in LOADS}
    return {"cap": CostModel({"step": curve}).cap("step"), "worst": max(ratios.values()), "by load": ratios}


def speed() -> dict[str, float]:
    """Requests simulated in a second of this machine."""
    found: dict[str, float] = {}
    for name, load in {
        "4 or 50 steps": mixed(50, 50),
        "1 step": Drawn(read_mix(["100% steps=1"]), COUNT, SEED),
    }.items():
        setting = Setting(CURVES[8])
        trace = load.at(0.7 * setting.ideal_rate(load.shares))
        for policy in POLICIES:
            began = time.process_time()
            simulate(POLICIES[policy], trace, setting)
            found[f"{policy}, {name}"] = round(COUNT / (time.process_time() - began))
    return found


def case(cap: int, mix: str) -> dict[str, Any]:
    points, ratios = latencies(cap, mix)
    if cap == 8:
        name = "simulation.png" if mix == "half short" else "simulation-short.png"
        short, long = MIXES[mix]
        title = f"{short} % of 4 steps, {long} % of 50; calls of at most {cap} rows, 10 ms and 0.2 ms a row"
        plot(points, RESULTS / name, title)
    return {**ratios, "capacity": capacities(cap, mix), "sweep": [words(point) for point in points]}


def words(point: Point) -> Mapping[str, Any]:
    """What a sweep's point is worth keeping for."""
    summary = point.summary
    kinds = {
        label: {"mean_s": figures.latency.mean, "p95_s": figures.latency.p95, "first_step_s": figures.wait.mean}
        for label, figures in summary.kinds.items()
    }
    rounded = {label: {name: round(value, 4) for name, value in each.items()} for label, each in kinds.items()}
    fullness = {"saturated": summary.saturated, "occupancy": round(summary.occupancy, 3)}
    return {"policy": point.policy, "load": point.load, **fullness, **rounded}


def main() -> None:
    report: dict[str, Any] = {
        "command": COMMAND,
        "python": platform.python_version(),
        "requests": COUNT,
        "curves": {cap: {b: round(s, 4) for b, s in curve["step"].items()} for cap, curve in CURVES.items()},
        "simulated requests a processor second": speed(),
    }
    for cap in CURVES:
        for mix in MIXES:
            report[f"{mix}, cap {cap}"] = case(cap, mix)
            print(
                f"{mix}, cap {cap}", {k: v for k, v in report[f"{mix}, cap {cap}"].items() if k != "sweep"}, flush=True
            )
    parts: dict[str, Any] = {
        "equal steps, mean latency step-level / padded, by fixed seconds of a call in units of those of a row": {
            str(fixed): equal_requests(fixed, 1) for fixed in FIXED
        },
        "equal requests, mean latency step-level / padded, by samples of a request": {
            n: equal_requests(FIXED[-1], n) for n in (1, 2, 4, 8, 16)
        },
        "deadlines, of requests that have one": {
            f"{name} curve, noise {noise:g}, {told:.0%} have one": deadlines(fixed, row, noise, told)
            for name, (fixed, row) in SHAPES.items()
            for noise in (0.0, 0.3)
            for told in (1.0, 0.5)
        },
        "equal steps over several graphs, mean s": {number: several_graphs(number) for number in (1, 2, 4)},
        "requests a second for each of so many devices, within the latency": {k: devices(k) for k in (1, 2, 4)},
    }
    (RESULTS / "simulation.json").write_text(json.dumps(report | parts, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(parts, indent=1))


if __name__ == "__main__":
    main()
