"""Models as messages: what a manifest says of its operations."""

from __future__ import annotations

from typing import Any

from brood.media.formats import input_formats, output_formats
from brood.protocol.manifest import Input, Manifest, Operation, Output, Param
from brood.protocol.models import ModelStatus
from brood.protocol.wire import generator_pb2 as pb
from brood.protocol.wire.convert import value_of


def model_message(status: ModelStatus) -> pb.Model:
    """One version of one model."""
    message = pb.Model(name=status.name, version=status.version, state=status.state, reason=status.reason)
    if status.manifest is not None:
        message.MergeFrom(_words(status.manifest, status))
    return message


def _words(manifest: Manifest, status: ModelStatus) -> pb.Model:
    operations = {
        name: _operation(operation, status.determinism.get(name, "")) for name, operation in manifest.operations.items()
    }
    return pb.Model(
        family=manifest.family,
        modality=manifest.modality,
        description=manifest.description,
        license=manifest.license,
        operations=operations,
        numerics_id=status.numerics_id,
        certificate={graph: pb.Buckets(rows=rows) for graph, rows in status.certificate.items()},
        device=status.device,
        provider=status.provider,
        precision=status.precision,
        fallback={graph: pb.Nodes(by_operator=nodes) for graph, nodes in status.fallback.items()},
        state_bytes=status.state_bytes,
        sample=None if manifest.sample is None else pb.SampleSpec(**manifest.sample.model_dump()),
    )


def _operation(operation: Operation, determinism: str) -> pb.Operation:
    return pb.Operation(
        description=operation.description,
        determinism=determinism,
        params={name: _param(param) for name, param in operation.params.items()},
        inputs={
            name: pb.InputSpec(**_spec(spec), formats=input_formats(spec)) for name, spec in operation.inputs.items()
        },
        outputs={
            name: pb.OutputSpec(**_spec(spec), formats=output_formats(spec)) for name, spec in operation.outputs.items()
        },
        previews=operation.preview is not None,
    )


def _param(param: Param) -> pb.ParamSpec:
    return pb.ParamSpec(
        type=param.type,
        default=None if param.default is None else value_of(param.default),
        minimum=param.minimum,
        maximum=param.maximum,
        choices=[value_of(choice) for choice in param.choices or ()],
        unit=param.unit or "",
        description=param.description,
        alternatives=param.alternatives,
    )


def _spec(spec: Input | Output) -> dict[str, Any]:
    """The words of a tensor; where an output comes from, and what is made of a text, is nobody's business outside."""
    return spec.model_dump(exclude_none=True, exclude={"value", "tokenizer", "mask", "pad"})
