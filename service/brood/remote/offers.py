"""Which links could take rows of a request, and who of them does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from brood.protocol.errors import Overloaded
from brood.protocol.models import ModelStatus
from brood.protocol.requests import Generation
from brood.remote.link import Errand, Link
from brood.remote.options import RemoteOptions
from brood.remote.orders import Piece
from brood.remote.routing import Candidate, Share, finish_s, is_full, over_s, shares, whole
from brood.remote.status import OperationCost

UNKNOWN_COST = OperationCost(1e-3)  # of a worker that has not told: they are then loaded alike
SUSPICIOUS = 2  # workers that were lost with an errand: from then on at most one such errand is at a worker
SHORTEST_RETRY_S = 0.1


class Nobody(Exception):
    """No worker has the model ready."""


class AllRefused(Exception):
    """Every worker that has it has refused the errand already, or failed with it."""


@dataclass(frozen=True, slots=True)
class Kin:
    """Links whose samples go together in one answer."""

    name: str  # what they have in common
    members: tuple[tuple[Link, OperationCost], ...]


class Choice(NamedTuple):
    """Who makes what of an errand."""

    kin: str
    parts: list[tuple[Link, Piece, float]]  # with the predicted seconds of a row


def kin_of(links: Iterable[Link], generation: Generation) -> list[Kin]:
    """The links that have a generation's model ready, in groups of those that give the same.

    Samples that are exact come from workers of one ``numerics_id`` only; others from workers that promise the same.
    """
    found: dict[str, list[tuple[Link, OperationCost]]] = {}
    for link in links:
        status = _status(link, generation)
        if status is not None and link.status is not None:
            promised = status.determinism.get(generation.operation, "none")
            exact = generation.exact or promised == "exact"
            costs = link.status.costs.get((status.name, status.version), {})
            member = (link, costs.get(generation.operation, UNKNOWN_COST))
            found.setdefault(f"exact {status.numerics_id}" if exact else promised, []).append(member)
    return [Kin(name, tuple(members)) for name, members in sorted(found.items())]


def choose(groups: Iterable[Kin], errand: Errand, steps: int, bulk: bool, options: RemoteOptions) -> Choice:
    """Give an errand's rows to links so that they are made soonest.

    Args:
        groups: of links that could take them; one of them gets all.
        errand: the rows.
        steps: of the schedule, that each row takes.
        bulk: whether the request's class is bulk.
        options: how much may wait for one link.

    Raises:
        Nobody: there is no link.
        AllRefused: there is none that has not refused.
        Overloaded: those that have not are full.
    """
    rows, plans, none = errand.piece.rows, list[_Plan](), _NobodyFree()
    for kin in groups:
        able = _able(kin, errand, steps, bulk, options, none)
        if able:
            candidates = [candidate for _, candidate in able]
            whole_only = errand.deaths >= SUSPICIOUS
            given = [whole(rows, candidates)] if whole_only else shares(rows, candidates)
            plans.append(_Plan(finish_s(given, candidates), kin.name, able, given))
    if not plans:
        raise none.error()
    best = plans[0] if len(plans) == 1 else min(plans, key=lambda plan: plan.end_s)
    return Choice(best.kin, list(_cut(errand.piece, best)))


Able = list[tuple[Link, Candidate]]


class _Plan(NamedTuple):
    """What one group would make of an errand."""

    end_s: float  # predicted seconds until its end
    kin: str
    able: Able
    given: list[Share]


class _NobodyFree:
    """Why there was nobody to take an errand."""

    def __init__(self) -> None:
        self.members = 0
        self.after_s: float | None = None

    def full(self, seconds: float) -> None:
        """One is full, for about so long."""
        self.after_s = seconds if self.after_s is None else min(self.after_s, seconds)

    def error(self) -> Exception:
        """What to say."""
        if not self.members:
            return Nobody()
        if self.after_s is None:
            return AllRefused()
        after_s = max(SHORTEST_RETRY_S, self.after_s)
        return Overloaded(f"all workers have too much to do; try again in {after_s:.1f} s", retry_after_s=after_s)


def _able(kin: Kin, errand: Errand, steps: int, bulk: bool, options: RemoteOptions, none: _NobodyFree) -> Able:
    """Those of a group that can take an errand now; none that runs a suspicious errand if there are others."""
    able, shunned = Able(), Able()
    for link, cost in kin.members:
        none.members += 1
        if link.worker_id in errand.avoid:
            continue
        candidate = Candidate(link.load.ahead_s(bulk), cost.row_s(steps), cost.batch)
        limit_s = 0.0 if link.status is None else link.status.max_backlog_s
        if is_full(candidate, errand.piece.rows, limit_s):
            none.full(over_s(candidate, errand.piece.rows, limit_s))
        elif link.unsent_bytes >= options.max_unsent_bytes or (errand.deaths >= SUSPICIOUS and link.suspect):
            none.full(SHORTEST_RETRY_S)
        else:
            (able if link.suspect is None else shunned).append((link, candidate))
    return able or shunned


def _cut(piece: Piece, plan: _Plan) -> Iterator[tuple[Link, Piece, float]]:
    start = piece.start
    for share in plan.given:
        link, candidate = plan.able[share.candidate]
        yield link, Piece(start, share.rows), candidate.row_s
        start += share.rows


def _status(link: Link, generation: Generation) -> ModelStatus | None:
    """The generation's model at a link, if it can be had there."""
    if not link.open_for_work or link.status is None:
        return None
    for status in link.status.models:
        if (status.name, status.version) == (generation.model, generation.version):
            return status if status.state == "ready" else None
    return None
