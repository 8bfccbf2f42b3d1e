"""BentoML: an entry service that takes bytes, and a service of adaptive batches behind it.

Entry services refuse its own binary form of arrays; what they take instead, JSON, is not what is measured here.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import bentoml
import numpy as np
from bentoml.validators import ContentType
from model import arguments, load

REQUESTS = int(os.environ.get("REQUESTS", "2"))
QUIET = {"logging": {"access": {"enabled": False}}, "metrics": {"enabled": False}, "traffic": {"timeout": 120}}
Bytes = Annotated[bytes, ContentType("application/octet-stream")]


@bentoml.service(workers=1, **QUIET)
class Generator:
    """Runs batches."""

    def __init__(self) -> None:
        self._model = load(os.environ["FILE"], int(os.environ["THREADS"]), int(os.environ["ROWS"]))

    @bentoml.api(batchable=True, max_batch_size=REQUESTS, max_latency_ms=100_000)
    def generate(self, z: np.ndarray) -> np.ndarray:
        return self._model(z)


@bentoml.service(workers=1, **QUIET)
class Entry:
    """Takes requests."""

    generator = bentoml.depends(Generator)

    @bentoml.api(route="/inference")
    async def inference(self, body: Bytes, /) -> Bytes:
        z = np.frombuffer(body, np.float32).reshape(-1, int(os.environ["LATENT"]))
        return (await self.generator.to_async.generate(z)).tobytes()


if __name__ == "__main__":
    given = arguments()
    (latent,) = load(given.file, given.threads, given.rows).taken[1]
    variables = {"FILE": given.file, "THREADS": given.threads, "ROWS": given.rows}
    # Adaptive batches are counted in rows.
    variables |= {"REQUESTS": max(given.requests, given.rows), "LATENT": latent}
    os.environ.update({name: str(value) for name, value in variables.items()})
    os.environ["BENTOML_DO_NOT_TRACK"] = "True"
    os.chdir(Path(__file__).resolve().parent)
    command = ["-m", "bentoml", "serve", "bentoml_server:Entry", "--host", "127.0.0.1", "--port", str(given.port)]
    os.execv(sys.executable, [sys.executable, *command])
