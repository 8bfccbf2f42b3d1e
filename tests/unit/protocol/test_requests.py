"""What a request may say; every complaint names the field, the value, and what is allowed."""

import json
import time
from typing import Any

import pytest
from pydantic import ValidationError

from brood.protocol.errors import InvalidArgument
from brood.protocol.requests import GenerateRequest, complaint


def refused(body: str | bytes) -> InvalidArgument:
    with pytest.raises(ValidationError) as raised:
        GenerateRequest.model_validate_json(body)
    return complaint(raised.value)


def test_only_the_model_is_required() -> None:
    request = GenerateRequest.model_validate_json('{"model": "m"}')
    assert (request.operation, request.n, request.seed, request.index) == ("generate", 1, None, 0)
    assert (request.priority, request.determinism) == ("interactive", "any")
    assert (request.deadline_ms, request.progress_every, request.preview_every) == (None, None, None)
    assert request.output.format is None


def test_a_full_request_is_understood() -> None:
    request = GenerateRequest.model_validate_json(
        """{"model": "m", "version": 2, "operation": "complete", "n": 3, "seed": 9223372036854775807, "index": 5,
        "params": {"label": 7, "temperature": 0.5, "fast": true, "sampler": "ddim"},
        "inputs": {"image": {"b64": "AAE=", "format": "raw", "dtype": "uint8", "shape": [2]}, "mask": {"data": [[1]]}},
        "output": {"format": "npy"}, "deadline_ms": 100, "priority": "bulk", "determinism": "exact",
        "progress_every": 10, "preview_every": 5}"""
    )
    assert request.inputs["image"].b64 == b"\x00\x01"
    assert request.inputs["image"].shape == (2,)
    assert request.inputs["mask"].data == [[1]]
    assert request.params == {"label": 7, "temperature": 0.5, "fast": True, "sampler": "ddim"}
    assert request.seed == 2**63 - 1
    assert (request.priority, request.determinism) == ("bulk", "exact")
    assert (request.progress_every, request.preview_every) == (10, 5)


INTEGER_N = "an integer, 1 ≤ n"
SEED = "an integer, 0 ≤ seed < 9223372036854775808"
DEADLINE = "a number, 0 < deadline_ms ≤ 86400000"
PARAM = "a finite number, true, false, or a string"
DATA = "a finite number, or nested lists of numbers"
BASE64 = "base64 text (RFC 4648, with padding)"
ONE_OF = "exactly one of 'b64', 'data' and 'text'"
SHAPE = "a list of at most 16 whole numbers"
FIELDS = (
    "model, version, operation, n, seed, index, params, inputs, output, deadline_ms, "
    "priority, determinism, progress_every, preview_every"
)


