"""``brood.v1.Generator``: translates between messages and the data plane's verbs."""

from __future__ import annotations

import math
import time
from contextlib import aclosing
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import Message
from pydantic import ValidationError

from brood.dataplane import Answer, DataPlane, EncodedSample
from brood.dataplane.replays import FIELD, refuse_key
from brood.frontends.changes import change_model
from brood.frontends.grpc.answers import (
    accepted_message,
    done_message,
    preview_message,
    progress_message,
    response_message,
    response_s,
    sample_message,
)
from brood.frontends.grpc.calls import Context, guarded, heads, parsed, send
from brood.frontends.grpc.models import model_message
from brood.protocol.errors import BroodError, DeadlineExceeded, Internal, PayloadTooLarge, invalid
from brood.protocol.events import Accepted, Done, Event, Failed, Preview, Progress, Sample
from brood.protocol.requests import GenerateRequest, OutputChoice, complaint
from brood.protocol.wire import generator_pb2 as pb
from brood.protocol.wire.convert import request_fields
from brood.store.wanted import CHANGES, Change

SERVICE: str = pb.DESCRIPTOR.services_by_name["Generator"].full_name
PROTOCOL = "grpc"  # what the observer calls this transport
KEY = FIELD.lower()  # in metadata
REPLAYED = ("idempotent-replayed", "true")


class Generator:
    """The service over one data plane, with answers of at most ``max_message_bytes``."""

    def __init__(self, plane: DataPlane, max_message_bytes: int) -> None:
        self._plane, self._most = plane, max_message_bytes

    def handler(self) -> grpc.GenericRpcHandler[Any, Any]:
        """The service, for a server."""
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        list_models = guarded(partial(parsed, pb.ListModelsRequest), self.list_models)
        get_model = guarded(partial(parsed, pb.GetModelRequest), self.get_model)
        methods = {
            "Generate": unary(guarded(self._read, self.generate)),
            "GenerateStream": stream(guarded(self._read, self.generate_stream), response_serializer=_serialized),
            "Cancel": unary(guarded(partial(parsed, pb.CancelRequest), self.cancel), response_serializer=_serialized),
            "ListModels": unary(list_models, response_serializer=_serialized),
            "GetModel": unary(get_model, response_serializer=_serialized),
            **{f"{change.title()}Model": self._changing(change) for change in CHANGES},
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    async def generate(self, request: GenerateRequest, context: Context, request_id: str) -> bytes:
        """Make samples and give a serialized GenerateResponse when all are finished.

        Cancelling the call cancels this, and so the generation.
        """
        timed, key = _in_time(request, context), heads().get(KEY)
        answer = await self._plane.answer(timed, request_id, PROTOCOL, idempotency_key=key)
        if answer.replayed:
            context.set_trailing_metadata((REPLAYED,))
        if answer.size > self._most:
            text = f"n: {request.n} samples are {answer.size} bytes, and a message has at most {self._most}"
            raise PayloadTooLarge(f"{text}; allowed: fewer samples, or as many by GenerateStream", field="n")
        return await self._plane.offload.run(response_s(answer), _response, answer)

    async def generate_stream(self, request: GenerateRequest, context: Context, request_id: str) -> None:
        """Make samples and send each as it is finished; the next is taken when the last has been sent."""
        try:
            refuse_key(heads().get(KEY))
        except BroodError as error:
            self._plane.refused(error, PROTOCOL)
            raise
        translate = _Stream(self._plane, request.output).message
        async with aclosing(self._plane.generate(_in_time(request, context), request_id, PROTOCOL)) as events:
            async for event in events:
                await send(context, await translate(event))

    async def cancel(self, request: pb.CancelRequest, context: Context, request_id: str) -> pb.CancelResponse:
        """End a generation."""
        if not request.id:
            raise invalid("id", request.id, "the id of a generation, which is not empty")
        return pb.CancelResponse(cancelled=self._plane.cancel(request.id))

    async def list_models(
        self, request: pb.ListModelsRequest, context: Context, request_id: str
    ) -> pb.ListModelsResponse:
        """All models."""
        return pb.ListModelsResponse(models=[model_message(status) for status in self._plane.models()])

    async def get_model(self, request: pb.GetModelRequest, context: Context, request_id: str) -> pb.Model:
        """One model."""
        version = request.version if request.HasField("version") else None
        return model_message(self._plane.model(request.model, version))

    def _changing(self, change: Change) -> grpc.RpcMethodHandler[Any, Any]:
        """Load, unload or reload a model, and wait until that is done."""

        async def method(request: pb.ChangeModelRequest, context: Context, request_id: str) -> pb.ListModelsResponse:
            version = request.version if request.HasField("version") else None
            found = await change_model(self._plane, change, request.model, version)
            return pb.ListModelsResponse(models=[model_message(status) for status in found])

        read = partial(parsed, pb.ChangeModelRequest)
        return grpc.unary_unary_rpc_method_handler(guarded(read, method), response_serializer=_serialized)

    def _read(self, content: bytes) -> GenerateRequest:
        try:
            return _request(content)
        except BroodError as error:
            self._plane.refused(error, PROTOCOL)
            raise


class _Stream:
    """Translates the events of one generation, in order."""

    def __init__(self, plane: DataPlane, output: OutputChoice) -> None:
        self._plane, self._output = plane, output
        self._accepted: Accepted | None = None
        self._encode_s = 0.0

    async def message(self, event: Event) -> pb.GenerateEvent:
        """The message for an event.

        Raises:
            BroodError: the generation ended with it.
        """
        match event:
            case Accepted():
                self._accepted = event
                return pb.GenerateEvent(accepted=accepted_message(event))
            case Sample() if self._accepted is not None:
                return pb.GenerateEvent(sample=sample_message(await self._encoded(self._accepted, event)))
            case Preview() if self._accepted is not None:
                shown = await self._encoded(self._accepted, event)
                return pb.GenerateEvent(preview=preview_message(event, shown))
            case Progress():
                return pb.GenerateEvent(progress=progress_message(event))
            case Done(usage):
                return pb.GenerateEvent(done=done_message(usage, self._encode_s * 1000))
            case Failed(error):
                raise error
        raise Internal("a sample came before its generation was accepted")

    async def _encoded(self, accepted: Accepted, sample: Sample | Preview) -> EncodedSample:
        start = time.perf_counter()
        encoded = await self._plane.encode(accepted, sample, self._output)
        self._encode_s += time.perf_counter() - start
        return encoded


def _response(answer: Answer) -> bytes:
    return response_message(answer).SerializeToString()


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()


def _request(content: bytes) -> GenerateRequest:
    try:
        return GenerateRequest.model_validate(request_fields(parsed(pb.GenerateRequest, content)))
    except ValidationError as error:
        raise complaint(error) from error


def _in_time(request: GenerateRequest, context: Context) -> GenerateRequest:
    """The request with the earlier of its own deadline and the call's."""
    left_s: float | None = context.time_remaining()
    if left_s is None:
        return request
    if left_s <= 0:
        raise DeadlineExceeded("the call's deadline had passed when it arrived")
    earlier = min(left_s * 1000, request.deadline_ms or math.inf)
    return request.model_copy(update={"deadline_ms": earlier})
