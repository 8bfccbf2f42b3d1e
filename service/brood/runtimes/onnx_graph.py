"""ONNX graphs in ONNX Runtime sessions, on the CPU and on a device with a memory of its own.

On a device, IO binding leaves the outputs that replace a state where they are, for the next call. What a call appends
to a state, and a batch whose rows change, go through main memory. On the CPU a session is called without IO binding: it
gives its outputs without a copy as it is, in memory that its arena hands out again, and two sets of preallocated
buffers would save a call 3 µs, or 4 % of a graph that only multiplies and adds (tests/bench/results/state.json).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from brood.protocol.errors import RuntimeFailed
from brood.protocol.manifest import Graph
from brood.runtimes.base import Arrays, Placement, Tensor, checked, on_host

DTYPES = {
    **{f"tensor({name})": name for name in ("bool", "float16")},
    **{f"tensor({kind}{bits})": f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)},
    "tensor(float)": "float32",
    "tensor(double)": "float64",
}
REASON_LIMIT = 300


class OnnxGraph:
    """A `LoadedGraph` in an ONNX Runtime session."""

    def __init__(self, spec: Graph, session: Any, placement: Placement) -> None:
        self.spec, self.placement = spec, placement
        self._names = list(spec.outputs)
        self._run: Callable[[list[str], dict[str, np.ndarray]], list[np.ndarray]] = session.run

    def __call__(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """See `LoadedGraph`. Lets other threads run meanwhile."""
        feeds = inputs if isinstance(inputs, dict) else dict(inputs)
        try:
            outputs = self._run(self._names, feeds)
        except Exception as error:  # ONNX Runtime's exceptions have no base of their own
            raise RuntimeFailed(f"the graph call failed: {reason_of(error)}") from error
        rows = len(next(iter(feeds.values())))
        return checked(dict(zip(self._names, outputs, strict=True)), self.spec, rows)


class OnnxTensor:
    """A `DeviceTensor` of ONNX Runtime."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.shape: tuple[int, ...] = tuple(value.shape())
        self.dtype: np.dtype[np.generic] = np.dtype(DTYPES[value.data_type()])
        self._host: np.ndarray | None = None

    def numpy(self) -> np.ndarray:
        """See `DeviceTensor`."""
        if self._host is None:
            self._host = self.value.numpy()
            self._host.flags.writeable = False
        return self._host


class OnnxDeviceGraph(OnnxGraph):
    """A `DeviceGraph` in an ONNX Runtime session.

    Args:
        memory: in which outputs may stay, as IO binding calls it: "cuda".
        number: of the device among those with such a memory.
    """

    def __init__(self, spec: Graph, session: Any, placement: Placement, memory: str, number: int) -> None:
        super().__init__(spec, session, placement)
        self._session, self._memory, self._number = session, memory, number

    def on_device(self, inputs: Mapping[str, Tensor], stay: Collection[str]) -> dict[str, Tensor]:
        """See `DeviceGraph`."""
        try:
            values = self._run_bound(inputs, stay)
        except Exception as error:  # ONNX Runtime's exceptions have no base of their own
            raise RuntimeFailed(f"the graph call failed: {reason_of(error)}") from error
        outputs: dict[str, Tensor] = {
            name: OnnxTensor(value) if name in stay else value.numpy() for name, value in values.items()
        }
        return checked(outputs, self.spec, next(iter(inputs.values())).shape[0])

    def _run_bound(self, inputs: Mapping[str, Tensor], stay: Collection[str]) -> dict[str, Any]:
        binding = self._session.io_binding()
        for name, tensor in inputs.items():
            if isinstance(tensor, OnnxTensor):
                binding.bind_ortvalue_input(name, tensor.value)
            else:
                binding.bind_cpu_input(name, on_host(tensor))
        for name in self.spec.outputs:
            binding.bind_output(name, *((self._memory, self._number) if name in stay else ("cpu", 0)))
        self._session.run_with_iobinding(binding)
        return dict(zip(self.spec.outputs, binding.get_outputs(), strict=True))


def reason_of(error: Exception) -> str:
    """What went wrong, without the lead-in ``[ONNXRuntimeError] : 2 : INVALID_ARGUMENT :``, on one line."""
    return " ".join(str(error).rsplit(" : ", 1)[-1].split())[:REASON_LIMIT]
