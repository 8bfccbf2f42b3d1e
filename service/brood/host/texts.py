"""Texts of a request become tokens where the model is: the bundle has the file that says how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from brood.media.refused import Refused
from brood.media.text import Tokenizer, filled
from brood.protocol.errors import BundleError, InvalidArgument, show
from brood.protocol.manifest import Input, Operation
from brood.protocol.requests import Generation
from brood.store.store import Bundle

Tokenizers = Mapping[str, Tokenizer]  # file → what it says


def load_tokenizers(bundle: Bundle) -> dict[str, Tokenizer]:
    """All tokenizers of a bundle.

    Raises:
        BundleError: one cannot be read, the library is not installed, or there is no room for an input's own default.
    """
    found: dict[str, Tokenizer] = {}
    for operation, words in bundle.manifest.operations.items():
        for name, spec in words.inputs.items():
            if spec.tokenizer is None:
                continue
            if spec.tokenizer not in found:
                found[spec.tokenizer] = Tokenizer(bundle.directory / spec.tokenizer, spec.tokenizer)
            try:
                filled(found[spec.tokenizer].tokens(spec.default or ""), spec)
            except Refused as refused:
                field = f"operations.{operation}.inputs.{name}.default"
                raise BundleError(f"{field}: {refused.found}; allowed: {refused.allowed}", field=field) from refused
    return found


def tokenised(generation: Generation, operation: Operation, tokenizers: Tokenizers) -> Generation:
    """The generation with tokens, and masks where they are wanted, in place of UTF-8.

    Raises:
        InvalidArgument: a text has more tokens than there is room for.
    """
    texts = {name: spec for name, spec in operation.inputs.items() if spec.tokenizer in tokenizers}
    if not texts:
        return generation
    inputs = dict(generation.inputs)
    for name, spec in texts.items():
        if inputs[name].dtype == np.uint8:  # else they are tokens already
            inputs |= _tokens(name, spec, bytes(inputs[name][0]).decode(), generation.n, tokenizers)
    return replace(generation, inputs=inputs)


def _tokens(name: str, spec: Input, text: str, n: int, tokenizers: Tokenizers) -> dict[str, np.ndarray]:
    """One text for all samples, which share it in memory."""
    try:
        found = filled(tokenizers[spec.tokenizer or ""].tokens(text), spec)
    except Refused as refused:
        reason = f"{refused.part} {show(refused.found)} is not allowed; allowed: {refused.allowed}"
        raise InvalidArgument(f"inputs.{name}: {reason}", field=f"inputs.{name}") from refused
    rows = {name: found["tokens"]} | ({} if spec.mask is None else {spec.mask: found["mask"]})
    return {key: np.broadcast_to(row, (n, *row.shape)) for key, row in rows.items()}
