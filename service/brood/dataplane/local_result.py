"""What a local run gives: arrays in hand, and files when wanted."""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from brood.dataplane.result import Result
from brood.media.encode import Encoded, Stamp, encode_output
from brood.media.formats import format_of, format_of_path, output_formats
from brood.media.sheet import contact_sheet
from brood.protocol.errors import InvalidArgument
from brood.protocol.events import Sample, Usage
from brood.protocol.manifest import Manifest, Output
from brood.protocol.requests import OutputFormat

SHEET = "sheet.png"
SCALARS = "samples.json"


def file_format(output: Output) -> OutputFormat:
    """As what an output that is not a scalar is saved."""
    form = format_of(output, None)
    return "npy" if form == "raw" else form


@dataclass(frozen=True, slots=True)
class LocalResult:
    """All samples of one run, in order of index."""

    manifest: Manifest
    result: Result

    @property
    def samples(self) -> tuple[Sample, ...]:
        """One by one, with all outputs."""
        return self.result.samples

    @property
    def seed(self) -> int:
        """The seed, given or drawn."""
        return self.result.accepted.seed

    @property
    def usage(self) -> Usage:
        """What the run took."""
        return self.result.usage

    @property
    def array(self) -> np.ndarray:
        """The operation's first output that is not a scalar, or else its first: ``[n, *shape]``."""
        name = next((name for name, output in self._outputs.items() if output.kind != "scalar"), None)
        return self.stacked(name or next(iter(self._outputs)))

    def stacked(self, output: str) -> np.ndarray:
        """One output of all samples, ``[n, *shape]``."""
        return np.stack([sample.outputs[output] for sample in self.samples])

    @property
    def _outputs(self) -> dict[str, Output]:
        return self.manifest.operations[self.result.accepted.operation].outputs

    def save(self, path: str | Path) -> list[Path]:
        """Write a directory of files, or (``"x.wav"``) one: the only sample, in the format that the suffix says.

        In the directory there is a file for each output of each sample, and ``samples.json`` with the scalars. Images
        become PNG, sound WAV, video MP4, other tensors NPY. With images there is also ``sheet.png``, all of them in one
        picture.

        Returns:
            The files.

        Raises:
            OSError: they cannot be written.
            InvalidArgument: one file is named, and there are several samples, or none of the outputs can be had in its
                format; or there is video, and PyAV is not installed.
        """
        if (form := format_of_path(Path(path))) is not None:
            return [self._save_one(Path(path), form)]
        contents = {
            f"{sample.index:06d}-{name}.{encoded.format}": encoded.content
            for sample in self.samples
            for name, encoded in self._encoded(sample).items()
        }
        pictures = [np.asarray(Image.open(io.BytesIO(png))) for name, png in contents.items() if name.endswith(".png")]
        if pictures:
            contents[SHEET] = contact_sheet(pictures, math.ceil(math.sqrt(len(pictures))))
        contents[SCALARS] = f"{json.dumps(self._scalars(), indent=1)}\n".encode()
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (folder / name).parent.mkdir(exist_ok=True, parents=True)  # names of tensors may have a / in them
            (folder / name).write_bytes(content)
        return [folder / name for name in contents]

    def _save_one(self, path: Path, form: OutputFormat) -> Path:
        if len(self.samples) != 1:
            text = f"n: {len(self.samples)} samples do not fit into {path}; allowed: 1, or a directory"
            raise InvalidArgument(text, field="n")
        called = f"{self.manifest.name} {self.result.accepted.operation}"
        names = [name for name, output in self._outputs.items() if form in output_formats(output)]
        if not names:
            offered = dict.fromkeys(form for output in self._outputs.values() for form in output_formats(output))
            text = f"{path}: {called} makes nothing that is {form}; allowed: {', '.join(offered)}"
            raise InvalidArgument(text, field="output.format")
        output, (sample,) = self._outputs[names[0]], self.samples
        array, stamp = sample.outputs[names[0]], self._stamp(sample)
        path.write_bytes(encode_output(array, output, self.manifest.sample, form, stamp).content)
        return path

    def _stamp(self, sample: Sample) -> Stamp:
        accepted = self.result.accepted
        return Stamp(accepted.model, accepted.version, accepted.operation, sample.seed, sample.index)

    def _encoded(self, sample: Sample) -> dict[str, Encoded]:
        stamp = self._stamp(sample)
        return {
            name: encode_output(sample.outputs[name], output, self.manifest.sample, file_format(output), stamp)
            for name, output in self._outputs.items()
            if output.kind != "scalar"
        }

    def _scalars(self) -> dict[str, object]:
        accepted = self.result.accepted
        scalars = [name for name, output in self._outputs.items() if output.kind == "scalar"]
        rows = [
            {"index": sample.index, "seed": sample.seed} | {name: sample.outputs[name].item() for name in scalars}
            for sample in self.samples
        ]
        head = {"model": accepted.model, "version": accepted.version, "operation": accepted.operation}
        return {**head, "determinism": accepted.determinism, "samples": rows}
