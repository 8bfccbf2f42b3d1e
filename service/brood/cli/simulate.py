"""``brood simulate``."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from brood.cli.errors import one_line

if TYPE_CHECKING:
    from rich.table import Table

    from brood.simulation.curves import Curves
    from brood.simulation.explore import Capacity, Point
    from brood.simulation.setting import Setting
    from brood.simulation.traces import Load

POLICIES = ("step-level", "same-parameters", "padded")
LOAD = 0.7
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class _Finite(click.FloatRange):
    """A number of a range, and a number at all: click lets NaN pass, and infinity where there is no upper end."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


POSITIVE = _Finite(min=0, min_open=True)


@dataclass(frozen=True, slots=True)
class Choices:
    """The options, as given."""

    costs: Path | None
    model: str | None
    root: Path | None
    operation: str
    graphs: str
    requests: tuple[str, ...]
    trace: Path | None
    rate: float | None
    load: float | None
    count: int
    burst: float | None
    burst_s: float
    seed: int
    noise: float
    replicas: int
    max_backlog_s: float
    max_wait_ms: float
    policies: tuple[str, ...]
    slo_ms: float | None
    plot: Path | None
    as_json: bool


@click.command()
@click.option("--costs", type=FILE, help='JSON: {"GRAPH": {"BUCKET": SECONDS}}')
@click.option("--model", help="instead: measure the calls of this model, here and now")
@click.option(
    "--models", "root", type=click.Path(path_type=Path), help="directory of bundles  [default: the shipped ones]"
)
@click.option("--operation", default="generate", show_default=True, help="of the model")
@click.option("--graphs", default="", help="that a sample calls: encode,step*,decode; * marks those of every step")
@click.option("--requests", multiple=True, metavar="TEXT", help='repeatable: "50% steps=4", "50% steps=50 n=2"')
@click.option("--trace", type=FILE, help='instead: JSON lines, {"t": 0.25, "steps": 50, "n": 1, ...}')
@click.option("--rate", type=POSITIVE, help="requests a second  [default: a trace's own]")
@click.option("--load", type=POSITIVE, help="the rate as a part of what full calls would serve  [default: 0.7]")
@click.option("--count", type=click.IntRange(min=1), default=10_000, show_default=True, help="of requests")
@click.option("--burst", type=_Finite(min=1, min_open=True), help="half come in bursts, so much faster")
@click.option("--burst-s", type=POSITIVE, default=1.0, show_default=True, help="mean length of a burst")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--noise", type=_Finite(min=0), default=0.0, help="standard deviation of the log of call times")
@click.option("--replicas", type=click.IntRange(min=1), default=1, show_default=True, help="number of devices")
@click.option("--max-backlog-s", type=POSITIVE, default=60.0, show_default=True, help="of work that waits for a device")
@click.option("--max-wait-ms", type=_Finite(min=0), default=0.0, help="wait so long for fuller calls")
@click.option("--policy", "policies", type=click.Choice(POLICIES), multiple=True, default=POLICIES, help="repeatable")
@click.option("--find-capacity", is_flag=True, help="find the highest rate whose p95 is at most --slo-ms")
@click.option("--slo-ms", type=POSITIVE, help="from arrival to the last sample")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="latency against load, 0.1 to 0.95")
@click.option("--json", "as_json", is_flag=True, help="JSON rather than a table")
def simulate(find_capacity: bool, **given: Any) -> None:
    """Predict latency and capacity: the engine on a virtual clock, beside request-level batching.

    Give what calls cost (--costs or --model) and what comes (--requests or --trace).
    """
    choices = Choices(**given)
    if (choices.costs is None) == (choices.model is None):
        raise click.UsageError("give one of --costs and --model")
    if (not choices.requests) == (choices.trace is None):
        raise click.UsageError("give one of --requests and --trace")
    if find_capacity == (choices.slo_ms is None):
        raise click.UsageError("--find-capacity and --slo-ms go together")
    with one_line(OSError):
        _run(choices)


