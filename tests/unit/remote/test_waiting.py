"""Pieces of requests that wait."""

from __future__ import annotations

import pytest

from brood.protocol.errors import BroodError, Overloaded
from brood.protocol.requests import Generation
from brood.remote.job import RemoteJob
from brood.remote.link import Chunk, Errand
from brood.remote.options import RemoteOptions
from brood.remote.orders import Piece
from brood.remote.tally import Tally
from brood.remote.waiting import Held, Parked, WaitingRoom


class Nowhere:
    """A placer that places nothing."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.over: list[str] = []

    def refused(self, job: RemoteJob, chunk: Chunk, error: BroodError) -> None: ...

    def failed(self, job: RemoteJob, chunk: Chunk, error: BroodError) -> None: ...

    def ended(self, job: RemoteJob) -> None:
        self.over.append(job.generation.request_id)


def job(request_id: str, model: str = "tiny", n: int = 4) -> RemoteJob:
    return RemoteJob(Generation(request_id, model, 1, "generate", n, 7, 0, {}, {}, None), Nowhere(), 0.0)


def parked(whose: RemoteJob, piece: Piece, *, since: float = 0.0, nobody: bool = True) -> Parked:
    return Parked(whose, Errand(piece), since, 0.0, nobody)


def test_they_wait_in_order_and_those_that_are_over_are_dropped() -> None:
    room, jobs = WaitingRoom(RemoteOptions()), [job(name) for name in "abc"]
    for each in jobs:
        room.park(parked(each, Piece(0, 4)))
    jobs[1].end(Overloaded("gone"))
    assert len(room) == 3
    assert [each.job for each in room.take_all()] == [jobs[0], jobs[2]]
    assert len(room) == 0
    assert [each.waiting for each in jobs] == [0, 0, 0]


def test_what_waits_for_a_model_is_told_and_what_waits_for_room_is_not() -> None:
    room, one, other = WaitingRoom(RemoteOptions()), job("one"), job("other", "slow")
    room.park(parked(one, Piece(0, 2), since=5.0))
    room.park(parked(one, Piece(3, 1), since=3.0))
    room.park(parked(other, Piece(0, 4), nobody=False))
    assert room.held(10.0) == {"tiny": Held(requests=1, rows=3, oldest_s=7.0)}


def test_a_request_leaves_with_all_its_pieces() -> None:
    room, one, other = WaitingRoom(RemoteOptions()), job("one"), job("other")
    for whose, start in ((one, 0), (other, 0), (one, 2)):
        room.park(parked(whose, Piece(start, 1)))
    room.drop(one)
    assert [each.job for each in room.take_all()] == [other]
    assert one.waiting == 0


def test_only_what_was_not_promised_is_bounded() -> None:
    room = WaitingRoom(RemoteOptions(max_held=1))
    room.park(parked(job("first"), Piece(0, 4)))
    with pytest.raises(Overloaded, match="1 requests wait") as caught:
        room.park(parked(job("second"), Piece(0, 4)))
    assert caught.value.retry_after_s == 1.0
    promised = job("promised")
    promised.patient = True
    room.park(parked(promised, Piece(0, 4)))
    assert len(room) == 2
