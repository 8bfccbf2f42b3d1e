"""The way over gRPC."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator
from dataclasses import replace

import grpc

from brood.protocol.wire import generator_pb2 as pb
from brood.protocol.wire.generator_pb2_grpc import GeneratorStub
from brood_client._channels import Metadata, aanswered, aclose_channel, aopen_channel
from brood_client._endpoint import Endpoint, patience_s
from brood_client._errors import error_of
from brood_client._events import Done, Event
from brood_client._generation import Generation
from brood_client._messages import event_of, generation_of, message_of, model_of
from brood_client._models import Change, Model
from brood_client._request import REPLAYED, Request
from brood_client._status import translated


class _Connection:
    """A channel and its stub. With asyncio, a channel belongs to the event loop it was made in."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.channel = aopen_channel(endpoint)
        self.stub = GeneratorStub(self.channel)


class AsyncGrpc:
    """One channel to a server, opened with the first call."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._metadata = tuple(endpoint.headers.items())
        self._opened: _Connection | None = None
        self._closed = False
        self._lock = threading.Lock()  # held for no longer than it takes to make the objects

    async def generate(self, request: Request, left_s: float | None) -> Generation:
        """See `AsyncTransport`."""
        message, metadata = message_of(request, left_s), self._named(request)
        try:
            method = self._connection.stub.Generate
            answer, trailers = await aanswered(method, message, patience_s(left_s), metadata)
        except grpc.RpcError as error:
            raise translated(error, self._endpoint.url) from error
        return replace(generation_of(answer), replayed=REPLAYED in trailers)

    async def stream(self, request: Request, left_s: float | None) -> AsyncGenerator[Event, None]:
        """See `AsyncTransport`."""
        message, metadata = message_of(request, left_s), self._named(request)
        call = self._connection.stub.GenerateStream(message, timeout=patience_s(left_s), metadata=metadata)
        whole = False
        try:
            async for sent in call:
                event = event_of(sent)
                whole = isinstance(event, Done)
                if event is not None:
                    yield event
        except grpc.RpcError as error:
            raise translated(error, self._endpoint.url) from error
        finally:
            call.cancel()
        if not whole:
            raise error_of("unreachable", "the answer broke off", request_id=request.request_id)

    async def models(self, left_s: float | None) -> list[Model]:
        """See `AsyncTransport`."""
        try:
            stub, patience = self._connection.stub, patience_s(left_s)
            answer = await stub.ListModels(pb.ListModelsRequest(), timeout=patience, metadata=self._metadata)
        except grpc.RpcError as error:
            raise translated(error, self._endpoint.url) from error
        return [model_of(model) for model in answer.models]

    async def model(self, name: str, version: int | None, left_s: float | None) -> Model:
        """See `AsyncTransport`."""
        message = pb.GetModelRequest(model=name, version=version)
        try:
            stub, patience = self._connection.stub, patience_s(left_s)
            return model_of(await stub.GetModel(message, timeout=patience, metadata=self._metadata))
        except grpc.RpcError as error:
            raise translated(error, self._endpoint.url) from error

    async def change(self, change: Change, name: str, version: int | None, left_s: float | None) -> list[Model]:
        """See `AsyncTransport`."""
        message, stub = pb.ChangeModelRequest(model=name, version=version), self._connection.stub
        method = {"load": stub.LoadModel, "unload": stub.UnloadModel, "reload": stub.ReloadModel}[change]
        try:
            answer = await method(message, timeout=patience_s(left_s), metadata=self._metadata)
        except grpc.RpcError as error:
            raise translated(error, self._endpoint.url) from error
        return [model_of(model) for model in answer.models]

    async def cancel(self, request_id: str, left_s: float | None) -> bool:
        """See `AsyncTransport`."""
        message = pb.CancelRequest(id=request_id)
        try:
            stub, patience = self._connection.stub, patience_s(left_s)
            return (await stub.Cancel(message, timeout=patience, metadata=self._metadata)).cancelled
        except grpc.RpcError as error:
            raise translated(error, self._endpoint.url) from error

    async def aclose(self) -> None:
        """See `AsyncTransport`."""
        self._closed = True
        if self._opened is not None:
            await aclose_channel(self._opened.channel)

    @property
    def _connection(self) -> _Connection:
        if self._closed:
            raise RuntimeError("this client has been closed")
        with self._lock:
            if self._opened is None:
                self._opened = _Connection(self._endpoint)
            return self._opened

    def _named(self, request: Request) -> Metadata:
        return (*self._metadata, *request.names().items())
