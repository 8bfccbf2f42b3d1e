"""Lets those gRPC calls in that may: their key is looked at before their message is received."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import grpc

from brood.access.caller import Caller, current_caller, set_caller
from brood.access.gate import Gate
from brood.access.verbs import RULES, Verb
from brood.dataplane.plane import DataPlane
from brood.frontends.grpc.arrivals import Arrivals
from brood.frontends.grpc.calls import Context, heads, read_heads, refuse, request_id_of_call
from brood.frontends.grpc.verbs import verb_of
from brood.protocol.errors import BroodError

PROTOCOL = "grpc"
if TYPE_CHECKING:  # only the stubs know its type variables
    Handler = grpc.RpcMethodHandler[Any, Any]
    Services = grpc.GenericRpcHandler[Any, Any]
else:
    Handler, Services = grpc.RpcMethodHandler, grpc.GenericRpcHandler
Method = Callable[[Any, Context], Awaitable[Any]]


class Guard(Services):
    """All services of a server, for those who may use them.

    A call is one request against its key's rate; of a stream of requests, each is. A place is held from the moment
    when the message is there until the call has ended, however it ends. (An interceptor could do the same, in three
    coroutines more for every call.)
    """

    def __init__(self, gate: Gate, plane: DataPlane, services: Sequence[Services]) -> None:
        self._gate, self._plane, self._services = gate, plane, services
        self._arrivals = Arrivals()
        self._known: dict[str, Handler] = {}  # method → its handler

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """The handler of a call: its own, or one that refuses. Both run in this task, which ends with the call."""
        read_heads(handler_call_details.invocation_metadata)
        verb = verb_of(handler_call_details.method)
        try:
            caller = self._gate.enter(verb, heads().get("authorization"), heads().get("x-api-key"))
        except BroodError as error:
            return self._refusing(error)
        set_caller(caller)
        if RULES[verb].held:
            self._arrivals.announced()
        return self._known.get(handler_call_details.method) or self._found(handler_call_details, verb)

    def _found(self, details: grpc.HandlerCallDetails, verb: Verb) -> Handler | None:
        """The same, of a method that was not called before; None: there is no such method."""
        for service in self._services:
            if (handler := service.service(details)) is not None:
                self._known[details.method] = self._holding(handler, verb) if RULES[verb].held else handler
                return self._known[details.method]
        return None

    def _refusing(self, error: BroodError) -> Handler:
        """Asks for a stream, whatever the method does: so it is called before any message has come."""

        async def refusing(_: AsyncIterator[bytes], context: Context) -> None:
            await self._refuse(context, error)

        return grpc.stream_stream_rpc_method_handler(refusing)

    def _holding(self, handler: Handler, verb: Verb) -> Handler:
        """The same handler, but with a place; ours are all coroutine functions."""
        kinds = (handler.request_deserializer, handler.response_serializer)
        if handler.request_streaming:
            stream = self._placed(handler.stream_stream, verb)

            async def counted(requests: AsyncIterator[Any], context: Context) -> Any:
                return await stream(self._counted(requests, current_caller()), context)

            return grpc.stream_stream_rpc_method_handler(counted, *kinds)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._placed(handler.unary_stream, verb), *kinds)
        return grpc.unary_unary_rpc_method_handler(self._placed(handler.unary_unary, verb), *kinds)

    def _placed(self, method: Any, verb: Verb) -> Method:
        async def placed(request: Any, context: Context) -> Any:
            try:
                with self._gate.place(verb, current_caller()):
                    await self._arrivals.here()
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
        await refuse(context, error, request_id_of_call())
