"""What brood should answer where it draws latents and noise itself: what the reference interpreter makes."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

from bench.peers.contenders import check_near
from bench.peers.processes import STORE
from brood.loadgen.orders import Order
from brood.loadgen.outcome import Answer, wrong
from brood.program.compile import compile_program
from brood.program.interpret import run_row
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.load import load_graphs
from brood.store.store import find_bundles, read_bundle

NPY_HEAD = b"\x93NUMPY"
LEVELS = 255


def check_made(order: Order, seed: int, answer: Answer, near: float) -> None:
    """The first sample of an answer is that of its seed.

    Raises:
        Failed: it is another.
    """
    outputs = made(order, seed)
    name = next(iter(outputs))
    # Messages have all outputs, by name; bodies that are files have one.
    content = answer.contents[sorted(outputs).index(name) if len(answer.contents) > order.n else 0]
    wanted = outputs[name]
    if order.accept == "png" and bytes(content[1:4]) == b"PNG":
        _check_picture(wanted, bytes(content))
        return
    if bytes(content[:6]) == NPY_HEAD:
        content = np.load(io.BytesIO(bytes(content))).tobytes()
    check_near(wanted, memoryview(content)[: wanted.nbytes], near)


def made(order: Order, seed: int) -> Mapping[str, np.ndarray]:
    """The outputs of sample 0."""
    bundle = read_bundle(next(ref.directory for ref in find_bundles(STORE) if ref.name == order.model))
    program = compile_program(bundle.manifest, order.operation)
    graphs = load_graphs(bundle.directory, bundle.manifest, RuntimeOptions(1))
    defaults = {name: spec.default for name, spec in program.operation.params.items() if spec.default is not None}
    return run_row(program, graphs, seed=seed, index=0, params={**defaults, **order.params}, inputs={})


def _check_picture(wanted: np.ndarray, content: bytes) -> None:
    """[3, h, w] within -1 … 1 as levels of a picture, but for rounding."""
    levels = np.asarray(Image.open(io.BytesIO(content)), np.float64).transpose(2, 0, 1)
    if levels.shape != wanted.shape or np.abs(levels - (wanted + 1) / 2 * LEVELS).max() > 1:
        raise wrong(f"a picture of shape {levels.shape} that is not the sample's")
