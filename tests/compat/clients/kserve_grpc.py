"""KServe's ``InferenceGRPCClient``, unmodified, and its descriptors."""

from __future__ import annotations

import asyncio
import sys

import grpc
import numpy as np
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from kserve import InferenceGRPCClient, InferInput, InferRequest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub
from wire import served, wire

GAN, DENSE = "glyphs-gan", "dense"
MATRIX = np.arange(6, dtype=np.float32).reshape(3, 2)
# Here the dialects differ about the same field number; the server understands both.
DIALECT = {"inference.RepositoryModelLoadRequest", "inference.RepositoryModelUnloadRequest"}


def descriptors(target: str) -> None:
    """What this package has is a part of what the server has."""
    file = FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    ours, theirs = served(target), wire([file])
    for name, fields in theirs.messages.items():
        known = ours.messages[name]
        assert name in DIALECT or all(known[number][1:] == found[1:] for number, found in fields.items()), name
    assert {name: ours.methods[name] for name in theirs.methods} == theirs.methods


async def health(client: InferenceGRPCClient) -> None:
    """Of the server and of models."""
    assert await client.is_server_live()
    assert await client.is_server_ready()
    assert await client.is_model_ready(GAN)
    assert not await client.is_model_ready("nobody")


async def infer(client: InferenceGRPCClient, binary: bool) -> None:
    """A function by its own names, in bytes or in typed lists; a generator by parameters."""
    rows = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
    given = InferInput(name="Input:0", shape=list(rows.shape), datatype="FP32")
    given.set_data_from_numpy(rows, binary_data=binary)
    found = await client.infer(InferRequest(model_name=DENSE, infer_inputs=[given], request_id="mine"))
    assert found.id == "mine"
    np.testing.assert_allclose(found.outputs[0].as_numpy(), rows @ MATRIX, rtol=1e-5, atol=1e-5)
    made = await client.infer(InferRequest(model_name=GAN, infer_inputs=[], parameters={"n": 3, "seed": 7}))
    image = next(output for output in made.outputs if output.name == "image")
    assert image.as_numpy().shape == (3, 1, 28, 28)


async def refused(client: InferenceGRPCClient) -> None:
    """An error has its status and its words."""
    try:
        await client.infer(InferRequest(model_name="nobody", infer_inputs=[]))
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.NOT_FOUND, error
        assert "nobody" in error.details()
    else:
        raise AssertionError("a model that is not there was not refused")


async def repository(target: str) -> None:
    """This dialect sends the model's name in the first field, and reads it there."""
    async with grpc.aio.insecure_channel(target) as channel:
        stub = GRPCInferenceServiceStub(channel)
        gone = await stub.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(model_name=DENSE))
        assert (gone.model_name, gone.isUnloaded) == (DENSE, True)
        here = await stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name=DENSE))
        assert (here.model_name, here.isLoaded) == (DENSE, True)


async def main() -> None:
    """All of it."""
    target = sys.argv[2]
    descriptors(target)
    async with InferenceGRPCClient(target) as client:
        await health(client)
        for binary in (True, False):
            await infer(client, binary)
        await refused(client)
    await repository(target)


if __name__ == "__main__":
    asyncio.run(main())
