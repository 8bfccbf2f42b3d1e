"""Errors as objects."""

from __future__ import annotations

import pickle

import pytest

from brood_client import BroodError, RowFailed
from brood_client._errors import KINDS, error_of


@pytest.mark.parametrize("code", [*KINDS, "a_code_of_tomorrow"])
def test_they_go_from_process_to_process(code: str) -> None:
    error = error_of(code, "words", field="n", request_id="id-1", retry_after_s=1.5, index=3)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) is KINDS.get(code, BroodError)
    assert (str(again), vars(again)) == (str(error), vars(error))


def test_what_is_not_known_stays_unknown() -> None:
    again = pickle.loads(pickle.dumps(RowFailed("words", "row_failed")))
    assert (again.field, again.request_id, again.retry_after_s, again.index) == (None, None, None, None)
