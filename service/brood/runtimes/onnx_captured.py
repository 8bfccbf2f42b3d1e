"""Calls that CUDA has recorded: one graph of kernels for each number of rows, launched as a whole.

Where a call is many small kernels, launching them one by one takes the host longer than the GPU needs to run them.
ONNX Runtime records a call and plays it again (provider option ``enable_cuda_graph``), if all of its tensors lie where
they lay. So each number of rows has buffers of its own: inputs are copied in, and what is to stay on the device is
copied out, because the next call of as many rows writes over it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from brood.protocol.errors import RuntimeFailed
from brood.protocol.manifest import Graph, GraphInput, GraphOutput
from brood.runtimes.base import Arrays, Placement, Tensor, on_host
from brood.runtimes.onnx_graph import OnnxDeviceGraph, OnnxTensor

OPTION = "enable_cuda_graph"  # of the CUDA provider
RECORDING = "gpu_graph_id"  # of a run: which recording it is


class OnnxCapturedGraph(OnnxDeviceGraph):
    """An `OnnxDeviceGraph` whose calls are recorded, once for each number of rows.

    Args:
        ort: the module `onnxruntime`.
    """

    def __init__(self, ort: Any, spec: Graph, session: Any, placement: Placement, memory: str, number: int) -> None:
        super().__init__(spec, session, placement, memory, number)
        self._ort = ort
        self._recordings: dict[int, _Recording] = {}

    def __call__(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """See `LoadedGraph`; a plain run would look for its tensors where they are not."""
        return {name: on_host(tensor) for name, tensor in self.on_device(inputs, ()).items()}

    def _run_bound(self, inputs: Mapping[str, Tensor], stay: Collection[str]) -> dict[str, Any]:
        rows = next(iter(inputs.values())).shape[0]
        if rows not in self._recordings:
            self._recordings[rows] = _Recording(self, rows)
        recording = self._recordings[rows]
        recording.give(inputs)
        self._session.run_with_iobinding(recording.binding, recording.options)
        return {name: self._copy(value) if name in stay else value for name, value in recording.outputs.items()}

    def buffer(self, spec: GraphInput | GraphOutput, rows: int) -> Any:
        """Room for a tensor on the device."""
        shape, kind = (rows, *spec.shape), np.dtype(spec.dtype).type
        return self._ort.OrtValue.ortvalue_from_shape_and_type(shape, kind, self._memory, self._number)

    def copy(self, source: Any, target: Any) -> None:
        """Within the device."""
        self._ort.copy_tensors([source], [target])

    def _copy(self, value: Any) -> Any:
        kind = OnnxTensor(value).dtype.type
        made = self._ort.OrtValue.ortvalue_from_shape_and_type(value.shape(), kind, self._memory, self._number)
        self.copy(value, made)
        return made

    def bound(self, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Any:
        """The binding of a recording."""
        binding = self._session.io_binding()
        for name, value in inputs.items():
            binding.bind_ortvalue_input(name, value)
        for name, value in outputs.items():
            binding.bind_ortvalue_output(name, value)
        return binding

    def run_options(self, rows: int) -> Any:
        """Those of a recording."""
        options = self._ort.RunOptions()
        options.add_run_config_entry(RECORDING, str(rows))
        return options


class _Recording:
    """Where the tensors of calls of so many rows lie."""

    def __init__(self, graph: OnnxCapturedGraph, rows: int) -> None:
        self._graph, self._rows = graph, rows
        self.inputs = {name: graph.buffer(spec, rows) for name, spec in graph.spec.inputs.items()}
        self.outputs = {name: graph.buffer(spec, rows) for name, spec in graph.spec.outputs.items()}
        self.binding = graph.bound(self.inputs, self.outputs)
        self.options = graph.run_options(rows)

    def give(self, inputs: Mapping[str, Tensor]) -> None:
        """Put a call's inputs in their places; a copy knows no shapes, so they are looked at here."""
        declared = self._graph.spec.inputs
        if inputs.keys() != declared.keys():
            raise RuntimeFailed(f"inputs are {sorted(inputs)}, declared {sorted(declared)}")
        for name, tensor in inputs.items():
            wanted = (self._rows, *declared[name].shape)
            if tensor.shape != wanted or tensor.dtype != np.dtype(declared[name].dtype):
                found = f"{tensor.dtype}{list(tensor.shape)}"
                raise RuntimeFailed(f"input {name!r} is {found}, declared {declared[name].dtype}{list(wanted)}")
            if isinstance(tensor, OnnxTensor):
                self._graph.copy(tensor.value, self.inputs[name])
            else:
                self.inputs[name].update_inplace(np.ascontiguousarray(on_host(tensor)))
