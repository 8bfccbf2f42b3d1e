"""What a status of gRPC says beside its words."""

from __future__ import annotations

import pytest

from brood.frontends.grpc.errors import trailers_of
from brood.protocol.errors import BroodError, InvalidArgument, Overloaded, RowFailed
from brood_client._status import index_in, retry_after_s


def details(error: BroodError) -> bytes:
    content = dict(trailers_of(error, "id-1"))["grpc-status-details-bin"]
    assert isinstance(content, bytes)
    return content


@pytest.mark.parametrize("seconds", [0.25, 2.0, 130.5])
def test_when_to_come_back(seconds: float) -> None:
    assert retry_after_s(details(Overloaded("full", field="n", retry_after_s=seconds))) == seconds


def test_which_sample_failed() -> None:
    assert index_in(details(RowFailed("not finite", index=12))) == 12
    assert index_in(details(RowFailed("not finite"))) is None
    assert index_in(details(Overloaded("full", retry_after_s=1.0))) is None


def test_nothing_about_it() -> None:
    assert retry_after_s(details(InvalidArgument("no", field="n"))) is None
    assert retry_after_s(b"") is None
    assert retry_after_s(b"\xff") is None
    assert index_in(b"") is None
