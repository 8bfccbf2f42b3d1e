"""From a call to requests: rows that share their seed and parameters and follow one another are one request.

A call has as many rows as its tensors have along their first axis; a tensor of one row holds for all. Without a seed
of its own, row r is sample ``index + r`` of one seed. A row with its own seed stands alone: it is sample ``index`` of
that seed, whatever else is in the call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import ValidationError

from brood.dataplane.limits import Limits
from brood.dataplane.naming import unknown
from brood.dataplane.validate import most_samples
from brood.frontends.oip.calls import InferCall
from brood.frontends.oip.controls import Controls, read_controls
from brood.frontends.oip.datatypes import BYTES, datatype_of
from brood.frontends.oip.specs import INDEX, PARAM_TYPES, ROW_NUMBERS, SCALAR, SEED, draws
from brood.frontends.oip.tensors import Tensor
from brood.protocol.errors import InvalidArgument, invalid
from brood.protocol.manifest import Input, Manifest, Operation
from brood.protocol.requests import GenerateRequest, InputValue, complaint
from brood.sampling.noise import draw_seed

Numbers = tuple[int, int, tuple[Any, ...]]  # seed, index, values of the per-row parameters and texts


@dataclass(frozen=True, slots=True)
class Given:
    """The tensors of a call, held against the operation."""

    inputs: Mapping[str, Tensor]  # of the operation's inputs
    columns: Mapping[str, list[Any]]  # seed, index, parameters and texts, each of 1 value or one a row
    rows: int


def requests_of(call: InferCall, manifest: Manifest, operation: str, limits: Limits) -> tuple[GenerateRequest, ...]:
    """The requests that a call comes to, in order of rows.

    Raises:
        InvalidArgument: a tensor or parameter is unknown, has another datatype or shape, or a value that is not
            allowed; names field, value and what is allowed.
    """
    controls, declared = read_controls(call.parameters), manifest.operations[operation]
    given = _given(call, controls, manifest, declared)
    most = most_samples(declared, limits)
    if given.rows > most:
        raise invalid("n", given.rows, f"1 ≤ n ≤ {most}")
    common = {
        "model": call.model,
        "version": call.version,
        "priority": controls.priority,
        "deadline_ms": controls.deadline_ms,
        **{name: value for name, value in controls.own.items() if name not in (*ROW_NUMBERS, "n")},
        "operation": operation,
    }
    return tuple(_requests(common, controls, given, declared))


def _requests(
    common: Mapping[str, Any], controls: Controls, given: Given, operation: Operation
) -> Iterator[GenerateRequest]:
    names = [name for name in given.columns if name not in ROW_NUMBERS]
    for first, last, (seed, index, values) in _runs(list(_numbers(controls, given, names))):
        own = dict(zip(names, values, strict=True))
        texts = {name: own.pop(name) for name in names if name in operation.inputs}
        params = {**controls.params, **own}
        inputs = {name: _value(tensor, operation.inputs[name], first, last) for name, tensor in given.inputs.items()}
        inputs |= {name: InputValue(text=text) for name, text in texts.items()}
        words = {"n": last - first, "seed": seed, "index": index, "params": params, "inputs": inputs}
        try:
            yield GenerateRequest.model_validate({**common, **words})
        except ValidationError as error:
            raise complaint(error) from error


def _numbers(controls: Controls, given: Given, names: Sequence[str]) -> Iterator[Numbers]:
    """Seed, index and parameters of every row."""
    alone = len(given.columns.get(SEED, ())) > 1
    seed, start = controls.own.get(SEED), controls.own.get(INDEX, 0)
    seeds = given.columns.get(SEED) or [draw_seed() if seed is None else seed]
    starts = given.columns.get(INDEX) or [start]
    own_index = alone or len(starts) > 1
    for row in range(given.rows):
        begin = starts[row % len(starts)]
        index = begin if own_index else _plus(begin, row)
        yield seeds[row % len(seeds)], index, tuple(_at(given.columns[name], row) for name in names)


def _runs(numbers: Sequence[Numbers]) -> Iterator[tuple[int, int, Numbers]]:
    """(first row, row behind the last, numbers of the first) of rows that can be one request."""
    first = 0
    for row in range(1, len(numbers) + 1):
        seed, index, values = numbers[first]
        if row == len(numbers) or numbers[row] != (seed, _plus(index, row - first), values):
            yield first, row, numbers[first]
            first = row


def _plus(index: Any, more: int) -> Any:
    """Further on; what is no whole number stays and is refused later."""
    return index + more if type(index) is int else index


def _at(column: list[Any], row: int) -> Any:
    return column[row % len(column)]


def _value(tensor: Tensor, spec: Input, first: int, last: int) -> InputValue:
    """These rows of an input; of a tensor of one row, that row for all."""
    shared = tensor.shape[0] == 1
    array = tensor.array[0] if shared else tensor.array[first:last]
    shape = spec.shape if shared else (last - first, *spec.shape)
    return InputValue(b64=array.tobytes(), format="raw", dtype=spec.dtype, shape=shape)


def _given(call: InferCall, controls: Controls, manifest: Manifest, operation: Operation) -> Given:
    inputs: dict[str, Tensor] = {}
    columns: dict[str, list[Any]] = {}
    numbers = ROW_NUMBERS if draws(manifest) else ()
    for tensor in call.inputs:
        name, field = tensor.name, f"inputs.{tensor.name}"
        if name in inputs or name in columns or name in controls.own or name in controls.params:
            raise InvalidArgument(f"{field}: given twice; allowed: once, as a tensor or a parameter", field=field)
        if name in operation.inputs and operation.inputs[name].kind == "text":
            columns[name] = _column(field, tensor, "str")
        elif name in operation.inputs:
            inputs[name] = _checked_input(field, tensor, operation.inputs[name])
        elif name in operation.params or name in numbers:
            columns[name] = _column(field, tensor, "int" if name in numbers else operation.params[name].type)
        else:
            offered = [*operation.inputs, *operation.params, *numbers]
            raise InvalidArgument(unknown(field, name, offered), field=field)
    return Given(inputs, columns, _rows(call, controls))


def _rows(call: InferCall, controls: Controls) -> int:
    """How many rows a call has."""
    found = {tensor.name: tensor.shape[0] for tensor in call.inputs}
    n = controls.own.get("n")
    if n is not None and (type(n) is not int or n < 1):
        raise invalid("n", n, "an integer, 1 ≤ n")
    rows = n if isinstance(n, int) else max(found.values(), default=1)
    for name, length in found.items():
        if length not in (1, rows):
            raise invalid(f"inputs.{name}.shape", [length, "…"], f"{rows} rows, as the call has, or 1 for all of them")
    return rows


def _checked_input(field: str, tensor: Tensor, spec: Input) -> Tensor:
    """An input of its declared datatype and shape; one number a row may have an axis of its own, or none."""
    if tensor.datatype != datatype_of(spec.dtype):
        raise invalid(f"{field}.datatype", tensor.datatype, datatype_of(spec.dtype))
    _check_rows(field, tensor, "".join(f", {size}" for size in spec.shape or SCALAR))
    if tensor.shape[1:] not in ({spec.shape} if spec.shape else {(), SCALAR}):
        raise invalid(f"{field}.shape", list(tensor.shape), f"[rows{''.join(f', {size}' for size in spec.shape)}]")
    return tensor


def _check_rows(field: str, tensor: Tensor, rest: str) -> None:
    if not tensor.shape or tensor.shape[0] < 1:
        raise invalid(f"{field}.shape", list(tensor.shape), f"[rows{rest}], with at least 1 row")


def _column(field: str, tensor: Tensor, kind: str) -> list[Any]:
    """One value a row, as plain numbers or text.

    Raises:
        InvalidArgument: another shape, or a datatype that such values do not have.
    """
    _check_rows(field, tensor, ", 1")
    if tensor.shape[1:] not in ((), SCALAR):
        raise invalid(f"{field}.shape", list(tensor.shape), "[rows, 1]")
    found, array = tensor.array.dtype.kind, tensor.array.ravel()
    kinds = {"int": "iu", "float": "iuf", "bool": "b", "str": "O"}[kind]
    if found not in kinds:
        raise invalid(f"{field}.datatype", tensor.datatype, PARAM_TYPES[kind])
    if kind == "str":
        return _texts(field, array)
    return [_decimal(value) for value in array] if found == "f" else array.tolist()


def _decimal(value: np.floating) -> float:
    """The shortest decimal number that rounds to a float: FP32 0.8 means what 0.8 means in JSON."""
    return float(str(value))


def _texts(field: str, array: np.ndarray) -> list[str]:
    try:
        return [item.decode() for item in array]
    except UnicodeDecodeError as error:
        raise invalid(field, "no UTF-8", f"{BYTES} of UTF-8 text") from error
