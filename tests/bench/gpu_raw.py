"""A bundle's graph by ONNX Runtime alone, with tensors that stay where they are: what a device does at best."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from brood.protocol.manifest import Graph, GraphInput, GraphOutput
from brood.runtimes.device import parse_device
from brood.runtimes.onnx_providers import CUDA, OURS

WARM = 3
GRAPH_OPTION = {"enable_cuda_graph": "1"}
READ = ("output", "ok")  # roles of what the host reads


class RawGraph:
    """One graph at one number of rows.

    State is not handed on from call to call: what a call costs is the same. Everything that differs between steps is
    copied to the device before each call, as it must be.

    Args:
        file, spec: the graph.
        rows: of a call.
        device: as `brood.runtimes.device` reads it.
        cuda_graph: one launch for all kernels.
        threads: on the CPU.
        every: whether the host reads what a call makes; of a step program it does not.
    """

    def __init__(
        self, file: Path, spec: Graph, rows: int, device: str, *, cuda_graph: bool, threads: int, every: bool
    ) -> None:
        found = parse_device(device)
        kind, number = ("cuda", found.number) if found.is_gpu else ("cpu", 0)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        graphed = GRAPH_OPTION if cuda_graph else {}
        providers = [(CUDA, {**OURS[CUDA], "device_id": str(number), **graphed})] if found.is_gpu else []
        self._session = onnxruntime.InferenceSession(file, options, [*providers, "CPUExecutionProvider"])
        self._binding = self._session.io_binding()
        self._fed: list[tuple[onnxruntime.OrtValue, np.ndarray]] = []
        for name, wanted in spec.inputs.items():
            array = drawn(wanted, rows)
            value = onnxruntime.OrtValue.ortvalue_from_numpy(array, kind, number)
            self._binding.bind_ortvalue_input(name, value)
            if wanted.role != "state":
                self._fed.append((value, array))
        self._read = self._bound(spec.outputs, rows, kind, number) if every else []
        if not every:
            self._bound(spec.outputs, rows, kind, number)
        for _ in range(WARM):
            self.call()

    def _bound(
        self, outputs: Mapping[str, GraphOutput], rows: int, kind: str, number: int
    ) -> list[onnxruntime.OrtValue]:
        read = []
        for name, made in outputs.items():
            empty = np.empty((rows, *made.shape), made.dtype)
            value = onnxruntime.OrtValue.ortvalue_from_numpy(empty, kind, number)
            self._binding.bind_ortvalue_output(name, value)
            if made.role in READ:
                read.append(value)
        return read

    def call(self) -> None:
        """Once: copy in, run, copy out."""
        for value, array in self._fed:
            value.update_inplace(array)
        self._session.run_with_iobinding(self._binding)
        for value in self._read:
            value.numpy()

    def seconds(self, span_s: float) -> float:
        """Of a call, over so many seconds of calls."""
        calls, began = 0, time.perf_counter()
        while not calls or time.perf_counter() < began + span_s:
            self.call()
            calls += 1
        return (time.perf_counter() - began) / calls


def drawn(wanted: GraphInput, rows: int) -> np.ndarray:
    """Numbers that every graph can do with: noise for what is drawn, and small whole numbers for the rest."""
    rng, shape = np.random.default_rng(0), (rows, *wanted.shape)
    if wanted.role in ("noise", "state", "input") and np.dtype(wanted.dtype).kind == "f":
        return rng.random(shape).astype(wanted.dtype)
    return np.ones(shape, wanted.dtype)
