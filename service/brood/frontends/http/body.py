"""A request's body: the right type, neither too large nor too slow, and made of the right words."""

from __future__ import annotations

import asyncio
import math
from email.message import Message
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.types import Receive

from brood.dataplane.plane import DataPlane
from brood.frontends.http.coding import INFLATE_BYTE_S, coding_of, decompressed
from brood.frontends.http.heads import Heads, heads_of
from brood.protocol.errors import (
    Cancelled,
    PayloadTooLarge,
    RequestTimeout,
    UnsupportedMediaType,
    show,
)
from brood.protocol.requests import GenerateRequest, complaint

JSON = "application/json"
MULTIPART = "multipart/form-data"
# Reading JSON blocks all other requests meanwhile: long arrays belong into base64, which is read far faster.
MOST_VALUES = 2**18
MOST_KEYS = 2**12
BOUNDARY_CHARS = 70  # RFC 2046 section 5.1.1


class HttpGenerateRequest(GenerateRequest):
    """A request as it is sent over HTTP."""

    stream: bool = Field(default=False, description="answer with server-sent events, as they happen")


@lru_cache(maxsize=64)
def boundary_of(content_type: str) -> str | None:
    """What stands between the parts of a multipart body; None: the body is JSON.

    Raises:
        UnsupportedMediaType: neither of the two, or another character set.
    """
    message = Message()
    message["content-type"] = content_type
    kind, boundary = message.get_content_type(), message.get_param("boundary")
    if content_type and kind == JSON and message.get_content_charset("utf-8") in {"utf-8", "us-ascii"}:
        return None
    if kind == MULTIPART and isinstance(boundary, str) and 0 < len(boundary) <= BOUNDARY_CHARS and boundary.isascii():
        return boundary
    text = f"Content-Type: {show(content_type)} is not read here; send {JSON}, or {MULTIPART} with a boundary"
    raise UnsupportedMediaType(text, field="Content-Type")


async def whole_body(request: Request, plane: DataPlane) -> bytes:
    """A request's body, decompressed.

    Raises:
        BroodError: it is too large, too slow, damaged, or compressed in a way that is not read.
    """
    limits, heads = plane.limits, heads_of(request.scope)
    coding = coding_of(heads.text(b"content-encoding"))
    idle_s, total_s = limits.body_idle_s, limits.body_total_s
    body = await read_body(heads, request.receive, limits.max_body_bytes, idle_s=idle_s, total_s=total_s)
    if coding is None:
        return body
    inflating_s = INFLATE_BYTE_S * limits.max_body_bytes  # a few bytes can become many
    return await plane.offload.run(inflating_s, decompressed, body, coding, limits.max_body_bytes)


async def read_body(
    heads: Heads, receive: Receive, limit: int, *, idle_s: float | None = None, total_s: float | None = None
) -> bytes:
    """The whole body, as it was sent.

    Args:
        heads, receive: of the request.
        limit: most bytes.
        idle_s: longest time without a byte; None: any.
        total_s: longest time for all; None: any.

    Raises:
        PayloadTooLarge: more than ``limit`` bytes; raised before more than that is kept.
        RequestTimeout: it comes too slowly.
        Cancelled: the caller went away while sending.
    """
    announced = heads.text(b"content-length")
    if announced is not None and int(announced) > limit:
        raise _too_large(f"{announced} bytes, more", limit)
    idle, total = (math.inf if bound is None else bound for bound in (idle_s, total_s))
    body = bytearray()
    clock = asyncio.get_running_loop().time
    start = clock()
    try:
        async with asyncio.timeout(min(idle, total)) as timer:
            while (chunk := await _chunk(receive, limit - len(body), limit)).more:
                body += chunk.content  # a bytearray grows in place
                timer.reschedule(min(clock() + idle, start + total))
    except TimeoutError as error:
        text = f"the body did not come: {len(body)} bytes so far; allowed: {idle:g} s without any, {total:g} s in all"
        raise RequestTimeout(text) from error
    if not body:
        return chunk.content
    body += chunk.content
    return bytes(body)


class _Chunk(NamedTuple):
    content: bytes
    more: bool


async def _chunk(receive: Receive, room: int, limit: int) -> _Chunk:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Cancelled("the caller went away while sending")
    content: bytes = message.get("body", b"")
    if len(content) > room:
        raise _too_large("more", limit)
    return _Chunk(content, message.get("more_body", False))


def _too_large(found: str, limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"the body is too large: {found} than allowed; allowed: {limit} bytes")


def parse(body: bytes) -> HttpGenerateRequest:
    """A JSON body in the words of a request.

    Raises:
        InvalidArgument: naming field, value and what is allowed.
        PayloadTooLarge: too many numbers or names for JSON.
    """
    check_parts(body)
    try:
        return HttpGenerateRequest.model_validate_json(body)
    except ValidationError as error:
        raise complaint(error, HttpGenerateRequest) from error


def parse_fields(fields: dict[str, Any]) -> HttpGenerateRequest:
    """The same for a body that has been taken apart already."""
    try:
        return HttpGenerateRequest.model_validate(fields)
    except ValidationError as error:
        raise complaint(error, HttpGenerateRequest) from error


def check_parts(body: bytes) -> None:
    """Refuse JSON that would take long to read.

    Raises:
        PayloadTooLarge: too many numbers or names.
    """
    if body.count(b",") > MOST_VALUES or body.count(b":") > MOST_KEYS:
        text = f"the body has too many parts: at most {MOST_VALUES} values and {MOST_KEYS} names; send arrays as 'b64'"
        raise PayloadTooLarge(text)
