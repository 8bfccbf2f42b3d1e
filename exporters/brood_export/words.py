"""A bundle's manifest from an export spec, step by step: first the words, at the end the files and the golden runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import nn

import brood
from brood.protocol.manifest import Golden, Graph, Manifest, Parity
from brood.store.files import MANIFEST, hash_file
from brood_export.families.base import ExportSpec
from brood_export.families.medium import KINDS
from brood_export.limits import Limits
from brood_export.parity import Difference, run_spans, worst
from brood_export.reference import Reference, Run
from brood_export.targets import Target

BUCKETS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
UNKNOWN_HASH = "0" * 64


@dataclass(frozen=True, slots=True)
class Title:
    """What a bundle says about itself beyond its model."""

    name: str
    version: int = 1
    description: str = ""  # empty: the family's
    license: str = "Apache-2.0"
    created: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    provenance: Mapping[str, str] = field(default_factory=dict)  # added to what the exporter knows itself


def first_words(spec: ExportSpec, model: nn.Module, target: Target, title: Title, buckets: Sequence[int]) -> Manifest:
    """The manifest before anything is exported: complete but for hashes and golden runs."""
    graphs = {
        name: Graph(
            file=f"{name}{target.suffix}",
            runtime=target.runtime,
            buckets=tuple(buckets),
            inputs=dict(graph.inputs),
            outputs=dict(graph.outputs),
        )
        for name, graph in spec.graphs.items()
    }
    return Manifest(
        format="brood/1",
        name=title.name,
        version=title.version,
        family=spec.family,
        modality=KINDS[spec.sample.layout] if spec.sample else "tensor",
        domain=spec.domain,
        description=title.description or spec.description,
        license=title.license,
        created=title.created,
        provenance=provenance(model, target) | dict(title.provenance),
        files=dict.fromkeys([*(graph.file for graph in graphs.values()), *spec.files], UNKNOWN_HASH),
        graphs=graphs,
        operations=dict(spec.operations),
        schedule=spec.schedule,
        sample=spec.sample,
    )


def provenance(model: nn.Module, target: Target) -> dict[str, str]:
    """Where the bundle comes from: software, class, and the hash of the weights."""
    kind = type(model)
    return {
        "framework": f"torch {torch.__version__}",
        "exporter": f"brood {brood.__version__}",
        "source_class": f"{kind.__module__}.{kind.__qualname__}",
        "weights_sha256": hash_weights(model),
        **target.provenance(),
    }


def hash_weights(model: nn.Module) -> str:
    """SHA-256 over names and bytes of all parameters and buffers, in the order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def golden_words(
    manifest: Manifest, reference: Reference, differences: Sequence[Difference], limits: Limits
) -> tuple[Golden, ...]:
    """The golden runs with their tolerances and the measured parity of what they call."""
    span = run_spans(reference)
    return tuple(_golden(manifest, run, differences, tolerance(run, span, limits)) for run in reference.runs)


def _golden(manifest: Manifest, run: Run, differences: Sequence[Difference], allowed: float) -> Golden:
    request = run.request
    stages = manifest.operations[request.operation].stages
    variants = {stage.variant.graph for stage in stages if stage.variant}
    places = {stage.graph for stage in stages} | variants | {f"golden:{request.id}"}
    figure = worst([difference for difference in differences if difference.where in places])
    return Golden(
        id=request.id,
        operation=request.operation,
        seed=request.seed,
        index=request.index,
        params=dict(request.params),
        inputs=tuple(request.inputs),
        tolerance=allowed,
        parity=Parity(rows=figure.rows, max_abs=figure.max_abs, psnr_db=figure.psnr_db),
    )


def tolerance(run: Run, span: Mapping[tuple[str, str], float], limits: Limits) -> float:
    """0 if all outputs are whole numbers; else the limit of parity, on the largest range of an output."""
    ranges = [span[run.request.operation, name] for name, array in run.outputs.items() if array.dtype.kind == "f"]
    return float(f"{limits.max_abs * max(ranges):.3g}") if ranges else 0.0


def hashed(directory: Path) -> dict[str, str]:
    """Every file of a bundle but the manifest, with its hash, in order of name."""
    return {path.name: hash_file(path) for path in sorted(directory.iterdir()) if path.name != MANIFEST}
