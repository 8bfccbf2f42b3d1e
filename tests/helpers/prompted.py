"""A tiny model with a prompt: what is read of it is made once for all samples of a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helpers.bundles import write_bundle
from helpers.endings import ending_graphs, ending_words

PROMPT = 4  # numbers


def prompted_bundle(root: Path, *, name: str = "prompted", prompt: dict[str, Any] | None = None, **fake: Any) -> Path:
    """`ending_bundle` whose x is drawn towards what graph ``encode``, once a request, makes of input ``prompt``.

    Args:
        prompt: further words of the input.
        fake: further words of the fake graph ``encode``.
    """
    graphs = ending_graphs()
    graphs["step"]["outputs"]["x"]["sum"].append({"of": ["context"]})
    graphs["encode"] = {"outputs": {"read": {"sum": [{"times": 0.125, "of": ["prompt"]}]}}, **fake}
    return write_bundle(root, _words(name, prompt or {}), graphs)


def _words(name: str, prompt: dict[str, Any]) -> dict[str, Any]:
    words = ending_words(name)
    context = {"dtype": "float32", "shape": (1,)}
    words["graphs"]["step"]["inputs"]["context"] = {**context, "role": "state"}
    words["graphs"]["encode"] = {
        "file": "encode.json",
        "runtime": "fake",
        "buckets": (1, 2, 4, 8),
        "inputs": {"prompt": {"dtype": "int64", "shape": (PROMPT,), "role": "input"}},
        "outputs": {"read": {**context, "role": "state"}},
    }
    generate = words["operations"]["generate"]
    given = {"kind": "tensor", "dtype": "int64", "shape": (PROMPT,), "description": "What to draw."}
    generate["inputs"] = {"prompt": {**given, **prompt}}
    generate["state"]["context"] = {**context, "init": "zeros"}
    generate["stages"] = [
        {"graph": "encode", "repeat": "per_request", "bind": {"read": "context"}},
        *generate["stages"],
    ]
    return words
