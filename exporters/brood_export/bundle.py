"""From a trained torch model to a bundle on disk, whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from brood.protocol.manifest import Manifest
from brood.store.files import write_manifest
from brood.store.golden import GoldenRun, write_golden
from brood_export.card import CARD, write_card
from brood_export.families import FAMILIES, ExportSpec
from brood_export.parity import Difference, measure_parity
from brood_export.preview import write_preview
from brood_export.reference import Reference, make_reference
from brood_export.targets import TARGETS, Target
from brood_export.words import BUCKETS, Title, first_words, golden_words, hashed

Say = Callable[[str], None]  # told what is being done


class BundleExists(FileExistsError):
    """There is a bundle of that name and version already."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A finished export."""

    directory: Path  # NAME/VERSION
    differences: tuple[Difference, ...]


def export_bundle(
    model: nn.Module,
    *,
    family: str,
    out: Path,
    name: str,
    version: int = 1,
    runtime: str = "onnx",
    **family_options: object,
) -> Path:
    """Export a trained model.

    Args:
        model: of a class that the family's adapter understands (`brood_export.families`); it is left as it was.
        family: one of `FAMILIES`.
        out: the store; the bundle is written to ``out/name/version``.
        name, version: of the bundle.
        runtime: one of `TARGETS`.
        family_options: of the family's adapter.

    Returns:
        The bundle's directory.

    Raises:
        KeyError: unknown family or runtime, naming those there are.
        Misfit: the model lacks what the family needs.
        BundleExists: name and version are taken.
        ParityFailed: the exported graphs do not compute what the model does; nothing is written.
    """
    if family not in FAMILIES:
        raise KeyError(f"family is {family!r}; there are {', '.join(FAMILIES)}")
    if runtime not in TARGETS:
        raise KeyError(f"runtime is {runtime!r}; there are {', '.join(TARGETS)}")
    model = model.eval()
    spec = FAMILIES[family](model, **family_options)
    return export_spec(spec, model, TARGETS[runtime], Title(name, version), out).directory


def export_spec(
    spec: ExportSpec,
    model: nn.Module,
    target: Target,
    title: Title,
    out: Path,
    *,
    training: str = "",
    buckets: Sequence[int] = BUCKETS,
    replace: bool = False,
    say: Say = lambda _: None,
) -> Exported:
    """Export a model whose spec is made; see `export_bundle`.

    Args:
        training: section of the card.
        buckets: row counts the graphs will run at.
        replace: put the new bundle in the place of an older one.
    """
    manifest = first_words(spec, model, target, title, buckets)
    with staged(out, manifest, replace) as directory:
        say("recording the original")
        reference = make_reference(spec, manifest)
        for name, graph in spec.graphs.items():
            say(f"exporting {name}")
            target.export(graph, directory / manifest.graphs[name].file)
        say("measuring parity")
        differences = measure_parity(directory, manifest, reference)
        say("drawing the sample sheet")
        finish(directory, manifest, spec, reference, differences, training)
    return Exported(out / title.name / str(title.version), differences)


def finish(
    directory: Path,
    manifest: Manifest,
    spec: ExportSpec,
    reference: Reference,
    differences: Sequence[Difference],
    training: str,
) -> None:
    """Everything of a bundle but its graphs."""
    golden = golden_words(manifest, reference, differences)
    runs = zip(golden, reference.runs, strict=True)
    write_golden(directory, [GoldenRun(words, run.request.inputs, run.outputs) for words, run in runs])
    write_preview(directory, manifest, spec)
    card = write_card(manifest, differences, training, pictured=bool(spec.preview))
    (directory / CARD).write_text(card, encoding="utf-8")
    write_manifest(directory, manifest.model_copy(update={"golden": golden, "files": hashed(directory)}))


@contextmanager
def staged(out: Path, manifest: Manifest, replace: bool) -> Iterator[Path]:
    """A directory next to the bundle's place that takes it at the end, and is gone if anything fails.

    Raises:
        BundleExists: the place is taken, and `replace` is false.
    """
    place = out / manifest.name / str(manifest.version)
    if place.exists() and not replace:
        raise BundleExists(f"{manifest.name}/{manifest.version} exists already in {out}")
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Hidden, so that no store takes it for a model; in the same file system, so that one renaming moves it.
        with tempfile.TemporaryDirectory(prefix=f".{manifest.version}-", dir=place.parent) as room:
            new = Path(room) / "new"
            new.mkdir()
            yield new
            if place.exists():
                place.rename(Path(room) / "old")
            new.rename(place)
    finally:
        if not any(place.parent.iterdir()):
            place.parent.rmdir()
