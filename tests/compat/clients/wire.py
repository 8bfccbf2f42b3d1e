"""The wire of the Open Inference Protocol over gRPC: what a server says by reflection, and what a package has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import grpc
from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

SERVICE = "inference.GRPCInferenceService"
Field = tuple[str, int, int, str, str]  # name, type, label, type's name, oneof
Method = tuple[str, str, bool, bool]  # request, response, whether either is a stream


@dataclass
class Wire:
    """Everything that bytes depend on, by full names."""

    messages: dict[str, dict[int, Field]] = field(default_factory=dict)
    enums: dict[str, dict[str, int]] = field(default_factory=dict)
    methods: dict[str, Method] = field(default_factory=dict)


def served(target: str) -> Wire:
    """The wire of a server."""
    asked = reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE)
    with grpc.insecure_channel(target) as channel:
        answers = list(reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([asked])))
    files = answers[0].file_descriptor_response.file_descriptor_proto
    return wire(FileDescriptorProto.FromString(content) for content in files)


def wire(files: Iterable[FileDescriptorProto]) -> Wire:
    """The wire of some files."""
    found = Wire()
    for file in files:
        for message in file.message_type:
            _add(found, f"{file.package}.{message.name}", message)
        for enum in file.enum_type:
            found.enums[f"{file.package}.{enum.name}"] = _values(enum)
        for service in file.service:
            for each in service.method:
                types = (each.input_type.lstrip("."), each.output_type.lstrip("."))
                found.methods[each.name] = (*types, each.client_streaming, each.server_streaming)
    return found


def _add(found: Wire, name: str, message: DescriptorProto) -> None:
    found.messages[name] = {
        each.number: (
            each.name,
            each.type,
            each.label,
            each.type_name.lstrip("."),
            message.oneof_decl[each.oneof_index].name if each.HasField("oneof_index") else "",
        )
        for each in message.field
    }
    for nested in message.nested_type:
        _add(found, f"{name}.{nested.name}", nested)
    for enum in message.enum_type:
        found.enums[f"{name}.{enum.name}"] = _values(enum)


def _values(enum: EnumDescriptorProto) -> dict[str, int]:
    return {value.name: value.number for value in enum.value}
