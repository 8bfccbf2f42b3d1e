"""brood and every peer, interleaved and repeated: writes results/peers.json and results/peers.md.

    PYTHONPATH=tests python tests/bench/peers/run.py [--only mosec,brood] [--seconds 4] [--rounds 3] [--threads 2]

For each workload all servers run at once, and are measured one after another in every round: first with a closed loop
(how many samples a second, and what a thousand cost), then with an open one at a part of the bare session's rate (how
long requests take). What the idle ones use meanwhile is told too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, aclosing
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.peers.contenders import CONTENDERS, Contender, Same
from bench.peers.environments import ENVIRONMENTS, HERE, KEPT
from bench.peers.graphs import write_graphs
from bench.peers.processes import KINDS, Kind, Server
from bench.peers.report import write_report
from bench.peers.workloads import WORKLOADS, Workload
from brood.loadgen.measures import Summary, summarize
from brood.loadgen.outcome import Failed
from brood.loadgen.run import Plan, Run, Runner
from brood.loadgen.session import run_quickly
from brood.loadgen.stages import Closed, Open
from brood.loadgen.timer import Timer

START_S = 120.0
IDLE_S = 3.0
PART, MOST = 0.4, 400.0  # the open loop's rate: this part of the bare session's, and at most so many requests a second
TIMEOUT_S, OPEN_TIMEOUT_S = 60.0, 5.0
QUIET_CORES, QUIET_S = 0.25, 30.0  # a server that was given too much first has to come to rest


class Bench:
    """One workload: its servers, and what was measured.

    Args:
        workload: what is asked for.
        given: the options.
        raw: what the bare session does, at the ``rows`` of a call where it does best; in the end, medians of rounds.
    """

    def __init__(self, workload: Workload, given: argparse.Namespace, raw: dict[str, Any]) -> None:
        self.workload, self._given, self._raw = workload, given, raw
        self._setting = workload.setting(given.threads, raw["rows"])
        self._expected = workload.expected(self._setting)
        self._servers: dict[Kind, Server] = {}
        self.found: dict[str, dict[str, Any]] = {}

    def run(self, stack: ExitStack, kinds: Sequence[Kind]) -> None:
        """Start the servers, and measure."""
        contenders = [each for each in CONTENDERS if each.kind in kinds]
        for kind in kinds:
            began = time.monotonic()
            self._servers[kind] = Server(kind, self._setting)
            stack.callback(self._servers[kind].end)
            for contender in (each for each in contenders if each.kind == kind):
                self.found[contender.name] = self._first(contender, began)
        self._raw["rounds"] = []
        answering = [each for each in contenders if "failed" not in self.found[each.name]]
        for kind, server in self._servers.items():
            self._note(kind, idle_cores=round(_idle_cores(server), 4))
        for number in range(self._given.rounds):
            self._measure_raw()
            for contender in answering:
                self._measure(contender, number)

    def _measure_raw(self) -> None:
        """The bare session again: what else the machine does changes from round to round."""
        rows, graph = self._raw["rows"], self.workload.graph
        told = raw_loop(graph, self._given.threads, self._given.seconds, (rows,))
        self._raw["rounds"].append(told["sizes"][str(rows)])
        for name in ("samples_per_s", "cpu_s_per_1000", "ms"):
            self._raw[name] = statistics.median(each[name] for each in self._raw["rounds"])

    def _first(self, contender: Contender, began: float) -> dict[str, Any]:
        """Until the first right answer."""
        server, message = self._servers[contender.kind], ""
        while time.monotonic() < began + START_S and server.runs:
            try:
                run_quickly(partial(self._one, contender))
            except (Failed, TimeoutError) as error:
                message = str(error)
                time.sleep(0.25)
            else:
                started_s = time.monotonic() - began
                print(f"{self.workload.name}: {contender.name} answers after {started_s:.1f} s", flush=True)
                return {"started_s": round(started_s, 1), "closed": [], "open": []}
        why = message or "it ended"
        print(f"{self.workload.name}: {contender.name} does not answer: {why}", flush=True)
        return {"failed": why}

    async def _one(self, contender: Contender, timer: Timer) -> None:
        order, check = contender.order(self.workload.orders()[0]), Same(self._expected)
        async with aclosing(contender.way(self._servers[contender.kind], self._row_bytes, timer.now)) as way:
            async with asyncio.timeout(30):
                answer = await way.send(order, 7)
            if not contender.own_latents:
                check(0, 7, answer)

    def _measure(self, contender: Contender, number: int) -> None:
        workload, server = self.workload, self._servers[contender.kind]
        rate = min(MOST, PART * self._raw["samples_per_s"] / workload.n)
        for name, stage in (("closed", Closed(workload.clients, workload.clients)), ("open", Open(rate, rate))):
            before = server.cpu_s()
            run = run_quickly(partial(self._pressed, contender, stage, number))
            words = {**_words(summarize(run)), "cpu_s_per_1000": _cpu(server.cpu_s() - before, run)}
            self.found[contender.name][name].append(words)
            print(f"{workload.name}: {contender.name}, {stage.label}: {_line(words)}", flush=True)
            _settle(server)
        self._note(contender.kind, pss_mb=round(server.pss_mb()))

    async def _pressed(self, contender: Contender, stage: Closed | Open, number: int, timer: Timer) -> Run:
        given, orders = self._given, [contender.order(order) for order in self.workload.orders()]
        check = None if contender.own_latents else Same(self._expected)
        patience_s = TIMEOUT_S if isinstance(stage, Closed) else OPEN_TIMEOUT_S * self.workload.stretch
        plan = Plan(orders, given.seconds * self.workload.stretch, given.warm_up_s, patience_s, seed=number)
        async with aclosing(contender.way(self._servers[contender.kind], self._row_bytes, timer.now)) as way:
            return await Runner(way, plan, timer, check).run(stage)

    def _note(self, kind: Kind, **words: float) -> None:
        for contender in CONTENDERS:
            if contender.kind == kind and "failed" not in self.found.get(contender.name, {"failed": ""}):
                self.found[contender.name].update(words)

    @property
    def _row_bytes(self) -> int:
        return int(self._expected[0][0].nbytes)


def _words(summary: Summary) -> dict[str, Any]:
    words = summary.words()
    total = words["total"]
    return {
        "stage": words["stage"],
        "samples_per_s": total["samples_per_s"],
        "requests": total["requests"],
        "right": total["right"],
        "errors": total["errors"],
        "examples": total["examples"],
        "latency_ms": total["latency_ms"],
        "own_cpu_us": words["own"]["cpu_us"],
        "own_delay_ms": words["own"]["delay_ms"],
    }


def _line(words: dict[str, Any]) -> str:
    latency = words["latency_ms"] or {}
    errors = f", errors {words['errors']}" if words["errors"] else ""
    times = f"p50 {latency.get('p50')} ms, p99 {latency.get('p99')} ms"
    return f"{words['samples_per_s']:,} samples/s, {times}, {words['cpu_s_per_1000']} CPU s per 1,000{errors}"


def _cpu(cpu_s: float, run: Run) -> float | None:
    """Of the server, for 1,000 samples; None if there were none."""
    samples = sum(run.plan.orders[outcome.order].n for outcome in run.outcomes if outcome.ok)
    return round(1000 * cpu_s / samples, 4) if samples else None


def _settle(server: Server) -> None:
    """Until the server has nothing left to do: some work on what nobody waits for any more."""
    until, before = time.monotonic() + QUIET_S, server.cpu_s()
    while time.monotonic() < until:
        time.sleep(0.5)
        now = server.cpu_s()
        if now - before < 0.5 * QUIET_CORES:
            return
        before = now


def _idle_cores(server: Server) -> float:
    before = server.cpu_s()
    time.sleep(IDLE_S)
    return (server.cpu_s() - before) / IDLE_S


def raw_loop(graph: str, threads: int, seconds: float, rows: Sequence[int] = ()) -> dict[str, Any]:
    """What the bare session does, by rows of a call; without any, of many."""
    command = [
        ENVIRONMENTS["mosec"].python,
        HERE / "servers" / "raw_loop.py",
        "--graph",
        KEPT / "graphs" / f"{graph}.onnx",
    ]
    words = [*command, "--threads", threads, "--seconds", seconds]
    words += ["--rows", *rows] if rows else []
    told: dict[str, Any] = json.loads(subprocess.check_output([str(word) for word in words], text=True))
    return told


def best_size(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The largest call that is within a twentieth of the best rate."""
    sizes: Mapping[str, Any] = raw["sizes"]
    best = max(words["samples_per_s"] for words in sizes.values())
    rows = max(int(size) for size, words in sizes.items() if words["samples_per_s"] >= 0.95 * best)
    return {"rows": rows, **sizes[str(rows)], "pss_mb": raw["pss_mb"]}


