from __future__ import annotations

import pytest

from brood.frontends.http.accept import check_stream, only_output, wanted_form
from brood.protocol.errors import NotAcceptable
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
        ("audio/wav, image/png;q=0.1", "png"),
    ],
)
def test_the_form_is_the_one_liked_best(accept: str, form: str) -> None:
    assert wanted_form(accept) == form


@pytest.mark.parametrize(
    "accept", ["text/html", "image/avif", "audio/wav", "audio/*", "video/mp4", "application/json;q=0", "nonsense"]
)
def test_what_there_is_not(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="offered: application/json, image/png, image/webp, image/jpeg, app"):
        wanted_form(accept)


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
