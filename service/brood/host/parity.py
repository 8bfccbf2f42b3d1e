"""Do models still make what they made when they were trained? Asked now and then, of what serves, while it serves.

The gate asks the same once, before a model is ready. Later a driver, a library or a failing device may change what
comes out, and no error tells it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

import numpy as np

from brood.host.examples import Example
from brood.host.gate import largest_difference
from brood.host.host import Host
from brood.protocol.errors import BroodError
from brood.protocol.events import Failed, Sample
from brood.protocol.models import ModelStatus
from brood.protocol.requests import Generation

TENANT = "brood parity"  # its samples share the device with those of others as if of one more tenant
Tell = Callable[[str, int, float], None]  # model, version, drift


async def watch_parity(host: Host, every_s: float, tell: Tell) -> None:
    """Make the golden samples of all ready models again, for ever.

    Args:
        host: has them.
        every_s: between two turns.
        tell: told the drift of each version, see `drift`.
    """
    while True:
        await asyncio.sleep(every_s)  # at first, too: the gate has just looked
        for status in host.models():
            if status.state == "ready" and (found := await drift(host, status)) is not None:
                tell(status.name, status.version, found)


async def drift(host: Host, status: ModelStatus) -> float | None:
    """The largest difference of a golden sample from the recorded one, in parts of its tolerance.

    Returns:
        1 or less is well; None: there is none, or one could not be made, which is told in other ways.
    """
    found = [await _drift(host, status, example) for example in host.examples(status.name, status.version)]
    known = [each for each in found if each is not None]
    return max(known) if known and len(known) == len(found) else None


async def _drift(host: Host, status: ModelStatus, example: Example) -> float | None:
    assert example.golden is not None
    made = await _made(host, _order(status, example))
    if made is None:
        return None
    difference, tolerance = largest_difference(made.outputs, example.golden.outputs), example.golden.words.tolerance
    if difference == 0.0:
        return 0.0
    return difference / tolerance if tolerance and math.isfinite(difference) else math.inf


async def _made(host: Host, order: Generation) -> Sample | None:
    sample = None
    try:
        async for event in host.submit(order):
            match event:
                case Sample():
                    sample = event
                case Failed():
                    return None
    except BroodError:  # full, stopping, or unloaded a moment ago: another time
        return None
    return sample


def _order(status: ModelStatus, example: Example) -> Generation:
    """One sample, when nobody else wants the device."""
    return Generation(
        request_id=f"parity-{status.name}-{status.version}",
        model=status.name,
        version=status.version,
        operation=example.program.name,
        n=1,
        seed=example.seed,
        index=example.index,
        params=example.params,
        inputs={name: np.asarray(value)[None] for name, value in example.inputs.items()},
        deadline=None,
        priority="bulk",
        tenant=TENANT,
    )
