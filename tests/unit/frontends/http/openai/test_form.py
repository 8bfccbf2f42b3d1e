from __future__ import annotations

import pytest

from brood.frontends.http.openai.form import Form, read_form
from brood.protocol.errors import InvalidArgument


def form(*parts: tuple[str, bytes]) -> Form:
    lines = [
        b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), content)
        for name, content in parts
    ]
    return read_form(b"".join(lines) + b"--b--\r\n", "b")


def test_files_and_fields_are_told_apart() -> None:
    read = form(("image", b"\x89\xff"), ("mask", b"m"), ("prompt", "sieben ü".encode()), ("model", b"7"))
    assert read.files == {"image": b"\x89\xff", "mask": b"m"}
    assert read.fields == {"prompt": "sieben ü", "model": "7"}  # these are text, whatever they look like


def test_a_picture_may_come_as_a_list_of_one() -> None:
    assert form(("image[]", b"x")).files == {"image": b"x"}


def test_numbers_and_truth_values_are_read() -> None:
    read = form(("n", b"2"), ("stream", b"true"), ("seed", b"9007199254740993"), ("deadline_ms", b"1.5"))
    assert read.fields == {"n": 2, "stream": True, "seed": 2**53 + 1, "deadline_ms": 1.5}
    assert form(("n", b"two"), ("seed", b"[1]"), ("index", b"null")).fields == {
        "n": "two",
        "seed": "[1]",
        "index": "null",
    }


def test_parameters_in_brackets() -> None:
    assert form(("params[label]", b"7"), ("params[a[b]]", b"x")).fields == {"params": {"label": "7", "a[b]": "x"}}


@pytest.mark.parametrize("names", [("image", "image"), ("image", "image[]"), ("n", "n"), ("params[a]", "params[a]")])
def test_nothing_comes_twice(names: tuple[str, str]) -> None:
    with pytest.raises(InvalidArgument, match="comes twice; allowed: once"):
        form(*((name, b"1") for name in names))


def test_text_is_utf_8() -> None:
    with pytest.raises(InvalidArgument, match="prompt: these bytes are no text"):
        form(("prompt", b"\xff"))
