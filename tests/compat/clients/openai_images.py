"""OpenAI's own client, unmodified: it finds server and key in the environment."""

from __future__ import annotations

import asyncio
import json
import os
import struct
import time
import urllib.request
import zlib
from base64 import b64decode

import openai

MODEL = "glyphs-diffusion"
SIDE = 28


def png(picture: object) -> bytes:
    """The file in an answer."""
    content = b64decode(picture.b64_json, validate=True)
    assert content.startswith(b"\x89PNG")
    return content


def own(operation: str = "generate", **words: object) -> bytes:
    """The same picture over the server's own address."""
    body = {"model": MODEL, "operation": operation, "seed": 7, **words}
    headers = {
        "Content-Type": "application/json",
        "Accept": "image/png",
        "Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}",
    }
    url = os.environ["OPENAI_BASE_URL"] + "/generations"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)) as answer:
        return answer.read()


def mask() -> bytes:
    """A PNG file whose lower half is transparent."""
    rows = b"".join(b"\0" + bytes([255, 255, 255, 255 if row < SIDE // 2 else 0] * SIDE) for row in range(SIDE))
    chunks = {b"IHDR": struct.pack(">IIBBBBB", SIDE, SIDE, 8, 6, 0, 0, 0), b"IDAT": zlib.compress(rows), b"IEND": b""}
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks.items()
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def refused(kind: type[openai.APIStatusError], param: str | None, words: str, call: object) -> openai.APIStatusError:
    """The call must raise this."""
    try:
        call()
    except kind as error:
        assert error.param == param, error.body
        assert words in error.message, error.message
        assert error.request_id
        return error
    raise AssertionError(f"{words}: nothing was raised")


def models(client: openai.OpenAI) -> None:
    """The list, and one by its name."""
    listed = {model.id: model for model in client.models.list()}
    assert {MODEL, "glyphs-gan", "glyphs-vae", "dense"} <= set(listed)
    one = client.models.retrieve(MODEL)
    assert (one.id, one.object, one.owned_by) == (MODEL, "model", "brood")
    assert one.created == listed[MODEL].created > 1.7e9
    refused(openai.NotFoundError, "model", "nobody", lambda: client.models.retrieve("nobody"))


def generate(client: openai.OpenAI) -> None:
    """Pictures, with seed and parameters from outside the protocol."""
    extra = {"seed": 7, "steps": 10}
    answer = client.images.generate(model=MODEL, prompt="a seven", n=2, size="28x28", extra_body=extra)
    assert len(answer.data) == 2
    assert (answer.size, answer.output_format, answer.background) == ("28x28", "png", "opaque")
    assert answer.usage.total_tokens == 0
    assert answer.created > 1.7e9
    assert png(answer.data[0]) == own(params={"label": 7, "steps": 10})
    assert png(answer.data[1]) == own(params={"label": 7, "steps": 10}, index=1)
    drawn = client.images.generate(model=MODEL, prompt="any", quality="low", response_format="b64_json")
    again = client.images.generate(model=MODEL, prompt="", extra_body={"seed": drawn.data[0].seed})
    assert png(drawn.data[0]) == png(again.data[0])
    for form, magic in (("jpeg", b"\xff\xd8"), ("webp", b"RIFF")):
        one = client.images.generate(model="glyphs-gan", prompt="3", output_format=form, output_compression=80)
        assert b64decode(one.data[0].b64_json).startswith(magic)
        assert one.output_format == form


def stream(client: openai.OpenAI) -> None:
    """Partial pictures, then the whole."""
    words = {"model": MODEL, "prompt": "7", "extra_body": {"seed": 7}}
    events = list(client.images.generate(**words, stream=True, partial_images=3))
    assert [event.type for event in events] == ["image_generation.partial_image"] * 3 + ["image_generation.completed"]
    assert [event.partial_image_index for event in events[:-1]] == [0, 1, 2]
    assert len({png(event) for event in events}) == 4
    assert events[-1].usage.total_tokens == 0
    assert {(event.size, event.quality, event.background) for event in events} == {("28x28", "auto", "opaque")}
    assert png(events[-1]) == png(client.images.generate(**words).data[0])
    two = list(client.images.generate(model="glyphs-gan", prompt="7", n=2, stream=True))
    assert [event.type for event in two] == ["image_generation.completed"] * 2
    with client.images.generate(**words | {"extra_body": {"steps": 1000}}, stream=True) as left:
        left.close()  # whoever leaves is not waited for


def edit(client: openai.OpenAI) -> None:
    """What is transparent in the mask is made anew."""
    picture = png(client.images.generate(model=MODEL, prompt="4", extra_body={"seed": 1}).data[0])
    words = {"image": picture, "mask": mask(), "model": MODEL, "prompt": "9", "extra_body": {"seed": 7, "steps": 10}}
    edited = png(client.images.edit(**words).data[0])
    assert edited == png(client.images.edit(**words | {"image": [picture]}).data[0])
    assert edited != picture
    events = list(client.images.edit(**words, stream=True, partial_images=1))
    assert [event.type for event in events] == ["image_edit.partial_image", "image_edit.completed"]
    assert png(events[-1]) == edited
    without = {name: value for name, value in words.items() if name != "mask"}
    refused(openai.BadRequestError, "mask", "nothing is transparent", lambda: client.images.edit(**without))
    other = words | {"model": "glyphs-gan"}
    refused(openai.BadRequestError, "model", "these do: glyphs-diffusion", lambda: client.images.edit(**other))


def vary(client: openai.OpenAI) -> None:
    """Pictures like another."""
    picture = png(client.images.generate(model=MODEL, prompt="4", extra_body={"seed": 1}).data[0])
    extra = {"seed": 7, "params": {"strength": 0.5, "label": 4}}
    answer = client.images.create_variation(image=picture, model=MODEL, n=2, extra_body=extra)
    assert len({png(each) for each in answer.data} | {picture}) == 3


def errors(client: openai.OpenAI) -> None:
    """Typed, with code, field and request id."""
    generate = client.images.generate
    error = refused(openai.NotFoundError, "model", "dall-e-3", lambda: generate(model="dall-e-3", prompt="7"))
    assert (error.code, error.type) == ("model_not_found", "invalid_request_error")
    refused(openai.BadRequestError, "prompt", "one class of", lambda: generate(model=MODEL, prompt="a cat"))
    refused(openai.BadRequestError, "size", "28x28", lambda: generate(model=MODEL, prompt="7", size="1024x1024"))
    url = {"model": MODEL, "prompt": "7", "response_format": "url"}
    refused(openai.BadRequestError, "response_format", "b64_json", lambda: generate(**url))
    late = {"model": MODEL, "prompt": "7", "extra_body": {"steps": 1000, "deadline_ms": 1}}
    refused(openai.UnprocessableEntityError, "deadline_ms", "deadline_ms", lambda: generate(**late))
    bad = {"model": MODEL, "prompt": "7", "stream": True, "extra_body": {"steps": 0}}
    refused(openai.BadRequestError, "params.steps", "from 1 to 1000", lambda: generate(**bad))
    stranger = client.with_options(api_key="sk-nobody")
    error = refused(openai.AuthenticationError, None, "key", lambda: stranger.images.generate(model=MODEL, prompt="7"))
    assert error.type == "authentication_error"


def retries(client: openai.OpenAI) -> None:
    """Too many requests are sent again after the time that the server says; the same request is made once."""
    slow = client.with_options(api_key=os.environ["SLOW_KEY"])
    words = {"model": "glyphs-gan", "prompt": "7", "extra_body": {"seed": 7}}
    first = slow.images.with_raw_response.generate(**words)
    again = slow.images.with_raw_response.generate(**words)
    assert (first.headers.get("idempotent-replayed"), again.headers.get("idempotent-replayed")) == (None, "true")
    hasty = slow.with_options(max_retries=0)
    error = refused(openai.RateLimitError, None, "too many", lambda: hasty.images.generate(**words))
    assert (error.code, error.type) == ("rate_limited", "rate_limit_error")
    wait_s = float(error.response.headers["retry-after-ms"]) / 1000
    assert 0 < wait_s <= 4
    began = time.monotonic()
    last = slow.images.generate(**words)
    assert time.monotonic() - began >= wait_s - 0.5
    assert png(last.data[0]) == png(first.parse().data[0])


async def from_asyncio() -> None:
    """The client for asyncio."""
    async with openai.AsyncOpenAI() as client:
        words = {"model": MODEL, "prompt": "7", "extra_body": {"seed": 7}}
        whole = await client.images.generate(**words)
        events = [event async for event in await client.images.generate(**words, stream=True, partial_images=1)]
        assert [event.type.partition(".")[2] for event in events] == ["partial_image", "completed"]
        assert png(events[-1]) == png(whole.data[0]) == own(params={"label": 7})
        assert MODEL in [model.id async for model in client.models.list()]


def main() -> None:
    """All of it."""
    with openai.OpenAI() as client:
        for check in (models, generate, stream, edit, vary, errors, retries):
            check(client)
    asyncio.run(from_asyncio())


if __name__ == "__main__":
    main()
