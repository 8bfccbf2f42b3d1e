"""One error, one status: code, words, metadata and google.rpc details."""

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RequestInfo, RetryInfo
from google.rpc.status_pb2 import Status

from brood.frontends.grpc.errors import details_of, status_of, trailers_of
from brood.protocol.errors import TABLE, BroodError, InvalidArgument, Overloaded, RowFailed, invalid


def details(error: BroodError) -> Status:
    trailers = dict(trailers_of(error, "id-1"))
    content = trailers["grpc-status-details-bin"]
    assert isinstance(content, bytes)
    return Status.FromString(content)


@pytest.mark.parametrize("kind", TABLE)
def test_the_table_decides(kind: type[BroodError]) -> None:
    error, row = kind("words"), TABLE[kind]
    assert status_of(error).name == row.grpc
    assert dict(trailers_of(error, "id-1"))["brood-error-code"] == row.code
    assert details(error).code == status_of(error).value[0]


def test_a_bad_field_is_named_in_words_and_details() -> None:
    error = invalid("params.label", 11, "whole numbers from 0 to 9")
    trailers = dict(trailers_of(error, "id-1"))
    assert details_of(error) == "params.label: 11 is not allowed; allowed: whole numbers from 0 to 9"
    assert trailers["x-request-id"] == "id-1"
    assert trailers["brood-error-field"] == "params.label"
    info, request, bad = ErrorInfo(), RequestInfo(), BadRequest()
    for packed, kind in zip(details(error).details, (info, request, bad), strict=True):
        assert packed.Unpack(kind)
    assert (info.reason, info.domain, request.request_id) == ("INVALID_ARGUMENT", "brood", "id-1")
    assert [(each.field, each.description) for each in bad.field_violations] == [("params.label", error.message)]


def test_a_failed_sample_is_named() -> None:
    info = ErrorInfo()
    assert details(RowFailed("sample 12 is not finite", index=12)).details[0].Unpack(info)
    assert (info.reason, dict(info.metadata)) == ("ROW_FAILED", {"index": "12"})


def test_a_retry_says_when() -> None:
    retry = RetryInfo()
    assert details(Overloaded("full", retry_after_s=1.5)).details[-1].Unpack(retry)
    assert (retry.retry_delay.seconds, retry.retry_delay.nanos) == (1, 500_000_000)


def test_an_error_without_a_field_has_no_field() -> None:
    assert "brood-error-field" not in dict(trailers_of(Overloaded("full"), "id-1"))


@pytest.mark.parametrize("char", ["x", "é", "\U0001f986", "\n", "\ud800"])
def test_a_huge_field_fits_into_headers(char: str) -> None:
    field = f"params.{char * 1_000_000}"
    error = InvalidArgument(f"{field}: unknown", field=field)
    trailers = trailers_of(error, "i" * 128)
    percent_encoded = 3 * len(details_of(error).encode())
    base64_encoded = sum(len(value) * 4 // 3 if isinstance(value, bytes) else len(value) for _, value in trailers)
    assert percent_encoded + base64_encoded < 8 * 1024
    words = str(dict(trailers)["brood-error-field"])
    assert words.isascii()
    assert words.isprintable()
    assert isinstance(status_of(error), grpc.StatusCode)
