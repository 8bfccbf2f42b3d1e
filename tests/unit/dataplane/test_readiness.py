from __future__ import annotations

import pytest

from brood.dataplane.readiness import readiness
from brood.protocol.models import ModelState, ModelStatus


def status(name: str, state: ModelState, version: int = 1) -> ModelStatus:
    return ModelStatus(name, version, state, reason="bad hash" if state == "failed" else "")


A, B = status("a", "ready"), status("b", "ready")
FAILED, LOADING = status("b", "failed"), status("c", "loading")


@pytest.mark.parametrize(
    ("statuses", "required"),
    [
        ([A], []),
        ([A, B], ["a", "b"]),
        ([A, FAILED], []),  # nobody asked for b by name
        ([A, FAILED], ["a"]),
        ([status("b", "failed", 1), status("b", "ready", 2)], ["b"]),  # one version is enough
    ],
)
def test_ready(statuses: list[ModelStatus], required: list[str]) -> None:
    assert readiness(statuses, required).ready
    assert readiness(statuses, required).reason == ""


@pytest.mark.parametrize(
    ("statuses", "required", "reason"),
    [
        ([], [], "no model is ready"),
        ([A, LOADING], [], "loading: c 1"),
        ([FAILED], [], "no model is ready; b 1: bad hash"),
        ([A, FAILED], ["b"], "required but not ready: b; b 1: bad hash"),
        ([A], ["nowhere"], "required but not ready: nowhere"),
    ],
)
def test_not_ready(statuses: list[ModelStatus], required: list[str], reason: str) -> None:
    assert not readiness(statuses, required).ready
    assert readiness(statuses, required).reason == reason


def test_a_server_that_was_ready_stays_so_while_more_is_loaded() -> None:
    assert readiness([A, LOADING], [], before=True).ready
    assert not readiness([LOADING], [], before=True).ready
    assert not readiness([A, LOADING], ["c"], before=True).ready


def test_what_is_wrong_beside_single_models_is_told_ready_or_not() -> None:
    problems = ["store: connection refused"]
    found = readiness([], [], problems)
    assert (found.ready, found.reason) == (False, "no model is ready; store: connection refused")
    assert readiness([A, LOADING], [], problems).reason == "loading: c 1; store: connection refused"
    found = readiness([A], [], problems)
    assert (found.ready, found.reason, found.problems) == (True, "", ("store: connection refused",))
