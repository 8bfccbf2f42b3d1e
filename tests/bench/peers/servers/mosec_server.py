"""mosec: bytes in, bytes out."""

import os
import sys
import tempfile
from pathlib import Path

from model import Model, arguments
from mosec import Server, Worker


class Generator(Worker):
    """Runs batches. Workers are processes of their own and get what they need by the environment."""

    def __init__(self):
        self._model = Model(os.environ["GRAPH"], int(os.environ["THREADS"]), int(os.environ["ROWS"]))

    def deserialize(self, data):
        return self._model.read(data)

    def forward(self, data):
        return self._model.together(data) if isinstance(data, list) else self._model(data)

    def serialize(self, data):
        return data.tobytes()


if __name__ == "__main__":
    given = arguments()
    os.environ.update({"GRAPH": given.graph, "THREADS": str(given.threads), "ROWS": str(given.rows)})
    sys.argv = [sys.argv[0], "--port", str(given.port), "--address", "127.0.0.1", "--log-level", "error"]
    sys.argv += ["--timeout", "120000", "--path", str(Path(tempfile.gettempdir(), f"mosec-{given.port}"))]
    server = Server()
    # 1 ms is the shortest wait that it takes; it does not wait when a batch is full.
    server.append_worker(Generator, max_batch_size=given.requests, max_wait_time=1)
    server.run()
