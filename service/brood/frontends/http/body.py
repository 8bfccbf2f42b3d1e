"""A request's body: the right type, not too large, and made of the right words."""

from __future__ import annotations

from email.message import Message
from functools import lru_cache

from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.types import Receive

from brood.protocol.errors import Cancelled, PayloadTooLarge, UnsupportedMediaType, show
from brood.protocol.requests import GenerateRequest, complaint

JSON = "application/json"
# Reading JSON blocks all other requests meanwhile: long arrays belong into base64, which is read far faster.
MOST_VALUES = 2**18
MOST_KEYS = 2**12


def check_type(headers: Headers) -> None:
    """Let only plain JSON pass.

    Raises:
        UnsupportedMediaType: another type, another character set, or a compressed body.
    """
    given = headers.get("content-type", "")
    if not _is_json(given):
        text = f"Content-Type: {show(given)} is not read here; send Content-Type: {JSON}"
        raise UnsupportedMediaType(text, field="Content-Type")
    encoding = headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        text = f"Content-Encoding: {show(encoding)} is not read here; send the body as it is"
        raise UnsupportedMediaType(text, field="Content-Encoding")


@lru_cache(maxsize=64)
def _is_json(content_type: str) -> bool:
    message = Message()
    message["content-type"] = content_type
    charset = message.get_content_charset("utf-8")
    return bool(content_type) and message.get_content_type() == JSON and charset in {"utf-8", "us-ascii"}


async def read_body(headers: Headers, receive: Receive, limit: int) -> bytes:
    """The whole body.

    Raises:
        PayloadTooLarge: more than ``limit`` bytes; raised before more than that is kept.
        Cancelled: the caller went away while sending.
    """
    announced = headers.get("content-length")
    if announced is not None and int(announced) > limit:
        raise _too_large(f"{announced} bytes", limit)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Cancelled("the caller went away while sending")
        chunk: bytes = message.get("body", b"")
        if len(body) + len(chunk) > limit:
            raise _too_large("it", limit)
        if not message.get("more_body", False):
            return bytes(body) + chunk if body else chunk
        body += chunk


def _too_large(what: str, limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"the body is too large: {what} of at most {limit} bytes")


def parse(body: bytes) -> GenerateRequest:
    """A body in the words of a request.

    Raises:
        InvalidArgument: naming field, value and what is allowed.
        PayloadTooLarge: too many numbers or names for JSON.
    """
    if body.count(b",") > MOST_VALUES or body.count(b":") > MOST_KEYS:
        text = f"the body has too many parts: at most {MOST_VALUES} values and {MOST_KEYS} names; send arrays as 'b64'"
        raise PayloadTooLarge(text)
    try:
        return GenerateRequest.model_validate_json(body)
    except ValidationError as error:
        raise complaint(error) from error
