"""Golden samples: recorded runs of the original model, in ``golden.npz``."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brood.protocol.manifest import Golden, Manifest
from brood.store.files import refused

GOLDEN = "golden.npz"


@dataclass(frozen=True, slots=True)
class GoldenRun:
    """One recorded run."""

    words: Golden
    inputs: Mapping[str, np.ndarray]  # each of its declared row shape
    outputs: Mapping[str, np.ndarray]  # each of its declared row shape


def write_golden(directory: Path, runs: Iterable[GoldenRun]) -> Path:
    """Write ``golden.npz``: arrays ``ID/inputs/NAME`` and ``ID/outputs/NAME``. Equal arrays give equal bytes."""
    arrays: dict[str, np.ndarray] = {}
    for run in runs:
        arrays |= {f"{run.words.id}/inputs/{name}": array for name, array in run.inputs.items()}
        arrays |= {f"{run.words.id}/outputs/{name}": array for name, array in run.outputs.items()}
    path = directory / GOLDEN
    np.savez_compressed(path, allow_pickle=False, **arrays)
    return path


def read_golden(directory: Path, manifest: Manifest) -> tuple[GoldenRun, ...]:
    """All recorded runs of a bundle, in the order of the manifest.

    Raises:
        BundleError: the file is unreadable, or lacks an array that the manifest promises.
    """
    if not manifest.golden:
        return ()
    try:
        with np.load(directory / GOLDEN, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise refused(directory, GOLDEN, f"not a readable .npz file: {error}") from error
    return tuple(_run(directory, manifest, words, arrays) for words in manifest.golden)


def _run(directory: Path, manifest: Manifest, words: Golden, arrays: Mapping[str, np.ndarray]) -> GoldenRun:
    operation = manifest.operations[words.operation]
    inputs = {name: _array(directory, arrays, f"{words.id}/inputs/{name}") for name in words.inputs}
    outputs = {name: _array(directory, arrays, f"{words.id}/outputs/{name}") for name in operation.outputs}
    return GoldenRun(words, inputs, outputs)


def _array(directory: Path, arrays: Mapping[str, np.ndarray], key: str) -> np.ndarray:
    if key not in arrays:
        raise refused(directory, f"{GOLDEN}:{key}", "the array is missing")
    return arrays[key]
