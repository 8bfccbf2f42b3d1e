"""What the client gives back, and arrays as bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from brood_client._errors import error_of

Array = npt.NDArray[Any]
Scalar = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Sample:
    """One finished sample."""

    index: int
    seed: int
    outputs: Mapping[str, Array | Scalar]  # by name, in order of name


@dataclass(frozen=True, slots=True)
class Generation:
    """A whole answer."""

    id: str  # the request id
    model: str
    version: int
    operation: str
    seed: int  # of all samples, given or drawn
    determinism: str  # "exact", "tolerance" or "none"
    samples: Sequence[Sample]  # in order of index

    @property
    def array(self) -> Array:
        """The first array output, by name, of all samples: ``[n, ...]``.

        Raises:
            ValueError: the operation has scalar outputs only.
        """
        for name, value in self.samples[0].outputs.items():
            if isinstance(value, np.ndarray):
                return np.stack([np.asarray(sample.outputs[name]) for sample in self.samples])
        raise ValueError(f"{self.model}/{self.operation} gives scalars only: {', '.join(self.samples[0].outputs)}")


@dataclass(frozen=True, slots=True)
class Model:
    """One version of one model on the server."""

    name: str
    version: int
    state: Literal["loading", "ready", "failed"]
    reason: str  # why it failed
    operations: tuple[str, ...]  # in order of name


class Transport(Protocol):
    """A way to a server. ``fields`` are those of ``POST /v1/generations``, with bytes for base64."""

    def generate(self, fields: Mapping[str, Any], timeout_s: float | None) -> Generation: ...

    def models(self, timeout_s: float | None) -> list[Model]: ...

    def close(self) -> None: ...


def tensor_of(name: str, value: npt.ArrayLike) -> dict[str, Any]:
    """An input as a request carries it: little-endian, C order.

    Raises:
        InvalidArgument: it is not an array of numbers.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        message = f"inputs.{name}: {array.dtype} is not allowed; allowed: numbers"
        raise error_of("invalid_argument", message, field=f"inputs.{name}")
    content = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return {"b64": content, "format": "raw", "dtype": array.dtype.name, "shape": list(array.shape)}


def array_of(content: bytes, dtype: str, shape: Sequence[int]) -> Array:
    """The array in raw bytes; writable."""
    return np.frombuffer(bytearray(content), np.dtype(dtype).newbyteorder("<")).reshape(tuple(shape))
