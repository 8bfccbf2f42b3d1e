"""The fake runtime: graphs without weights, for tests of everything above a runtime.

What a graph computes is written in its file, a JSON object:

    {"outputs": {"x": {"sum": [{"times": 0.5, "of": ["x"]}, {"of": ["noise", "scale"]}, {"times": 3.0}]},
                 "ok": {"finite": "x"}},
     "bucket_dependent": false,
     "fails_on": {"input": "label", "equals": 9}}

- ``sum``: Σ times · Π of, in float64, cast once to the declared dtype. ``of`` names inputs; one with fewer axes than
  the output is spread over the missing last ones, and one that is longer than the output where that has length 1 is
  summed up there (what a row's state has grown to). The example is x' = 0.5·x + noise·scale + 3.
- ``finite``: per row, whether all numbers of an input, or of an output written before, are finite.
- ``reaches``: per row, whether the first of two numbers, inputs or outputs written before, is at least the second.
- ``bucket_dependent``: every sum is multiplied by 1 + rows/2¹⁶, so its bits depend on how many rows the call has;
  with ``bucket_dependent_from``, only in calls of at least so many rows.
- ``fails_on``: the call fails when any row's input has that value, as a device error would.
- ``wrong_shape_on``, said like ``fails_on``: every output is one row short, as a graph with a fixed size would be.
- ``takes``: ``{"call_s": 0.04, "row_s": 0.001}``: a call takes so long, and no processor, as on a device of its own.
- ``hangs_on``, said like ``fails_on``: the call calls `hang`, as a device that stopped answering would.
"""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from brood.protocol.errors import BundleError, RuntimeFailed
from brood.protocol.manifest import Graph
from brood.runtimes.base import Arrays, Placement, RuntimeOptions, checked


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Term(_Words):
    times: float = 1.0
    of: tuple[str, ...] = ()


class _Output(_Words):
    sum: tuple[_Term, ...] = ()
    finite: str | None = None
    reaches: tuple[str, str] | None = None

    @property
    def used(self) -> list[str]:
        """Tensors that it is made of."""
        return [*(name for term in self.sum for name in term.of), *filter(None, [self.finite]), *(self.reaches or ())]


class _When(_Words):
    input: str
    equals: float


class _Takes(_Words):
    call_s: float = 0.0
    row_s: float = 0.0


class _Description(_Words):
    outputs: dict[str, _Output]
    bucket_dependent: bool = False
    bucket_dependent_from: int = 1
    fails_on: _When | None = None
    wrong_shape_on: _When | None = None
    hangs_on: _When | None = None
    takes: _Takes | None = None


def hang() -> None:
    """What a call that hangs does: it never ends. Whoever must let go of it puts something else in this place."""
    threading.Event().wait()


class FakeGraph:
    """A `LoadedGraph` that computes what its description says."""

    placement = Placement("fake", "float64")

    def __init__(self, spec: Graph, description: _Description) -> None:
        self.spec = spec
        self._description = description

    def __call__(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """See `LoadedGraph`."""
        rows, words = self._rows(inputs), self._description
        if _holds(words.hangs_on, inputs):
            hang()
        if words.takes is not None:
            time.sleep(words.takes.call_s + rows * words.takes.row_s)
        fails_on = words.fails_on
        if fails_on is not None and _holds(fails_on, inputs):
            raise RuntimeFailed(f"graph input {fails_on.input!r} is {fails_on.equals:g}: the fake fails on it")
        values = dict(inputs)
        for name in words.outputs:
            values[name] = self._output(name, values, rows)
        given = rows - 1 if _holds(words.wrong_shape_on, inputs) else rows
        return checked({name: values[name][:given] for name in self.spec.outputs}, self.spec, rows)

    def _rows(self, inputs: Arrays) -> int:
        """The number of rows, if every input is there and is what is declared."""
        if set(inputs) != set(self.spec.inputs):
            raise RuntimeFailed(f"graph inputs are {sorted(inputs)}, declared {sorted(self.spec.inputs)}")
        rows = next((len(array) for array in inputs.values()), 1)
        for name, declared in self.spec.inputs.items():
            found = inputs[name]
            if found.shape != (rows, *declared.shape) or found.dtype != declared.dtype:
                raise RuntimeFailed(
                    f"graph input {name!r} is {found.dtype}{list(found.shape)}, "
                    f"declared {declared.dtype}{[rows, *declared.shape]}"
                )
        return rows

    def _output(self, name: str, values: dict[str, np.ndarray], rows: int) -> np.ndarray:
        output, spec = self._description.outputs[name], self.spec.outputs[name]
        if output.finite is not None:
            finite: np.ndarray = np.isfinite(values[output.finite]).reshape(rows, -1).all(axis=1)
            return finite
        if output.reaches is not None:
            first, second = (values[name].astype(np.float64) for name in output.reaches)
            return np.asarray(first >= second)
        words = self._description
        scale = 1.0 + rows / 2**16 if words.bucket_dependent and rows >= words.bucket_dependent_from else 1.0
        total = np.zeros((rows, *spec.shape))
        with np.errstate(over="ignore", invalid="ignore"):
            for term in output.sum:
                factors = [_spread(values[factor], total.shape) for factor in term.of]
                total = total + math.prod(factors, start=np.float64(term.times * scale))
            return total.astype(spec.dtype)


def _holds(when: _When | None, inputs: Arrays) -> bool:
    """Whether any row has that value."""
    return when is not None and bool((inputs[when.input] == when.equals).any())


def _spread(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """float64, with axes of length one added at the end, and longer ones summed up where ``shape`` has length one."""
    array = array.reshape(array.shape + (1,) * (len(shape) - array.ndim)).astype(np.float64)
    longer = tuple(axis for axis in range(1, len(shape)) if array.shape[axis] > shape[axis] == 1)
    return array.sum(axis=longer, keepdims=True) if longer else array


def load_fake(path: Path, spec: Graph, options: RuntimeOptions) -> FakeGraph:
    """Load a fake graph's description.

    Raises:
        BundleError: it is not what this module describes, or names tensors that the manifest does not.
    """
    try:
        description = _Description.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise BundleError(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    _check_names(path, description, spec)
    return FakeGraph(spec, description)


def _check_names(path: Path, description: _Description, spec: Graph) -> None:
    if set(description.outputs) != set(spec.outputs):
        raise BundleError(f"{path.name}: outputs are {sorted(description.outputs)}, declared {sorted(spec.outputs)}")
    known = {*spec.inputs, *spec.outputs}
    for name, output in description.outputs.items():
        for used in output.used:
            if used not in known:
                raise BundleError(f"{path.name}: outputs.{name}: no tensor is called {used!r}")
    for when in filter(None, [description.fails_on, description.wrong_shape_on, description.hangs_on]):
        if when.input not in spec.inputs:
            raise BundleError(f"{path.name}: no input is called {when.input!r}")
