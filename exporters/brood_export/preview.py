"""The sample sheet of a bundle: what its own exported graphs make, as pictures.

Pictures show themselves, videos some of their frames, sound its waveform and spectrogram; points of the plane are drawn
as a scatter plot for each column of the sheet.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brood.media.sheet import contact_sheet
from brood.program import compile_program, run_row
from brood.protocol.manifest import Manifest
from brood.runtimes.base import LoadedGraph, RuntimeOptions
from brood.runtimes.load import load_graphs
from brood_export.drawing import drawn, scatter
from brood_export.families.base import ExportSpec, Request, complete_params

PREVIEW = "preview.png"
MARGIN = 1.1  # half of a plot's side, in units of the farthest coordinate


def write_preview(directory: Path, manifest: Manifest, spec: ExportSpec) -> None:
    """Make the sheet's samples with the graphs in a bundle's directory, and write it there, if there are any."""
    if not spec.preview:
        return
    graphs = load_graphs(directory, manifest, RuntimeOptions(threads=1))
    samples = [_sample(manifest, graphs, request) for request in spec.preview]
    if spec.sample is not None:
        pictures = [drawn(sample, spec.sample) for sample in samples]
    else:
        farthest = max(float(np.abs(sample).max()) for sample in samples)
        columns = [np.stack(samples[column :: spec.preview_columns]) for column in range(spec.preview_columns)]
        pictures = [scatter(points, MARGIN * farthest) for points in columns]
    (directory / PREVIEW).write_bytes(contact_sheet(pictures, spec.preview_columns))


def _sample(manifest: Manifest, graphs: Mapping[str, LoadedGraph], request: Request) -> NDArray[np.generic]:
    """The first output of a request that is not a scalar."""
    program = compile_program(manifest, request.operation)
    params = complete_params(program.operation, request.params)
    outputs = run_row(program, graphs, seed=request.seed, index=request.index, params=params, inputs=request.inputs)
    return outputs[next(name for name, output in program.operation.outputs.items() if output.kind != "scalar")]
