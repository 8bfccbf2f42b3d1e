"""What all workers together can run."""

from __future__ import annotations

from dataclasses import replace

from brood.protocol.models import ModelState, ModelStatus
from brood.remote.catalogue import Sighting, catalogue
from helpers.backend import ready

TINY = ready()
KEY = ("tiny", 1)


def at(worker_id: str, state: ModelState, *, works: bool = True, reason: str = "") -> Sighting:
    return Sighting(worker_id, replace(TINY, state=state, reason=reason), works)


def one(*sightings: Sighting, expected: ModelStatus | None = None, seen: ModelStatus | None = None) -> ModelStatus:
    wanted, known = {} if expected is None else {KEY: expected}, {} if seen is None else {KEY: seen}
    (status,) = catalogue(sightings, wanted, known)
    return status


def test_models_are_in_order_and_once() -> None:
    sightings = [Sighting(worker, ready(name), True) for worker in "ab" for name in ("z", "a")]
    assert [status.name for status in catalogue(sightings, {}, {})] == ["a", "z"]


def test_ready_at_one_is_ready_with_failures_told() -> None:
    status = one(at("a", "failed", reason="no memory"), at("b", "ready"), at("c", "loading"))
    assert (status.state, status.reason) == ("ready", "failed at a: no memory")
    many = [at(name, "failed", reason="no") for name in "abcde"]
    assert one(*many, at("f", "ready")).reason == "failed at a, b, c and 2 more: no"
    others = [at(name, "failed", reason=f"no {name}") for name in "abcde"]
    assert one(*others).reason == "at a: no a; b: no b; c: no c and 2 more"


def test_loading_at_one_is_loading() -> None:
    assert one(at("a", "failed", reason="no memory"), at("b", "loading")).state == "loading"
    assert one(at("a", "failed", reason="no memory")).reason == "at a: no memory"


def test_what_only_leaving_or_lost_workers_have_is_loading() -> None:
    assert one(at("a", "ready", works=False)).state == "loading"
    assert one(at("a", "ready", works=False), at("b", "ready")).state == "ready"
    assert one(at("a", "unloaded", works=False)).state == "unloaded"


def test_what_is_expected_and_known_is_ready_without_a_worker() -> None:
    bare = ModelStatus("tiny", 1, "ready")
    assert one(expected=TINY) == TINY
    assert one(expected=bare, seen=TINY) == TINY
    assert one(at("a", "loading"), expected=bare, seen=TINY) == TINY
    assert one(at("a", "ready", works=False), expected=bare, seen=TINY) == TINY


def test_what_is_expected_and_unknown_is_loading() -> None:
    assert one(expected=ModelStatus("tiny", 1, "ready")).state == "loading"


def test_what_cannot_be_loaded_is_not_waited_for() -> None:
    assert one(at("a", "failed", reason="no memory"), expected=TINY, seen=TINY).state == "failed"
