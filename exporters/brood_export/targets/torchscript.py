"""TorchScript by tracing: legacy, and native code to whoever loads it."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path

import torch

from brood_export.errors import NotExportable
from brood_export.families.base import StepGraph
from brood_export.targets.base import Target, example

ALIGNMENT = 64  # bytes; torch maps tensors from the file, and keeps their data aligned in it
STAMP = (1980, 1, 1, 0, 0, 0)
HEADER = 30  # bytes of a local file header without name and padding
DEBUG = ".debug_pkl"


def export_torchscript(graph: StepGraph, path: Path) -> None:
    """Write a graph; its inputs and outputs go by position."""
    if graph.exported is not None:
        raise NotExportable(f"graph {path.stem!r} holds a gradient, which TorchScript cannot; allowed: runtime onnx")
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch.jit is deprecated, and warns of constants that are meant to be some
        traced = torch.jit.trace(graph.module.eval(), example(graph), check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(torch.jit.freeze(traced.eval()), buffer)
    path.write_bytes(strip(buffer.getvalue()))


def strip(archive: bytes) -> bytes:
    """The archive without its debug records: they hold the paths of the source code on the machine that exported."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(result, "w") as target:
        for name in source.namelist():
            if not name.endswith(DEBUG):
                entry = zipfile.ZipInfo(name, STAMP)
                entry.extra = padding(result.tell() + HEADER + len(name.encode()))
                target.writestr(entry, source.read(name))
    return result.getvalue()


def padding(offset: int) -> bytes:
    """An extra field after which data that would begin at `offset` begin at a multiple of ALIGNMENT."""
    size = (-(offset + 4)) % ALIGNMENT
    return b"FB" + size.to_bytes(2, "little") + b"Z" * size


TORCHSCRIPT = Target("torchscript", ".pt", export_torchscript, dict)
