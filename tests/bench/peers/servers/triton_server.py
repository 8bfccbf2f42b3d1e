"""Triton by PyTriton: its dynamic batcher, and a Python function behind it; HTTP and gRPC."""

import os
import sysconfig

import numpy as np
from model import Model, arguments
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

if __name__ == "__main__":
    given = arguments()
    # The interpreter inside Triton must load the library of this Python, not that of the system.
    os.environ["LD_LIBRARY_PATH"] = str(sysconfig.get_config_var("LIBDIR"))
    model = Model(given.graph, given.threads, given.rows)
    latent = model._latent
    shape = model(np.zeros((1, latent), np.float32)).shape[1:]

    @batch
    def infer(z):
        return [model(z)]

    ports = {"http_port": given.port, "grpc_port": given.grpc_port, "allow_metrics": False}
    config = TritonConfig(http_address="127.0.0.1", grpc_address="127.0.0.1", **ports)
    with Triton(config=config) as triton:
        triton.bind(
            model_name="generator",
            infer_func=infer,
            inputs=[Tensor(name="z", dtype=np.float32, shape=(latent,))],
            outputs=[Tensor(name="image", dtype=np.float32, shape=shape)],
            # Counted in rows.
            config=ModelConfig(max_batch_size=max(512, given.rows), batcher=DynamicBatcher()),
            strict=False,
        )
        triton.serve()
