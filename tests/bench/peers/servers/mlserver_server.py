"""MLServer: gRPC with raw contents (over HTTP it takes JSON alone), adaptive batches, one process."""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse
from model import arguments, load


class Generator(MLModel):
    """Runs batches."""

    async def load(self):
        given = self.settings.parameters.extra
        self._model = load(given["file"], given["threads"], given["rows"])
        return True

    async def predict(self, payload):
        z = NumpyCodec.decode_input(payload.inputs[0])
        image = await asyncio.to_thread(self._model, z)
        output = NumpyCodec.encode_output(self._model.given[0], image)
        return InferenceResponse(model_name=self.name, outputs=[output])


if __name__ == "__main__":
    given = arguments()
    room = Path(tempfile.mkdtemp(prefix="mlserver-"))
    ports = {"host": "127.0.0.1", "http_port": given.port, "grpc_port": given.grpc_port, "metrics_endpoint": None}
    quiet = {"debug": False, "parallel_workers": 0, "grpc_max_message_length": 2**30}
    (room / "settings.json").write_text(json.dumps({**ports, **quiet}))
    for name, file in given.routes.items():
        words = {"name": name, "implementation": "mlserver_server.Generator"}
        # Batches are counted in requests; it waits for so many seconds, and 0 is no batching at all.
        words |= {"max_batch_size": given.requests, "max_batch_time": 0.001}
        words |= {"parameters": {"extra": {"file": file, "threads": given.threads, "rows": given.rows}}}
        (room / name).mkdir()
        (room / name / "model-settings.json").write_text(json.dumps(words))
    path = str(Path(__file__).resolve().parent)
    os.environ["PYTHONPATH"] = path
    os.execv(sys.executable, [sys.executable, str(Path(sys.executable).with_name("mlserver")), "start", str(room)])
