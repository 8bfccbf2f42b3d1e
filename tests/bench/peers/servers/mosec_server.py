"""mosec: bytes in, bytes out; one worker process, or several, for each route."""

import os
import sys
import tempfile
from pathlib import Path

from model import arguments, load
from mosec import Runtime, Server, Worker


class Generator(Worker):
    """Runs batches. Workers are processes of their own and get what they need by the environment."""

    def __init__(self):
        variables = os.environ
        self._model = load(variables["FILE"], int(variables["THREADS"]), int(variables["ROWS"]), variables["LOCK"])

    def deserialize(self, data):
        return self._model.read(data)

    def forward(self, data):
        return self._model.together(data) if isinstance(data, list) else self._model(data)

    def serialize(self, data):
        return data.tobytes()


if __name__ == "__main__":
    given = arguments()
    sys.argv = [sys.argv[0], "--port", str(given.port), "--address", "127.0.0.1", "--log-level", "error"]
    sys.argv += ["--timeout", "120000", "--path", str(Path(tempfile.gettempdir(), f"mosec-{given.port}"))]
    same = {"THREADS": str(given.threads), "ROWS": str(given.rows), "LOCK": given.lock}
    # 1 ms is the shortest wait that it takes; it does not wait when a batch is full.
    waits = {"max_batch_size": given.requests, "max_wait_time": 1, "timeout": 120}
    server = Server()
    server.register_runtime(
        {
            f"/inference/{name}": [
                Runtime(Generator, num=given.workers, env=[{**same, "FILE": file}] * given.workers, **waits)
            ]
            for name, file in given.routes.items()
        }
    )
    server.run()
