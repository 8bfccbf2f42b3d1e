"""What a model looks like through the protocol: its operations' inputs and outputs as tensors with rows in front.

Every input of every operation is an optional tensor ``[rows, …]``; so is every parameter (``[rows, 1]``), and ``seed``
and ``index`` of models that draw anything. Outputs are those of the operations, and ``seed`` and ``index`` again. A
model that draws nothing and has one operation, as a bare function has, shows its graph's own tensors and no more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from brood.frontends.oip.datatypes import BYTES, datatype_of
from brood.protocol.manifest import Manifest, Operation

SEED, INDEX = "seed", "index"
ROW_NUMBERS = (SEED, INDEX)  # INT64, [rows, 1]
SCALAR = (1,)  # wire shape of one number a row
PARAM_TYPES = {"int": "INT64", "float": "FP32", "bool": "BOOL", "str": BYTES}


@dataclass(frozen=True, slots=True)
class Spec:
    """One tensor as a model declares it."""

    name: str
    datatype: str
    shape: tuple[int, ...]  # of one row; rows come in front
    optional: bool = True


def draws(manifest: Manifest) -> bool:
    """Whether anything about the model is random, so that rows have seeds."""
    in_graphs = any(tensor.noise for graph in manifest.graphs.values() for tensor in graph.inputs.values())
    return in_graphs or any(
        state.noise for operation in manifest.operations.values() for state in operation.state.values()
    )


def default_operation(manifest: Manifest) -> str:
    """What a call means that names no operation: to generate, or else the first."""
    return "generate" if "generate" in manifest.operations else next(iter(manifest.operations))


def input_specs(manifest: Manifest) -> tuple[Spec, ...]:
    """All tensors that a call may give. Where operations disagree about one, the default operation is right."""
    lone = len(manifest.operations) == 1
    numbers = [Spec(name, "INT64", SCALAR) for name in ROW_NUMBERS] if draws(manifest) else []
    return _first_of_each([*numbers, *(spec for part in _operations(manifest) for spec in _inputs(part, lone))])


def output_specs(manifest: Manifest) -> tuple[Spec, ...]:
    """All tensors that an answer may have."""
    found = [spec for part in _operations(manifest) for spec in operation_outputs(manifest, part)]
    return _first_of_each(found)


def operation_outputs(manifest: Manifest, operation: Operation) -> tuple[Spec, ...]:
    """The tensors of one operation's answer, in order."""
    random = draws(manifest)
    outputs = [
        Spec(name, datatype_of(output.dtype), output.shape or (SCALAR if random else ()), False)
        for name, output in operation.outputs.items()
    ]
    own = [name for name in ROW_NUMBERS if random and name not in operation.outputs]
    return (*outputs, *(Spec(name, "INT64", SCALAR, False) for name in own))


def _operations(manifest: Manifest) -> list[Operation]:
    first = default_operation(manifest)
    return [manifest.operations[name] for name in sorted(manifest.operations, key=lambda name: name != first)]


def _inputs(operation: Operation, lone: bool) -> Iterable[Spec]:
    for name, given in operation.inputs.items():
        if given.kind == "text":
            yield Spec(name, BYTES, SCALAR, not lone or given.default is not None)
            continue
        yield Spec(name, datatype_of(given.dtype), given.shape or SCALAR * (not lone), not lone)
    for name, param in operation.params.items():
        yield Spec(name, PARAM_TYPES[param.type], SCALAR, not lone or param.default is not None)


def _first_of_each(specs: Iterable[Spec]) -> tuple[Spec, ...]:
    found: dict[str, Spec] = {}
    for spec in specs:
        found.setdefault(spec.name, spec)
    return tuple(found.values())
