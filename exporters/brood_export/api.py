"""``brood_export.export``: a trained model in, a verified bundle out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from pydantic import ValidationError
from torch import nn

from brood.protocol.manifest import ModelName, Words
from brood_export.bundle import Exported, Say, export_spec
from brood_export.checkpoint import load_checkpoint
from brood_export.errors import Misfit
from brood_export.evaluation import check_weights, in_evaluation
from brood_export.families import FAMILIES, ExportSpec
from brood_export.options import checked_options
from brood_export.targets import PRECISIONS, TARGETS
from brood_export.words import BUCKETS, Title, hash_weights

LICENSE = "NOASSERTION"  # SPDX's word for: nobody has said


class _Named(Words):
    name: ModelName


def export(
    model: nn.Module,
    *,
    family: str,
    out: Path | str,
    name: str | None = None,
    version: int = 1,
    runtime: str = "onnx",
    precision: str = "fp32",
    checkpoint: Path | str | None = None,
    key: str | None = None,
    description: str = "",
    spdx: str = LICENSE,
    buckets: Sequence[int] = BUCKETS,
    replace: bool = False,
    say: Say = lambda _: None,
    **options: object,
) -> Exported:
    """Export a trained model as a bundle that has been proven against it; or raise, and write nothing.

    Args:
        model: float32 on the CPU; what it must have is the family's (``brood-export FAMILY --help``). It is left as
            it was, but for the weights of `checkpoint`.
        family: one of `FAMILIES`.
        out: the store: the bundle becomes ``out/name/version``. Without `name`, its last part is the name.
        name, version: of the bundle.
        runtime: one of `TARGETS`.
        precision: of the network: fp32, or fp16, which runtime onnx can have, and families of continuous samples; what
            is around the network stays in float32, and parity has limits of its own (`brood_export.limits`).
        checkpoint, key: weights to put into the model first, and their key in that file (`brood_export.checkpoint`).
        description: for people; the family's, if empty.
        spdx: the weights' licence, as an SPDX expression.
        buckets: row counts the graphs will run at, ascending from 1.
        replace: put the new bundle in the place of an older one.
        say: told what is being done.
        options: of the family's adapter.

    Returns:
        Where the bundle lies, and how near it is to the model.

    Raises:
        ExportError: see `brood_export.errors`; the message says what is wrong and what would be right.
        FileNotFoundError: there is no such checkpoint.
    """
    store, title = (Path(out), name) if name is not None else (Path(out).absolute().parent, Path(out).absolute().name)
    check_words(family, runtime, precision, title, version, buckets)
    if checkpoint is not None:
        say("reading the checkpoint")
        load_checkpoint(model, Path(checkpoint), key)
    chosen = checked_options(family, FAMILIES[family], options)
    others = {option: value for option, value in chosen.items() if isinstance(value, nn.Module)}
    with ExitStack() as stack:
        for module in (model, *others.values()):
            check_weights(module)
            stack.enter_context(in_evaluation(module))
        spec = FAMILIES[family](model, **chosen)
        check_precision(precision, spec)
        words = Title(title, version, description, spdx, provenance=hashes_of(others))
        target = PRECISIONS[precision][runtime]
        return export_spec(spec, model, target, words, store, buckets=buckets, replace=replace, say=say)


def hashes_of(modules: Mapping[str, nn.Module]) -> dict[str, str]:
    """What a manifest says of the weights of further modules, by the option that gave them."""
    return {f"{option}_weights_sha256": hash_weights(module) for option, module in modules.items()}


def check_precision(precision: str, spec: ExportSpec) -> None:
    """Whether a model may be rounded so.

    Raises:
        Misfit: its samples are discrete.
    """
    if precision != "fp32" and spec.domain == "discrete":
        text = "a decision that rounding turns makes another sample; allowed: fp32"
        raise Misfit(f"precision: {precision} is not allowed for family {spec.family!r}: {text}")


def check_words(family: str, runtime: str, precision: str, name: str, version: int, buckets: Sequence[int]) -> None:
    """Whether there is such a family and runtime, and a bundle may be called so.

    Raises:
        Misfit: naming what there is, or what is allowed.
    """
    choices: tuple[tuple[str, str, Mapping[str, object]], ...] = (
        ("family", family, FAMILIES),
        ("runtime", runtime, TARGETS),
        ("precision", precision, PRECISIONS),
    )
    for word, found, known in choices:
        if found not in known:
            raise Misfit(f"{word}: {found!r} is not allowed; there are {', '.join(known)}")
    if runtime not in PRECISIONS[precision]:
        runtimes = ", ".join(PRECISIONS[precision])
        raise Misfit(f"precision: {precision} is not allowed with runtime {runtime!r}; allowed: with {runtimes}")
    try:
        _Named(name=name)
    except ValidationError as error:
        near = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._") or "my-model"
        allowed = "lower-case letters, digits and . _ - between, at most 63"
        raise Misfit(f"name: {name!r} is not allowed; allowed: {allowed}, as {near!r}") from error
    if version < 1:
        raise Misfit(f"version: {version} is not allowed; allowed: whole numbers from 1")
    if not buckets or list(buckets) != sorted(set(buckets)) or buckets[0] != 1:
        raise Misfit(f"buckets: {list(buckets)} is not allowed; allowed: row counts that ascend from 1")
