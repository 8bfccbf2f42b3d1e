"""Client of a brood server, over HTTP or gRPC.

from brood_client import Client

with Client("http://127.0.0.1:8000") as client:      # or "grpc://127.0.0.1:9000"
    images = client.generate("glyphs-vae", n=4, seed=7, params={"label": 3}).array
"""

from brood_client._client import Client
from brood_client._errors import (
    BroodError,
    DeadlineExceeded,
    DeadlineInfeasible,
    DeterminismUnavailable,
    InvalidArgument,
    ModelNotFound,
    ModelUnavailable,
    NotReady,
    Overloaded,
    Unreachable,
)
from brood_client._types import Generation, Model, Sample

__all__ = [
    "BroodError",
    "Client",
    "DeadlineExceeded",
    "DeadlineInfeasible",
    "DeterminismUnavailable",
    "Generation",
    "InvalidArgument",
    "Model",
    "ModelNotFound",
    "ModelUnavailable",
    "NotReady",
    "Overloaded",
    "Sample",
    "Unreachable",
]
