"""An ONNX file as a function of rows: what its tensors are, and whether it can be served at all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, TensorProto, TypeProto, ValueInfoProto

from brood.protocol.manifest import TENSOR_NAME, DType
from brood_export.errors import NotImportable

OLDEST_OPSET = 7  # ONNX Runtime promises no older one
ROWS = "rows"
DTYPES: dict[int, DType] = {
    TensorProto.BOOL: "bool",
    TensorProto.UINT8: "uint8",
    TensorProto.UINT16: "uint16",
    TensorProto.UINT32: "uint32",
    TensorProto.UINT64: "uint64",
    TensorProto.INT8: "int8",
    TensorProto.INT16: "int16",
    TensorProto.INT32: "int32",
    TensorProto.INT64: "int64",
    TensorProto.FLOAT16: "float16",
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of a graph; its full shape is ``[rows, *shape]``."""

    name: str
    dtype: DType
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FunctionGraph:
    """A graph that has been looked at."""

    model: ModelProto
    inputs: tuple[Tensor, ...]
    outputs: Mapping[str, DType]  # their shapes come out when it runs
    alone: bool  # the rows axis is fixed to 1

    def write(self, path: Path, outputs: tuple[Tensor, ...]) -> None:
        """Write the graph, now with all sizes, to one file."""
        rows = 1 if self.alone else ROWS
        graph = self.model.graph
        for value, tensor in zip(_given(self.model), self.inputs, strict=True):
            _set_shape(value, (rows, *tensor.shape))
        for value, tensor in zip(graph.output, outputs, strict=True):
            _set_shape(value, (rows, *tensor.shape))
        path.write_bytes(self.model.SerializeToString(deterministic=True))


def read_graph(source: Path, dims: Mapping[str, int]) -> FunctionGraph:
    """Read an ONNX file with whatever lies in files beside it.

    Args:
        source: the file.
        dims: sizes of axes that the graph leaves open, by name, or as ``TENSOR.AXIS``.

    Raises:
        NotImportable: it is no ONNX file, or no function of rows.
    """
    model = _load(source)
    _check_opset(model)
    inputs = _given(model)
    if not inputs:
        raise NotImportable("the graph has no inputs; a function needs one, with an axis of rows")
    dtypes = {value.name: _dtype(value, what) for what, value in _tensors(model)}
    known = {name for value in inputs for name in _open_axes(value)}
    if unknown := sorted(set(dims) - known):
        raise NotImportable(f"dims: {unknown[0]!r} is no open axis; there are: {', '.join(sorted(known)) or 'none'}")
    shapes = {value.name: _shape(value, dims) for value in inputs}
    return FunctionGraph(
        model,
        tuple(Tensor(name, dtypes[name], shape) for name, (_, shape) in shapes.items()),
        {value.name: dtypes[value.name] for value in model.graph.output},
        _alone({name: rows for name, (rows, _) in shapes.items()}),
    )


def _load(source: Path) -> ModelProto:
    try:
        model = onnx.load(source)
        onnx.checker.check_model(model)
    except DecodeError as error:
        raise NotImportable(f"{source.name}: not an ONNX file") from error
    except (onnx.checker.ValidationError, FileNotFoundError, ValueError) as error:
        raise NotImportable(f"{source.name}: {' '.join(str(error).split())[:300]}") from error
    return model


def _check_opset(model: ModelProto) -> None:
    newest = onnx.defs.onnx_opset_version()
    found = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    if not found or not OLDEST_OPSET <= found[0] <= newest:
        said = found[0] if found else "not given"
        raise NotImportable(f"opset: {said} is not allowed; allowed: {OLDEST_OPSET} to {newest}")


def _given(model: ModelProto) -> list[ValueInfoProto]:
    """The inputs that a caller gives: in old files, constants are among a graph's inputs, too."""
    constants = {each.name for each in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]


def _tensors(model: ModelProto) -> Iterator[tuple[str, ValueInfoProto]]:
    yield from (("input", value) for value in _given(model))
    yield from (("output", value) for value in model.graph.output)


def _dtype(value: ValueInfoProto, what: str) -> DType:
    where = f"{what} {value.name!r}"
    if not re.fullmatch(TENSOR_NAME, value.name):
        raise NotImportable(f"{where}: the name is not allowed; allowed: letters, digits and _, with . : / - between")
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise NotImportable(f"{where} is {_said(kind, value.type)}; allowed: tensors")
    found = value.type.tensor_type.elem_type
    if found not in DTYPES:
        raise NotImportable(f"{where} has elements of {TensorProto.DataType.Name(found)}; allowed: {_allowed()}")
    return DTYPES[found]


def _said(kind: str | None, spec: TypeProto) -> str:
    return f"a {kind.removesuffix('_type').replace('_', ' ')}" if kind else "of no type"


def _allowed() -> str:
    return ", ".join(DTYPES.values())


def _open_axes(value: ValueInfoProto) -> list[str]:
    """What the open axes of a tensor are called, one for each axis; those of one row that are fixed are left out."""
    axes = value.type.tensor_type.shape.dim
    return [_axis_name(value, place) for place, axis in enumerate(axes) if not axis.HasField("dim_value")]


def _axis_name(value: ValueInfoProto, place: int) -> str:
    return value.type.tensor_type.shape.dim[place].dim_param or f"{value.name}.{place}"


def _shape(value: ValueInfoProto, dims: Mapping[str, int]) -> tuple[int | None, tuple[int, ...]]:
    """Size of the first axis, None where it is open, and sizes of the others."""
    where = f"input {value.name!r}"
    axes = value.type.tensor_type.shape.dim
    if not axes:
        raise NotImportable(f"{where} has no axis, or none that is known; allowed: an axis of rows in front")
    rows = axes[0].dim_value if axes[0].HasField("dim_value") else dims.get(_axis_name(value, 0))
    sizes = []
    for place, axis in enumerate(axes[1:], start=1):
        name = _axis_name(value, place)
        size = axis.dim_value if axis.HasField("dim_value") else dims.get(name)
        if size is None:
            raise NotImportable(f"{where}: the size of axis {place} is open; give it with --dims {name}=SIZE")
        sizes.append(size)
    if bad := [size for size in (rows, *sizes) if size is not None and size < 1]:
        raise NotImportable(f"{where} has an axis of size {bad[0]}; allowed: at least 1")
    return rows, tuple(sizes)


def _alone(rows: Mapping[str, int | None]) -> bool:
    """Whether the rows axis is fixed to 1, in all inputs; it may also be open in all."""
    if set(rows.values()) == {1}:
        return True
    for name, size in rows.items():
        if size is not None:
            text = f"input {name!r}: the first axis has size {size}; allowed: an open axis, which is rows"
            raise NotImportable(f"{text}, or 1 in every input")
    return False


def _set_shape(value: ValueInfoProto, sizes: tuple[int | str, ...]) -> None:
    shape = value.type.tensor_type.shape
    del shape.dim[:]
    for size in sizes:
        axis = shape.dim.add()
        if isinstance(size, int):
            axis.dim_value = size
        else:
            axis.dim_param = size
