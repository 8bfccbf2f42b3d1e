"""Triton by PyTriton: its dynamic batcher, and Python functions behind it; HTTP and gRPC."""

import os
import sysconfig

from model import arguments, load
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig


def bound(triton, name, model, most):
    """Serve a model under a name."""
    (taken, shape, dtype), (given, made, kind) = model.taken, model.given

    @batch
    def infer(**inputs):
        return [model(inputs[taken])]

    triton.bind(
        model_name=name,
        infer_func=infer,
        inputs=[Tensor(name=taken, dtype=dtype.type, shape=shape)],
        outputs=[Tensor(name=given, dtype=kind.type, shape=made)],
        # Counted in rows.
        config=ModelConfig(max_batch_size=most, batcher=DynamicBatcher()),
        strict=False,
    )


if __name__ == "__main__":
    given = arguments()
    # The interpreter inside Triton must load the library of this Python, not that of the system.
    os.environ["LD_LIBRARY_PATH"] = str(sysconfig.get_config_var("LIBDIR"))
    ports = {"http_port": given.port, "grpc_port": given.grpc_port, "allow_metrics": False}
    config = TritonConfig(http_address="127.0.0.1", grpc_address="127.0.0.1", **ports)
    with Triton(config=config) as triton:
        for name, file in given.routes.items():
            model = load(file, given.threads, given.rows, given.lock)
            # Walks end together, so that a batch is a call; of graphs, a request may have more rows than a call.
            most = given.rows if file.endswith(".json") else max(512, given.rows)
            bound(triton, name, model, most)
        triton.serve()
