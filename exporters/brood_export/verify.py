"""A bundle held against its own golden runs: on this machine, and if wanted with the graphs of another bundle.

The golden runs were made by the original model. So two bundles of one model, of different runtimes or exported on
different machines, verify each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brood.program import compile_program, run_row
from brood.protocol.errors import BundleError
from brood.protocol.manifest import Manifest
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.load import load_graphs
from brood.store.golden import GoldenRun
from brood.store.store import read_bundle
from brood_export.families.base import complete_params


@dataclass(frozen=True, slots=True)
class Found:
    """One output of one golden run."""

    run: str
    output: str
    tolerance: float
    difference: float  # largest; infinite where it is not finite

    @property
    def holds(self) -> bool:
        return self.difference <= self.tolerance


@dataclass(frozen=True, slots=True)
class Verified:
    """All golden runs of a bundle."""

    found: tuple[Found, ...]

    @property
    def failed(self) -> list[str]:
        """``RUN OUTPUT`` of what is out of tolerance."""
        return [f"{found.run} {found.output}" for found in self.found if not found.holds]

    def table(self) -> str:
        """In Markdown."""
        lines = ["| golden run | output | difference | tolerance | |", "|---|---|---|---|---|"]
        for found in self.found:
            verdict = "holds" if found.holds else "FAILS"
            row = f"{found.run} | {found.output} | {found.difference:.1e} | {found.tolerance:.1e} | {verdict}"
            lines.append(f"| {row} |")
        return "\n".join(lines) + "\n"


def verify_bundle(directory: Path, graphs: Path | None = None) -> Verified:
    """Run all golden samples of a bundle.

    Args:
        directory: the bundle whose golden samples are the truth.
        graphs: another bundle, whose graphs run in place of its own.

    Raises:
        BundleError: a bundle cannot be trusted or understood, has no golden samples, or the other one is of another
            model: its graphs have other tensors.
    """
    bundle = read_bundle(directory, allow_native=True)
    if not bundle.manifest.golden:
        raise BundleError(f"{directory}: has no golden samples, so there is nothing to hold it against")
    other = bundle if graphs is None else read_bundle(graphs, allow_native=True)
    check_same(bundle.manifest, other.manifest)
    loaded = load_graphs(other.directory, other.manifest, RuntimeOptions(threads=1))
    found: list[Found] = []
    for run in bundle.golden():
        words, program = run.words, compile_program(bundle.manifest, run.words.operation)
        params = complete_params(program.operation, words.params)
        made = run_row(program, loaded, seed=words.seed, index=words.index, params=params, inputs=run.inputs)
        found += [Found(words.id, name, words.tolerance, apart(made[name], run, name)) for name in run.outputs]
    return Verified(tuple(found))


def apart(made: np.ndarray, run: GoldenRun, output: str) -> float:
    """Largest difference of an output."""
    off = np.abs(made.astype(np.float64) - run.outputs[output].astype(np.float64))
    return float(np.where(np.isnan(off), np.inf, off).max(initial=0.0))


def check_same(manifest: Manifest, other: Manifest) -> None:
    """Whether the graphs of one can take the place of the other's.

    Raises:
        BundleError: naming the graph that differs.
    """
    for name, graph in manifest.graphs.items():
        found = other.graphs.get(name)
        if found is None or (found.inputs, found.outputs) != (graph.inputs, graph.outputs):
            raise BundleError(f"{other.name}/{other.version}: graph {name!r} is not that of {manifest.name}")
