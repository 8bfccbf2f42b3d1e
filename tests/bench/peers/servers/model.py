"""The graph as every peer runs it: the same file, session options and largest call. Needs numpy and onnxruntime."""

import argparse

import numpy as np
import onnxruntime


def arguments():
    """What every server is started with."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--graph", required=True, help="ONNX file: z [rows, latent] -> image [rows, ...]")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--grpc-port", type=int, default=0)
    parser.add_argument("--threads", type=int, required=True, help="of ONNX Runtime, within one call")
    parser.add_argument("--rows", type=int, required=True, help="most rows of one call")
    parser.add_argument("--requests", type=int, required=True, help="most requests of one batch")
    return parser.parse_args()


class Model:
    """A session."""

    def __init__(self, graph, threads, rows):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        (given,) = self._session.get_inputs()
        self._name, self._latent, self._rows = given.name, given.shape[1], rows

    def read(self, body):
        """Rows of latents from bytes."""
        return np.frombuffer(body, np.float32).reshape(-1, self._latent)

    def __call__(self, z):
        """z [rows, latent] -> image [rows, ...], in calls of at most so many rows."""
        z = np.ascontiguousarray(z, np.float32)
        parts = [self._run(z[first : first + self._rows]) for first in range(0, len(z), self._rows)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def together(self, requests):
        """The answers to several requests, from calls that they share."""
        images = self(requests[0] if len(requests) == 1 else np.concatenate(requests))
        return np.split(images, np.cumsum([len(z) for z in requests])[:-1])

    def _run(self, z):
        return self._session.run(None, {self._name: z})[0]
