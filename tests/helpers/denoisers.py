"""A tiny denoiser on the fake runtime: everything a bundle of the diffusion family has, without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helpers.bundles import IMAGE, write_bundle

SOLVER = 12
X = {"dtype": "float32", "shape": IMAGE}


def denoiser_bundle(root: Path, *, name: str = "denoiser", **fake: Any) -> Path:
    """A denoiser whose network says m = 0.5·x + 0.01·label, and twice that where guided.

    ``generate`` and ``vary`` (input ``image``) with steps, sampler, guidance, strength, label; ``complete`` is left
    out. Every step is x' = 0.5·x + m·t/1000 + noise·e′, where e′ is column ``noise`` of the schedule: not a sampler,
    but different for every step, sampler and guidance. Output ``image`` is state x, and preview shows 0.25·x0.

    Args:
        fake: further words of the fake graph ``step``, such as ``fails_on={"input": "label", "equals": 9}``.
    """
    return write_bundle(root, _words(name), _graphs(fake))


def _graphs(fake: dict[str, Any]) -> dict[str, dict[str, Any]]:
    def step(strength: float) -> dict[str, Any]:
        drift = [
            {"times": 0.5, "of": ["x"]},
            {"times": 5e-4 * strength, "of": ["x", "t"]},
            {"times": 1e-3 * strength, "of": ["label"]},
            {"times": 0.25, "of": ["x0"]},
            {"times": 0.3, "of": ["noise", "e"]},
        ]
        return {
            "outputs": {
                "next_x": {"sum": drift},
                "next_x0": {"sum": [{"times": 0.5, "of": ["x"]}]},
                "ok": {"finite": "next_x"},
            }
        }

    return {
        "step": {**step(1.0), **fake},
        "step_guided": step(2.0),
        "preview": {"outputs": {"image": {"sum": [{"times": 0.25, "of": ["x0"]}]}}},
    }


def _words(name: str) -> dict[str, Any]:
    state = {"x": _latent("mix"), "x0": {**X, "init": "zeros"}}
    stage = {
        "graph": "step",
        "repeat": "schedule",
        "bind": {"next_x": "x", "next_x0": "x0", "t": "guidance", "e": "noise"},
        "variant": {"graph": "step_guided", "column": "guidance", "unless": 1.0},
    }
    common = {
        "params": _params(),
        "stages": [stage],
        "outputs": {"image": {**X, "kind": "image", "value": "x"}},
        "preview": {"graph": "preview"},
    }
    given = {"image": {**X, "kind": "image", "minimum": -1, "maximum": 1, "description": "Where to start."}}
    return {
        "format": "brood/1",
        "name": name,
        "version": 1,
        "family": "diffusion",
        "modality": "image",
        "domain": "continuous",
        "description": "A denoiser for tests.",
        "license": "Apache-2.0",
        "created": "2025-01-01T00:00:00Z",
        "provenance": {"framework": "none"},
        "sample": {"layout": "CHW", "range": (-1.0, 1.0)},
        "graphs": {name: _graph(name) for name in ("step", "step_guided")} | {"preview": _preview()},
        "operations": {
            "generate": {**common, "state": state},
            "vary": {**common, "inputs": given, "state": {**state, "x": _latent("mix") | {"input": "image"}}},
        },
        "schedule": {
            "kind": "diffusion",
            "numbers": {"train_steps": 1000, "clip": 1.0},
            "words": {"betas": "cosine", "prediction": "v", "spacing": "trailing", "epsilon": "clipped"},
        },
    }


def _latent(init: str) -> dict[str, Any]:
    return {**X, "init": init, "noise": {"distribution": "normal", "stream": 0}}


def _graph(name: str) -> dict[str, Any]:
    number = {"dtype": "float32", "role": "schedule"}
    noise = {"distribution": "normal", "stream": 3, "scale": "noise"}
    made = {**X, "role": "state"}
    return {
        "file": f"{name}.json",
        "runtime": "fake",
        "buckets": (1, 2, 4, 8),
        "inputs": {
            "x": made,
            "x0": made,
            "noise": {**X, "role": "noise", "noise": noise},
            "t": number,
            "e": number,
            "label": {"dtype": "int64", "role": "param"},
        },
        "outputs": {"next_x": made, "next_x0": made, "ok": {"dtype": "bool", "role": "ok"}},
    }


def _preview() -> dict[str, Any]:
    return {
        "file": "preview.json",
        "runtime": "fake",
        "buckets": (1, 2, 4),
        "inputs": {"x0": {**X, "role": "state"}},
        "outputs": {"image": {**X, "role": "output"}},
    }


def _params() -> dict[str, Any]:
    samplers = ["ddim", "ddpm", "euler", "euler-ancestral", "dpmpp-2m"]
    return {
        "label": {"type": "int", "default": 0, "minimum": 0, "maximum": 9, "description": "Class."},
        "steps": {"type": "int", "default": 4, "minimum": 1, "maximum": 1000, "description": "Steps."},
        "sampler": {"type": "str", "default": "ddim", "choices": samplers, "description": "Sampler."},
        "guidance": {"type": "float", "default": 1.0, "minimum": 0, "maximum": 10, "description": "Guidance."},
        "guidance_stop": {"type": "float", "default": 1.0, "minimum": 0, "maximum": 1, "description": "Until."},
        "strength": {"type": "float", "default": 1.0, "minimum": 0, "maximum": 1, "description": "Of change."},
    }
