"""Counts what the hot paths take, as JSON: bytecodes of Python, or (within valgrind) instructions of the processor.

Bytecodes are counted by a trace function (sys.settrace), and so are the same on every machine with this version of
Python. Instructions are counted by valgrind's callgrind, which writes a file whenever ``getppid`` is called: one for
what came before a path, and one for its repetitions. It says to programs that the processor is one without AVX-512.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from types import FrameType
from typing import Any

from bench.guarding.paths import Once, paths

WARM = 3
TIMES = 5  # a path is run so often


class Bytecodes:
    """While it is entered, every bytecode that this thread runs counts."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Bytecodes:
        sys.settrace(self._called)
        return self

    def __exit__(self, *error: object) -> None:
        sys.settrace(None)

    def _called(self, frame: FrameType, event: str, arg: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._traced

    def _traced(self, frame: FrameType, event: str, arg: Any) -> Any:
        self.count += event == "opcode"
        return self._traced


def bytecodes(once: Once) -> int:
    """The least of some runs: the first fill caches, and ids differ in length."""
    found = []
    for _ in range(TIMES):
        with Bytecodes() as counted:
            once()
        found.append(counted.count)
    return min(found)


def main() -> None:
    """Count all paths."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--instructions", action="store_true", help="mark the paths for callgrind")
    given = parser.parse_args()
    found = {}
    for name, prepared in paths().items():
        once = prepared()
        for _ in range(WARM):
            once()
        gc.collect()
        gc.disable()
        if given.instructions:
            os.getppid()
            for _ in range(TIMES):
                once()
            os.getppid()
        else:
            found[name] = bytecodes(once)
        gc.enable()
    print(json.dumps({"paths": list(paths()), "times": TIMES, "bytecodes": found}))


if __name__ == "__main__":
    main()
