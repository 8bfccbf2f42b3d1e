"""The gate: golden samples come out here as they did from the original model."""

from __future__ import annotations

import numpy as np

from brood.host.trace import Run
from brood.protocol.errors import BundleError
from brood.runtimes.base import Arrays


def gate(run: Run) -> float:
    """Hold a golden sample that was made here against the recorded one.

    Returns:
        The largest absolute difference.

    Raises:
        BundleError: it is over the golden's tolerance.
    """
    if run.example.golden is None:
        return 0.0
    words, recorded = run.example.golden.words, run.example.golden.outputs
    difference = largest_difference(run.outputs, recorded)
    if not difference <= words.tolerance:
        raise BundleError(
            f"golden {words.id!r} of {words.operation!r}: off by {difference:.3g}, tolerance {words.tolerance:.3g}",
            field=f"golden.{words.id}",
        )
    return difference


def largest_difference(found: Arrays, recorded: Arrays) -> float:
    """The largest absolute difference of any output that is recorded; NaN if one has such a number."""
    return max(_difference(found[name], expected) for name, expected in recorded.items())


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest absolute difference; NaN if either has one, so that no comparison passes."""
    return float(np.abs(np.asarray(found, np.float64) - np.asarray(expected, np.float64)).max(initial=0.0))
