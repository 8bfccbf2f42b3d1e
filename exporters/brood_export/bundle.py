"""From a trained torch model to a bundle on disk, whole or not at all."""

from __future__ import annotations

import errno
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
from brood_export.errors import BundleExists, NotWritten
from brood_export.families import ExportSpec
from brood_export.limits import Limits
from brood_export.parity import Difference, measure_parity, table
from brood_export.preview import PREVIEW, write_preview
from brood_export.reference import Reference, make_reference
from brood_export.scrutiny import scrutinise
from brood_export.targets import Target
from brood_export.words import BUCKETS, Title, first_words, golden_words, hashed

FOLDER = {  # what a file system says of a place that cannot be written to
    errno.ENOSPC: "there is no room",
    errno.EDQUOT: "there is no room",
    errno.EACCES: "writing is not allowed",
    errno.EPERM: "writing is not allowed",
    errno.EROFS: "writing is not allowed",
    errno.ENOTDIR: "part of the path is a file",
    errno.EEXIST: "part of the path is a file",
}
Say = Callable[[str], None]  # told what is being done


@dataclass(frozen=True, slots=True)
class Exported:
    """A finished export."""

    directory: Path  # NAME/VERSION
    differences: tuple[Difference, ...]

    def table(self) -> str:
        """What parity found, in Markdown."""
        return table(self.differences)

    @property
    def preview(self) -> Path | None:
        """The sample sheet, if there is one."""
        path = self.directory / PREVIEW
        return path if path.exists() else None


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
    """Export a model whose spec is made; see `brood_export.export`.

    Args:
        training: section of the card.
        buckets: row counts the graphs will run at.
        replace: put the new bundle in the place of an older one.
    """
    manifest = first_words(spec, model, target, title, buckets)
    with staged(out, manifest, replace) as directory:
        say("looking at the model's code")
        for name, graph in spec.graphs.items():
            scrutinise(name, graph)
        say("recording the original")
        reference = make_reference(spec, manifest)
        for name, graph in spec.graphs.items():
            say(f"exporting {name}")
            target.export(graph, directory / manifest.graphs[name].file)
        say("measuring parity")
        differences = measure_parity(directory, manifest, reference, target.limits)
        say("drawing the sample sheet")
        finish(directory, manifest, spec, reference, differences, target.limits, training)
    return Exported(out / title.name / str(title.version), differences)


def finish(
    directory: Path,
    manifest: Manifest,
    spec: ExportSpec,
    reference: Reference,
    differences: Sequence[Difference],
    limits: Limits,
    training: str,
) -> None:
    """Everything of a bundle but its graphs."""
    for name, content in spec.files.items():
        (directory / name).write_bytes(content)
    golden = golden_words(manifest, reference, differences, limits)
    runs = zip(golden, reference.runs, strict=True)
    write_golden(directory, [GoldenRun(words, run.request.inputs, run.outputs) for words, run in runs])
    write_preview(directory, manifest, spec)
    card = write_card(manifest, differences, limits, training, pictured=bool(spec.preview))
    (directory / CARD).write_text(card, encoding="utf-8")
    write_manifest(directory, manifest.model_copy(update={"golden": golden, "files": hashed(directory)}))


@contextmanager
def staged(out: Path, manifest: Manifest, replace: bool) -> Iterator[Path]:
    """A directory next to the bundle's place that takes it at the end, and is gone if anything fails.

    Raises:
        BundleExists: the place is taken, and `replace` is false.
        NotWritten: the folder cannot be written to, or there is no room.
    """
    place = out / manifest.name / str(manifest.version)
    if place.exists() and not replace:
        raise BundleExists(f"{manifest.name}/{manifest.version} exists already in {out}; --replace takes its place")
    try:
        with room_for(place) as new:
            yield new
    except OSError as error:
        if error.errno not in FOLDER:
            raise
        raise NotWritten(error.errno, f"{FOLDER[error.errno]}: nothing is written", str(place)) from error


@contextmanager
def room_for(place: Path) -> Iterator[Path]:
    """An empty directory that is renamed to `place` at the end."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Hidden, so that no store takes it for a model; in the same file system, so that one renaming moves it.
        with tempfile.TemporaryDirectory(prefix=f".{place.name}-", dir=place.parent) as room:
            new = Path(room) / "new"
            new.mkdir()
            yield new
            if place.exists():
                place.rename(Path(room) / "old")
            new.rename(place)
    finally:
        if not any(place.parent.iterdir()):
            place.parent.rmdir()
