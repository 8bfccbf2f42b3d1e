"""When to try again."""

from __future__ import annotations

from typing import Any

import pytest

from brood_client import BroodError, DeadlineExceeded, InvalidArgument
from brood_client._errors import error_of
from brood_client._retry import Attempts, wait_s

BUSY = error_of("overloaded", "full")


def test_waits_grow_to_a_bound() -> None:
    assert [wait_s(failures, None, 0.999999) for failures in range(1, 8)] == pytest.approx(
        [0.5, 1, 2, 4, 8, 8, 8], rel=1e-3
    )
    assert [wait_s(failures, None, 0.0) for failures in range(1, 4)] == [0.25, 0.5, 1.0]


def test_what_the_server_says_is_the_least() -> None:
    assert wait_s(1, 3.0, 0.0) == 3.0
    assert wait_s(1, 3.0, 0.5) == 3.25


def test_it_is_given_up_after_so_many_failures_in_a_row() -> None:
    attempts = Attempts(2, None)
    attempts.wait_s(BUSY)
    attempts.wait_s(BUSY)
    attempts.succeeded()
    attempts.wait_s(BUSY)
    attempts.wait_s(BUSY)
    with pytest.raises(BroodError, match="full"):
        attempts.wait_s(BUSY)


@pytest.mark.parametrize(
    "code", ["invalid_argument", "model_unavailable", "deadline_exceeded", "internal", "cancelled"]
)
def test_what_will_fail_again_is_not_tried_again(code: str) -> None:
    error = error_of(code, "no")
    assert not error.retryable
    with pytest.raises(BroodError, match="no"):
        Attempts(4, None).wait_s(error)


def test_a_hint_makes_anything_worth_another_try() -> None:
    assert error_of("new_in_a_later_server", "wait", retry_after_s=1.0).retryable


def test_nobody_waits_longer_than_there_is_time() -> None:
    with pytest.raises(BroodError, match="wait"):
        Attempts(4, 5.0).wait_s(error_of("overloaded", "wait", retry_after_s=6.0))
    with pytest.raises(BroodError, match="wait"):
        Attempts(4, None).wait_s(error_of("overloaded", "wait", retry_after_s=3600.0))


def test_the_time_that_is_left() -> None:
    assert Attempts(4, None).left_s is None
    left = Attempts(4, 5.0).left_s
    assert left is not None
    assert 4.0 < left <= 5.0
    late = Attempts(4, 1e-9, failures=1)
    with pytest.raises(DeadlineExceeded):
        _ = late.left_s


def test_the_first_try_is_always_made() -> None:
    left = Attempts(4, 1e-9).left_s
    assert left is not None
    assert left <= 0


@pytest.mark.parametrize("timeout_s", [0, -1.0, float("nan"), "5"])
def test_a_timeout_that_is_none(timeout_s: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"timeout_s: .* is not allowed; allowed: seconds, more than 0, or None"):
        Attempts(4, timeout_s)
