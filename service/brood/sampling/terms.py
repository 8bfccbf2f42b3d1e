"""What a schedule function takes and gives, and how it reads what it takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from brood.protocol.errors import BroodError, BundleError, invalid
from brood.protocol.manifest import Scalar

Floats = NDArray[np.float64]
MOST_STEPS = 100_000
FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """In which steps noise that is multiplied by a column of a schedule is heard: where that is not 0."""

    steps: np.ndarray  # [K] bool
    first_silent: int  # all before this one are heard; K if all are
    last: int  # none from this one on is heard; 0 if none is


@dataclass(frozen=True, slots=True)
class Schedule:
    """Per-step numbers of one row."""

    steps: int  # K ≥ 1
    columns: Mapping[str, np.ndarray]  # name → [K, *shape]; make_schedule gives arrays that cannot be written to
    init: tuple[float, float] = (0.0, 1.0)  # a state of init "mix" begins with init[0]·input + init[1]·noise
    _heard: dict[str, Heard] = field(default_factory=dict, repr=False, compare=False)

    def heard(self, column: str) -> Heard:
        """Of noise that is multiplied by this column, [K] numbers; found once."""
        if column not in self._heard:
            steps = self.columns[column] != 0
            last = int(steps.nonzero()[0][-1]) + 1 if steps.any() else 0
            self._heard[column] = Heard(steps, len(steps) if steps.all() else int(steps.argmin()), last)
        return self._heard[column]


@dataclass(frozen=True, slots=True)
class Given:
    """What a schedule is made from.

    One rule for every value: the request's parameter of that name, where the operation has one; else what the
    manifest's schedule fixes (``numbers``, ``words``); else the default. Complaints go to whom the value came from:
    InvalidArgument for a parameter, BundleError for the manifest.
    """

    params: Mapping[str, Scalar]  # of the request
    numbers: Mapping[str, float]  # of the manifest
    words: Mapping[str, str]  # of the manifest

    def has(self, name: str) -> bool:
        """Whether the number called ``name`` is given by anyone."""
        return name in self.params or name in self.numbers

    def number(
        self, name: str, default: float | None = None, *, least: float, most: float = FLOAT32_MAX, note: str = ""
    ) -> float:
        """A number from ``least`` to ``most``; ``note`` tells in the complaint why.

        Raises:
            InvalidArgument, BundleError: out of range (NaN always is), no number, or given by nobody.
        """
        value = self.params.get(name, self.numbers.get(name, default))
        if value is None or isinstance(value, str) or not least <= value <= most:
            raise self.refusal(name, "numbers", value, _span(least, most) + note)
        return float(value)

    def steps(self, most: int = MOST_STEPS, note: str = "") -> int:
        """K, from 1 to ``most``; raises as ``number`` does."""
        return int(self.number("steps", least=1, most=most, note=note))

    def word(self, name: str, choices: Collection[str], default: str | None = None, *, note: str = "") -> str:
        """A word out of ``choices``.

        Raises:
            InvalidArgument, BundleError: it is none of them.
        """
        value = self.params.get(name, self.words.get(name, default))
        if value not in choices:
            raise self.refusal(name, "words", value, f"one of {', '.join(choices)}{note}")
        return str(value)

    def refusal(self, name: str, section: str, value: object, allowed: str) -> BroodError:
        """The complaint about a value, addressed to whom it came from."""
        if name in self.params:
            return invalid(f"params.{name}", value, allowed)
        complaint = invalid(f"schedule.{section}.{name}", value, allowed)
        return BundleError(complaint.message, field=complaint.field)


def _span(least: float, most: float) -> str:
    low = "" if least == -FLOAT32_MAX else f" from {least:g}"
    high = "" if most == FLOAT32_MAX else f" to {most:g}"
    return f"a finite number{low}{high}"
