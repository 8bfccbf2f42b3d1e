"""How much memory rows' state takes, and how many rows that leaves room for."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from brood.protocol.errors import BundleError
from brood.protocol.manifest import Output, State

ROW_COPIES = 2  # of a row's state: one place at home, and one in the batch it runs in (see `brood.runtimes.slots`)


def slot_bytes(state: Mapping[str, State]) -> int:
    """Bytes of one slot: what `brood.runtimes.slots.HostSlots` keeps of one row's tensors."""
    return ROW_COPIES * sum(row_bytes(spec) for spec in state.values())


def slots_within(state: Mapping[str, State], wanted: int, limit_bytes: int) -> int:
    """How many slots a model gets: as many as wanted, or as the limit has room for.

    Args:
        state: the model's state tensors.
        wanted: slots, at least 1.
        limit_bytes: for the state of all slots together.

    Raises:
        BundleError: not even one row has room.
    """
    each = slot_bytes(state)
    if each > limit_bytes:
        name, spec = max(state.items(), key=lambda item: row_bytes(item[1]))
        raise BundleError(
            f"state {name!r}: one row takes {row_bytes(spec)} bytes, and {each} with all states and their working "
            f"copies; the limit is {limit_bytes}",
            field=f"state.{name}",
        )
    return min(wanted, limit_bytes // each) if each else wanted


def row_bytes(spec: State | Output) -> int:
    """Bytes of one row of a tensor."""
    return math.prod(spec.shape) * np.dtype(spec.dtype).itemsize
