"""The fake runtime: graphs without weights, for tests of everything above a runtime.

What a graph computes is written in its file, a JSON object:

    {"outputs": {"x": {"sum": [{"times": 0.5, "of": ["x"]}, {"of": ["noise", "scale"]}, {"times": 3.0}]},
                 "ok": {"finite": "x"}},
     "bucket_dependent": false,
     "fails_on": {"input": "label", "equals": 9}}

- ``sum``: Σ times · Π of, in float64, cast once to the declared dtype. ``of`` names inputs; one with fewer axes than
  another is spread over the missing last ones. The example is x' = 0.5·x + noise·scale + 3.
- ``finite``: per row, whether all numbers of an input, or of an output written before, are finite.
- ``bucket_dependent``: every sum is multiplied by 1 + rows/2¹⁶, so its bits depend on how many rows the call has.
- ``fails_on``: the call fails when any row's input has that value, as a device error would.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from brood.protocol.errors import BundleError, RuntimeFailed
from brood.protocol.manifest import Graph
from brood.runtimes.base import Arrays, RuntimeOptions, checked


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Term(_Words):
    times: float = 1.0
    of: tuple[str, ...] = ()


class _Output(_Words):
    sum: tuple[_Term, ...] = ()
    finite: str | None = None


class _FailsOn(_Words):
    input: str
    equals: float


class _Description(_Words):
    outputs: dict[str, _Output]
    bucket_dependent: bool = False
    fails_on: _FailsOn | None = None


class FakeGraph:
    """A `LoadedGraph` that computes what its description says."""

    def __init__(self, spec: Graph, description: _Description) -> None:
        self.spec = spec
        self._description = description

    def __call__(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """See `LoadedGraph`."""
        rows = self._rows(inputs)
        fails_on = self._description.fails_on
        if fails_on is not None and (inputs[fails_on.input] == fails_on.equals).any():
            raise RuntimeFailed(f"graph input {fails_on.input!r} is {fails_on.equals:g}: the fake fails on it")
        values = dict(inputs)
        for name in self._description.outputs:
            values[name] = self._output(name, values, rows)
        return checked({name: values[name] for name in self.spec.outputs}, self.spec, rows)

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
        scale = 1.0 + rows / 2**16 if self._description.bucket_dependent else 1.0
        total = np.zeros((rows, *spec.shape))
        with np.errstate(over="ignore", invalid="ignore"):
            for term in output.sum:
                factors = [_spread(values[factor], total.ndim) for factor in term.of]
                total = total + math.prod(factors, start=np.float64(term.times * scale))
            return total.astype(spec.dtype)


def _spread(array: np.ndarray, axes: int) -> np.ndarray:
    """float64, with axes of length one added at the end."""
    return array.reshape(array.shape + (1,) * (axes - array.ndim)).astype(np.float64)


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
    if set(description.outputs) != set(spec.outputs):
        raise BundleError(f"{path.name}: outputs are {sorted(description.outputs)}, declared {sorted(spec.outputs)}")
    known = {*spec.inputs, *spec.outputs}
    for name, output in description.outputs.items():
        for used in [*(factor for term in output.sum for factor in term.of), *filter(None, [output.finite])]:
            if used not in known:
                raise BundleError(f"{path.name}: outputs.{name}: no tensor is called {used!r}")
    return FakeGraph(spec, description)
