"""Errors as messages."""

from __future__ import annotations

import pytest

from brood.protocol.errors import TABLE, BroodError, Internal, RowFailed
from brood.protocol.wire import worker_pb2 as pb
from brood.remote.errors import error_message, error_of


@pytest.mark.parametrize("kind", TABLE)
def test_every_class_arrives_as_it_was(kind: type[BroodError]) -> None:
    error = kind("words", field="params.label", retry_after_s=2.5, index=0)
    found = error_of(pb.Error.FromString(error_message(error).SerializeToString()))
    assert type(found) is kind
    assert (found.message, found.field, found.retry_after_s, found.index) == ("words", "params.label", 2.5, 0)


def test_what_is_not_set_stays_so() -> None:
    found = error_of(error_message(RowFailed("words")))
    assert (found.field, found.retry_after_s, found.index) == (None, None, None)


def test_surrogates_do_not_hinder_it() -> None:
    assert error_of(error_message(RowFailed("a \ud800 b"))).message == "a ? b"


def test_a_class_of_tomorrow_is_internal_today() -> None:
    assert type(error_of(pb.Error(code="of_tomorrow", message="words"))) is Internal
