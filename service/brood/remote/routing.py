"""Which workers make which rows of a request: pure arithmetic on predicted seconds.

A request is cut so that all its parts end at the same predicted time, as early as possible (the level to which water
rises in vessels of different floors): worker i ends at aheadᵢ + rowsᵢ·rowᵢ. Parts that would be too small to pay are
not made: less than a full batch, or less than `LEAST_S` of work.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

LEAST_S = 0.005  # of device time in a part: crossing a link costs about a tenth of that


class Candidate(NamedTuple):
    """A worker that could make rows of a request."""

    ahead_s: float  # predicted seconds of work that comes before
    row_s: float  # predicted seconds of one row there, in full batches
    batch: int = 1  # rows of a full batch


class Share(NamedTuple):
    """A worker's part."""

    candidate: int  # number of the candidate
    rows: int


def shares(rows: int, candidates: Sequence[Candidate]) -> list[Share]:
    """How many rows go to which of the candidates (at least one), in their order; those that get none are left out.

    Takes O(candidates²) in the worst case, O(candidates) for a request that is not cut.
    """
    if len(candidates) == 1 or rows == 1:
        return [whole(rows, candidates)]
    pieces = [_least(candidate) for candidate in candidates]
    if rows < 2 * min(pieces):
        return [whole(rows, candidates)]
    cut, alone = _rounded(rows, candidates, _worth(rows, candidates, pieces)), [whole(rows, candidates)]
    return cut if finish_s(cut, candidates) < finish_s(alone, candidates) else alone


def whole(rows: int, candidates: Sequence[Candidate]) -> Share:
    """All rows, at the candidate that ends soonest with them; the first of equals."""
    soonest = min(range(len(candidates)), key=lambda i: candidates[i].ahead_s + rows * candidates[i].row_s)
    return Share(soonest, rows)


def finish_s(given: Sequence[Share], candidates: Sequence[Candidate]) -> float:
    """Predicted seconds until the last part has been made."""
    return max(candidates[part.candidate].ahead_s + part.rows * candidates[part.candidate].row_s for part in given)


def is_full(candidate: Candidate, rows: int, limit_s: float) -> bool:
    """Whether a worker would refuse so many rows, or a part of them that is worth while, for its backlog.

    Args:
        candidate: the worker.
        rows: of the request.
        limit_s: its `WorkerStatus.max_backlog_s`; alone, a part may take longer.
    """
    return candidate.ahead_s > 0 and over_s(candidate, rows, limit_s) > 0


def over_s(candidate: Candidate, rows: int, limit_s: float) -> float:
    """By how many seconds a worker's backlog would be over its limit; after about so long there is room."""
    work_s = min(rows, _least(candidate)) * candidate.row_s
    return candidate.ahead_s + work_s - max(limit_s, work_s)


def _least(candidate: Candidate) -> int:
    """Rows of the smallest part that pays."""
    return max(candidate.batch, math.ceil(LEAST_S / max(candidate.row_s, 1e-9)))


def _worth(rows: int, candidates: Sequence[Candidate], pieces: Sequence[int]) -> dict[int, float]:
    """Candidate → the rows of its part, not yet whole; only of parts that pay, unless there is one alone."""
    left = list(range(len(candidates)))
    while True:
        pace = [1 / max(candidates[i].row_s, 1e-9) for i in left]
        level = (rows + sum(candidates[i].ahead_s * p for i, p in zip(left, pace, strict=True))) / sum(pace)
        parts = {i: (level - candidates[i].ahead_s) * p for i, p in zip(left, pace, strict=True)}
        worst = min(reversed(left), key=lambda i: parts[i] / pieces[i])
        if len(left) == 1 or parts[worst] >= pieces[worst]:
            return parts
        left.remove(worst)


def _rounded(rows: int, candidates: Sequence[Candidate], parts: dict[int, float]) -> list[Share]:
    """Whole numbers of rows; what is left over by rounding down goes, row by row, to who ends first."""
    found = {i: math.floor(part) for i, part in parts.items()}
    for _ in range(rows - sum(found.values())):
        first = min(found, key=lambda i: candidates[i].ahead_s + (found[i] + 1) * candidates[i].row_s)
        found[first] += 1
    return [Share(i, part) for i, part in sorted(found.items())]
