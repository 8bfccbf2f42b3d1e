"""The way over gRPC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

import grpc

from brood.protocol.wire import generator_pb2 as pb
from brood.protocol.wire.convert import plain_of, request_message
from brood.protocol.wire.generator_pb2_grpc import GeneratorStub
from brood_client._errors import BroodError, error_of
from brood_client._types import Array, Generation, Model, Sample, Scalar, array_of

# What a status means that the library, not the server's own table, ended a call with.
CODES = {
    grpc.StatusCode.DEADLINE_EXCEEDED: "deadline_exceeded",
    grpc.StatusCode.UNAVAILABLE: "unreachable",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "payload_too_large",
    grpc.StatusCode.CANCELLED: "cancelled",
}
UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))


class GrpcTransport:
    """One channel to ``target``, ``HOST:PORT``."""

    def __init__(self, target: str) -> None:
        self._channel = grpc.insecure_channel(target, options=UNLIMITED)
        self._stub = GeneratorStub(self._channel)

    def generate(self, fields: Mapping[str, Any], timeout_s: float | None) -> Generation:
        """See `Transport`."""
        try:
            message = request_message(fields)
        except ValueError as error:
            raise error_of("invalid_argument", str(error), field=str(error).partition(":")[0]) from error
        try:
            return _generation(self._stub.Generate(message, timeout=timeout_s))
        except grpc.RpcError as error:
            raise _translated(error) from error

    def models(self, timeout_s: float | None) -> list[Model]:
        """See `Transport`."""
        try:
            return [_model(model) for model in self._stub.ListModels(pb.ListModelsRequest(), timeout=timeout_s).models]
        except grpc.RpcError as error:
            raise _translated(error) from error

    def close(self) -> None:
        """See `Transport`."""
        self._channel.close()


def _translated(error: grpc.RpcError) -> BroodError:
    call = cast("grpc.Call", error)  # what a stub raises is both
    words = {key: str(value) for key, value in call.trailing_metadata() or ()}
    code = words.get("brood-error-code") or CODES.get(call.code(), "internal")
    field, request_id = words.get("brood-error-field"), words.get("x-request-id")
    return error_of(code, call.details() or code, field=field, request_id=request_id)


def _generation(answer: pb.GenerateResponse) -> Generation:
    samples = [
        Sample(each.index, each.seed, {name: _output(each.outputs[name]) for name in sorted(each.outputs)})
        for each in answer.samples
    ]
    return Generation(
        answer.id, answer.model, answer.version, answer.operation, answer.seed, answer.determinism, samples
    )


def _output(output: pb.Output) -> Array | Scalar:
    if output.HasField("tensor"):
        return array_of(output.tensor.content, output.tensor.dtype, output.tensor.shape)
    return cast("Scalar", plain_of(output.scalar))


def _model(model: pb.Model) -> Model:
    state = cast("Literal['loading', 'ready', 'failed']", model.state)
    return Model(model.name, model.version, state, model.reason, tuple(sorted(model.operations)))
