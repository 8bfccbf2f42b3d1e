"""Writes safetensors files (https://huggingface.co/docs/safetensors): named tensors, and nothing that can be run."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from brood.media.npy import Bytes

ALIGNMENT = 8  # bytes: so that the tensors can be read where they lie
DTYPES: Mapping[str, str] = {
    "bool": "BOOL",
    "uint8": "U8",
    "uint16": "U16",
    "uint32": "U32",
    "uint64": "U64",
    "int8": "I8",
    "int16": "I16",
    "int32": "I32",
    "int64": "I64",
    "float16": "F16",
    "float32": "F32",
    "float64": "F64",
}


@dataclass(frozen=True, slots=True)
class Named:
    """One tensor, in pieces that follow one another."""

    name: str
    dtype: str  # numpy's word
    shape: tuple[int, ...]
    pieces: tuple[Bytes, ...]  # little-endian, C order


def write_safetensors(tensors: Iterable[Named], metadata: Mapping[str, str]) -> bytes:
    """A file; equal arguments give equal bytes."""
    head: dict[str, object] = {"__metadata__": dict(metadata)}
    pieces: list[Bytes] = []
    end = 0
    for tensor in tensors:
        start, end = end, end + sum(len(piece) for piece in tensor.pieces)
        head[tensor.name] = {"dtype": DTYPES[tensor.dtype], "shape": tensor.shape, "data_offsets": (start, end)}
        pieces += tensor.pieces
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return b"".join([struct.pack("<Q", len(text)), text, *pieces])
