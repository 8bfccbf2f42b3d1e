"""PT2: runs ``.pt2`` files on the CPU, compiled by AOTInductor or as ``torch.export`` has saved them.

Both are zip archives; a compiled one holds a shared library. Such a file is native code: it can do anything. Whether to
trust it is for the store to decide, before it is loaded.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils import _pytree as pytree

from brood.protocol.errors import BundleError
from brood.protocol.manifest import Graph
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.torchscript import REASON_LIMIT, TorchScriptGraph

COMPILED = "/aotinductor/"  # part of the names in a compiled archive
Call = Callable[..., Any]


class Pt2Graph(TorchScriptGraph):
    """A `LoadedGraph` that calls a program: inputs by position, in the manifest's order, and so its outputs."""

    def __init__(self, spec: Graph, call: Call, weights: Sequence[torch.Tensor]) -> None:
        self.spec = spec
        self._program = call
        self._weights = {tensor.untyped_storage().data_ptr() for tensor in weights}

    def _call(self, tensors: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        with torch.no_grad():  # compiled code knows no inference mode
            try:
                outputs = self._program(*tensors)
            except AssertionError as error:  # what a program says of inputs that it was not exported for
                raise ValueError(str(error)) from error
        return (outputs,) if isinstance(outputs, torch.Tensor) else tuple(outputs)


def load_pt2(path: Path, spec: Graph, options: RuntimeOptions) -> Pt2Graph:
    """Load a ``.pt2`` graph.

    ``options.threads`` becomes torch's number of threads for the *whole process*; torch knows no finer setting.

    Raises:
        BundleError: the file is no such archive, takes another number of inputs than ``spec``, was compiled for another
            machine, or ``options.device`` is not the CPU.
    """
    if options.device != "cpu":
        raise BundleError(f"device: {options.device!r} is not allowed for pt2; allowed: cpu")
    torch.set_num_threads(options.threads)
    try:
        with zipfile.ZipFile(path) as archive:
            compiled = any(COMPILED in name for name in archive.namelist())
        with warnings.catch_warnings():  # torch says that parts of this may still change
            warnings.simplefilter("ignore")
            call, inputs, weights = _compiled(path) if compiled else _exported(path)
    except (RuntimeError, ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path.name}: torch refuses it: {str(error)[:REASON_LIMIT]}") from error
    if inputs != len(spec.inputs):
        raise BundleError(f"{path.name}: takes {inputs} inputs, declared {list(spec.inputs)}")
    return Pt2Graph(spec, call, weights)


def _compiled(path: Path) -> tuple[Call, int, list[torch.Tensor]]:
    """The program, its number of inputs, and no weights: they lie in the library, which gives no views of them."""
    loaded: Any = torch._inductor.aoti_load_package(str(path))
    accepts = pytree.treespec_loads(loaded.loader.get_call_spec()[0])
    return loaded, accepts.num_leaves, []


def _exported(path: Path) -> tuple[Call, int, list[torch.Tensor]]:
    program = torch.export.load(path)
    weights = [*program.state_dict.values(), *program.constants.values()]
    tensors = [weight for weight in weights if isinstance(weight, torch.Tensor)]
    return program.module(), len(program.graph_signature.user_inputs), tensors
