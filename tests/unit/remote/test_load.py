"""What a worker has to do, between two statuses."""

from __future__ import annotations

import pytest

from brood.remote.load import Load
from brood.remote.status import WorkerStatus


def status(interactive_s: float, bulk_s: float = 0.0) -> WorkerStatus:
    return WorkerStatus("a", (), interactive_s=interactive_s, bulk_s=bulk_s)


def test_what_was_just_sent_counts_at_once() -> None:
    load = Load()
    load.report(status(1.0), [])
    load.add(False, 0.5)
    assert load.ahead_s(False) == 1.5


def test_own_work_is_not_counted_twice() -> None:
    load = Load()
    load.add(False, 2.0)
    load.report(status(3.0), [(False, 2.0, True)])  # of which one second is others'
    assert load.ahead_s(False) == 3.0
    load.add(False, -2.0)
    assert load.ahead_s(False) == 1.0


def test_what_a_status_does_not_know_of_comes_on_top() -> None:
    load = Load()
    load.report(status(3.0), [(False, 2.0, True), (False, 0.25, False)])
    assert load.ahead_s(False) == 3.25


def test_rows_half_done_count_half_until_they_end() -> None:
    load = Load()
    load.report(status(0.1), [(False, 1.0, True)])
    assert load.ahead_s(False) == pytest.approx(0.1)
    load.add(False, -1.0)
    assert load.ahead_s(False) == 0.0


def test_bulk_waits_for_interactive_work_but_not_the_other_way() -> None:
    load = Load()
    load.report(status(1.0, 5.0), [])
    load.add(True, 2.0)
    assert load.ahead_s(False) == 1.0
    assert load.ahead_s(True) == 8.0
