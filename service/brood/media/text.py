"""Texts: from what callers send to UTF-8, and from UTF-8 to the tokens that a graph reads."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from brood.media.refused import Refused
from brood.protocol.errors import BundleError
from brood.protocol.manifest import Input
from brood.protocol.requests import InputValue

CHARACTERS = 32  # of a text, at most, for each token that there is room for


def read_text(value: InputValue, spec: Input) -> np.ndarray:
    """A text as a caller sends it, in UTF-8: uint8 [bytes].

    Raises:
        Refused: it is no text, or so long that there is no use in counting its tokens.
    """
    text = _text(value)
    for part in ("dtype", "shape"):
        if (stated := getattr(value, part)) is not None:
            raise Refused(part, stated, "none beside a text")
    if len(text) > (most := most_characters(spec)):
        raise Refused("text", f"of {len(text)} characters", f"at most {most} characters")
    try:
        return np.frombuffer(text.encode(), np.uint8)
    except UnicodeEncodeError as error:
        raise Refused("text", text, "Unicode characters, no halves of surrogate pairs") from error


def most_characters(spec: Input) -> int:
    """How many characters a text may have."""
    return CHARACTERS * spec.shape[0]


def _text(value: InputValue) -> str:
    if value.text is not None:
        if value.format not in (None, "text"):
            raise Refused("format", value.format, "text, or none, beside a text")
        return value.text
    if value.b64 is None or value.format != "text":
        raise Refused("format", value.format, "a text, or text, with UTF-8 in b64")
    try:
        return value.b64.decode()
    except UnicodeDecodeError as error:
        raise Refused("b64", "no UTF-8", "UTF-8 text") from error


class Tokenizer:
    """What a ``tokenizer.json`` says (https://github.com/huggingface/tokenizers); no code of a bundle is run.

    Args:
        path: the file.
        name: what it is called in messages.

    Raises:
        BundleError: it cannot be read, or the library is not installed.
    """

    def __init__(self, path: Path, name: str) -> None:
        try:
            library: Any = importlib.import_module("tokenizers")
        except ImportError as error:
            raise BundleError(f"{name}: texts need the library tokenizers: pip install 'brood[text]'") from error
        try:
            self._made = library.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises plain ones
            raise BundleError(f"{name}: is no tokenizer of the library tokenizers: {error}") from error
        self._made.no_padding()
        self._made.no_truncation()

    def tokens(self, text: str) -> list[int]:
        """The tokens of a text, with those that the file puts around it."""
        found: list[int] = self._made.encode(text).ids
        return found


def filled(tokens: list[int], spec: Input) -> dict[str, np.ndarray]:
    """Tokens as graphs read them, [length], under ``tokens``; under ``mask``, int64 [length], where they are.

    Raises:
        Refused: there is no room for so many.
    """
    length, found = spec.shape[0], len(tokens)
    if found > length:
        raise Refused("text", f"of {found} tokens", f"at most {length} tokens")
    row = np.full(length, spec.pad, spec.dtype)
    row[:found] = tokens
    return {"tokens": row, "mask": (np.arange(length) < found).astype(np.int64)}
