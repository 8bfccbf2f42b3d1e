"""``inference.GRPCInferenceService``: the Open Inference Protocol v2 over gRPC."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from brood.dataplane import DataPlane
from brood.frontends.grpc.calls import Context, guarded, parsed, send
from brood.frontends.grpc.inference_messages import answer_message, answer_s, call_of, call_s, document_message
from brood.frontends.grpc.inference_stream import InferStream
from brood.frontends.oip import (
    SERVER,
    InferAnswer,
    InferCall,
    Inference,
    config,
    index,
    load,
    metadata,
    statistics,
    unload,
    version_of,
)
from brood.protocol.errors import BroodError, DeadlineExceeded, ModelNotFound, PayloadTooLarge, Unsupported
from brood.protocol.wire import inference_pb2 as pb

SERVICE: str = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name
PROTOCOL = "oip-grpc"  # what the observer calls this transport
# Methods that other servers of the protocol have.
UNSUPPORTED = {
    **{
        f"{kind}SharedMemory{verb}": "shared memory is not offered here; send tensors in messages"
        for kind in ("System", "Cuda")
        for verb in ("Status", "Register", "Unregister")
    },
    "TraceSetting": "traces are not set by callers here",
    "LogSettings": "logs are not set by callers here",
}
DAY_S = 86_400.0  # no deadline is later than this
Asked = TypeVar("Asked", bound=Message)
Answered = TypeVar("Answered", bound=Message)


class InferenceService:
    """The service over one data plane, with answers of at most ``max_message_bytes``."""

    def __init__(self, plane: DataPlane, max_message_bytes: int) -> None:
        self._plane, self._most = plane, max_message_bytes
        self._inference = Inference(plane, PROTOCOL)

    def handler(self) -> grpc.GenericRpcHandler[Any, Any]:
        """The service, for a server."""
        methods = {
            "ServerLive": _method(pb.ServerLiveRequest, self.server_live),
            "ServerReady": _method(pb.ServerReadyRequest, self.server_ready),
            "ServerMetadata": _method(pb.ServerMetadataRequest, self.server_metadata),
            "ModelReady": _method(pb.ModelReadyRequest, self.model_ready),
            "ModelMetadata": _method(pb.ModelMetadataRequest, self.model_metadata),
            "ModelConfig": _method(pb.ModelConfigRequest, self.model_config),
            "ModelStatistics": _method(pb.ModelStatisticsRequest, self.model_statistics),
            "RepositoryIndex": _method(pb.RepositoryIndexRequest, self.repository_index),
            "RepositoryModelLoad": _method(pb.RepositoryModelLoadRequest, self.load),
            "RepositoryModelUnload": _method(pb.RepositoryModelUnloadRequest, self.unload),
            "ModelInfer": grpc.unary_unary_rpc_method_handler(guarded(self._read, self.infer)),
            "ModelStreamInfer": grpc.stream_stream_rpc_method_handler(guarded(_same, self.stream)),
            **{name: _refusing(name, reason) for name, reason in UNSUPPORTED.items()},
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    async def infer(self, request: pb.ModelInferRequest, context: Context, request_id: str) -> bytes:
        """Run a model and give a serialized ModelInferResponse. Cancelling the call cancels this, and so the run."""
        call = _in_time(await self._call(request), context)
        return await self._serialized(await self._inference.infer(call, request_id))

    async def stream(self, requests: AsyncIterator[bytes], context: Context, request_id: str) -> None:
        """Run a model for each request of a stream."""

        async def answers(content: pb.ModelInferRequest, own_id: str) -> AsyncGenerator[pb.ModelInferResponse, None]:
            async with aclosing(self._answers(_in_time(await self._call(content), context), own_id)) as found:
                async for answer in found:
                    yield await self._plane.offload.run(answer_s(self._size(answer)), answer_message, answer)

        await InferStream(self._read, answers, request_id).run(requests, partial(send, context))

    async def server_live(self, request: pb.ServerLiveRequest) -> pb.ServerLiveResponse:
        """Whether the server runs."""
        return pb.ServerLiveResponse(live=True)

    async def server_ready(self, request: pb.ServerReadyRequest) -> pb.ServerReadyResponse:
        """Whether it can be sent work."""
        return pb.ServerReadyResponse(ready=self._plane.ready().ready)

    async def server_metadata(self, request: pb.ServerMetadataRequest) -> pb.ServerMetadataResponse:
        """What the server is."""
        return document_message(pb.ServerMetadataResponse, SERVER)

    async def model_ready(self, request: pb.ModelReadyRequest) -> pb.ModelReadyResponse:
        """Whether a model can be sent work; one that is not here cannot."""
        try:
            status = self._plane.model(request.name, version_of(request.version))
        except ModelNotFound:
            return pb.ModelReadyResponse(ready=False)
        return pb.ModelReadyResponse(ready=status.state == "ready")

    async def model_metadata(self, request: pb.ModelMetadataRequest) -> pb.ModelMetadataResponse:
        """Which tensors a model takes and gives."""
        document = metadata(self._plane, request.name, version_of(request.version))
        return document_message(pb.ModelMetadataResponse, document)

    async def model_config(self, request: pb.ModelConfigRequest) -> pb.ModelConfigResponse:
        """How a model is served."""
        document = config(self._plane, request.name, version_of(request.version))
        return document_message(pb.ModelConfigResponse, {"config": document})

    async def model_statistics(self, request: pb.ModelStatisticsRequest) -> pb.ModelStatisticsResponse:
        """What models have done."""
        found = statistics(self._plane, request.name, version_of(request.version))
        return document_message(pb.ModelStatisticsResponse, {"model_stats": found})

    async def repository_index(self, request: pb.RepositoryIndexRequest) -> pb.RepositoryIndexResponse:
        """Which models there are."""
        models = index(self._plane.models(), request.ready)
        return document_message(pb.RepositoryIndexResponse, {"models": models})

    async def load(self, request: pb.RepositoryModelLoadRequest) -> pb.RepositoryModelLoadResponse:
        """Load a model as its bundle says: nothing of it can be set from outside."""
        name = request.model_name or request.repository_name
        await load(self._plane, name, _values(request.parameters))
        return pb.RepositoryModelLoadResponse(model_name=name, isLoaded=True)

    async def unload(self, request: pb.RepositoryModelUnloadRequest) -> pb.RepositoryModelUnloadResponse:
        """Let go of a model."""
        name = request.model_name or request.repository_name
        await unload(self._plane, name, _values(request.parameters))
        return pb.RepositoryModelUnloadResponse(model_name=name, isUnloaded=True)

    def _read(self, content: bytes) -> pb.ModelInferRequest:
        try:
            return parsed(pb.ModelInferRequest, content)
        except BroodError as error:
            self._plane.refused(error, PROTOCOL)
            raise

    async def _call(self, request: pb.ModelInferRequest) -> InferCall:
        try:
            return await self._plane.offload.run(call_s(request), call_of, request)
        except BroodError as error:
            self._plane.refused(error, PROTOCOL)
            raise

    async def _serialized(self, answer: InferAnswer) -> bytes:
        return await self._plane.offload.run(answer_s(self._size(answer)), _message_bytes, answer)

    async def _answers(self, call: InferCall, own_id: str) -> AsyncGenerator[InferAnswer, None]:
        """Whoever gives a number of samples gets each as it is finished; rows that came together go back together."""
        if "n" not in call.parameters:
            yield await self._inference.infer(call, own_id)
            return
        async with aclosing(self._inference.stream(call, own_id)) as answers:
            async for answer in answers:
                yield answer

    def _size(self, answer: InferAnswer) -> int:
        """Bytes of an answer's outputs.

        Raises:
            PayloadTooLarge: they are more than a message can have.
        """
        size = sum(tensor.array.nbytes for tensor in answer.outputs)
        if size > self._most:
            text = f"n: the outputs are {size} bytes, and a message has at most {self._most}"
            raise PayloadTooLarge(f"{text}; allowed: fewer samples, or as many by ModelStreamInfer", field="n")
        return size


def _message_bytes(answer: InferAnswer) -> bytes:
    return answer_message(answer).SerializeToString()


def _method(kind: type[Asked], answer: Callable[[Asked], Awaitable[Answered]]) -> grpc.RpcMethodHandler[Any, Any]:
    async def method(request: Asked, context: Context, request_id: str) -> bytes:
        return (await answer(request)).SerializeToString()

    return grpc.unary_unary_rpc_method_handler(guarded(partial(parsed, kind), method))


def _refusing(name: str, reason: str) -> grpc.RpcMethodHandler[Any, Any]:
    async def method(content: bytes, context: Context, request_id: str) -> bytes:
        raise Unsupported(f"{name}: {reason}")

    return grpc.unary_unary_rpc_method_handler(guarded(_same, method))


def _values(parameters: Mapping[str, pb.ModelRepositoryParameter]) -> dict[str, object]:
    kinds = {name: value.WhichOneof("parameter_choice") for name, value in parameters.items()}
    return {name: getattr(parameters[name], kind) if kind else None for name, kind in kinds.items()}


def _same(content: Any) -> Any:
    return content


def _in_time(call: InferCall, context: Context) -> InferCall:
    """The call with the earlier of its own timeout and the transport's."""
    left_s: float | None = context.time_remaining()
    own = call.parameters.get("timeout", 0)
    if left_s is None or left_s > DAY_S or type(own) is not int or own < 0:  # what is wrong is refused where it is read
        return call
    if left_s <= 0:
        raise DeadlineExceeded("the call's deadline had passed when it arrived")
    left_us = max(1, int(left_s * 1e6))
    return replace(call, parameters={**call.parameters, "timeout": min(left_us, own or left_us)})
