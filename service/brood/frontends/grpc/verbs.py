"""Which verb a gRPC method means."""

from __future__ import annotations

from collections.abc import Mapping

from brood.access.verbs import Verb

# By service, then by method. What is not here needs a key with the scope "admin". Health and reflection are open, for
# they say nothing that the other methods keep.
TABLE: Mapping[str, Mapping[str, Verb]] = {
    "grpc.health.v1.Health": {"Check": "open", "Watch": "open", "List": "open"},
    "grpc.reflection.v1.ServerReflection": {"ServerReflectionInfo": "open"},
    "grpc.reflection.v1alpha.ServerReflection": {"ServerReflectionInfo": "open"},
    "brood.v1.Generator": {
        "Generate": "generate",
        "GenerateStream": "generate",
        "Cancel": "cancel",
        "ListModels": "read",
        "GetModel": "read",
        "LoadModel": "admin",
        "UnloadModel": "admin",
        "ReloadModel": "admin",
    },
    "inference.GRPCInferenceService": {
        "ServerLive": "open",
        "ServerReady": "open",
        "ModelReady": "open",
        "ServerMetadata": "read",
        "ModelMetadata": "read",
        "ModelConfig": "read",
        "ModelStatistics": "read",
        "RepositoryIndex": "read",
        "ModelInfer": "generate",
        "ModelStreamInfer": "generate",
    },
}


def verb_of(method: str) -> Verb:
    """What a call wants to do.

    Args:
        method: its full name, ``/SERVICE/METHOD``.
    """
    service, _, name = method.removeprefix("/").rpartition("/")
    return TABLE.get(service, {}).get(name, "admin")
