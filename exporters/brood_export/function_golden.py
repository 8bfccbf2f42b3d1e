"""What a function gave when it was imported: its golden run, so that every load can tell whether it still does."""

from __future__ import annotations

from typing import Any

import numpy as np

from brood.protocol.manifest import Golden, Parity
from brood.store.golden import GoldenRun
from brood_export.function_trial import CLOSE, Trial
from brood_export.parity import compare, span_of

NAME = "trial"
ROUNDINGS = 8  # of the output's own type, which matter for float16
MOST_BYTES = 2**24  # of a row's tensors: more would make the bundle larger than it is worth


def golden_of(trial: Trial, operation: str) -> GoldenRun | None:
    """The first row of a trial, recorded as it came out alone.

    Returns:
        None where nothing can be held against it: an output is not finite, or the row is very large.
    """
    inputs = {name: array[0] for name, array in trial.inputs.items()}
    outputs = {name: array[0] for name, array in trial.alone.items()}
    size = sum(array.nbytes for array in (*inputs.values(), *outputs.values()))
    if size > MOST_BYTES or not all(np.isfinite(array).all() for array in outputs.values()):
        return None
    spans = {name: span_of([array]) for name, array in trial.together.items()}
    floating = [spans[name] * _near(array.dtype) for name, array in outputs.items() if array.dtype.kind == "f"]
    words = Golden(
        id=NAME,
        operation=operation,
        seed=0,
        inputs=tuple(inputs),
        tolerance=float(f"{max(floating):.3g}") if floating else 0.0,
        parity=_parity(trial, spans),
    )
    return GoldenRun(words, inputs, outputs)


def _near(dtype: np.dtype[Any]) -> float:
    """The allowed difference in units of the range: how the graph computes, and on what, is anybody's guess."""
    return max(CLOSE, ROUNDINGS * float(np.finfo(dtype).eps))


def _parity(trial: Trial, spans: dict[str, float]) -> Parity:
    """How far the row was from what it is among others."""
    margin = np.full(1, np.inf, np.float32)
    found = [
        compare(trial.together[name][:1], alone, span=spans[name], margin=margin) for name, alone in trial.alone.items()
    ]
    noises = [psnr for _, psnr, _ in found if psnr is not None]
    return Parity(
        rows=tuple(sorted({1, trial.rows})),
        max_abs=max(largest for largest, _, _ in found),
        psnr_db=min(noises, default=None),
    )
