"""The card of a bundle: what it is, where it comes from, what it can do, and how near the export is to the original."""

from __future__ import annotations

from collections.abc import Sequence

from brood.protocol.manifest import Manifest, Operation, Param
from brood_export.limits import Limits
from brood_export.parity import Difference, table
from brood_export.preview import PREVIEW
from brood_export.reference import EDGE

CARD = "card.md"


def write_card(
    manifest: Manifest, differences: Sequence[Difference], limits: Limits, training: str, *, pictured: bool
) -> str:
    """The text of a card.

    Args:
        limits: what was near enough.
        training: a section in Markdown about how the model was trained; may be empty.
        pictured: whether there is a sample sheet.
    """
    parts = [
        f"# {manifest.name}",
        manifest.description,
        f"![{caption(manifest)}]({PREVIEW})" if pictured else "",
        training.strip(),
        operations(manifest),
        parity(differences, limits),
        provenance(manifest),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def caption(manifest: Manifest) -> str:
    """What is on the sample sheet."""
    text, sample = "Samples, one column for each class", manifest.sample
    if sample is not None and sample.sample_rate_hz is not None:
        return f"{text}: waveforms over spectrograms up to {sample.sample_rate_hz / 2000:g} kHz"
    return text if sample is None or sample.fps is None else f"{text}: frames of videos of {sample.fps:g} a second"


def operations(manifest: Manifest) -> str:
    return "\n\n".join(["## Operations", *(_operation(*item) for item in manifest.operations.items())])


def _operation(name: str, operation: Operation) -> str:
    lines = [f"**{name}**: {operation.description}"]
    lines += [f"- input `{key}`: {list(given.shape)}, {given.description}" for key, given in operation.inputs.items()]
    lines += [f"- parameter `{key}`: {_param(param)}" for key, param in operation.params.items()]
    lines += [f"- output `{key}`: {output.dtype} {list(output.shape)}" for key, output in operation.outputs.items()]
    return "\n".join([lines[0], "", *lines[1:]])


def _param(param: Param) -> str:
    unit = f" {param.unit}" if param.unit else ""
    default = "required" if param.default is None else f"default {param.default}"
    return f"{param.type}, {_allowed(param)}{unit}, {default}; {param.description}"


def _allowed(param: Param) -> str:
    if param.choices is not None:
        return "one of " + ", ".join(map(str, param.choices))
    return f"{param.minimum:g} to {param.maximum:g}"


def parity(differences: Sequence[Difference], limits: Limits) -> str:
    text = (
        "The exported graphs against the original model on the same noise, in a fresh process. Differences are in "
        "units of the original's range. *Random inputs* are single calls at the listed numbers of rows; a "
        "*trajectory* gives every step of the golden runs the original's own state; a *whole run* goes from the seed "
        f"to the sample. Allowed: {limits.max_abs:g} and {limits.psnr_db:g} dB; whole numbers must be equal. "
        f"*Excused* rows differ because a uniform number lay within {EDGE:g} of the edge of its decision."
    )
    return f"## Parity\n\n{text}\n\n{table(differences).strip()}"


def provenance(manifest: Manifest) -> str:
    facts = {"license": manifest.license, "created": f"{manifest.created:%Y-%m-%d}", **manifest.provenance}
    return "\n".join(["## Provenance", "", *(f"- {key}: {value}" for key, value in facts.items())])
