"""``ModelStreamInfer``: requests of one stream run side by side, and are answered in their order.

Clients that number nothing tell answers apart by their order; so what a request gives waits for those before it, and
the samples of the request whose turn it is go out as they are finished.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing

from brood.protocol.errors import BroodError, Internal
from brood.protocol.wire import inference_pb2 as pb

IN_FLIGHT = 16  # requests of one stream; the next is read when one of them has been answered
AHEAD = 2  # answers of one request that wait for their turn
EMPTY_FINAL = "triton_enable_empty_final_response"  # a parameter of requests: a last response with nothing in it
FINAL = "triton_final_response"  # a parameter of responses to such requests: whether it is that one

Answers = Callable[[pb.ModelInferRequest, str], AsyncGenerator[pb.ModelInferResponse, None]]
Turn = asyncio.Queue[pb.ModelStreamInferResponse | None]  # None: there will be no more
logger = logging.getLogger(__name__)


class InferStream:
    """One stream.

    Args:
        read: makes a request of bytes.
        answers: runs a request under an id of its own.
        request_id: of the stream.
    """

    def __init__(self, read: Callable[[bytes], pb.ModelInferRequest], answers: Answers, request_id: str) -> None:
        self._read, self._answers, self._request_id = read, answers, request_id
        self._turns: asyncio.Queue[Turn | None] = asyncio.Queue(IN_FLIGHT)
        self._failure: BroodError | None = None

    async def run(self, requests: AsyncIterator[bytes], write: Callable[[bytes], Awaitable[None]]) -> None:
        """Answer until the caller has no more requests. Cancelling this cancels what runs.

        Raises:
            BroodError: the caller may send no more; what it had sent before is answered. Or as ``write`` raises.
        """
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._take(requests, group))
                while (turn := await self._turns.get()) is not None:
                    while (message := await turn.get()) is not None:
                        await write(message.SerializeToString())
        except ExceptionGroup as failed:  # of one: no task raises
            raise failed.exceptions[0] from failed
        if self._failure is not None:
            raise self._failure

    async def _take(self, requests: AsyncIterator[bytes], group: asyncio.TaskGroup) -> None:
        """Begin each request when it comes."""
        number = 0
        try:
            async for content in requests:
                turn: Turn = asyncio.Queue(AHEAD)
                await self._turns.put(turn)
                group.create_task(self._answer(content, f"{self._request_id}-{number}", turn))
                number += 1
        except BroodError as error:
            self._failure = error
        await self._turns.put(None)

    async def _answer(self, content: bytes, own_id: str, turn: Turn) -> None:
        request = pb.ModelInferRequest()
        try:
            request = self._read(content)
            async with aclosing(self._answers(request, own_id)) as answers:
                async for answer in answers:
                    await turn.put(_response(request, answer))
        except BroodError as error:
            await turn.put(_failed(request, error))
        except Exception:
            logger.exception("request %s failed", own_id)
            await turn.put(_failed(request, Internal("an error of the server; its log has the details")))
        else:
            if _marks_final(request):
                last = pb.ModelInferResponse(model_name=request.model_name, id=request.id)
                await turn.put(_response(request, last, final=True))
        await turn.put(None)


def _response(
    request: pb.ModelInferRequest, answer: pb.ModelInferResponse, *, final: bool = False
) -> pb.ModelStreamInferResponse:
    if _marks_final(request):
        answer.parameters[FINAL].bool_param = final
    return pb.ModelStreamInferResponse(infer_response=answer)


def _failed(request: pb.ModelInferRequest, error: BroodError) -> pb.ModelStreamInferResponse:
    response = _response(request, pb.ModelInferResponse(id=request.id), final=True)
    response.error_message = error.message
    return response


def _marks_final(request: pb.ModelInferRequest) -> bool:
    return request.parameters[EMPTY_FINAL].bool_param if EMPTY_FINAL in request.parameters else False
