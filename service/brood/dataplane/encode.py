"""Samples as they go out: pictures, sound and video as files, other tensors as bytes, scalars as numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brood.dataplane.result import Content, EncodedSample
from brood.media.encode import Stamp, encode_output
from brood.media.formats import format_of
from brood.protocol.events import Accepted, Preview, Sample
from brood.protocol.manifest import Manifest, Output
from brood.protocol.requests import OutputChoice


def encode_samples(
    accepted: Accepted, samples: Sequence[Sample | Preview], manifest: Manifest, choice: OutputChoice
) -> tuple[EncodedSample, ...]:
    """Encode every output of every sample of a generation, or what there is of each preview."""
    return tuple(_encoded(accepted, sample, manifest, choice) for sample in samples)


def _encoded(accepted: Accepted, sample: Sample | Preview, manifest: Manifest, choice: OutputChoice) -> EncodedSample:
    step = sample.step if isinstance(sample, Preview) else None
    stamp = Stamp(accepted.model, accepted.version, accepted.operation, sample.seed, sample.index, step)
    declared = manifest.operations[accepted.operation].outputs

    def encoded(array: np.ndarray, output: Output) -> Content:
        if output.kind == "scalar":
            number: bool | int | float = array.item()
            return number
        form = format_of(output, choice.format)
        return encode_output(array, output, manifest.sample, form, stamp, choice.quality)

    shown = declared if step is None else sample.outputs
    outputs = {name: encoded(sample.outputs[name], declared[name]) for name in shown}
    return EncodedSample(sample.index, sample.seed, outputs)
