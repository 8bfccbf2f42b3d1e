"""Reflection, and what the server is as a whole."""

import asyncio

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from brood.dataplane import DataPlane
from brood.frontends.grpc.server import GrpcOptions, build_server
from brood.protocol.wire.generator_pb2 import DESCRIPTOR
from helpers.grpc_server import grpc_server

SERVICES = [
    "brood.v1.Generator",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "inference.GRPCInferenceService",
]


async def test_reflection_tells_services_and_methods(plane: DataPlane) -> None:
    def look(target: str) -> tuple[list[str], list[str], list[str]]:
        with grpc.insecure_channel(target) as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            pool = DescriptorPool(database)
            methods = pool.FindServiceByName("brood.v1.Generator").methods
            fields = pool.FindMessageTypeByName("brood.v1.GenerateRequest").fields
            return sorted(database.get_services()), [each.name for each in methods], [each.name for each in fields]

    async with grpc_server(plane) as target:
        services, methods, fields = await asyncio.to_thread(look, target)
    assert services == SERVICES
    assert methods == [method.name for method in DESCRIPTOR.services_by_name["Generator"].methods]
    assert fields == [field.name for field in DESCRIPTOR.message_types_by_name["GenerateRequest"].fields]


async def test_reflection_answers_under_its_newer_name(channel: grpc.aio.Channel) -> None:
    call = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=ServerReflectionRequest.SerializeToString,
        response_deserializer=ServerReflectionResponse.FromString,
    )(iter([ServerReflectionRequest(list_services="")]))
    answers = [answer async for answer in call]
    assert sorted(service.name for service in answers[0].list_services_response.service) == SERVICES


async def test_a_port_is_not_shared(plane: DataPlane) -> None:
    async with grpc_server(plane) as target:
        second = build_server(plane, GrpcOptions())
        with pytest.raises(RuntimeError, match="Failed to bind to address"):
            second.add_insecure_port(target)
        await second.stop(None)
