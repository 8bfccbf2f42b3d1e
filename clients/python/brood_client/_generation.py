"""A whole answer: arrays in hand, pictures to look at, files when wanted."""

from __future__ import annotations

import html
import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from brood_client._content import Array, Content
from brood_client._events import CALLED, SUFFIXES, Sample, Timing, Usage, saved
from brood_client._pictures import MARK, Pixels, opened, sheet_of, write_png
from brood_client._sound import Audio

if TYPE_CHECKING:
    from PIL import Image

SHEET, SCALARS = "sheet.png", "samples.json"
MOST_SHOWN = 100  # samples in a notebook
VIDEOS = ("mp4", "webm")
MEDIA_TYPES = {form: f"image/{form}" for form in ("png", "webp", "jpeg", "apng", "gif")}
MEDIA_TYPES |= {"wav": "audio/wav", "flac": "audio/flac", "mp4": "video/mp4", "webm": "video/webm"}


@dataclass(frozen=True, slots=True, repr=False)
class Generation:
    """All samples that were asked for: a sequence of them, and together.

    In a notebook it shows itself: pictures, or a table of numbers.
    """

    id: str  # the request id
    model: str
    version: int
    operation: str
    seed: int  # of all samples, given or drawn: with it, the same again
    determinism: str  # "exact", "tolerance" or "none": how equal a repetition will be
    samples: tuple[Sample, ...]  # in order of index
    timing: Timing = field(default_factory=Timing)
    usage: Usage = field(default_factory=Usage)
    replayed: bool = False  # made for an earlier request under the same idempotency key

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def __getitem__(self, position: int) -> Sample:
        return self.samples[position]

    def __repr__(self) -> str:
        head = f"{self.model} {self.version} {self.operation}, {_counted(len(self.samples))}, seed {self.seed}"
        return f"<Generation {self.id}: {head}>"

    @property
    def array(self) -> Array:
        """The first output, by name, that is an array, of all samples: ``[n, *shape]``.

        Raises:
            ValueError: the operation gives scalars only.
        """
        name = self.samples[0].first()
        if name is None:
            names = ", ".join(sorted(self.samples[0].contents))
            raise ValueError(f"{self.model}/{self.operation} gives scalars only: {names}; see .arrays")
        return self._stacked(name)

    @property
    def arrays(self) -> Mapping[str, Array]:
        """Every output of all samples by name: ``[n, *shape]``, scalars ``[n]``."""
        return {name: self._stacked(name) for name in sorted(self.samples[0].contents)}

    @property
    def pngs(self) -> list[bytes]:
        """The picture of every sample as a PNG file.

        Raises:
            ValueError: the operation gives no pictures.
        """
        return [self._png(sample) for sample in self.samples]

    @property
    def images(self) -> list[Image.Image]:
        """The picture of every sample as an image of Pillow.

        Raises:
            ValueError: the operation gives no pictures.
            ImportError: Pillow is not installed.
        """
        return [opened(png) for png in self.pngs]

    @property
    def image(self) -> Image.Image:
        """The picture of the only sample as an image of Pillow.

        Raises:
            ValueError: the operation gives no pictures, or there are several samples.
            ImportError: Pillow is not installed.
        """
        if len(self.samples) != 1:
            raise ValueError(f"there are {len(self.samples)} samples; take .images, or .sheet() for all in one picture")
        return self.images[0]

    @property
    def audio(self) -> Audio:
        """The sound of the only sample: its array [channels, samples], −1 to 1, and its sample rate.

        Raises:
            ValueError: the operation gives none, or there are several samples: they have ``.audio`` each.
            ImportError: it came as FLAC, and soundfile is not installed.
        """
        return self._only("audio").audio

    @property
    def frames(self) -> Pixels:
        """The video of the only sample: uint8 [T, H, W] or [T, H, W, 3].

        Raises:
            ValueError: the operation gives none, or there are several samples: they have ``.frames`` each.
            ImportError: it came as a file, and what reads that is not installed.
        """
        return self._only("frames").frames

    def _only(self, each: str) -> Sample:
        if len(self.samples) != 1:
            raise ValueError(f"there are {len(self.samples)} samples; they have .{each} each")
        return self.samples[0]

    def sheet(self, columns: int | None = None) -> bytes:
        """All pictures in one, as a PNG file.

        Args:
            columns: pictures in a row; by default about as many as there are rows.

        Raises:
            ValueError: the operation gives no pictures.
            ImportError: they came as files (``format="png"``), and Pillow, which reads those, is not installed.
        """
        pictures = [sample.picture().pixels for sample in self.samples]
        return write_png(sheet_of(pictures, columns), MARK)

    def save(self, path: str | PathLike[str]) -> list[Path]:
        """Write a directory of files, or (``"x.wav"``) one: of the only sample, see `Sample.save`.

        In the directory there is a file for each output of each sample, ``samples.json`` with the scalars and, with
        pictures, ``sheet.png``, all of them in one. What came as a file stays one; of numbers, pictures become PNG,
        sound WAV, video animated WebP, other arrays NPY.

        Returns:
            The files.

        Raises:
            OSError: they cannot be written.
            ValueError: one file is named, and there are several samples, or it came in another form.
            ImportError: what makes or reads such files is not installed.
        """
        if Path(path).suffix.lower() in SUFFIXES and not Path(path).is_dir():
            return [saved(self._only("save()"), path, self._texts(self.samples[0]))]
        files = {
            f"{sample.index:06d}-{name}.{suffix}": content
            for sample in self.samples
            for name, value in sample.contents.items()
            if isinstance(value, Content)
            for suffix, content in [value.file(self._texts(sample))]
        }
        if self.samples[0].first("image") is not None:
            files[SHEET] = self.sheet()
        files[SCALARS] = f"{json.dumps(self._told(), indent=1)}\n".encode()
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return [folder / name for name in files]

    def _stacked(self, name: str) -> Array:
        return np.stack([np.asarray(sample.outputs[name]) for sample in self.samples])

    def _png(self, sample: Sample) -> bytes:
        return sample.picture().file(self._texts(sample), "png")[1]

    def _texts(self, sample: Sample) -> dict[str, str]:
        told = {"model": self.model, "version": self.version, "operation": self.operation}
        return {name: str(value) for name, value in {**told, "seed": sample.seed, "index": sample.index}.items()}

    def _told(self) -> dict[str, object]:
        rows = [{"index": each.index, "seed": each.seed, **each.scalars()} for each in self.samples]
        head = {"model": self.model, "version": self.version, "operation": self.operation}
        return {**head, "determinism": self.determinism, "samples": rows}

    def _repr_png_(self) -> bytes | None:
        if self.samples[0].first("image") is None:
            return None
        return self._png(self.samples[0]) if len(self.samples) == 1 else self.sheet()

    def _repr_html_(self) -> str:
        """Pictures, sounds and videos with their index as title; of other samples a table."""
        words = f"{self.model} {self.version} · {self.operation} · n {len(self.samples)} · seed {self.seed}"
        shown = self.samples[:MOST_SHOWN]
        seen = self.samples[0].first(*CALLED) is not None
        body = "".join(self._tag(sample) for sample in shown) if seen else _table(shown)
        more = f"<p>… and {len(self.samples) - MOST_SHOWN} more</p>" if len(self.samples) > MOST_SHOWN else ""
        return f"<div><p>{html.escape(words)} · {html.escape(self.determinism)}</p>{body}{more}</div>"

    def _tag(self, sample: Sample) -> str:
        value = sample.content(*CALLED)
        form, content = value.file(self._texts(sample))
        said = f'src="data:{MEDIA_TYPES[form]};base64,{b64encode(content).decode()}" title="index {sample.index}"'
        if value.kind == "audio":
            return f"<audio controls {said}></audio>"
        size = 'style="min-width:56px;image-rendering:pixelated;margin:1px"'
        return f"<video controls loop muted {said} {size}></video>" if form in VIDEOS else f"<img {said} {size}>"


def _counted(samples: int) -> str:
    return "1 sample" if samples == 1 else f"{samples} samples"


def _table(samples: tuple[Sample, ...]) -> str:
    names = sorted(samples[0].contents)
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("index", *names))
    rows = (f"<tr><td>{sample.index}</td>{_cells(sample, names)}</tr>" for sample in samples)
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _cells(sample: Sample, names: list[str]) -> str:
    values = (sample.contents[name] for name in names)
    words = (f"{each.dtype} {list(each.shape)}" if isinstance(each, Content) else str(each) for each in values)
    return "".join(f"<td>{html.escape(word)}</td>" for word in words)
