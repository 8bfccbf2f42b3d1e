"""A bundle whose samples have relatives: it runs on the fake runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helpers.bundles import bundle_words, write_bundle

SHAPE = (1, 4, 4)
TENSOR = {"dtype": "float32", "shape": SHAPE}
NOISE = {"distribution": "normal", "stream": 0}


def relatives_bundle(root: Path, name: str = "relatives") -> Path:
    """``generate``: image = 0.25·latent, of noise. ``interpolate``: the latent is on a straight line between two.

    The ends are the samples (seed, index_from) and (seed_to, index_to); ``frames`` says of how many a sample is one.
    """
    between = [{"of": ["first"]}, {"times": -1.0, "of": ["first", "weight"]}, {"of": ["second", "weight"]}]
    graphs: dict[str, Any] = {
        "make": {"outputs": {"image": {"sum": [{"times": 0.25, "of": ["latent"]}]}}},
        "blend": {"outputs": {"blended": {"sum": between}}},
    }
    return write_bundle(root, _words(name), graphs, golden={"generate": {}, "interpolate": {"seed_to": 9, "frames": 5}})


def _words(name: str) -> dict[str, Any]:
    index = {"type": "int", "default": 0, "minimum": 0, "maximum": 100, "description": "an index"}
    given = {**TENSOR, "role": "input"}
    outputs = {"image": {**TENSOR, "kind": "image"}}
    return {
        **bundle_words(name, 1),
        "graphs": {
            "make": _graph("make", {"latent": {**TENSOR, "role": "noise", "noise": NOISE}}, "image"),
            "blend": _graph(
                "blend", {"first": given, "second": given, "weight": {"dtype": "float32", "role": "param"}}, "blended"
            ),
        },
        "operations": {
            "generate": {"stages": [{"graph": "make"}], "outputs": outputs},
            "interpolate": {
                "params": {
                    "frames": {"type": "int", "default": None, "minimum": 2, "maximum": 50, "description": "how many"},
                    "seed_to": {**index, "default": None},
                    "index_from": index,
                    "index_to": index,
                },
                "state": {
                    "first": {**TENSOR, "init": "noise", "noise": {**NOISE, "index": "index_from"}},
                    "second": {**TENSOR, "init": "noise", "noise": {**NOISE, "seed": "seed_to", "index": "index_to"}},
                    "weight": {"dtype": "float32", "init": "frame"},
                    "latent": {**TENSOR, "init": "zeros"},
                },
                "stages": [
                    {"graph": "blend", "bind": {"blended": "latent"}},
                    {"graph": "make", "bind": {"latent": "latent"}},
                ],
                "outputs": outputs,
            },
        },
    }


def _graph(name: str, inputs: dict[str, Any], output: str) -> dict[str, Any]:
    made = {output: {**TENSOR, "role": "output"}}
    return {"file": f"{name}.json", "runtime": "fake", "buckets": (1, 2, 4), "inputs": inputs, "outputs": made}
