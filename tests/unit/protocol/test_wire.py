"""Messages and plain values: what goes in comes out, absence stays absence, and the stubs are fresh."""

import importlib.util
import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brood.protocol.requests import GenerateRequest as Request
from brood.protocol.wire.convert import plain_of, request_fields, request_message, value_of
from brood.protocol.wire.generator_pb2 import DESCRIPTOR, GenerateRequest, Tensor, Value

REPOSITORY = Path(__file__).parents[3]
NAMES = st.text(min_size=1, max_size=8)
SCALARS = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=20)
TENSORS = st.fixed_dictionaries(
    {
        "b64": st.binary(max_size=20),
        "format": st.sampled_from(["raw", "npy", "png"]),
        "dtype": st.sampled_from(["float32", "uint8"]),
        "shape": st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple),
    }
)
REQUESTS = st.fixed_dictionaries(
    {"model": st.text(max_size=20)},
    optional={
        "version": st.integers(-2, 2**40),
        "operation": st.text(max_size=20),
        "n": st.integers(-(2**63), 2**63 - 1),
        "seed": st.integers(-(2**63), 2**63 - 1),
        "index": st.integers(0, 2**53),
        "params": st.dictionaries(NAMES, SCALARS, min_size=1, max_size=4),
        "inputs": st.dictionaries(NAMES, TENSORS, min_size=1, max_size=2),
        "output": st.fixed_dictionaries({"format": st.text(max_size=5)}),
        "deadline_ms": st.floats(allow_nan=False),
        "priority": st.text(max_size=12),
        "determinism": st.text(max_size=12),
        "progress_every": st.integers(-(2**63), 2**63 - 1),
        "preview_every": st.integers(-(2**63), 2**63 - 1),
    },
)


@given(REQUESTS)
def test_a_request_survives_the_wire(fields: dict[str, object]) -> None:
    content = request_message(fields).SerializeToString()
    assert request_fields(GenerateRequest.FromString(content)) == fields


@given(SCALARS)
def test_a_scalar_keeps_its_value_and_type(scalar: bool | int | float | str) -> None:
    plain = plain_of(Value.FromString(value_of(scalar).SerializeToString()))
    assert plain == scalar
    assert type(plain) is type(scalar)


def test_what_is_not_set_is_left_out() -> None:
    assert request_fields(GenerateRequest()) == {}
    assert request_fields(request_message({"model": "m", "version": None})) == {"model": "m"}


def test_zero_and_empty_are_not_absent() -> None:
    message = GenerateRequest(model="", operation="", n=0, seed=0, version=0, index=0, deadline_ms=0.0)
    zeros = {"model": "", "version": 0, "operation": "", "n": 0, "seed": 0, "index": 0, "deadline_ms": 0.0}
    message.MergeFrom(GenerateRequest(priority="", determinism="", progress_every=0, preview_every=0))
    zeros |= {"priority": "", "determinism": "", "progress_every": 0, "preview_every": 0}
    assert request_fields(GenerateRequest.FromString(message.SerializeToString())) == zeros


def test_nan_and_infinity_arrive() -> None:
    params = request_fields(request_message({"params": {"a": math.nan, "b": -math.inf}}))["params"]
    assert math.isnan(params["a"])
    assert params["b"] == -math.inf


def test_a_value_without_a_kind_is_none() -> None:
    assert plain_of(Value()) is None


@pytest.mark.parametrize(
    ("tensor", "fields"),
    [
        (Tensor(), {"b64": b""}),
        (Tensor(content=b"x", format="npy"), {"b64": b"x", "format": "npy"}),
        (Tensor(content=b"x", format="raw"), {"b64": b"x", "format": "raw"}),
        (Tensor(format="raw", dtype="int8"), {"b64": b"", "format": "raw", "dtype": "int8", "shape": ()}),
        (Tensor(format="png", dtype="int8"), {"b64": b"", "format": "png", "dtype": "int8"}),
        (Tensor(format="raw", shape=[2, 3]), {"b64": b"", "format": "raw", "shape": (2, 3)}),
    ],
)
def test_a_tensor_has_a_shape_where_it_needs_one(tensor: Tensor, fields: dict[str, object]) -> None:
    assert request_fields(GenerateRequest(inputs={"image": tensor})) == {"inputs": {"image": fields}}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"seed": 2**63}, "seed"),
        ({"seed": "seven"}, "seed"),
        ({"n": 1.5}, "n"),
        ({"params": {"label": 2**70}}, "params.label"),
        ({"params": {"label": [1]}}, "params.label"),
        ({"inputs": {"image": {"b64": "text"}}}, "inputs.image"),
    ],
)
def test_what_the_message_cannot_carry_is_named(fields: dict[str, object], path: str) -> None:
    with pytest.raises(ValueError, match=f"^{path}: "):
        request_message(fields)


def test_the_message_mirrors_the_json_body() -> None:
    message = DESCRIPTOR.message_types_by_name["GenerateRequest"]
    assert [field.name for field in message.fields] == list(Request.model_fields)


def test_every_scalar_of_a_request_knows_whether_it_is_set() -> None:
    fields = DESCRIPTOR.message_types_by_name["GenerateRequest"].fields
    assert [field.name for field in fields if not field.has_presence] == ["params", "inputs"]


def test_field_numbers_leave_no_gaps() -> None:
    for name, message in DESCRIPTOR.message_types_by_name.items():
        assert [field.number for field in message.fields] == list(range(1, len(message.fields) + 1)), name


def test_every_field_is_documented() -> None:
    lines = (REPOSITORY / "service/brood/protocol/wire/generator.proto").read_text(encoding="utf-8").splitlines()
    bare = [
        line
        for before, line in pairwise(lines)
        if line.strip().startswith(("message", "rpc", "service", "oneof", "enum")) or " = " in line
        if not before.strip().startswith("//") and not line.startswith(("syntax", "//"))
    ]
    assert bare == []


def protos_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("protos", REPOSITORY / "scripts/protos.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_stubs_are_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["protos.py", "--check"])
    assert protos_script().main() == 0


def test_a_stale_stub_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = protos_script()
    wire = tmp_path / "brood/protocol/wire"
    wire.mkdir(parents=True)
    for path in script.WIRE.iterdir():
        if path.is_file():
            (wire / path.name).write_bytes(path.read_bytes())
    with (wire / "generator_pb2.pyi").open("a", encoding="utf-8") as stub:
        stub.write("# changed\n")
    monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(script, "WIRE", wire)
    assert script.stale() == ["brood/protocol/wire/generator_pb2.pyi"]
    monkeypatch.setattr(sys, "argv", ["protos.py", "--check"])
    assert script.main() == 1
    assert "generator_pb2.pyi" in capsys.readouterr().err


def test_converters_need_protobuf_alone() -> None:
    code = "import sys, brood.protocol.wire.convert; print({'grpc', 'numpy', 'pydantic'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "set()\n"