def main() -> None:
    """Measure what is asked for, and write it down after every workload."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(KINDS), help="servers, with commas")
    parser.add_argument("--workloads", default="", help="parts of their names, with commas; none: all")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--warm-up-s", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="of ONNX Runtime, within one call")
    parser.add_argument("--out", type=Path, default=HERE.parent / "results" / "peers.json")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # an exception, so that the servers are ended too
    kinds = [kind for kind in KINDS if kind in given.only.split(",")]
    for name in {"mosec", *kinds} - {"brood"}:
        ENVIRONMENTS[name].make()
    (KEPT / "graphs").mkdir(parents=True, exist_ok=True)
    write_graphs(KEPT / "graphs")
    parts = [part for part in given.workloads.split(",") if part]
    chosen = [each for each in WORKLOADS if not parts or any(part in each.name for part in parts)]
    raws = {graph: raw_loop(graph, given.threads, given.seconds / 4) for graph in {each.graph for each in chosen}}
    results: dict[str, Any] = {}
    for workload in chosen:
        raw = best_size(raws[workload.graph])
        with ExitStack() as stack:
            bench = Bench(workload, given, raw)
            bench.run(stack, kinds)
        results[workload.name] = {"raw": raw, "n": workload.n, "contenders": bench.found}
        write_report(given, raws, results)


if __name__ == "__main__":
    main()
