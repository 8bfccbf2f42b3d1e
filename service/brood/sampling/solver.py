"""The universal linear solver row: one table for every sampler that is linear in what the network says.

A step of a denoising graph computes, per row and in float32,

    m  = u + g·(c − u)             c, u = network(s·x, t, condition), network(s·x, t, null condition)
    x0 = clamp(p·x + q·m, lo, hi)  then (1 − mask)·x0 + mask·known, where a part of the sample is given
    x' = a·x + b·x0 + c·x0_prev + d·m + e·noise

so a sampler is a table [K, 12] of these numbers, one row a step, made here in float64. ``x0_prev`` is the x0 of the
step before, zero in the first.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from brood.sampling.terms import FLOAT32_MAX, Floats, Given, Schedule

ROW = ("t", "s", "g", "p", "q", "a", "b", "c", "d", "e", "lo", "hi")
INDEX = {name: place for place, name in enumerate(ROW)}
SOLVER_COLUMNS = ("solver", "guidance", "noise", "init")
GUIDANCE_PARAMS = ("guidance", "guidance_start", "guidance_stop")

INEXPRESSIBLE: dict[str, str] = {
    "heun": "euler with twice the steps: it calls the network as often",
    "dpm2": "euler with twice the steps: it calls the network as often",
    "dpm2-ancestral": "euler-ancestral with twice the steps: it calls the network as often",
    "dpmpp-2s-ancestral": "euler-ancestral with twice the steps: it calls the network as often",
    "dpmpp-sde": "euler-ancestral with twice the steps: it calls the network as often",
    "dpm-adaptive": "dpmpp-2m: the number of steps is fixed when a sample begins",
    "dpmpp-3m": "dpmpp-2m: one earlier prediction is kept, not two",
    "unipc": "dpmpp-2m: of the same order with one call a step, without the corrector",
    "deis": "dpmpp-2m: one earlier prediction is kept, not several",
    "lms": "dpmpp-2m: one earlier prediction is kept, not several",
    "pndm": "dpmpp-2m: one earlier prediction is kept, not several",
    "plms": "dpmpp-2m: one earlier prediction is kept, not several",
    "ipndm": "dpmpp-2m: one earlier prediction is kept, not several",
    "ddpm-learned-variance": "ddpm: its variance is fixed; the network's own is not read",
    "dynamic-thresholding": "ddim: predictions are held within the model's fixed range",
}
"""Well-known samplers that no such row says (their step is not linear, calls the network twice or remembers more),
and what to use instead: the first word is a sampler."""


def table(
    *,
    t: Floats,
    p: Floats | float,
    q: Floats | float,
    a: Floats | float,
    s: Floats | float = 1.0,
    b: Floats | float = 0.0,
    c: Floats | float = 0.0,
    d: Floats | float = 0.0,
    e: Floats | float = 0.0,
) -> Floats:
    """Columns of K entries (or one number for all) to a table [K, 12], without guidance and clamp (see `solved`)."""
    columns = (t, s, 1.0, p, q, a, b, c, d, e, -FLOAT32_MAX, FLOAT32_MAX)
    return np.stack(np.broadcast_arrays(*columns), axis=1).astype(np.float64)


def solved(given: Given, rows: Floats, init: tuple[float, float]) -> Schedule:
    """A sampler's table [K, 12] with guidance and clamp filled in, as a schedule.

    Numbers: ``clip``, ±bound of every x0 (absent: none). Columns ``guidance`` and ``noise`` are g and e of ``solver``:
    the graph of a step is chosen by the one, and whether noise is drawn for it by the other. Column ``init`` [K, 2] is
    (i0, i1) in every step, for graphs that begin a sample from what an earlier stage has made of an input.
    """
    clip = given.number("clip", FLOAT32_MAX, least=0)
    rows[:, INDEX["lo"]], rows[:, INDEX["hi"]] = -clip, clip
    rows[:, INDEX["g"]] = guidance(given, len(rows))
    columns = {"solver": rows, "guidance": rows[:, INDEX["g"]].copy(), "noise": rows[:, INDEX["e"]].copy()}
    columns["init"] = np.tile(np.array(init, np.float64), (len(rows), 1))
    return Schedule(len(rows), columns, init)


def guidance(given: Given, steps: int) -> Floats:
    """The scale of classifier-free guidance in each step, [K] (Ho and Salimans 2022), 1 outside of an interval.

    Parameters: ``guidance`` (1: none, which costs one network call a step instead of two); ``guidance_start`` and
    ``guidance_stop``, shares of the run: step k is guided if all of it, k/K to (k+1)/K, lies between them (Kynkäänniemi
    et al. 2024, Applying Guidance in a Limited Interval).
    """
    scale = given.number("guidance", 1.0, least=-FLOAT32_MAX)
    start = given.number("guidance_start", 0.0, least=0, most=1)
    stop = given.number("guidance_stop", 1.0, least=start, most=1)
    k = np.arange(steps)
    return np.where((k / steps >= start) & ((k + 1) / steps <= stop), scale, 1.0)


def kept(given: Given, steps: int) -> int:
    """How many of the last steps run: ⌊strength·K⌋, at least one, where a sample begins from a given one (SDEdit,
    Meng et al. 2021); without ``strength`` all."""
    return max(1, int(given.number("strength", 1.0, least=0, most=1) * steps))


def sampler_name(given: Given, samplers: Collection[str], default: str) -> str:
    """The sampler asked for.

    Raises:
        InvalidArgument: it is none of these; for a well-known one the message says what to use instead.
    """
    asked = str(given.params.get("sampler", ""))
    instead = INEXPRESSIBLE.get(asked, "")
    offered = instead.partition(" ")[0].rstrip(":") in samplers
    return given.word("sampler", samplers, default, note=f"; instead of {asked}: {instead}" if offered else "")
