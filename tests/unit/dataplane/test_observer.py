"""What an observer is told of one request."""

from __future__ import annotations

import pytest

from brood.dataplane.observer import Watched
from brood.dataplane.statistics import Statistics
from brood.protocol.errors import Overloaded
from brood.protocol.events import Accepted, Done, Event, Failed, Preview, Sample, Usage
from helpers.backend import FakeBackend
from helpers.observer import FakeObserver

ACCEPTED = Accepted("id", "tiny", 1, "generate", 7, 2, "exact")
DONE = Done(Usage(2, 6, 250.0, 3.0))


class Moments(FakeBackend):
    """Each look at the clock is a second later."""

    seconds = 0.0

    def now(self) -> float:
        self.seconds += 1.0
        return self.seconds


@pytest.fixture
def observer() -> FakeObserver:
    return FakeObserver()


def watched(observer: FakeObserver) -> Watched:
    found = Watched(observer, Statistics(), Moments(), "http")
    found.model, found.operation, found.version = "tiny", "generate", 1
    return found


def test_first_sample_first_preview_and_queue_are_timed_once(observer: FakeObserver) -> None:
    preview = Preview(0, 7, 1, 3, {})
    events: list[Event] = [ACCEPTED, preview, preview, Sample(0, 7, {}), Sample(1, 7, {}), DONE]
    with watched(observer) as request:
        for event in events:
            request.saw(event)
    own = ("tiny", "generate")
    assert observer.times == [
        (*own, "first_preview", 1.0),
        (*own, "first_sample", 2.0),
        (*own, "queue", 0.25),
        (*own, "run", 0.003),
    ]
    assert observer.refused == []
    assert [(end.code, end.seconds, end.rows) for end in observer.ended] == [("ok", 3.0, 2)]


def test_a_request_that_was_not_accepted_was_refused(observer: FakeObserver) -> None:
    with pytest.raises(Overloaded), watched(observer):
        raise Overloaded("full")
    assert observer.refused == [("tiny", "generate", "http", "overloaded")]


def test_a_request_that_failed_later_was_not_refused(observer: FakeObserver) -> None:
    with watched(observer) as request:
        request.saw(ACCEPTED)
        request.saw(Failed(Overloaded("full")))
    assert observer.refused == []
    assert [end.code for end in observer.ended] == ["overloaded"]
