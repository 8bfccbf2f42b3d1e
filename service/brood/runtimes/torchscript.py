"""TorchScript: runs ``torch.jit`` files on the CPU.

Such a file is native code: it can do anything. Whether to trust it is for the store to decide, before it is loaded.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.jit._fuser import optimized_execution

from brood.protocol.errors import BundleError, RuntimeFailed
from brood.protocol.manifest import Graph
from brood.runtimes.base import Arrays, Placement, RuntimeOptions, checked

REASON_LIMIT = 300


class TorchScriptGraph:
    """A `LoadedGraph` that calls a script module: inputs by position, in the manifest's order, and so its outputs."""

    def __init__(self, spec: Graph, module: torch.jit.ScriptModule) -> None:
        self.spec = spec
        self._module = module
        weights = module.state_dict().values()
        self._weights = {_storage(tensor) for tensor in weights}
        self.placement = Placement("torch", _precision(weights))

    def __call__(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """See `LoadedGraph`. Lets other threads run meanwhile."""
        try:
            tensors = [_tensor(inputs[name]) for name in self.spec.inputs]
            outputs = self._call(tensors)
        except (RuntimeError, TypeError, ValueError, KeyError) as error:
            raise RuntimeFailed(f"the graph call failed: {_reason(error)}") from error
        if len(outputs) != len(self.spec.outputs):
            raise RuntimeFailed(f"the graph gave {len(outputs)} outputs, declared {len(self.spec.outputs)}")
        own = self._own(outputs, {_storage(tensor) for tensor in tensors})
        named = {name: output.numpy() for name, output in zip(self.spec.outputs, own, strict=True)}
        return checked(named, self.spec, len(next(iter(inputs.values()))))

    def _own(self, outputs: Iterable[torch.Tensor], inputs: set[int]) -> Iterator[torch.Tensor]:
        """Each output in memory of its own: a script may give an input, a weight, or one tensor twice."""
        taken = inputs | self._weights
        for output in outputs:
            contiguous = output.contiguous()
            yield contiguous.clone() if _storage(contiguous) in taken else contiguous
            taken.add(_storage(contiguous))

    def _call(self, tensors: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """One call, as written: torch's optimiser would recompile in the first two calls, and again for other shapes.

        The setting belongs to a thread, so it is made at every call (3 µs).
        """
        with torch.inference_mode(), optimized_execution(False):
            outputs = self._module(*tensors)
        return (outputs,) if isinstance(outputs, torch.Tensor) else tuple(outputs)


def load_torchscript(path: Path, spec: Graph, options: RuntimeOptions) -> TorchScriptGraph:
    """Load a TorchScript graph.

    ``options.threads`` becomes torch's number of threads for the *whole process*; torch knows no finer setting.

    Raises:
        BundleError: the file is not TorchScript, takes other inputs than ``spec``, or ``options.device`` is not the
            CPU.
    """
    if options.device != "cpu":
        raise BundleError(f"device: {options.device!r} is not allowed for TorchScript; allowed: cpu")
    torch.set_num_threads(options.threads)
    try:
        with warnings.catch_warnings():  # torch.jit is deprecated in favour of torch.export, but works
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, OSError) as error:
        raise BundleError(f"{path.name}: torch refuses it: {_reason(error)}") from error
    _check_inputs(path, module, list(spec.inputs))
    return TorchScriptGraph(spec, module.eval())


def _check_inputs(path: Path, module: Any, declared: list[str]) -> None:
    """Inputs go by position, so their number must agree; and names that agree must not be in another order."""
    found = [argument.name for argument in module.forward.schema.arguments[1:]]
    if not declared or len(found) != len(declared) or (found != declared and set(found) == set(declared)):
        raise BundleError(f"{path.name}: inputs are {found} in this order, declared {declared}")


def _tensor(array: np.ndarray) -> torch.Tensor:
    """The array's memory as a tensor; torch cannot express that memory is read-only, so that is copied."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def _storage(tensor: torch.Tensor) -> int:
    """Where the memory begins that a tensor lies in."""
    return tensor.untyped_storage().data_ptr()


def _precision(weights: Iterable[torch.Tensor]) -> str:
    """The floating-point type of most weights; where there are none, torch's own default."""
    sizes = Counter({str(torch.get_default_dtype()): 0})
    for tensor in weights:
        if tensor.is_floating_point():
            sizes[str(tensor.dtype)] += tensor.numel()
    return max(sizes, key=lambda name: sizes[name]).removeprefix("torch.")


def _reason(error: Exception) -> str:
    """The last line of torch's message (the lines before are a stack), shortened."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:REASON_LIMIT]
