"""A bundle in words."""

from __future__ import annotations

from brood.protocol.manifest import Manifest, Operation, Stage
from brood_export.card import operations

REPEAT = {"once": "once", "schedule": "in every step", "per_request": "once for all samples"}


def summary(manifest: Manifest) -> str:
    """A bundle in words: graphs with their tensors, operations, golden runs with their parity."""
    lines = [f"{manifest.name} version {manifest.version}, {manifest.family}: {manifest.description}", ""]
    for name, graph in manifest.graphs.items():
        lines.append(f"graph {name}: {graph.file} ({graph.runtime}), at most {graph.buckets[-1]} rows a call")
        lines += [f"  in  {key}: {spec.dtype} {shape(spec.shape)} {spec.role}" for key, spec in graph.inputs.items()]
        lines += [f"  out {key}: {spec.dtype} {shape(spec.shape)} {spec.role}" for key, spec in graph.outputs.items()]
    lines += ["", *map(course, manifest.operations, manifest.operations.values())]
    lines += ["", operations(manifest), ""]
    for golden in manifest.golden:
        psnr = "equal" if golden.parity.psnr_db is None else f"{golden.parity.psnr_db:.1f} dB"
        lines.append(f"golden {golden.id}: tolerance {golden.tolerance:g}, parity {golden.parity.max_abs:.1e}, {psnr}")
    return "\n".join(lines)


def course(name: str, operation: Operation) -> str:
    """Which graphs an operation calls."""
    return f"operation {name}: {calls(operation)}"


def calls(operation: Operation) -> str:
    """The graphs of an operation, in order."""
    found = [f"{stage.graph} {REPEAT[stage.repeat]}{instead(stage)}" for stage in operation.stages]
    preview = f"; preview by {operation.preview.graph}" if operation.preview else ""
    return f"{', then '.join(found)}{preview}"


def instead(stage: Stage) -> str:
    """The other graph of a stage, if it has one, and when that is called."""
    other = stage.variant
    return "" if other is None else f" ({other.graph} where {other.column} is not {other.unless:g})"


def shape(sizes: tuple[int, ...]) -> str:
    """A tensor's full shape in words."""
    return f"[{', '.join(['rows', *map(str, sizes)])}]"
