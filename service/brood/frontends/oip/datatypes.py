"""The protocol's datatypes and numpy's (Open Inference Protocol v2, "Tensor Data Types")."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from brood.protocol.errors import invalid
from brood.protocol.manifest import DType

BYTES = "BYTES"  # strings; elements of varying length
BF16 = "BF16"  # the upper half of a float32; numpy has no such type, so its numbers are float32 here
BINARY_ONLY = frozenset({"FP16", BF16})  # neither JSON nor the typed lists of gRPC carry them

DTYPES: Mapping[str, DType] = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
}
NUMPY = {name: np.dtype(dtype).newbyteorder("<") for name, dtype in DTYPES.items()}  # as they lie in binary sections
DATATYPES = (*DTYPES, BF16, BYTES)
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def datatype_of(dtype: DType) -> str:
    """The protocol's name for one of numpy's: ``FP32`` for ``float32``."""
    return _NAMES[dtype]


def check_datatype(field: str, datatype: object) -> str:
    """Let a name pass that the protocol has.

    Raises:
        InvalidArgument: it has no such name.
    """
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise invalid(f"{field}.datatype", datatype, ", ".join(DATATYPES))
    return datatype


def config_type(datatype: str) -> str:
    """The name that model configurations use: ``TYPE_FP32``."""
    return "TYPE_STRING" if datatype == BYTES else f"TYPE_{datatype}"
