from __future__ import annotations

import pytest

from brood.frontends.http.accept import only_output, wanted_form
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
    ],
)
def test_the_form_is_the_one_liked_best(accept: str, form: str) -> None:
    assert wanted_form(accept) == form


@pytest.mark.parametrize("accept", ["text/html", "image/webp", "application/json;q=0", "nonsense"])
def test_what_there_is_not(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="offered: application/json, image/png, application/x-npy"):
        wanted_form(accept)


def test_the_only_output_of_a_kind() -> None:
    operations = manifest().operations
    assert only_output(operations["generate"], "png", 1) == "sample"
    assert only_output(operations["complete"], "npy", 1) == "sample"
    with pytest.raises(NotAcceptable, match="this operation has 0 of that kind"):
        only_output(operations["complete"], "png", 1)
    with pytest.raises(NotAcceptable, match="ask for n=1"):
        only_output(operations["generate"], "png", 2)
