"""Compressed bodies, both ways (RFC 9110 section 8.4): ``gzip`` and ``deflate`` (which means zlib's format)."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from brood.protocol.errors import InvalidArgument, PayloadTooLarge, UnsupportedMediaType, show

WINDOWS: Mapping[str, int] = {"gzip": 31, "deflate": 15}  # zlib's word for the format
LEVEL = 1  # what is slow to send is mostly pictures and noise, which higher levels do not make smaller
LEAST_BYTES = 4096  # what is smaller is sent as it is
PROBE_BYTES = 16384
WORTH = 0.7  # pictures in base64 shrink to 0.76 for the same time: not worth it
INFLATE_BYTE_S, DEFLATE_BYTE_S = 4e-9, 25e-9  # of plain content, measured


def coding_of(encoding: str | None) -> str | None:
    """How a request's body is compressed; None: it is not.

    Args:
        encoding: its header ``Content-Encoding``.

    Raises:
        UnsupportedMediaType: in another way.
    """
    if encoding is None or (given := encoding.strip().lower()) == "identity":
        return None
    if given not in WINDOWS:
        text = f"Content-Encoding: {show(given)} is not read here; allowed: {', '.join(WINDOWS)}, identity"
        raise UnsupportedMediaType(text, field="Content-Encoding")
    return given


def decompressed(body: bytes, coding: str, limit: int) -> bytes:
    """A body as it was before it was compressed; never more than ``limit`` bytes are made of it.

    Raises:
        PayloadTooLarge: it is more than ``limit`` bytes.
        InvalidArgument: it is damaged, cut off, or something follows it.
    """
    reader = zlib.decompressobj(WINDOWS[coding])
    try:
        content = reader.decompress(body, limit + 1)
    except zlib.error as error:
        raise _damaged(coding, "it is damaged") from error
    if len(content) > limit:
        raise PayloadTooLarge(f"the body is too large: decompressed, it is more than {limit} bytes")
    if not reader.eof:
        raise _damaged(coding, "it is cut off")
    if reader.unused_data:
        raise _damaged(coding, f"{len(reader.unused_data)} bytes follow it")
    return content


def _damaged(coding: str, why: str) -> InvalidArgument:
    return InvalidArgument(f"the body is not one whole {coding} stream: {why}", field="Content-Encoding")


def wanted_coding(accept: str | None) -> str | None:
    """The compression an Accept-Encoding header likes best; None: none is wanted (RFC 9110 section 12.5.3)."""
    liked: dict[str, float] = {}
    for part in (accept or "").lower().split(","):
        name, _, weight = part.partition(";")
        liked[name.strip()] = _quality(weight)
    best = max(WINDOWS, key=lambda name: liked.get(name, liked.get("*", 0.0)))
    quality = liked.get(best, liked.get("*", 0.0))
    return best if quality > 0 and quality >= liked.get("identity", 0.0) else None


def _quality(weight: str) -> float:
    name, _, value = weight.strip().partition("=")
    try:
        return float(value) if name == "q" else 1.0
    except ValueError:
        return 0.0


def compressed(content: bytes, coding: str) -> bytes | None:
    """Content in a coding; None if that would be hardly smaller."""
    if len(content) < LEAST_BYTES:
        return None
    if len(_deflated(content[:PROBE_BYTES], coding)) > WORTH * min(len(content), PROBE_BYTES):
        return None
    return _deflated(content, coding)


def _deflated(content: bytes, coding: str) -> bytes:
    writer = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOWS[coding])
    return writer.compress(content) + writer.flush()
