"""From any ONNX graph to a bundle of family ``function``: served as it is, with its own names and types.

Nothing is known of such a graph but its file, so everything that serving relies on is looked for in it, or tried: that
its tensors are tensors of fixed size with an axis of rows in front, and that a row's results are its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto
from pydantic import ValidationError

import brood
from brood.protocol.manifest import Graph, GraphInput, GraphOutput, Input, Manifest, Noise, Operation, Output
from brood.store.files import hash_file, write_manifest
from brood.store.golden import write_golden
from brood_export.bundle import staged
from brood_export.card import CARD, operations, provenance
from brood_export.errors import NotImportable
from brood_export.families.base import LATENT_STREAM, Range
from brood_export.families.medium import medium_of
from brood_export.function_golden import golden_of
from brood_export.function_graph import Tensor, read_graph
from brood_export.function_trial import try_graph
from brood_export.words import BUCKETS, UNKNOWN_HASH, hashed

RUN = "run"  # the one operation, and the one graph
DESCRIPTION = "A function imported from ONNX."
LICENSE = "NOASSERTION"  # SPDX's word for: nobody has said
TRIED_ROWS = 3
CALL_BYTES = 2**28  # of the inputs and outputs of one call
ALONE = (1,)  # buckets of a graph whose rows axis is fixed


@dataclass(frozen=True, slots=True)
class FunctionTitle:
    """What a function says about itself beyond its graph."""

    name: str
    version: int = 1
    description: str = DESCRIPTION
    license: str = LICENSE
    created: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))


def import_onnx(
    source: Path,
    title: FunctionTitle,
    out: Path,
    *,
    dims: Mapping[str, int] | None = None,
    generator: bool = False,
    value_range: Range = (0.0, 1.0),
    replace: bool = False,
) -> Path:
    """Make a bundle of an ONNX file.

    Args:
        source: the file; tensors in files beside it are taken in.
        title: of the bundle, which is written to ``out/name/version``.
        dims: sizes of axes that the graph leaves open, by their names in the graph or as ``TENSOR.AXIS``.
        generator: the graph makes samples of a latent: its one input is drawn from the seed, standard normal.
        value_range: of a generator's pictures, shown as black and white.
        replace: put the new bundle in the place of an older one.

    Returns:
        The bundle's directory.

    Raises:
        NotImportable: the file is no graph that can be served; says what is wrong with which tensor.
        BundleExists: name and version are taken.
    """
    graph = read_graph(source, dims or {})
    trial = try_graph(graph, 1 if graph.alone else TRIED_ROWS)
    buckets = ALONE if graph.alone else _buckets((*graph.inputs, *trial.outputs))
    words = _manifest(graph.inputs, trial.outputs, title, buckets, _provenance(graph.model, source))
    manifest = as_generator(words, value_range) if generator else words
    golden = None if generator else golden_of(trial, RUN)
    with staged(out, manifest, replace) as directory:
        graph.write(directory / manifest.graphs[RUN].file, trial.outputs)
        (directory / CARD).write_text(_card(manifest), encoding="utf-8")
        if golden is not None:
            write_golden(directory, [golden])
        recorded = () if golden is None else (golden.words,)
        write_manifest(directory, manifest.model_copy(update={"golden": recorded, "files": hashed(directory)}))
    return out / title.name / str(title.version)


def _buckets(tensors: Sequence[Tensor]) -> tuple[int, ...]:
    """Those whose tensors have a bearable size: every one is tried at load, and padded to when it is served."""
    row_bytes = sum(math.prod(tensor.shape) * np.dtype(tensor.dtype).itemsize for tensor in tensors)
    return tuple(bucket for bucket in BUCKETS if bucket == 1 or bucket * row_bytes <= CALL_BYTES)


def _manifest(
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    title: FunctionTitle,
    buckets: tuple[int, ...],
    facts: Mapping[str, str],
) -> Manifest:
    file = f"{RUN}.onnx"
    try:
        return Manifest(
            format="brood/1",
            name=title.name,
            version=title.version,
            family="function",
            modality="tensor",
            domain="continuous" if any(np.dtype(t.dtype).kind == "f" for t in outputs) else "discrete",
            description=title.description,
            license=title.license,
            created=title.created,
            provenance=dict(facts),
            files={file: UNKNOWN_HASH},
            graphs={RUN: _graph(file, inputs, outputs, buckets)},
            operations={RUN: _operation(inputs, outputs)},
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise NotImportable(f"{where}: {first['input']!r} is not allowed: {first['msg']}") from error


def _graph(file: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor], buckets: tuple[int, ...]) -> Graph:
    return Graph(
        file=file,
        runtime="onnx",
        buckets=buckets,
        inputs={t.name: GraphInput(dtype=t.dtype, shape=t.shape, role="input") for t in inputs},
        outputs={t.name: GraphOutput(dtype=t.dtype, shape=t.shape, role="output") for t in outputs},
    )


def _operation(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Operation:
    return Operation.model_validate(
        {
            "description": "Calls the graph.",
            "inputs": {
                t.name: Input(kind="tensor", dtype=t.dtype, shape=t.shape, description="an input of the graph")
                for t in inputs
            },
            "stages": [{"graph": RUN}],
            "outputs": {
                t.name: Output(kind="tensor" if t.shape else "scalar", dtype=t.dtype, shape=t.shape) for t in outputs
            },
        }
    )


def as_generator(manifest: Manifest, value_range: Range) -> Manifest:
    """The function as one whose only input is noise; outputs that look like pictures are some.

    Raises:
        NotImportable: it has other inputs than one of float32.
    """
    graph, operation = manifest.graphs[RUN], manifest.operations[RUN]
    if [spec.dtype for spec in graph.inputs.values()] != ["float32"]:
        found = ", ".join(f"{name} ({spec.dtype})" for name, spec in graph.inputs.items())
        raise NotImportable(f"inputs: {found}; allowed of a generator: one of float32, the latent")
    noise = Noise(distribution="normal", stream=LATENT_STREAM)
    drawn = {name: spec.model_copy(update={"role": "noise", "noise": noise}) for name, spec in graph.inputs.items()}
    media = {name: medium_of(output.shape, value_range) for name, output in operation.outputs.items()}
    pictures = [medium for medium in media.values() if medium.kind == "image"]
    outputs = {
        name: output.model_copy(update={"kind": "image"} if media[name].kind == "image" else {})
        for name, output in operation.outputs.items()
    }
    made = {"description": "Make samples from random latents.", "inputs": {}, "outputs": outputs}
    return manifest.model_copy(
        update={
            "graphs": {RUN: graph.model_copy(update={"inputs": drawn})},
            "operations": {"generate": operation.model_copy(update=made)},
            "modality": "image" if pictures else "tensor",
            "sample": pictures[0].sample if pictures else None,
        }
    )


def _provenance(model: ModelProto, source: Path) -> dict[str, str]:
    known = {"framework": f"{model.producer_name} {model.producer_version}".strip(), "source": source.name}
    return {key: value for key, value in known.items() if value} | {
        "exporter": f"brood {brood.__version__}",
        "source_sha256": hash_file(source),
        "onnx": onnx.__version__,
        "onnx_opset": str(next(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))),
    }


def _card(manifest: Manifest) -> str:
    return "\n\n".join([f"# {manifest.name}", manifest.description, operations(manifest), provenance(manifest)]) + "\n"
