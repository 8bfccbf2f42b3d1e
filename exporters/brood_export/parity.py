"""Numerical parity: how far the exported graphs are from the original, and whether that is near enough.

Three checks: single calls on random inputs at several numbers of rows; the steps of golden runs, each from the
original's own state (teacher forcing); and the golden runs themselves, end to end. Differences are in units of the
range that the original's values have. The exported graphs run in a fresh process (`parity_worker`), so nothing that
the exporter did to this one can help them.
"""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brood.protocol.manifest import Manifest
from brood_export.errors import ParityFailed
from brood_export.limits import FLOAT32, Limits
from brood_export.reference import EDGE, Array, Reference

WORKER_LIMIT_S = 900.0


@dataclass(frozen=True, slots=True)
class Difference:
    """What one comparison found."""

    where: str  # graph; golden:ID for a whole run
    check: str
    output: str
    rows: int
    max_abs: float  # largest absolute difference, in units of the range
    psnr_db: float | None  # None: no difference at all
    excused: int  # rows that differ because a random decision was on edge; not counted in the others
    whole: bool  # of whole numbers: only equal is equal

    def complaint(self, limits: Limits) -> str | None:
        """What is wrong with it; None if nothing is."""
        limit = 0.0 if self.whole else limits.max_abs
        noisy = self.psnr_db is not None and self.psnr_db < limits.psnr_db
        if self.max_abs <= limit and (self.whole or not noisy):
            return None
        psnr = "" if self.psnr_db is None else f", PSNR {self.psnr_db:.1f} dB (allowed from {limits.psnr_db:g})"
        return (
            f"{self.where}, {self.check}, output {self.output!r}, {self.rows} rows: "
            f"differs by {self.max_abs:.3g} of the range (allowed {limit:g}){psnr}"
        )


def compare(
    found: Array, expected: Array, *, span: float, margin: NDArray[np.float32]
) -> tuple[float, float | None, int]:
    """Largest difference in units of `span`, PSNR in dB, and the number of excused rows.

    Args:
        found, expected: [rows, ...] of one shape.
        span: of the values, above 0.
        margin: [rows]; rows nearer to an edge than EDGE are excused if they differ.
    """
    difference = np.abs(found.astype(np.float64) - expected.astype(np.float64)).reshape(len(margin), -1) / span
    difference = np.where(np.isnan(difference), math.inf, difference)
    excused = (difference.max(axis=1) > FLOAT32.max_abs) & (margin < EDGE)
    kept = difference[~excused]
    if not kept.any():
        return 0.0, None, int(excused.sum())
    error = float(np.mean(np.minimum(kept, 1e100) ** 2))
    return float(kept.max()), -10.0 * math.log10(error) + 0.0, int(excused.sum())


def span_of(values: Sequence[Array]) -> float:
    """The range that values take, zero included; 1 if they are all zero."""
    low = min(0.0, *(float(array.min()) for array in values))
    high = max(0.0, *(float(array.max()) for array in values))
    return high - low or 1.0


def spans(reference: Reference) -> Mapping[tuple[str, str, str], float]:
    """(graph, check, output) -> range of the original's values; random inputs reach much farther than golden runs."""
    values: dict[tuple[str, str, str], list[Array]] = {}
    for call in reference.calls:
        for name, array in call.outputs.items():
            values.setdefault((call.graph, call.check, name), []).append(array)
    return {key: span_of(arrays) for key, arrays in values.items()}


def run_spans(reference: Reference) -> Mapping[tuple[str, str], float]:
    """(operation, output) -> range of the original's values over all golden runs: one sample may be a few numbers."""
    values: dict[tuple[str, str], list[Array]] = {}
    for run in reference.runs:
        for name, array in run.outputs.items():
            values.setdefault((run.request.operation, name), []).append(array)
    return {key: span_of(arrays) for key, arrays in values.items()}


def measure_parity(
    directory: Path, manifest: Manifest, reference: Reference, limits: Limits = FLOAT32
) -> tuple[Difference, ...]:
    """Run the exported graphs in a fresh process and hold them against the original.

    Args:
        directory: where the manifest's graph files lie.
        limits: what is near enough.

    Raises:
        ParityFailed: a difference is too large, or the exported graphs do not run.
    """
    with tempfile.TemporaryDirectory() as place:
        evidence, result = Path(place) / "evidence", Path(place) / "result"
        evidence.write_bytes(pickle.dumps((manifest, reference)))
        command = [sys.executable, "-m", "brood_export.parity_worker", str(directory), str(evidence), str(result)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WORKER_LIMIT_S, check=False)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or ["no message"]
            hint = "if rows are missing or too many, the code takes their number for a constant, as len(x) does"
            raise ParityFailed(f"the exported graphs do not run: {last[0]}; {hint}: x.shape[0] stays open")
        differences: tuple[Difference, ...] = pickle.loads(result.read_bytes())
    complaints = [complaint for difference in differences if (complaint := difference.complaint(limits))]
    if complaints:
        raise ParityFailed("; ".join(complaints[:5]))
    return differences


@dataclass(frozen=True, slots=True)
class Worst:
    """The worst of several comparisons."""

    rows: tuple[int, ...]
    max_abs: float
    psnr_db: float | None
    excused: int


def worst(differences: Sequence[Difference]) -> Worst:
    """Over all of them; at least one."""
    noises = [difference.psnr_db for difference in differences if difference.psnr_db is not None]
    return Worst(
        rows=tuple(sorted({difference.rows for difference in differences})),
        max_abs=max(difference.max_abs for difference in differences),
        psnr_db=min(noises, default=None),
        excused=sum(difference.excused for difference in differences),
    )


def table(differences: Sequence[Difference]) -> str:
    """A Markdown table: the worst of each graph's output in each check."""
    groups: dict[tuple[str, str, str], list[Difference]] = {}
    for difference in differences:
        groups.setdefault((difference.where, difference.check, difference.output), []).append(difference)
    lines = [
        "| where | check | output | rows | max abs difference | PSNR (dB) | excused |",
        "|---|---|---|---|---|---|---|",
    ]
    for (where, check, output), group in groups.items():
        figure = worst(group)
        rows = ", ".join(map(str, figure.rows))
        psnr = "equal" if figure.psnr_db is None else f"{figure.psnr_db:.1f}"
        lines.append(f"| {where} | {check} | {output} | {rows} | {figure.max_abs:.1e} | {psnr} | {figure.excused} |")
    return "\n".join(lines) + "\n"
