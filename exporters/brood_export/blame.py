"""Where in somebody's code something happened, in few words."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path

import torch

OURS = Path(__file__).parent
TORCHS = Path(torch.__file__).parent
MESSAGE = 200  # characters of somebody else's error


def line_of(frames: Sequence[traceback.FrameSummary]) -> str:
    """``file.py, line N: code`` of the innermost line that is neither torch's nor the exporter's."""
    for frame in reversed(frames):
        path = Path(frame.filename)
        owned = path.is_relative_to(OURS) and not path.is_relative_to(OURS / "zoo")
        if not owned and not path.is_relative_to(TORCHS) and not frame.filename.startswith("<"):
            return f"{path.name}, line {frame.lineno}: {frame.line}"
    return "a line of the exporter"


def reason(error: BaseException) -> str:
    """The first line of what somebody else's code says."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:MESSAGE]


def root(error: BaseException) -> BaseException:
    """The error that all others came from."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error
