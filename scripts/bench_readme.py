"""Write the part "How fast" of the README, of what the committed results of the benches say.

python scripts/bench_readme.py          writes it
python scripts/bench_readme.py --check  writes nothing; exit code 1 if it is stale
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reference_pages.text import table

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "tests" / "bench" / "results"
BEGIN, END = (
    "<!-- Made by scripts/bench_readme.py of tests/bench/results; run that. -->",
    "<!-- end of what it made -->",
)
# Server → how the names of its lines begin; the best line is told. PNG is more work than the others do, and a server
# that is split over processes another way to run.
SERVERS = {
    "brood": "brood",
    "mosec": "mosec",
    "Triton": "triton",
    "LitServe": "litserve",
    "BentoML": "bentoml",
    "MLServer": "mlserver",
    "Ray Serve": "ray serve",
}
APART = ("PNG", "split")
WIDTH = 120
LEAST = 0.1  # smaller ratios are told with two digits that count
OUTSTANDING, STEPS = 32, 20  # of bench_mixed.py: requests, and the steps of each where all take as many

Words = Mapping[str, Any]


def section(results: Path) -> str:
    """The text between the markers: as much as there are results for."""
    told = {path.stem: json.loads(path.read_text()) for path in sorted(results.glob("*.json"))}
    parts = [part for name, tell in TELLS.items() if name in told for part in tell(told[name])]
    return "\n\n".join([BEGIN, *parts, END])


def _peers(words: Words) -> Iterator[str]:
    machine, options = words["machine"], words["options"]
    where = f"{machine['cores']} cores ({machine['processor']})".replace(" ()", "")
    yield _text(
        "Samples a second under a closed loop, of what the bare ONNX Runtime session makes at its best batch:",
        f"{where}, {words['date'][:10]}, {options['threads']} threads in one call or two, the same ONNX files, bytes",
        f"as payloads, the load on the same cores; medians of {options['rounds']} rounds.",
        "Latencies, processor time, memory:",
        "[peers.md](tests/bench/results/peers.md); how: [docs/bench.md](docs/bench.md).",
    )
    yield _ratios(words)


def _peers_one_thread(words: Words) -> Iterator[str]:
    yield _text(
        "The same with one thread a call, so that servers have a core beside it",
        f"({words['date'][:10]}, [peers-one-thread.md](tests/bench/results/peers-one-thread.md)):",
    )
    yield _ratios(words)


def _ratios(words: Words) -> str:
    """A line for each workload, a column for each server that was measured."""
    workloads = words["workloads"]
    told = {
        server: cells
        for server, begin in SERVERS.items()
        if any(cells := [_ratio(found, begin) for found in workloads.values()])
    }
    return table(("", *told), [*zip(workloads, *told.values(), strict=True)])


def _ratio(found: Words, begin: str) -> str:
    """The best of a server's lines."""
    lines = [
        each["closed"]
        for name, each in found["contenders"].items()
        if name.startswith(begin) and not any(word in name for word in APART) and each.get("closed")
    ]
    rates = [statistics.median(one["samples_per_s"] for one in rounds) for rounds in lines]
    if not rates:
        return ""
    ratio = max(rates) / found["raw"]["samples_per_s"]
    return f"{ratio:.2f}" if ratio >= LEAST else f"{ratio:.2g}"


def _mixed(words: Words) -> Iterator[str]:
    told = _step_level(words)
    yield _text(
        "Requests of 4 and of 50 steps, half each, on a denoiser that batching pays for and whose call takes",
        f"{told['call']} ms for {OUTSTANDING} rows: {told['half']} times as many samples a second as the better of two",
        f"servers that batch whole requests on the same graphs ({told['short']} times where 90 % take 4 steps), and",
        f"{told['p95']} times lower p95 for the short ones at equal load; where all take {STEPS} steps,",
        f"{told['equal']} times as many samples a second, and a mean {told['means']} times lower",
        f"at 40, 50 and 60 % load (`{words['command']}`).",
    )


def _mixed_longer(words: Words) -> Iterator[str]:
    told = _step_level(words)
    yield _text(
        f"The same on a larger one, whose call takes {told['call']} ms: {told['half']} times ({told['short']} times),",
        f"{told['p95']} times; {told['equal']} times, {told['means']} times (`{words['command']}`).",
    )


def _step_level(words: Words) -> dict[str, str]:
    ratios = words["ratios"]
    means = [f"{ratios[f'latency_equal_at_{load}_20_steps_mean']:.2f}" for load in (40, 50, 60)]
    return {
        "call": f"{1000 * OUTSTANDING / (STEPS * statistics.median(words['capacity']['equal']['padded'])):.0f}",
        "half": f"{ratios['capacity_half']:.2f}",
        "short": f"{ratios['capacity_mostly_short']:.2f}",
        "p95": f"{ratios['latency_half_4_steps_p95']:.1f}",
        "equal": f"{ratios['capacity_equal']:.2f}",
        "means": ", ".join(means[:-1]) + f" and {means[-1]}",
    }


def _layers(words: Words) -> Iterator[str]:
    http, grpc = (words["layers"]["1"][scheme] for scheme in ("http", "grpc"))
    yield _text(
        f"A request of the smallest generator takes {http['in all']:,.0f} µs of processor time over HTTP and",
        f"{grpc['in all']:,.0f} µs over gRPC, {http['graph call']:,.0f} µs of them the graph; by layer:",
        "[layers.md](tests/bench/results/layers.md).",
    )


def _sdk(words: Words) -> Iterator[str]:
    one, many = words["ways"]["one caller, 1 sample"], words["ways"]["32 tasks, 1 sample"]
    yield _text(
        f"A call of the Python SDK for one sample takes {one['p50_ms']['http']:.2f} ms over HTTP and",
        f"{one['p50_ms']['grpc']:.2f} ms over gRPC, of 32 tasks at once {many['p50_ms']['http']:.1f} and",
        f"{many['p50_ms']['grpc']:.1f} ms; processor time of both ends together {many['cpu_ms']['http']:.2f} and",
        f"{many['cpu_ms']['grpc']:.2f} ms: [sdk.md](tests/bench/results/sdk.md).",
    )


def _start(words: Words) -> Iterator[str]:
    yield _text(
        f"`brood serve` gives its first sample {words['median']['first_sample_s']:.1f} s after it was started, and all",
        f"its processes together take {words['pss_mb_in_all']:,} MB of memory, with all shipped models",
        f"(`{words['command']}`).",
    )


def _gpu(words: Words) -> Iterator[str]:
    yield _text(f"On {words['device']['name']}: [gpu.md](tests/bench/results/gpu.md), {words['date'][:10]}.")


def _text(*parts: str) -> str:
    return textwrap.fill(" ".join(parts), WIDTH, break_long_words=False, break_on_hyphens=False)


TELLS = {
    "peers": _peers,
    "peers-one-thread": _peers_one_thread,
    "mixed-wide": _mixed,
    "mixed-wider": _mixed_longer,
    "layers": _layers,
    "sdk": _sdk,
    "start": _start,
    "gpu": _gpu,
}


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare")
    path = ROOT / "README.md"
    text = path.read_text()
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    fresh = f"{before}{section(RESULTS)}{after}"
    if not parser.parse_args().check:
        path.write_text(fresh)
        return 0
    if fresh != text:
        print("the README's figures are stale, run scripts/bench_readme.py", file=sys.stderr)
    return int(fresh != text)


if __name__ == "__main__":
    sys.exit(main())
