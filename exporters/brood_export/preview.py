"""The sample sheet of a bundle: pictures made by its own exported graphs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brood.media.pixels import to_pixels
from brood.media.sheet import contact_sheet
from brood.program import compile_program, run_row
from brood.protocol.manifest import Manifest
from brood.runtimes.base import LoadedGraph, RuntimeOptions
from brood.runtimes.load import load_graphs
from brood_export.families.base import ExportSpec, Request, complete_params

PREVIEW = "preview.png"
SIDE = 56  # pixels; smaller pictures are enlarged by a whole number to about this


def write_preview(directory: Path, manifest: Manifest, spec: ExportSpec) -> Path:
    """Make the sheet's samples with the graphs in a bundle's directory, and write it there."""
    graphs = load_graphs(directory, manifest, RuntimeOptions(threads=1))
    pictures = [_picture(manifest, graphs, spec, request) for request in spec.preview]
    path = directory / PREVIEW
    path.write_bytes(contact_sheet(pictures, spec.preview_columns))
    return path


def _picture(
    manifest: Manifest, graphs: Mapping[str, LoadedGraph], spec: ExportSpec, request: Request
) -> NDArray[np.uint8]:
    program = compile_program(manifest, request.operation)
    params = complete_params(program.operation, request.params)
    outputs = run_row(program, graphs, seed=request.seed, index=request.index, params=params, inputs=request.inputs)
    image = next(name for name, output in program.operation.outputs.items() if output.kind == "image")
    return enlarged(to_pixels(outputs[image], spec.sample))


def enlarged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pixels [height, width] or [height, width, 3], each repeated so that the height is at least SIDE."""
    factor = -(-SIDE // len(pixels))
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)
