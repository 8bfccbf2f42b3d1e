from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib

import numpy as np
import pytest

from brood.dataplane import Limits
from brood.frontends.http.coding import LEAST_BYTES, coding_of, compressed, decompressed, wanted_coding
from brood.protocol.errors import InvalidArgument, PayloadTooLarge, UnsupportedMediaType
from helpers.http import JSON, Service, error_of

TINY = json.dumps({"model": "tiny", "seed": 7}).encode()
MEGA = 10**6


@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_compressed_request_is_the_same(service: Service, coding: str, compress: object) -> None:
    assert callable(compress)
    plain = await service.client.post("/v1/generations", content=TINY, headers=JSON)
    headers = JSON | {"content-encoding": coding}
    response = await service.client.post("/v1/generations", content=compress(TINY), headers=headers)
    assert response.json()["samples"] == plain.json()["samples"]


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(TINY)[:-1], gzip.compress(TINY) + b"x"])
async def test_a_damaged_stream(service: Service, content: bytes) -> None:
    response = await service.client.post(
        "/v1/generations", content=content, headers=JSON | {"content-encoding": "gzip"}
    )
    error = error_of(response)
    assert (response.status_code, error["code"], error["field"]) == (400, "invalid_argument", "Content-Encoding")


async def test_a_bomb_is_refused() -> None:
    service = Service(Limits(max_body_bytes=MEGA))
    bomb = gzip.compress(b" " * 50 * MEGA)
    assert len(bomb) < MEGA / 10
    response = await service.client.post("/v1/generations", content=bomb, headers=JSON | {"content-encoding": "gzip"})
    assert (response.status_code, error_of(response)["code"]) == (413, "payload_too_large")
    await service.close()


def test_a_bomb_takes_no_more_memory_than_the_limit() -> None:
    bomb = zlib.compress(bytes(50 * MEGA), 9)
    tracemalloc.start()
    with pytest.raises(PayloadTooLarge, match="more than 1000000 bytes"):
        decompressed(bomb, "deflate", MEGA)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * MEGA


@pytest.mark.parametrize("given", ["br", "zstd", "gzip, gzip", "x-gzip"])
def test_codings_that_are_not_read(given: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="allowed: gzip, deflate, identity") as caught:
        coding_of(given)
    assert caught.value.field == "Content-Encoding"


@pytest.mark.parametrize(("given", "coding"), [("GZIP", "gzip"), ("deflate", "deflate"), ("identity", None)])
def test_codings_that_are_read(given: str, coding: str | None) -> None:
    assert coding_of(given) == coding


def test_nothing_may_be_left_of_two_streams() -> None:
    with pytest.raises(InvalidArgument, match="bytes follow it"):
        decompressed(gzip.compress(b"a") + gzip.compress(b"b"), "gzip", MEGA)


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (None, None),
        ("", None),
        ("gzip, deflate, br", "gzip"),
        ("deflate", "deflate"),
        ("br", None),
        ("*", "gzip"),
        ("gzip;q=0, *", "deflate"),
        ("gzip;q=0.2, identity;q=0.9", None),
        ("gzip;q=0", None),
        ("gzip;q=nonsense", None),
        ("GZIP;q=0.5", "gzip"),
    ],
)
def test_the_coding_is_the_one_liked_best(accept: str | None, coding: str | None) -> None:
    assert wanted_coding(accept) == coding


def test_only_what_shrinks_is_compressed() -> None:
    text = b"0123456789" * LEAST_BYTES
    for coding in ("gzip", "deflate"):
        smaller = compressed(text, coding)
        assert smaller is not None
        assert decompressed(smaller, coding, len(text)) == text
    assert compressed(np.random.default_rng(0).bytes(10 * LEAST_BYTES), "gzip") is None
    assert compressed(b"0" * (LEAST_BYTES - 1), "gzip") is None


async def test_answers_are_compressed_for_whoever_can_read_that(service: Service) -> None:
    plain = await service.client.get("/v1/models", headers={"accept-encoding": "identity"})
    packed = await service.client.get("/v1/models", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert int(packed.headers["content-length"]) < len(plain.content) / 3
    assert packed.json() == plain.json()
