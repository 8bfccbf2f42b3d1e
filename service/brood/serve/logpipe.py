"""How the replica's log reaches the terminal: a named pipe, because Ray keeps its processes' output to itself."""

from __future__ import annotations

import codecs
import os
from pathlib import Path
from typing import TextIO

CHUNK_BYTES = 65_536


class LogPipe:
    """The reading end; any number of processes may open ``path`` and append to it."""

    def __init__(self, path: Path, out: TextIO) -> None:
        self.path = path
        self._out = out
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        os.mkfifo(path, 0o600)
        # Open for writing too, so that a writer never waits for a reader and its death is not the end of the pipe.
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def pump(self) -> None:
        """Pass on what has been written."""
        while True:
            try:
                chunk = os.read(self._fd, CHUNK_BYTES)
            except BlockingIOError:
                return
            self._out.write(self._decoder.decode(chunk))
            self._out.flush()

    def close(self) -> None:
        """Pass on the rest and end."""
        self.pump()
        os.close(self._fd)
