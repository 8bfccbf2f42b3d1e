"""Every method of every service stands in the table, and what does not is closed."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor import FileDescriptor

from brood.frontends.grpc.verbs import TABLE, verb_of
from brood.protocol.wire import generator_pb2, inference_pb2


@pytest.mark.parametrize("descriptor", [generator_pb2.DESCRIPTOR, inference_pb2.DESCRIPTOR], ids=["own", "inference"])
def test_every_method_has_a_verb(descriptor: FileDescriptor) -> None:
    for service in descriptor.services_by_name.values():
        known = TABLE[service.full_name]
        left = {method.name for method in service.methods} - set(known)
        assert {name for name in left if not name.startswith(("RepositoryModel", "SystemShared", "CudaShared"))} <= {
            "LogSettings",
            "TraceSetting",
        }
        for name in left:
            assert verb_of(f"/{service.full_name}/{name}") == "admin"


@pytest.mark.parametrize(
    ("method", "verb"),
    [
        ("/grpc.health.v1.Health/Check", "open"),
        ("/brood.v1.Generator/Generate", "generate"),
        ("/brood.v1.Generator/Cancel", "cancel"),
        ("/inference.GRPCInferenceService/ModelInfer", "generate"),
        ("/inference.GRPCInferenceService/RepositoryModelUnload", "admin"),
        ("/brood.v1.Generator/generate", "admin"),
        ("/brood.v2.Generator/Generate", "admin"),
        ("Generate", "admin"),
        ("", "admin"),
    ],
)
def test_verbs(method: str, verb: str) -> None:
    assert verb_of(method) == verb
