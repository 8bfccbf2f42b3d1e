"""The floor of a server in Python: uvicorn and grpc.aio that answer every request at once with the same bytes.

Run as a script, it serves until it is told to end.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import signal
from typing import Any

import grpc
import numpy as np
import uvicorn
import uvloop

from brood.frontends.grpc.generator import SERVICE
from brood.protocol.wire import generator_pb2 as pb

SAMPLE = np.zeros((1, 28, 28), np.float32)


def npy() -> bytes:
    """A sample as HTTP gives it."""
    file = io.BytesIO()
    np.save(file, SAMPLE)
    return file.getvalue()


def message() -> bytes:
    """A sample as gRPC gives it."""
    tensor = pb.Tensor(content=SAMPLE.tobytes(), format="raw", dtype="float32", shape=SAMPLE.shape)
    sample = pb.Sample(outputs={"image": pb.Output(tensor=tensor)})
    return pb.GenerateResponse(samples=[sample]).SerializeToString()


async def serve(http_port: int, grpc_port: int) -> None:
    """Until SIGTERM."""
    ended = asyncio.Event()
    body, answer = npy(), message()
    head = [(b"content-type", b"application/x-npy"), (b"content-length", b"%d" % len(body))]

    async def over_http(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})

    async def over_grpc(request: bytes, context: Any) -> bytes:
        return answer

    rpc = grpc.aio.server()
    methods = {"Generate": grpc.unary_unary_rpc_method_handler(over_grpc)}
    rpc.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    rpc.add_insecure_port(f"127.0.0.1:{grpc_port}")
    await rpc.start()
    config = uvicorn.Config(
        over_http, "127.0.0.1", http_port, log_level="error", access_log=False, lifespan="off", ws="none"
    )
    http = uvicorn.Server(config)
    serving = asyncio.create_task(http._serve())  # `serve` would take the signals
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    http.should_exit = True
    await rpc.stop(0.1)
    await serving


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--grpc-port", type=int, required=True)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(given.http_port, given.grpc_port))