@pytest.mark.parametrize(
    ("part", "field", "shown", "allowed"),
    [
        ('"n": 0', "n", "0", INTEGER_N),
        ('"n": -1', "n", "-1", INTEGER_N),
        ('"n": "3"', "n", '"3"', INTEGER_N),
        ('"n": 1.5', "n", "1.5", INTEGER_N),
        ('"n": true', "n", "true", INTEGER_N),
        ('"n": null', "n", "null", INTEGER_N),
        ('"n": NaN', "n", "NaN", INTEGER_N),
        ('"n": 1e400', "n", "Infinity", INTEGER_N),
        ('"seed": -1', "seed", "-1", SEED),
        ('"seed": 9223372036854775808', "seed", "9223372036854775808", SEED),
        ('"seed": "x"', "seed", '"x"', SEED),
        ('"seed": 7.0', "seed", "7.0", SEED),
        ('"index": -1', "index", "-1", "an integer, 0 ≤ index < 9007199254740992"),
        ('"version": 0', "version", "0", "an integer, 1 ≤ version"),
        ('"version": "1"', "version", '"1"', "an integer, 1 ≤ version"),
        ('"operation": ""', "operation", '""', "a string of at least 1 character"),
        ('"operation": 5', "operation", "5", "a string"),
        ('"deadline_ms": 0', "deadline_ms", "0", DEADLINE),
        ('"deadline_ms": NaN', "deadline_ms", "NaN", DEADLINE),
        ('"deadline_ms": "1"', "deadline_ms", '"1"', DEADLINE),
        ('"priority": "urgent"', "priority", '"urgent"', "'interactive' or 'bulk'"),
        ('"priority": 1', "priority", "1", "'interactive' or 'bulk'"),
        ('"determinism": "none"', "determinism", '"none"', "'any' or 'exact'"),
        ('"progress_every": 0', "progress_every", "0", "an integer, 1 ≤ progress_every"),
        ('"preview_every": 2.5', "preview_every", "2.5", "an integer, 1 ≤ preview_every"),
        ('"preview_every": true', "preview_every", "true", "an integer, 1 ≤ preview_every"),
        ('"params": 3', "params", "3", "an object"),
        ('"params": {"t": NaN}', "params.t", "NaN", PARAM),
        ('"params": {"t": -Infinity}', "params.t", "-Infinity", PARAM),
        ('"params": {"t": null}', "params.t", "null", PARAM),
        ('"params": {"float": [1]}', "params.float", "[1]", PARAM),
        ('"params": {"a[0]": {}}', "params.a[0]", "{}", PARAM),
        ('"inputs": []', "inputs", "[]", "an object"),
        ('"inputs": {"x": {}}', "inputs.x", "{}", ONE_OF),
        ('"inputs": {"x": {"data": 1, "b64": ""}}', "inputs.x", '{"data": 1, "b64": ""}', ONE_OF),
        ('"inputs": {"x": {"b64": "A"}}', "inputs.x.b64", '"A"', BASE64),
        ('"inputs": {"x": {"b64": "é"}}', "inputs.x.b64", '"\\u00e9"', BASE64),
        ('"inputs": {"x": {"b64": 5}}', "inputs.x.b64", "5", BASE64),
        ('"inputs": {"x": {"data": "s"}}', "inputs.x.data", '"s"', DATA),
        ('"inputs": {"x": {"data": NaN}}', "inputs.x.data", "NaN", DATA),
        ('"inputs": {"int": {"data": {}}}', "inputs.int.data", "{}", DATA),
        ('"inputs": {"x": {"data": 1, "dtype": "f32"}}', "inputs.x.dtype", '"f32"', "'bool', 'uint8',"),
        (
            '"inputs": {"x": {"data": 1, "format": "bmp"}}',
            "inputs.x.format",
            '"bmp"',
            "'raw', 'npy', 'png', 'wav', 'flac' or 'text'",
        ),
        ('"inputs": {"x": {"data": 1, "shape": [1.5]}}', "inputs.x.shape", "1.5", SHAPE),
        ('"inputs": {"x": {"data": 1, "shape": 3}}', "inputs.x.shape", "3", SHAPE),
        ('"output": "png"', "output", '"png"', "an object"),
        ('"output": {"format": "jpeg", "quality": 101}', "output.quality", "101", "an integer, 0 ≤ quality ≤ 100"),
        (
            '"output": {"quality": 50}',
            "output",
            '{"quality": 50}',
            "'quality' beside format 'webp', 'jpeg', 'mp4' or 'webm' only",
        ),
        ('"output": {"format": "bmp"}', "output.format", '"bmp"', "'png', 'webp', 'jpeg', 'wav', 'flac', 'mp4'"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(part: str, field: str, shown: str, allowed: str) -> None:
    error = refused(f'{{"model": "m", {part}}}')
    assert error.field == field
    assert error.message.startswith(f"{field}: {shown} is not allowed; allowed: {allowed}")


@pytest.mark.parametrize(
    ("part", "field", "allowed"),
    [
        ('"colour": 1', "colour", FIELDS),
        ('"output": {"colour": 1}', "output.colour", "format, quality"),
        ('"inputs": {"x": {"data": 1, "colour": 1}}', "inputs.x.colour", "b64, data, text, format, dtype, shape"),
    ],
)
def test_an_unknown_field_is_named_with_its_neighbours(part: str, field: str, allowed: str) -> None:
    error = refused(f'{{"model": "m", {part}}}')
    assert error.field == field
    assert error.message == f"{field}: unknown field; allowed: {allowed}"


def test_a_missing_field_is_named() -> None:
    error = refused('{"n": 1}')
    assert (error.field, error.message) == ("model", "model: missing; this field is required")


@pytest.mark.parametrize(
    "body", ["", '{"model": "m"', "nonsense", b"\xff\xfe", '{"model": "m"} {}', '{"model": ' + "[" * 5000]
)
def test_broken_json_is_said_to_be_broken(body: str | bytes) -> None:
    error = refused(body)
    assert error.message.startswith("the body is not valid JSON: ")
    assert error.message.endswith("allowed: one JSON object")
    assert error.field is None


@pytest.mark.parametrize("body", ["[]", "3", "null", '"x"'])
def test_a_body_that_is_no_object_is_refused(body: str) -> None:
    assert refused(body).message == f"body: {body} is not allowed; allowed: an object"


@pytest.mark.parametrize("value", [[0] * 500_000, ["a"] * 500_000, "A" * 5_000_001], ids=["long", "wrong", "text"])
def test_a_large_bad_value_is_refused_at_once(value: Any) -> None:
    part = {"b64": value} if isinstance(value, str) else {"data": 1, "shape": value}
    body = json.dumps({"model": "m", "inputs": {"x": part}})
    started = time.process_time()
    assert len(refused(body).message) < 250
    assert time.process_time() - started < 0.5


def test_a_request_is_immutable() -> None:
    request = GenerateRequest(model="m")
    with pytest.raises(ValidationError, match="frozen"):
        request.n = 2


@pytest.mark.parametrize("field", ["params", "inputs"])
def test_very_many_names_are_refused_before_they_are_looked_at(field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        GenerateRequest.model_validate({"model": "m", field: dict.fromkeys(map(str, range(100_000)))})
    assert len(caught.value.errors()) == 1
    error = complaint(caught.value)
    assert error.field == field
    assert "at most 256 names; 100000 were given" in error.message
