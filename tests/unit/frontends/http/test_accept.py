from __future__ import annotations

import pytest

from brood.frontends.http.accept import check_stream, only_output, possible_form, wanted_forms
from brood.protocol.errors import NotAcceptable
from brood.protocol.manifest import Operation
from helpers.backend import manifest


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("*/*", "json"),
        ("", "json"),
        ("application/json", "json"),
        ("application/*", "json"),
        ("image/png", "png"),
        ("image/*", "png"),
        ("IMAGE/PNG", "png"),
        ("application/x-npy", "npy"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "json"),
        ("image/avif,image/webp,image/png,image/*;q=0.8,*/*;q=0.5", "png"),
        ("image/png;q=0.5, application/json;q=0.9", "json"),
        ("*/*, image/png", "png"),  # named exactly
        ("application/json;q=0, */*", "png"),
        ("image/png;q=nonsense, application/x-npy;q=0.1", "npy"),
        ("image/webp", "webp"),
        ("image/webp;q=0.4, image/jpeg;q=0.6", "jpeg"),
        ("application/x-safetensors", "safetensors"),
        ("application/zip, application/json;q=0.9", "zip"),
        ("text/event-stream", "events"),
        ("audio/wav, image/png;q=0.1", "wav"),
        ("audio/*", "wav"),
        ("video/*", "mp4"),
        ("audio/x-wav", "wav"),
        ("audio/x-flac;q=0.9, audio/vnd.wave;q=0.5", "flac"),
        ("video/webm", "webm"),
        ("image/apng", "apng"),
        ("image/gif", "gif"),
    ],
)
def test_the_form_is_the_one_liked_best(accept: str, form: str) -> None:
    assert wanted_forms(accept)[0] == form


@pytest.mark.parametrize(
    "accept", ["text/html", "image/avif", "audio/mpeg", "video/x-msvideo", "application/json;q=0", "nonsense"]
)
def test_what_there_is_not(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="offered: application/json, image/png, image/webp, image/jpeg, audio/wav"):
        wanted_forms(accept)


BROWSER = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "kind", "form"),
    [
        ("image/png", "image", "png"),
        (BROWSER, "image", "webp"),
        (BROWSER, "video", "webp"),
        (BROWSER, "audio", "json"),
        (BROWSER, "tensor", "json"),
        ("image/*", "image", "png"),
        ("image/*", "video", "webp"),
        ("audio/wav, video/mp4;q=0.9, image/png;q=0.8", "audio", "wav"),
        ("audio/wav, video/mp4;q=0.9, image/png;q=0.8", "video", "mp4"),
        ("audio/wav, video/mp4;q=0.9, image/png;q=0.8", "image", "png"),
        ("application/x-npy", "tensor", "npy"),
        ("video/mp4, */*;q=0.1", "image", "json"),
        ("application/zip", "audio", "zip"),
    ],
)
def test_the_form_is_the_best_that_the_operation_has(accept: str, kind: str, form: str) -> None:
    assert possible_form(wanted_forms(accept), making(kind)) == form


@pytest.mark.parametrize(
    ("accept", "kind", "offered"),
    [
        ("image/png", "audio", "application/json, audio/wav, audio/flac, application/x-npy, application/x-saf"),
        ("image/jpeg", "video", "application/json, image/webp, video/mp4, video/webm, image/apng, image/gif, app"),
        ("video/*", "image", "application/json, image/png, image/webp, image/jpeg, application/x-npy"),
        ("audio/wav", "tensor", "application/json, application/x-npy, application/x-safetensors, application/zip"),
        ("application/x-npy", "scalar", "application/json, application/x-safetensors, application/zip, text/event"),
    ],
)
def test_what_an_operation_cannot_show(accept: str, kind: str, offered: str) -> None:
    with pytest.raises(NotAcceptable, match=f"cannot show what this operation makes; offered: {offered}") as raised:
        possible_form(wanted_forms(accept), making(kind))
    assert raised.value.field == "Accept"


def making(kind: str) -> Operation:
    """An operation with one output of a kind."""
    shapes: dict[str, tuple[int, ...]] = {"image": (3, 4, 4), "audio": (1, 9), "video": (2, 1, 4, 4), "tensor": (3,)}
    output = {"kind": kind, "dtype": "float32", "shape": shapes.get(kind, ())}
    return Operation.model_validate({"stages": [{"graph": "x"}], "outputs": {"made": output}})


def test_a_stream_and_its_form_go_together() -> None:
    check_stream("events", True)
    check_stream("json", True)
    check_stream("zip", False)
    with pytest.raises(NotAcceptable, match='"stream": true'):
        check_stream("events", False)
    with pytest.raises(NotAcceptable, match="answered with text/event-stream, not image/png"):
        check_stream("png", True)


def test_the_only_output_of_a_kind() -> None:
    operations = manifest().operations
    assert only_output(operations["generate"], "png", 1) == "sample"
    assert only_output(operations["complete"], "npy", 1) == "sample"
    with pytest.raises(NotAcceptable, match="this operation has 0 of that kind"):
        only_output(operations["complete"], "png", 1)
    assert only_output(operations["vary"], "webp", 1) == "sample"
    with pytest.raises(NotAcceptable, match="ask for n=1, or send Accept: application/json, application/x-safetensors"):
        only_output(operations["generate"], "png", 2)