def _run(choices: Choices) -> None:
    from brood.simulation.explore import LOADS, find_capacity, sweep
    from brood.simulation.plot import plot

    coming, setting = _coming(choices), _setting(choices)
    ideal = setting.ideal_rate(coming.shares)
    if choices.slo_ms is not None:
        slo_s = 1e-3 * choices.slo_ms
        found = [find_capacity(policy, coming.at, setting, ideal, slo_s) for policy in choices.policies]
        _show(choices, [asdict(each) for each in found], _capacities(found))
        return
    rate = choices.rate or (choices.load * ideal if choices.load else coming.rate) or LOAD * ideal
    points = sweep(choices.policies, coming.at, setting, ideal, LOADS if choices.plot else [rate / ideal])
    if choices.plot is not None:
        plot(points, choices.plot)
    _show(choices, [point.words() for point in points], _latencies(points))


def _coming(choices: Choices) -> Load:
    from brood.loadgen.arrivals import Bursts
    from brood.simulation.kinds import read_mix
    from brood.simulation.traces import Drawn, Recorded, read_trace

    if choices.trace is not None:
        return Recorded(read_trace(choices.trace))
    bursts = None if choices.burst is None else Bursts(choices.burst, choices.burst_s)
    return Drawn(read_mix(choices.requests), choices.count, choices.seed, bursts)


def _setting(choices: Choices) -> Setting:
    from brood.simulation.curves import read_curves
    from brood.simulation.setting import Setting

    curves, graphs = (read_curves(choices.costs), "") if choices.costs else _measured(choices)
    return Setting(
        curves,
        choices.graphs or graphs,
        choices.replicas,
        choices.noise,
        choices.max_backlog_s,
        1e-3 * choices.max_wait_ms,
        choices.seed,
    )


def _measured(choices: Choices) -> tuple[Curves, str]:
    """What the calls of a model cost here, and which graphs a sample calls, as `Kind.graphs`."""
    from brood.dataplane.find import find_operation
    from brood.host.evidence import observe
    from brood.host.opened import open_bundle
    from brood.protocol.errors import invalid
    from brood.runtimes.base import RuntimeOptions
    from brood.store.store import find_bundles, read_bundle, zoo_root

    found = {ref.name: ref for ref in find_bundles(choices.root or zoo_root())}  # the newest version comes last
    if choices.model not in found:
        raise invalid("model", choices.model, ", ".join(found))
    opened = open_bundle(read_bundle(found[choices.model].directory), RuntimeOptions(threads=1))
    find_operation(opened.bundle.manifest, choices.operation)
    stages = opened.programs[choices.operation].stages
    curves = {name: warmed.cost_s for name, warmed in observe(opened).warmed.items()}
    return curves, ",".join(stage.graph + "*" * stage.per_step for stage in stages)


def _show(choices: Choices, words: Sequence[dict[str, Any]], table: Table) -> None:
    from rich.console import Console

    if choices.as_json:
        click.echo(json.dumps(words, indent=2))
    else:
        Console().print(table)


def _capacities(found: Sequence[Capacity]) -> Table:
    from rich.table import Table

    table = Table("policy", "requests/s", "load", box=None, pad_edge=False)
    for each in found:
        table.add_row(each.policy, f"{each.rate:.4g}", f"{each.load:.2f}")
    return table


def _latencies(points: Sequence[Point]) -> Table:
    """One line for each load, policy and kind of request; milliseconds."""
    from rich.table import Table

    columns = (
        "load",
        "policy",
        "requests",
        "rate/s",
        "done/s",
        "mean ms",
        "p50",
        "p95",
        "p99",
        "first step",
        "refused",
    )
    table = Table(*columns, "late", "full", box=None, pad_edge=False)
    for point in points:
        policy = point.policy + (" (saturated)" if point.summary.saturated else "")
        for label, figures in {**point.summary.kinds, "all": point.summary.total}.items():
            latency, wait = figures.latency, figures.wait
            times = (latency.mean, latency.p50, latency.p95, latency.p99, wait.mean)
            rate = point.rate * figures.requests / point.summary.total.requests
            table.add_row(
                f"{point.load:.2f}",
                policy,
                label,
                f"{rate:.3g}",
                f"{figures.throughput:.3g}",
                *[f"{1e3 * time:,.0f}" if time >= 1 else f"{1e3 * time:.3g}" for time in times],
                str(figures.refused),
                str(figures.late),
                f"{point.summary.occupancy:.0%}" if label == "all" else "",
            )
    return table
