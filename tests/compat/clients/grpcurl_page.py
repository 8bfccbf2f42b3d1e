"""The commands of grpcurl on the pages, as grpcurl makes them: by reflection, with JSON for messages.

Where there is a ``grpcurl``, it is run itself. No registry of packages has it, so elsewhere `Call` stands for it.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, Parse
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from pages import commands

PAGES = ("README.md", "docs/clients.md")
GENERATOR = "brood.v1.Generator"
METHODS = ("Generate", "GenerateStream", "Cancel", "ListModels", "GetModel")
SERVICES = {GENERATOR, "inference.GRPCInferenceService", "grpc.health.v1.Health"}


class Call:
    """One command in place of grpcurl, for the options that the pages use."""

    def __init__(self, command: str) -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("-plaintext", action="store_true", required=True)
        parser.add_argument("-d", default="{}")
        parser.add_argument("-H", action="append", default=[])
        parser.add_argument("target")
        parser.add_argument("words", nargs="+")
        self.given = parser.parse_args(shlex.split(command)[1:])

    def output(self) -> str:
        """What is printed."""
        with grpc.insecure_channel(self.given.target) as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            match self.given.words:
                case ["list"]:
                    return "\n".join(sorted(database.get_services()))
                case ["describe", name]:
                    found = DescriptorPool(database).FindServiceByName(name)
                    return f"{name} is a service:\n" + "\n".join(f"  rpc {method.name}" for method in found.methods)
                case [name]:
                    answers = self._answers(channel, DescriptorPool(database), name)
                    return "\n".join(json.dumps(answer) for answer in answers)
        raise AssertionError(self.given.words)

    def _answers(self, channel: grpc.Channel, pool: DescriptorPool, name: str) -> Iterator[dict[str, object]]:
        service, _, method = name.partition("/")
        found = pool.FindServiceByName(service).FindMethodByName(method)
        asked, answer = GetMessageClass(found.input_type), GetMessageClass(found.output_type)
        metadata = [tuple(part.strip() for part in line.split(":", 1)) for line in self.given.H]
        call = channel.unary_stream(f"/{name}", asked.SerializeToString, answer.FromString)
        for message in call(Parse(self.given.d, asked()), metadata=metadata):
            yield MessageToDict(message)


def output(command: str) -> str:
    """What a command prints."""
    if shutil.which("grpcurl"):
        return subprocess.run(shlex.split(command), check=True, capture_output=True, text=True).stdout
    return Call(command).output()


def messages(text: str) -> list[dict[str, object]]:
    """The JSON objects that are printed one after the other."""
    found, decoder = [], json.JSONDecoder()
    while text := text.strip():
        message, end = decoder.raw_decode(text)
        found.append(message)
        text = text[end:]
    return found


def check(command: str) -> str:
    """Run a command, and look at what it prints; what it asks for."""
    wanted, told = shlex.split(command)[-1], output(command)
    match wanted:
        case "list":
            assert set(told.split()) >= SERVICES, told
        case "brood.v1.Generator":
            assert "is a service" in told, told
            assert all(f"rpc {name}" in told for name in METHODS), told
        case "grpc.health.v1.Health/Check":
            assert messages(told) == [{"status": "SERVING"}], told
        case "brood.v1.Generator/Generate":
            [answer] = messages(told)
            assert (answer["model"], answer["seed"], len(answer["samples"])) == ("glyphs-vae", "7", 4), told
        case "brood.v1.Generator/GenerateStream":
            kinds = [next(iter(event)) for event in messages(told)]
            assert (kinds[0], kinds[-1], kinds.count("sample")) == ("accepted", "done", 2), kinds
            assert "progress" in kinds, kinds
        case _:
            raise AssertionError(f"nobody looks at {command}")
    return wanted


def main() -> None:
    """All commands."""
    checked = [check(command) for command in commands(PAGES, "grpcurl", sys.argv[1:])]
    assert len(checked) == 6, checked
    print(f"   {len(checked)} commands, by {shutil.which('grpcurl') or 'reflection'}")


if __name__ == "__main__":
    main()
