"""A tiny model on the fake runtime whose rows end when they are done: each after another number of steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helpers.bundles import write_bundle

X = {"dtype": "float32", "shape": (3,)}
NUMBER = {"dtype": "float32"}
FLAG = {"dtype": "bool"}


def ending_bundle(root: Path, *, name: str = "ending", **fake: Any) -> Path:
    """``generate`` (steps = 12, limit = 3): x = 0.5·x + u with uniform noise u, and total = total + v with another.

    A row is done as soon as its total is at least the limit: of steps it makes few where the limit is low. One more
    graph then makes ``y`` = 2·x; ``total`` and ``made``, the total as the last step told it, are given as well.

    Args:
        fake: further words of the fake graph ``step``.
    """
    graphs = ending_graphs()
    graphs["step"] |= fake
    return write_bundle(root, ending_words(name), graphs, golden={"generate": {"limit": 1.5}})


def ending_graphs() -> dict[str, dict[str, Any]]:
    """What its graphs compute."""
    return {
        "step": {
            "outputs": {
                "x": {"sum": [{"times": 0.5, "of": ["x"]}, {"of": ["noise"]}]},
                "total": {"sum": [{"of": ["total"]}, {"of": ["more"]}]},
                "told": {"sum": [{"of": ["total"]}, {"of": ["more"]}]},
                "ok": {"finite": "total"},
                "done": {"reaches": ["told", "limit"]},
            }
        },
        "finish": {"outputs": {"y": {"sum": [{"times": 2.0, "of": ["x"]}]}}},
    }


def ending_words(name: str) -> dict[str, Any]:
    """Its manifest, without files."""
    state = {**X, "role": "state"}
    total = {**NUMBER, "role": "state"}
    step = {
        "inputs": {
            "x": state,
            "total": total,
            "noise": {**X, "role": "noise", "noise": {"distribution": "uniform", "stream": 1}},
            "more": {**NUMBER, "role": "noise", "noise": {"distribution": "uniform", "stream": 2}},
            "limit": {**NUMBER, "role": "param"},
        },
        "outputs": {
            "x": state,
            "total": total,
            "told": {**NUMBER, "role": "output"},
            "ok": {**FLAG, "role": "ok"},
            "done": {**FLAG, "role": "done"},
        },
    }
    finish = {"inputs": {"x": state}, "outputs": {"y": {**X, "role": "output"}}}
    common = {"runtime": "fake", "buckets": (1, 2, 4, 8)}
    steps = {"type": "int", "default": 12, "minimum": 1, "maximum": 100, "description": "At most."}
    limit = {"type": "float", "default": 3.0, "minimum": 0.0, "maximum": 1e3, "description": "Of the total."}
    temperature = {"type": "float", "default": 1.0, "minimum": 0.1, "maximum": 10, "description": "Unused."}
    generate = {
        "params": {"steps": steps, "temperature": temperature, "limit": limit},
        "state": {
            "x": {**X, "init": "noise", "noise": {"distribution": "normal", "stream": 0}},
            "total": {**NUMBER, "init": "zeros"},
        },
        "stages": [{"graph": "step", "repeat": "schedule"}, {"graph": "finish"}],
        "outputs": {
            "y": {**X, "kind": "tensor"},
            "total": {**NUMBER, "kind": "scalar"},
            "made": {**NUMBER, "kind": "scalar", "value": "told"},
        },
    }
    return {
        "format": "brood/1",
        "name": name,
        "version": 1,
        "family": "function",
        "modality": "tensor",
        "domain": "continuous",
        "description": "A model for tests.",
        "license": "Apache-2.0",
        "created": "2025-01-01T00:00:00Z",
        "provenance": {"framework": "none"},
        "graphs": {
            "step": {**common, **step, "file": "step.json"},
            "finish": {**common, **finish, "file": "finish.json"},
        },
        "operations": {"generate": generate},
        "schedule": {"kind": "annealing", "numbers": {"start": 1.0, "hold": 0.0}},
    }
