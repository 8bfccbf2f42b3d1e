"""``grpc.md``: the comments of the protos."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)
from grpc_tools import protoc

from reference_pages.text import page, table

SERVICE = Path(__file__).resolve().parents[2] / "service"
PROTOS = ("brood/protocol/wire/generator.proto", "brood/protocol/wire/inference.proto")
Path_ = tuple[int, ...]
SYNTAX, MESSAGE, ENUM, SERVICE_, DEEPER, FIELD, INNER_ENUM, ONEOF = (12,), 4, 5, 6, 3, 2, 4, 8  # numbers in descriptors


def grpc_page() -> str:
    """The comments of the protos."""
    return page("gRPC", *(part for proto in descriptors() for part in Proto(proto).parts()))


def descriptors() -> list[FileDescriptorProto]:
    """The protos with their comments.

    Raises:
        SystemExit: protoc refused one; its complaints are on standard error.
    """
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "all"
        includes = [f"-I{SERVICE}", f"-I{files('grpc_tools') / '_proto'}"]
        code = protoc.main(["protoc", *includes, "--include_source_info", f"--descriptor_set_out={target}", *PROTOS])
        if code != 0:
            raise SystemExit(code)
        return list(FileDescriptorSet.FromString(target.read_bytes()).file)


class Proto:
    """One proto, its comments found by the paths of descriptors."""

    def __init__(self, proto: FileDescriptorProto) -> None:
        self._proto = proto
        self._found = {tuple(place.path): place for place in proto.source_code_info.location}

    def parts(self) -> Iterator[str]:
        """The file's comment, services, messages and enums, in their order."""
        yield f"## {self._proto.package}"
        yield "\n\n".join(unwrapped(text) for text in self._found[SYNTAX].leading_detached_comments)
        for number, service in enumerate(self._proto.service):
            yield self._service(service, (SERVICE_, number))
        for number, message in enumerate(self._proto.message_type):
            yield from self._message(message, message.name, (MESSAGE, number))
        for number, enum in enumerate(self._proto.enum_type):
            yield self._enum(enum, enum.name, (ENUM, number))

    def _said(self, path: Path_) -> str:
        place = self._found.get(path)
        return unwrapped(place.leading_comments or place.trailing_comments) if place else ""

    def _service(self, service: ServiceDescriptorProto, path: Path_) -> str:
        rows = [
            (
                f"`{method.name}`",
                "stream of " * method.client_streaming + last(method.input_type),
                "stream of " * method.server_streaming + last(method.output_type),
                self._said((*path, FIELD, number)),
            )
            for number, method in enumerate(service.method)
        ]
        return "\n\n".join([f"### {service.name}", self._said(path), table(("method", "takes", "gives", ""), rows)])

    def _message(self, message: DescriptorProto, name: str, path: Path_) -> Iterator[str]:
        entries = {inner.name: inner for inner in message.nested_type if inner.options.map_entry}
        rows = [
            (f"`{field.name}`", str(field.number), self._type(field, entries), self._said((*path, FIELD, number)))
            for number, field in enumerate(message.field)
        ]
        said = table(("field", "number", "type", ""), rows)
        yield "\n\n".join(
            part for part in (f"### {name}", self._said(path), said, *self._choices(message, path)) if part
        )
        for number, inner in enumerate(message.nested_type):
            if inner.name not in entries:
                yield from self._message(inner, f"{name}.{inner.name}", (*path, DEEPER, number))
        for number, enum in enumerate(message.enum_type):
            yield self._enum(enum, f"{name}.{enum.name}", (*path, INNER_ENUM, number))

    def _choices(self, message: DescriptorProto, path: Path_) -> Iterator[str]:
        """What is said about fields of which one is set."""
        for number, group in enumerate(message.oneof_decl):
            names = [f"`{field.name}`" for field in message.field if _belongs(field, number)]
            if names:
                yield f"{', '.join(names)}: {self._said((*path, ONEOF, number)) or group.name}"

    def _type(self, field: FieldDescriptorProto, entries: dict[str, DescriptorProto]) -> str:
        entry = entries.get(field.type_name.rpartition(".")[2])
        if entry is not None:
            return f"map of {' to '.join(self._type(part, {}) for part in entry.field)}"
        word = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
        many = "repeated " * (field.label == FieldDescriptorProto.LABEL_REPEATED)
        return many + "optional " * field.proto3_optional + (last(field.type_name) if field.type_name else word)

    def _enum(self, enum: EnumDescriptorProto, name: str, path: Path_) -> str:
        rows = [
            (f"`{value.name}`", str(value.number), self._said((*path, FIELD, number)))
            for number, value in enumerate(enum.value)
        ]
        return "\n\n".join([f"### {name}", self._said(path), table(("value", "number", ""), rows)])


def _belongs(field: FieldDescriptorProto, group: int) -> bool:
    return field.HasField("oneof_index") and field.oneof_index == group and not field.proto3_optional


def last(name: str) -> str:
    """A link to a message: ``.brood.v1.Sample`` is ``[Sample](#sample)``."""
    short = ".".join(part for part in name.split(".") if part[:1].isupper())
    return f"[{short}](#{short.lower().replace('.', '')})"


def unwrapped(comment: str) -> str:
    """Paragraphs of a comment, each on one line."""
    paragraphs = re.split(r"\n\s*\n", comment.strip())
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
