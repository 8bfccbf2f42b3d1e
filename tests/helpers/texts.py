"""A tiny model that reads texts, on the fake runtime: its pictures are as bright as its prompt's words are late in the
alphabet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from helpers.bundles import IMAGE, bundle_words, edit_manifest, relist, write_bundle

LENGTH = 5  # tokens
TOKENIZER = "tokenizer.json"
WORDS = {word: number for number, word in enumerate(("<pad>", "<unk>", "<end>", "a", "cat", "dog", "zebra"))}


def texts_bundle(root: Path, *, name: str = "reader") -> Path:
    """``generate`` (inputs ``prompt``, and ``negative_prompt``, by default empty): ``image`` [1, 4, 4].

    It is 0.05·noise + 0.02·(Σ tokens + ½·their number) of the prompt − 0.01·(the same) of the negative one. Graph
    ``encode`` makes each sum, once for all samples. A text becomes the numbers of its words in `WORDS`, <end> behind.
    """
    graphs: dict[str, dict[str, Any]] = {
        "encode": {"outputs": {"read": {"sum": [{"of": ["tokens"]}, {"times": 0.5, "of": ["mask"]}]}}},
        "draw": {
            "outputs": {
                "image": {
                    "sum": [
                        {"times": 0.05, "of": ["noise"]},
                        {"times": 0.02, "of": ["context"]},
                        {"times": -0.01, "of": ["contrast"]},
                    ]
                }
            }
        },
    }
    directory = write_bundle(root, _words(name), graphs)
    relist(directory, TOKENIZER, tokenizer_json())
    return edit_manifest(directory, lambda words: words["operations"]["generate"].update({"inputs": _inputs()}))


def tokenizer_json() -> bytes:
    """A tokenizer of whole words, without case, that puts <end> behind."""
    end = {"id": "<end>", "ids": [WORDS["<end>"]], "tokens": ["<end>"]}
    template = {
        "type": "TemplateProcessing",
        "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<end>", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"<end>": end},
    }
    words: dict[str, Any] = {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": template,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": WORDS, "unk_token": "<unk>"},
    }
    return json.dumps(words).encode()


def _inputs() -> dict[str, Any]:
    text = {"kind": "text", "dtype": "int64", "shape": (LENGTH,), "tokenizer": TOKENIZER}
    return {
        "prompt": {**text, "mask": "prompt_mask", "description": "what to draw"},
        "negative_prompt": {**text, "mask": "negative_mask", "default": "", "description": "what not to draw"},
    }


def _words(name: str) -> dict[str, Any]:
    number = {"dtype": "float32", "shape": (1,)}
    tokens = {"dtype": "int64", "shape": (LENGTH,)}
    image = {"dtype": "float32", "shape": IMAGE}
    noise = {"distribution": "normal", "stream": 0}
    common = {"runtime": "fake", "buckets": (1, 2, 4)}
    graphs = {
        "encode": {
            **common,
            "file": "encode.json",
            "inputs": {"tokens": {**tokens, "role": "input"}, "mask": {**tokens, "role": "input"}},
            "outputs": {"read": {**number, "role": "state"}},
        },
        "draw": {
            **common,
            "file": "draw.json",
            "inputs": {
                "noise": {**image, "role": "noise", "noise": noise},
                "context": {**number, "role": "state"},
                "contrast": {**number, "role": "state"},
            },
            "outputs": {"image": {**image, "role": "output"}},
        },
    }
    encode = {"graph": "encode", "repeat": "per_request"}
    stages = [
        {**encode, "bind": {"tokens": "prompt", "mask": "prompt_mask", "read": "context"}},
        {**encode, "bind": {"tokens": "negative_prompt", "mask": "negative_mask", "read": "contrast"}},
        {"graph": "draw"},
    ]
    plain = {"kind": "tensor", **tokens, "description": "Tokens."}
    operation = {
        "inputs": dict.fromkeys(("prompt", "prompt_mask", "negative_prompt", "negative_mask"), plain),
        "state": {"context": {**number, "init": "zeros"}, "contrast": {**number, "init": "zeros"}},
        "stages": stages,
        "outputs": {"image": {**image, "kind": "image"}},
    }
    return {
        **bundle_words(name, 1),
        "graphs": graphs,
        "operations": {"generate": operation},
    }
