"""What is asked, and a server that answers it without Ray: the composition of `brood.serve` in a process of its own.

Run as a script, it serves until it is told to end.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

import uvloop

from brood.observe.metrics import Metrics
from brood.serve.colocated import Colocated
from brood.settings import Settings

MODEL = "mlp-gan"


def settings(store: Path, http_port: int, grpc_port: int) -> Settings:
    """Of a server of one model, one thread a call."""
    return Settings(models=str(store), names=(MODEL,), threads=1, http_port=http_port, grpc_port=grpc_port)


async def serve(store: Path, http_port: int, grpc_port: int) -> None:
    """Until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    server = Colocated(settings(store, http_port, grpc_port), Metrics())
    await server.start()
    await ended.wait()
    await server.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--grpc-port", type=int, required=True)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(given.store, given.http_port, given.grpc_port))
