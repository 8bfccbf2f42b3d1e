"""Texts of a bundle: its tokenizers are loaded with it, and every host makes the same tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brood.host.loading import load_model
from brood.host.texts import tokenised
from brood.program.compile import readable
from brood.protocol.errors import BundleError, InvalidArgument
from brood.runtimes.base import RuntimeOptions
from brood.store.store import read_bundle
from helpers.bundles import edit_manifest, relist
from helpers.engine import generation
from helpers.texts import LENGTH, TOKENIZER, WORDS, texts_bundle


def utf8(text: str, n: int) -> np.ndarray:
    return np.broadcast_to(np.frombuffer(text.encode(), np.uint8), (n, len(text.encode())))


def test_texts_become_tokens_and_masks_that_rows_share(tmp_path: Path) -> None:
    ready = load_model(read_bundle(texts_bundle(tmp_path)), RuntimeOptions(1))
    operation = ready.engine.programs["generate"].operation
    given = {"prompt": utf8("A dog", 3), "negative_prompt": utf8("", 3)}
    inputs = tokenised(generation(ready.engine, "a", n=3, inputs=given), operation, ready.tokenizers).inputs
    end = WORDS["<end>"]
    assert inputs["prompt"].tolist() == [[WORDS["a"], WORDS["dog"], end, 0, 0]] * 3
    assert inputs["prompt_mask"].tolist() == [[1, 1, 1, 0, 0]] * 3
    assert inputs["negative_prompt"].tolist() == [[end, 0, 0, 0, 0]] * 3
    assert inputs["negative_mask"].tolist() == [[1, 0, 0, 0, 0]] * 3
    assert all(array.strides[0] == 0 for array in inputs.values())


def test_tokens_stay_tokens(tmp_path: Path) -> None:
    ready = load_model(read_bundle(texts_bundle(tmp_path)), RuntimeOptions(1))
    operation = ready.engine.programs["generate"].operation
    given = {name: np.ones((2, LENGTH), np.int64) for name in readable(operation)}
    request = generation(ready.engine, "a", n=2, inputs=given)
    assert tokenised(request, operation, ready.tokenizers).inputs == request.inputs


def test_too_many_tokens_are_counted(tmp_path: Path) -> None:
    ready = load_model(read_bundle(texts_bundle(tmp_path)), RuntimeOptions(1))
    request = generation(ready.engine, "a", inputs={"prompt": utf8("a " * 5, 1), "negative_prompt": utf8("", 1)})
    with pytest.raises(InvalidArgument, match='"of 6 tokens" is not allowed; allowed: at most 5 tokens') as caught:
        tokenised(request, ready.engine.programs["generate"].operation, ready.tokenizers)
    assert caught.value.field == "inputs.prompt"


def test_a_default_that_does_not_fit_is_refused_when_the_model_is_loaded(tmp_path: Path) -> None:
    directory = edit_manifest(
        texts_bundle(tmp_path),
        lambda words: words["operations"]["generate"]["inputs"]["negative_prompt"].update(default="a " * LENGTH),
    )
    with pytest.raises(BundleError, match=r"inputs\.negative_prompt\.default: of 6 tokens; allowed: at most 5"):
        load_model(read_bundle(directory), RuntimeOptions(1))


def test_a_broken_tokenizer_fails_its_model(tmp_path: Path) -> None:
    directory = relist(texts_bundle(tmp_path), TOKENIZER, b"{}")
    with pytest.raises(BundleError, match=r"tokenizer\.json: is no tokenizer"):
        load_model(read_bundle(directory), RuntimeOptions(1))
