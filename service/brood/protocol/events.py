"""What happens to a generation, as the engine tells it.

Accepted first; then, as they come, progress and previews (only where asked for) and samples; done or failed last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from brood.protocol.errors import BroodError

Determinism = Literal["exact", "tolerance", "none"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request is valid and queued; always the first event."""

    request_id: str
    model: str
    version: int
    operation: str
    seed: int
    n: int
    determinism: Determinism


@dataclass(frozen=True, slots=True)
class Sample:
    """One finished row."""

    index: int
    seed: int
    outputs: Mapping[str, np.ndarray]  # each of its declared shape and dtype, without the rows axis


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a generation is."""

    steps: int  # graph calls made, summed over rows
    of: int  # graph calls that all rows take together
    finished: int  # rows
    n: int  # rows
    eta_s: float  # predicted seconds until the last row is finished


@dataclass(frozen=True, slots=True)
class Preview:
    """What an unfinished row looks like."""

    index: int
    seed: int
    step: int  # how many steps it has behind it
    of: int  # how many it takes
    outputs: Mapping[str, np.ndarray]  # those of the operation's outputs that its preview makes


@dataclass(frozen=True, slots=True)
class Usage:
    """What a generation took."""

    rows: int
    steps: int  # graph calls summed over rows
    queue_ms: float  # from admission until its first row began
    run_ms: float  # from then until its last row ended


@dataclass(frozen=True, slots=True)
class Done:
    """All rows are finished; the last event of a good generation."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Failed:
    """The generation ended early; the last event of a bad one."""

    error: BroodError


Event = Accepted | Progress | Preview | Sample | Done | Failed
