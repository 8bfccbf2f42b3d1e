"""Texts: what a caller may send as one, and what tokens come of it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from brood.media.decode import decode_input
from brood.media.refused import Refused
from brood.media.text import CHARACTERS, Tokenizer, filled
from brood.protocol.errors import BundleError, InvalidArgument
from brood.protocol.manifest import Input
from brood.protocol.requests import InputValue
from helpers.texts import LENGTH, TOKENIZER, WORDS, tokenizer_json

SPEC = Input(kind="text", dtype="int64", shape=(LENGTH,), tokenizer=TOKENIZER, description="what to draw")


@pytest.mark.parametrize("text", ["", "a cat", "Ünïcödé 猫 🐈"])
def test_a_text_comes_as_a_string_or_as_utf8(text: str) -> None:
    for value in (InputValue(text=text), InputValue(b64=text.encode(), format="text")):
        array = decode_input("prompt", value, SPEC, None, 3)
        assert array.dtype == np.uint8
        assert array.shape == (3, len(text.encode()))
        assert bytes(array[2]).decode() == text


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (InputValue(data=[1, 2]), "format null is not allowed; allowed: a text, or text, with UTF-8 in b64"),
        (InputValue(b64=b"\x89PNG", format="png"), 'format "png" is not allowed'),
        (InputValue(b64=b"\xff\xfe", format="text"), 'b64 "no UTF-8" is not allowed; allowed: UTF-8 text'),
        (InputValue(text="a", format="png"), 'format "png" is not allowed; allowed: text, or none, beside a text'),
        (InputValue(text="a", dtype="int64"), 'dtype "int64" is not allowed; allowed: none beside a text'),
        (
            InputValue(text="a" * (CHARACTERS * LENGTH + 1)),
            f'text "of {CHARACTERS * LENGTH + 1} characters" is not allowed; allowed: at most 160 characters',
        ),
    ],
)
def test_what_is_no_text_is_refused(value: InputValue, reason: str) -> None:
    with pytest.raises(InvalidArgument, match=reason) as caught:
        decode_input("prompt", value, SPEC, None, 1)
    assert caught.value.field == "inputs.prompt"


def test_half_a_surrogate_pair_is_no_character() -> None:
    value = InputValue.model_construct(b64=None, data=None, text="\ud800", format=None, dtype=None, shape=None)
    with pytest.raises(InvalidArgument, match="halves of surrogate pairs"):
        decode_input("prompt", value, SPEC, None, 1)


def test_tokens_are_those_of_the_file_filled_up_whatever_else_it_says(tmp_path: Path) -> None:
    (tmp_path / TOKENIZER).write_bytes(tokenizer_json())  # it says to cut at 2 tokens
    tokens = Tokenizer(tmp_path / TOKENIZER, TOKENIZER).tokens("A zebra, a CAT")
    assert tokens == [WORDS[word] for word in ("a", "zebra", "<unk>", "a", "cat", "<end>")]
    found = filled(tokens[:3], SPEC.model_copy(update={"pad": 6}))
    assert found["tokens"].tolist() == [3, 6, 1, 6, 6]
    assert found["mask"].tolist() == [1, 1, 1, 0, 0]
    with pytest.raises(Refused) as caught:
        filled(tokens, SPEC)
    assert (caught.value.found, caught.value.allowed) == ("of 6 tokens", "at most 5 tokens")


def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / TOKENIZER).write_bytes(b'{"model": {"type": "no such"}}')
    with pytest.raises(BundleError, match=r"tokenizer\.json: is no tokenizer of the library tokenizers"):
        Tokenizer(tmp_path / TOKENIZER, TOKENIZER)


def test_without_the_library_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(BundleError, match=r"need the library tokenizers: pip install 'brood\[text\]'"):
        Tokenizer(tmp_path / TOKENIZER, TOKENIZER)
