"""brood and every peer, interleaved and repeated: writes results/peers.json, .md and .png (or peers-one-thread).

    make bench-peers ARGS=--make-environments     once: installs the others, makes graphs and stores
    make bench-peers                              about 25 minutes on a quiet machine
    make bench-peers ARGS='--threads 1'           one thread a call: the other cores are left to the servers
    make bench-peers ARGS='--seconds 3'           about an hour
    make bench-peers ARGS='--only mosec,brood --workloads mlp'

For each workload all servers run at once, and are measured one after another in every round, the others halted: first
with a closed loop (how many samples a second, and what a thousand cost), then with an open one at a part of the bare
session's rate (how long requests take). What idle ones take is told too.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.peers.contenders import CONTENDERS
from bench.peers.environments import ENVIRONMENTS, HERE, KEPT
from bench.peers.graphs import write_store
from bench.peers.measuring import Bench, Stand
from bench.peers.processes import KINDS, STORE, Kind
from bench.peers.programs import write_walk
from bench.peers.raw import Raw
from bench.peers.report import write_report
from bench.peers.workloads import WORKLOADS, Walks, Workload
from brood.loadgen.session import Quick
from brood.store.store import find_bundles, zoo_root

# For the estimate alone: what passes between two measurements, and from one setting's servers to the next one's.
BETWEEN_S, START_S, END_S = 0.5, 5.0, 3.0


def main() -> None:
    """Measure what is asked for, and write it down after every workload."""
    given = _given()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # an exception, so that the servers are ended too
    chosen = [kind for kind in KINDS if kind.split("-")[0] in given.only.split(",")]
    kinds = [kind for kind in chosen if given.threads > 1 or not kind.endswith("-two")]  # those halve the threads
    prepare({"mosec", *(kind.split("-")[0] for kind in kinds)} - {"brood"}, given.make_environments)
    if given.make_environments:
        certify(given.threads)
        return
    parts = [part for part in given.workloads.split(",") if part]
    workloads = [each for each in WORKLOADS if not parts or any(part in each.name for part in parts)]
    print(f"about {estimate_s(workloads, kinds, given) / 60:.0f} minutes", flush=True)
    results: dict[str, Any] = {}
    began = time.monotonic()
    with Quick() as quick:
        for group in _groups(workloads, given):
            _measure(group, kinds, given, quick, results)
    print(f"{(time.monotonic() - began) / 60:.1f} minutes", flush=True)


def _measure(
    group: Sequence[tuple[Workload, Raw]],
    kinds: Sequence[Kind],
    given: argparse.Namespace,
    quick: Quick,
    results: dict[str, Any],
) -> None:
    """Workloads on the same servers; the report is written after each."""
    workload, raw = group[0]
    with closing(Stand(workload.setting(given.threads, raw.rows))) as stand:
        for workload, raw in group:
            bench = Bench(workload, raw, stand, given, quick)
            bench.run(kinds)
            results[workload.name] = {"raw": raw.words(), "n": workload.n, "contenders": bench.found}
            write_report(given, results)


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = list(dict.fromkeys(kind.split("-")[0] for kind in KINDS))
    parser.add_argument("--only", default=",".join(names), help="servers, with commas")
    parser.add_argument("--workloads", default="", help="parts of their names, with commas; none: all")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a stage; some workloads take longer")
    parser.add_argument("--warm-up-s", type=float, default=0.2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="of ONNX Runtime, within one call")
    parser.add_argument("--out", type=Path, help="the JSON; the table and the picture stand beside it")
    parser.add_argument("--make-environments", action="store_true", help=f"make what is kept in {KEPT}, and end")
    given = parser.parse_args()
    name = "peers" if given.threads > 1 else "peers-one-thread"
    given.out = given.out or HERE.parent / "results" / f"{name}.json"
    return given


def prepare(names: set[str], install: bool) -> None:
    """What is kept from one run to the next.

    Raises:
        SystemExit: an environment is missing, and is not to be installed.
    """
    missing = [name for name in sorted(names) if not ENVIRONMENTS[name].made]
    if missing and not install:
        raise SystemExit(
            f"error: no environments of {', '.join(missing)}: run make bench-peers ARGS=--make-environments"
        )
    for name in missing:
        ENVIRONMENTS[name].make()
    write_store(STORE, KEPT / "graphs")
    for source in {each.source.name: each.source for each in WORKLOADS}.values():
        if isinstance(source, Walks):
            source.file.parent.mkdir(parents=True, exist_ok=True)
            write_walk(source.file, STORE, source.model, source.kinds)


def certify(threads: int) -> None:
    """What brood finds out at the first start of a model, and keeps: a cold start is measured without it."""
    shipped = {ref.name for ref in find_bundles(zoo_root())}
    models = sorted({name for each in WORKLOADS for name in each.source.models} - shipped)
    counts = [word for count in {threads, threads // 2} - {0} for word in ("--threads", count)]
    command = [Path(sys.executable).with_name("brood"), "certify", *models, "--models", STORE, *counts]
    subprocess.run([str(word) for word in command], check=True)


def estimate_s(workloads: Sequence[Workload], kinds: Sequence[Kind], given: argparse.Namespace) -> float:
    """How long it will take."""
    seconds = 0.0
    for workload in workloads:
        used = [each for each in CONTENDERS if each.kind in kinds and each.name in workload.who]
        stage_s = (given.seconds + given.warm_up_s) * workload.stretch + BETWEEN_S
        seconds += given.rounds * (2 * stage_s * len(used) + given.seconds)
    settings = {(each.source.name, each.n): each for each in workloads}.values()
    servers = [{each.kind for each in CONTENDERS if each.kind in kinds and each.name in one.who} for one in settings]
    return seconds + sum(len(each) * START_S + END_S for each in servers)


def _groups(workloads: Sequence[Workload], given: argparse.Namespace) -> Iterator[list[tuple[Workload, Raw]]]:
    """Those that follow one another and can do with the same servers."""
    raws = ((each, Raw(each, given.threads, given.seconds)) for each in workloads)
    for _, group in itertools.groupby(raws, lambda pair: pair[0].setting(given.threads, pair[1].rows)):
        yield list(group)


if __name__ == "__main__":
    main()
