"""The descriptors in the package ``tritonclient``, against those that the server tells by reflection."""

from __future__ import annotations

import sys

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from tritonclient.grpc import model_config_pb2, service_pb2
from wire import served, wire

# These say more than Triton's, for another dialect of the protocol: a client skips what it does not know.
MORE = {"inference.RepositoryModelLoadResponse", "inference.RepositoryModelUnloadResponse"}
# Of these there are parts that say nothing about models here.
LESS = {f"inference.Model{part}" for part in ("Config", "Input", "Output", "DynamicBatching", "InstanceGroup")}


def packaged(module: object) -> FileDescriptorProto:
    """A module's file."""
    file = FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(file)
    return file


def main() -> None:
    """Compare all messages, enums and methods."""
    ours, theirs = served(sys.argv[2]), wire([packaged(service_pb2), packaged(model_config_pb2)])
    for name, fields in ours.messages.items():
        known = theirs.messages[name]
        assert name in MORE or {number: known.get(number) for number in fields} == fields, name
        assert name in LESS or set(known) <= set(fields), (name, set(known) - set(fields))
    assert {name: theirs.enums[name] for name in ours.enums} == ours.enums
    assert {name: theirs.methods[name] for name in ours.methods} == ours.methods
    rest = {name for name in set(theirs.methods) - set(ours.methods) if "SharedMemory" not in name}
    assert rest == {"TraceSetting", "LogSettings"}, rest
    print(f"{len(ours.messages)} messages, {len(ours.enums)} enums, {len(ours.methods)} methods are equal")


if __name__ == "__main__":
    main()
