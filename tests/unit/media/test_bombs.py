"""Small files that unfold to hundreds of megabytes do so no further than the picture needs."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest

from brood.media.png import SIGNATURE, write_png
from brood.media.read_png import read_png
from brood.media.refused import Refused

SIDE = 28
HUGE = 100 * 10**6
HEAD = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
REST = write_png(np.zeros((SIDE, SIDE), np.uint8))[33:]  # behind signature and IHDR


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


BOMBS = {
    "pixels": chunk(b"IDAT", zlib.compress(bytes(HUGE))) + chunk(b"IEND", b""),
    "text": chunk(b"zTXt", b"key\0\0" + zlib.compress(bytes(HUGE))) + REST,
    "colour profile": chunk(b"iCCP", b"key\0\0" + zlib.compress(bytes(HUGE))) + REST,
}


@pytest.mark.parametrize("kind", BOMBS)
def test_bombs_take_little_memory(kind: str) -> None:
    content = SIGNATURE + chunk(b"IHDR", HEAD) + BOMBS[kind]
    assert len(content) < HUGE / 500
    read_png(SIGNATURE + chunk(b"IHDR", HEAD) + REST, 1, SIDE, SIDE)  # imports what it needs
    tracemalloc.start()
    if kind == "pixels":  # those of the picture are there, and nobody needs the others
        assert not read_png(content, 1, SIDE, SIDE).any()
    else:
        with pytest.raises(Refused):
            read_png(content, 1, SIDE, SIDE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < HUGE / 20
