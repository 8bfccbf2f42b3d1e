"""Lets those gRPC calls in that may: their key is looked at before their message is received."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

import grpc

from brood.access.caller import Caller, set_caller
from brood.access.gate import Gate
from brood.access.verbs import RULES, Verb
from brood.dataplane.plane import DataPlane
from brood.frontends.grpc.calls import Context, refuse, request_id_in
from brood.frontends.grpc.verbs import verb_of
from brood.protocol.errors import BroodError

PROTOCOL = "grpc"
if TYPE_CHECKING:  # only the stubs know its type variables
    Interceptor = grpc.aio.ServerInterceptor[Any, Any]
    Handler = grpc.RpcMethodHandler[Any, Any]
else:
    Interceptor, Handler = grpc.aio.ServerInterceptor, grpc.RpcMethodHandler
Method = Callable[[Any, Context], Awaitable[Any]]


class Guard(Interceptor):
    """Stands in front of all services of a server.

    A call is one request against its key's rate; of a stream of requests, each is. A place is held from the moment
    when the message is there until the call has ended, however it ends.
    """

    def __init__(self, gate: Gate, plane: DataPlane) -> None:
        self._gate, self._plane = gate, plane

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """The handler of a call: its own, or one that refuses. Both run in this task, which ends with the call."""
        metadata = handler_call_details.invocation_metadata or ()
        verb = verb_of(handler_call_details.method)
        try:
            caller = self._gate.enter(verb, _first(metadata, "authorization"), _first(metadata, "x-api-key"))
        except BroodError as error:
            return self._refusing(error)
        set_caller(caller)
        handler = await continuation(handler_call_details)
        return self._holding(handler, verb, caller) if handler and RULES[verb].held else handler

    def _refusing(self, error: BroodError) -> Handler:
        """Asks for a stream, whatever the method does: so it is called before any message has come."""

        async def refusing(_: AsyncIterator[bytes], context: Context) -> None:
            await self._refuse(context, error)

        return grpc.stream_stream_rpc_method_handler(refusing)

    def _holding(self, handler: Handler, verb: Verb, caller: Caller) -> Handler:
        """The same handler, but with a place; ours are all coroutine functions."""
        kinds = (handler.request_deserializer, handler.response_serializer)
        if handler.request_streaming:
            stream = self._placed(handler.stream_stream, verb, caller)

            async def counted(requests: AsyncIterator[Any], context: Context) -> Any:
                return await stream(self._counted(requests, caller), context)

            return grpc.stream_stream_rpc_method_handler(counted, *kinds)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._placed(handler.unary_stream, verb, caller), *kinds)
        return grpc.unary_unary_rpc_method_handler(self._placed(handler.unary_unary, verb, caller), *kinds)

    def _placed(self, method: Any, verb: Verb, caller: Caller) -> Method:
        async def placed(request: Any, context: Context) -> Any:
            try:
                with self._gate.place(verb, caller):
                    return await method(request, context)
            except BroodError as error:
                return await self._refuse(context, error)

        return placed

    async def _counted(self, requests: AsyncIterator[Any], caller: Caller) -> AsyncIterator[Any]:
        """The requests of a stream; the first was counted as the call."""
        first = True
        async for request in requests:
            if not first:
                self._gate.count(caller)
            first = False
            yield request

    async def _refuse(self, context: Context, error: BroodError) -> None:
        self._plane.refused(error, PROTOCOL)
        await refuse(context, error, request_id_in(context))


def _first(metadata: Iterable[tuple[str, str | bytes]], name: str) -> str | None:
    return next((str(value) for key, value in metadata if key == name), None)
