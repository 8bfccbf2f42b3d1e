"""The graphs as every peer runs them: the same file, session options and largest call. Needs numpy and onnxruntime."""

import argparse
import fcntl
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import onnxruntime
from walks import Walk


def arguments():
    """What every server is started with."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--route", action="append", required=True, help="NAME=FILE: an ONNX file, or a walk's JSON")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--grpc-port", type=int, default=0)
    parser.add_argument("--threads", type=int, required=True, help="of ONNX Runtime, within one call")
    parser.add_argument("--rows", type=int, required=True, help="most rows of one call")
    parser.add_argument("--requests", type=int, required=True, help="most requests of one batch")
    parser.add_argument("--workers", type=int, default=1, help="for each route, where a server can have several")
    parser.add_argument("--lock", default="", help="file: one batch at a time, over all routes")
    given = parser.parse_args()
    given.routes = dict(route.split("=", 1) for route in given.route)
    (given.file, *_) = given.routes.values()
    return given


def load(file, threads, rows, lock=""):
    """A route's model.

    It has the name, shape and dtype of one row of what it takes and gives (``taken``, ``given``), ``read`` for bytes,
    is called with rows, and makes answers to several requests ``together``.
    """
    session_of = session_with(threads)
    model = Walk(file, session_of, rows) if str(file).endswith(".json") else Graph(session_of(file), rows)
    return Exclusive(model, lock)


def session_with(threads):
    """What makes sessions."""

    def session_of(file):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    return session_of


class Graph:
    """A session of one input and one output: z [rows, latent] -> image [rows, ...]."""

    def __init__(self, session, rows):
        self._session, self._rows = session, rows
        (taken,), given = session.get_inputs(), session.get_outputs()[0]
        self.taken = (taken.name, tuple(taken.shape[1:]), np.dtype(np.float32))
        self.given = (given.name, tuple(given.shape[1:]), np.dtype(np.float32))

    def __call__(self, z):
        """Rows of images, in calls of at most so many."""
        z = np.ascontiguousarray(z, np.float32)
        parts = [self._run(z[first : first + self._rows]) for first in range(0, len(z), self._rows)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def examples(self, rows):
        """Something to take."""
        return np.random.default_rng(rows).standard_normal((rows, *self.taken[1]), np.float32)

    def _run(self, z):
        return self._session.run(None, {self.taken[0]: z})[0]


class Exclusive:
    """A model that may have to wait for the models of other routes: the device is one.

    Args:
        model: a `Graph` or a `Walk`.
        lock: file; none: it need not wait.
    """

    def __init__(self, model, lock):
        self._model, self._lock = model, Path(lock) if lock else None
        self.taken, self.given, self.examples = model.taken, model.given, model.examples

    def read(self, body):
        """Rows from bytes."""
        _, shape, dtype = self.taken
        return np.frombuffer(body, dtype).reshape(-1, *shape)

    def __call__(self, rows):
        """What is made of rows."""
        with self._alone():
            return self._model(rows)

    def together(self, requests):
        """The answers to several requests, from calls that they share."""
        made = self(requests[0] if len(requests) == 1 else np.concatenate(requests))
        return np.split(made, np.cumsum([len(rows) for rows in requests])[:-1])

    def _alone(self):
        return nullcontext() if self._lock is None else held(self._lock)


@contextmanager
def held(path):
    """Nobody else holds this file, in this process or another."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
