from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest

from brood.frontends.http.multipart import HEAD_BYTES, MOST_PARTS, parse_multipart, split
from brood.media.png import write_png
from brood.protocol.errors import BroodError, InvalidArgument, PayloadTooLarge, UnsupportedMediaType
from contract.scenarios import picture
from helpers.http import Service, error_of

WORDS = {"model": "tiny", "operation": "reconstruct", "seed": 7, "output": {"format": "npy"}}
Files = dict[str, tuple[str | None, bytes, str]]


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def body(*parts: tuple[str, bytes], end: bytes = b"--b--\r\n") -> bytes:
    """A body of (headers, content), boundary ``b``."""
    return b"".join(b"--b\r\n%b\r\n\r\n%b\r\n" % (head.encode(), content) for head, content in parts) + end


def named(name: str, *more: str) -> str:
    return "\r\n".join([f'Content-Disposition: form-data; name="{name}"', *more])


def words_of(**rest: Any) -> tuple[str, bytes]:
    return named("request"), json.dumps(WORDS | rest).encode()


async def sent(service: Service, words: Any, files: Files) -> Any:
    parts = {"request": (None, json.dumps(words).encode(), "application/json"), **files}
    return await service.client.post("/v1/generations", files=parts)


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (WORDS, ("x.npy", npy(picture()[0]), "application/octet-stream")),
        (WORDS, ("x.npy", npy(picture()[0]), "application/x-npy")),
        (
            WORDS | {"inputs": {"image": {"dtype": "float32", "shape": [1, 28, 28]}}},
            (None, picture()[0].tobytes(), "application/octet-stream"),
        ),
    ],
)
async def test_an_upload_is_what_base64_would_be(
    service: Service, words: Any, file: tuple[str | None, bytes, str]
) -> None:
    response = await sent(service, words, {"image": file})
    inline = {"b64": base64.b64encode(npy(picture()[0])).decode(), "format": "npy"}
    wanted = await service.generate(WORDS | {"inputs": {"image": inline}})
    assert response.status_code == 200, response.text
    assert response.json()["samples"] == wanted.json()["samples"]


@pytest.mark.parametrize("media_type", ["image/png", "application/octet-stream"])
async def test_a_picture_is_uploaded(service: Service, media_type: str) -> None:
    content = write_png(np.full((28, 28), 255, np.uint8))
    response = await sent(service, WORDS, {"image": ("x.png", content, media_type)})
    assert response.status_code == 200, response.text
    np.testing.assert_array_equal(service.backend.submitted[0].inputs["image"], np.ones((1, 1, 28, 28), np.float32))


async def test_a_request_without_inputs_may_come_as_a_part(service: Service) -> None:
    response = await sent(service, {"model": "tiny", "seed": 7}, {})
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("words", "files", "status", "field"),
    [
        (WORDS, {}, 400, "inputs.image"),
        (WORDS, {"mask": ("x", b"\0", "application/octet-stream")}, 400, "inputs.mask"),
        (WORDS, {"image": ("x", b"12345", "application/octet-stream")}, 400, "inputs.image"),
        (WORDS, {"image": ("x.jpg", b"\xff\xd8", "image/jpeg")}, 415, "inputs.image"),
        (
            WORDS | {"inputs": {"image": {"b64": "", "format": "npy"}}},
            {"image": ("x.npy", npy(picture()[0]), "application/x-npy")},
            400,
            "inputs.image",
        ),
        (WORDS | {"inputs": [1]}, {"image": ("x", b"1", "application/octet-stream")}, 400, "inputs"),
        (WORDS | {"colour": 1}, {}, 400, "colour"),
        ([1], {}, 400, "request"),
    ],
)
async def test_what_is_wrong_with_an_upload(
    service: Service, words: Any, files: Files, status: int, field: str
) -> None:
    response = await sent(service, words, files)
    assert (response.status_code, error_of(response)["field"]) == (status, field)
    assert service.backend.submitted == []


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"", InvalidArgument, "not whole multipart"),
        (b"nothing of that kind", InvalidArgument, "not whole multipart"),
        (b"--b--\r\n", InvalidArgument, "request: missing"),
        (body(words_of(), end=b""), InvalidArgument, "part 1 is cut off"),
        (body(words_of())[:-30], InvalidArgument, "part 1 is cut off"),
        (body(words_of(), words_of()), InvalidArgument, "comes twice"),
        (body((named("request"), b"{")), InvalidArgument, "not valid JSON"),
        (body(("Content-Type: text/plain", b"x")), InvalidArgument, "part 1 of the body has no 'Content-Disposition"),
        (body(("Content-Disposition: attachment; name=request", b"x")), InvalidArgument, "part 1 of the body has no"),
        (body((named("x") + "x" * HEAD_BYTES, b"x")), InvalidArgument, "part 1 of the body has no headers"),
        (b"--b\r\nno blank line\r\n--b--", InvalidArgument, "part 1 of the body has no headers"),
        (body(*[(named(f"p{n}"), b"") for n in range(MOST_PARTS + 1)]), PayloadTooLarge, "too many parts"),
        (body((named("request"), b"[" + b"0," * (2**18 + 1) + b"0]")), PayloadTooLarge, "send arrays as 'b64'"),
        (body(words_of(), (named("image", "Content-Type: audio/aac"), b"x")), UnsupportedMediaType, "audio/aac"),
    ],
)
def test_bodies_that_are_not_read(content: bytes, kind: type[BroodError], message: str) -> None:
    with pytest.raises(kind, match=message):
        parse_multipart(content, "b")


def test_every_cut_of_a_body_is_told() -> None:
    whole = body(words_of(), (named("image", "Content-Type: application/x-npy"), npy(picture()[0])))
    parse_multipart(whole, "b")
    for length in range(0, len(whole) - len(b"--\r\n"), 7):
        with pytest.raises(InvalidArgument):
            parse_multipart(whole[:length], "b")


def test_contents_may_hold_line_ends_dashes_and_nothing() -> None:
    contents = [b"\r\n", b"x--b", b"\r\n--a", b"", b"\r\n\r\n"]
    parts = list(split(body(*[(named(f"p{n}"), content) for n, content in enumerate(contents)]), b"b"))
    assert [part.content for part in parts] == contents
    assert [part.media_type for part in parts] == ["text/plain"] * 5
