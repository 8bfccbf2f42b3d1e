"""``inference.GRPCInferenceService``: the Open Inference Protocol v2."""

from __future__ import annotations

import grpc

from brood.loadgen.checks import check_oip
from brood.loadgen.http.oip import datatype, inputs_of, parameters_of, rows_of
from brood.loadgen.orders import Order
from brood.loadgen.outcome import Answer, wrong
from brood.loadgen.rpc.way import Metadata
from brood.protocol.wire import inference_pb2 as pb

METHOD = "/inference.GRPCInferenceService/ModelInfer"


class OipGrpc:
    """A `Call`.

    Args:
        channel: to the server.
        metadata: of every call.
        bare: see `OipHttp`.
    """

    def __init__(self, channel: grpc.aio.Channel, metadata: Metadata, *, bare: bool = False) -> None:
        self._metadata, self._bare = metadata, bare
        self._infer = channel.unary_unary(
            METHOD,
            request_serializer=pb.ModelInferRequest.SerializeToString,
            response_deserializer=pb.ModelInferResponse.FromString,
        )

    async def __call__(self, order: Order, seed: int) -> Answer:
        """See `Call`."""
        answer = await self._infer(self._message(order, seed), metadata=self._metadata)
        contents = list(answer.raw_output_contents)
        if not contents or len(contents) != len(answer.outputs):
            raise wrong(f"{len(contents)} raw contents for {len(answer.outputs)} outputs")
        for told, content in zip(answer.outputs, contents, strict=True):
            check_oip(told.name, told.datatype, told.shape, content, rows_of(order, self._bare))
        return Answer(contents, sum(map(len, contents)))

    def _message(self, order: Order, seed: int) -> pb.ModelInferRequest:
        inputs = inputs_of(order, bare=self._bare)
        parameters = {} if self._bare else parameters_of(order, seed)
        return pb.ModelInferRequest(
            model_name=order.model,
            model_version=str(order.common.get("version", "")),
            parameters={name: _parameter(value) for name, value in parameters.items()},
            inputs=[
                pb.ModelInferRequest.InferInputTensor(name=name, datatype=datatype(array), shape=array.shape)
                for name, array in inputs.items()
            ],
            raw_input_contents=[array.tobytes() for array in inputs.values()],
        )


def _parameter(value: bool | int | float | str) -> pb.InferParameter:
    if isinstance(value, bool):
        return pb.InferParameter(bool_param=value)
    if isinstance(value, int):
        return pb.InferParameter(int64_param=value)
    if isinstance(value, float):
        return pb.InferParameter(double_param=value)
    return pb.InferParameter(string_param=value)
