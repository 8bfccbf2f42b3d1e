"""``multipart/form-data`` (RFC 7578): a part called ``request`` with the JSON, and inputs as files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any

from pydantic_core import from_json

from brood.frontends.http.accept import ALIASES
from brood.frontends.http.body import HttpGenerateRequest, check_parts, parse_fields
from brood.media.png import SIGNATURE
from brood.media.sound import sound_format
from brood.protocol.errors import InvalidArgument, PayloadTooLarge, UnsupportedMediaType, show
from brood.protocol.requests import NAMES_LIMIT

REQUEST = "request"
MOST_PARTS = NAMES_LIMIT + 1
HEAD_BYTES = 4096  # of one part
PER_BYTE_S = 1e-9  # finding the parts and copying them, measured
LINE = b"\r\n"
MAGIC = {SIGNATURE: "png", b"\x93NUMPY": "npy"}
TYPES = {"image/png": "png", "audio/wav": "wav", "audio/flac": "flac", "application/x-npy": "npy"}
ANY_TYPES = {"application/octet-stream", "text/plain"}  # what clients say that know no better


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a body."""

    name: str
    media_type: str  # text/plain if it does not say (RFC 7578 section 4.4)
    content: bytes


def parse_multipart(body: bytes, boundary: str) -> HttpGenerateRequest:
    """A body in the words of a request.

    The JSON of the part ``request`` may say of an uploaded input what its file does not: ``dtype`` and ``shape`` of raw
    bytes, under the input's name.

    Raises:
        InvalidArgument: the body is cut off or malformed, a part is missing or comes twice, or as `parse` raises.
        PayloadTooLarge: too many parts.
        UnsupportedMediaType: an input is in a form that is not read.
    """
    parts: dict[str, Part] = {}
    for part in split(body, boundary.encode()):
        if part.name in parts:
            raise InvalidArgument(f"{show(part.name)}: this part comes twice; allowed: once", field=part.name)
        parts[part.name] = part
    if REQUEST not in parts:
        text = f"{REQUEST}: missing; allowed: one part of this name, with the JSON, beside one for each uploaded input"
        raise InvalidArgument(text, field=REQUEST)
    fields = _fields(parts.pop(REQUEST).content)
    given = fields.get("inputs", {})
    if isinstance(given, dict):
        fields["inputs"] = {**given, **{name: _input(part, given.get(name)) for name, part in parts.items()}}
    return parse_fields(fields)


def _fields(content: bytes) -> dict[str, Any]:
    check_parts(content)
    try:
        fields = from_json(content)
    except ValueError as error:
        text = f"the part '{REQUEST}' is not valid JSON: {error}; allowed: one JSON object"
        raise InvalidArgument(text, field=REQUEST) from error
    if not isinstance(fields, dict):
        raise InvalidArgument(f"{REQUEST}: {show(fields)} is not allowed; allowed: one JSON object", field=REQUEST)
    return fields


def _input(part: Part, words: Any) -> dict[str, Any]:
    """An uploaded input, with what the request says of it."""
    said = words if isinstance(words, dict) else {}
    if "b64" in said or "data" in said or (words is not None and not isinstance(words, dict)):
        text = (
            f"inputs.{part.name}: it comes as a part, and in '{REQUEST}' as well; allowed there: format, dtype, shape"
        )
        raise InvalidArgument(text, field=f"inputs.{part.name}")
    return {"format": _format(part), **said, "b64": part.content}


def _format(part: Part) -> str:
    """What a part is by its type, or else by how it begins."""
    media_type = ALIASES.get(part.media_type, part.media_type)
    if media_type in TYPES:
        return TYPES[media_type]
    if part.media_type not in ANY_TYPES:
        offered = ", ".join([*TYPES, *sorted(ANY_TYPES)])
        text = f"inputs.{part.name}: Content-Type {show(part.media_type)} is not read here; allowed: {offered}"
        raise UnsupportedMediaType(text, field=f"inputs.{part.name}")
    found = next((form for magic, form in MAGIC.items() if part.content.startswith(magic)), None)
    return found or sound_format(part.content) or "raw"


def split(body: bytes, boundary: bytes) -> Iterator[Part]:
    """The parts of a body, in order.

    Raises:
        InvalidArgument: it is not what RFC 2046 section 5.1 describes.
        PayloadTooLarge: too many parts.
    """
    mark = LINE + b"--" + boundary
    body = body if body.startswith(LINE) else LINE + body
    start = body.find(mark)
    count = 0
    while start >= 0:
        start += len(mark)
        if body.startswith(b"--", start):
            return
        end = body.find(mark, start)
        count += 1
        if end < 0 or not body.startswith(LINE, start):
            break
        if count > MOST_PARTS:
            raise PayloadTooLarge(f"the body has too many parts: at most {MOST_PARTS}")
        yield _part(body, start, end, count)
        start = end
    raise InvalidArgument(
        f"the body is not whole multipart/form-data: part {count} is cut off, or its boundary missing"
    )


def _part(body: bytes, start: int, end: int, number: int) -> Part:
    blank = body.find(LINE + LINE, start, min(end, start + HEAD_BYTES))
    if blank < 0:
        raise InvalidArgument(f"part {number} of the body has no headers, or more than {HEAD_BYTES} bytes of them")
    message = Message()
    for line in body[start:blank].decode("utf-8", "replace").split("\r\n"):
        word, _, value = line.partition(":")
        message[word.strip() or "-"] = value.strip()
    name = message.get_param("name", header="content-disposition")
    if message.get_content_disposition() != "form-data" or not isinstance(name, str) or not name:
        raise InvalidArgument(f"part {number} of the body has no 'Content-Disposition: form-data' with a name")
    media_type = message.get_content_type()
    return Part(name, media_type, body[blank + len(LINE + LINE) : end])
