"""A whole answer: arrays in hand, pictures to look at, files when wanted."""

from __future__ import annotations

import html
import io
import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from brood_client._content import PLAIN, Array, Content
from brood_client._events import Sample, Timing, Usage
from brood_client._pictures import MARK, opened, sheet_of, write_png

if TYPE_CHECKING:
    from PIL import Image

SHEET, SCALARS = "sheet.png", "samples.json"
MOST_SHOWN = 100  # samples in a notebook


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
        head = f"{self.model} {self.version} {self.operation}, {len(self.samples)} samples, seed {self.seed}"
        return f"<Generation {self.id}: {head}>"

    @property
    def array(self) -> Array:
        """The first output, by name, that is an array, of all samples: ``[n, *shape]``.

        Raises:
            ValueError: the operation gives scalars only.
        """
        name = self.samples[0].first(picture=False)
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

    def save(self, directory: str | PathLike[str]) -> list[Path]:
        """Write a picture file for each picture, an NPY file for each other array, ``samples.json`` with the scalars.

        With pictures there is also ``sheet.png``, all of them in one.

        Returns:
            The files.

        Raises:
            OSError: they cannot be written.
            ImportError: as `sheet`.
        """
        files = {
            f"{sample.index:06d}-{name}.{suffix}": content
            for sample in self.samples
            for name, value in sample.contents.items()
            if isinstance(value, Content)
            for suffix, content in [self._file(sample, value)]
        }
        if self.samples[0].first(picture=True) is not None:
            files[SHEET] = self.sheet()
        files[SCALARS] = f"{json.dumps(self._told(), indent=1)}\n".encode()
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return [folder / name for name in files]

    def _stacked(self, name: str) -> Array:
        return np.stack([np.asarray(sample.outputs[name]) for sample in self.samples])

    def _png(self, sample: Sample) -> bytes:
        return sample.picture().png(self._texts(sample))

    def _texts(self, sample: Sample) -> dict[str, str]:
        told = {"model": self.model, "version": self.version, "operation": self.operation}
        return {name: str(value) for name, value in {**told, "seed": sample.seed, "index": sample.index}.items()}

    def _file(self, sample: Sample, value: Content) -> tuple[str, bytes]:
        if value.is_picture:
            made = value.format in ("png", *PLAIN)
            return ("png", value.png(self._texts(sample))) if made else (value.format, value.content)
        stream = io.BytesIO()
        np.save(stream, value.array, allow_pickle=False)
        return "npy", stream.getvalue()

    def _told(self) -> dict[str, object]:
        rows = [{"index": each.index, "seed": each.seed, **each.scalars()} for each in self.samples]
        head = {"model": self.model, "version": self.version, "operation": self.operation}
        return {**head, "determinism": self.determinism, "samples": rows}

    def _repr_png_(self) -> bytes | None:
        if self.samples[0].first(picture=True) is None:
            return None
        return self._png(self.samples[0]) if len(self.samples) == 1 else self.sheet()

    def _repr_html_(self) -> str:
        """Pictures with their index as title; of other samples a table."""
        words = f"{self.model} {self.version} · {self.operation} · n {len(self.samples)} · seed {self.seed}"
        shown = self.samples[:MOST_SHOWN]
        pictures = self.samples[0].first(picture=True) is not None
        body = "".join(self._img(sample) for sample in shown) if pictures else _table(shown)
        more = f"<p>… and {len(self.samples) - MOST_SHOWN} more</p>" if len(self.samples) > MOST_SHOWN else ""
        return f"<div><p>{html.escape(words)} · {html.escape(self.determinism)}</p>{body}{more}</div>"

    def _img(self, sample: Sample) -> str:
        source = b64encode(self._png(sample)).decode()
        size = "min-width:56px;image-rendering:pixelated;margin:1px"
        return f'<img src="data:image/png;base64,{source}" title="index {sample.index}" style="{size}">'


def _table(samples: tuple[Sample, ...]) -> str:
    names = sorted(samples[0].contents)
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("index", *names))
    rows = (f"<tr><td>{sample.index}</td>{_cells(sample, names)}</tr>" for sample in samples)
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _cells(sample: Sample, names: list[str]) -> str:
    values = (sample.contents[name] for name in names)
    words = (f"{each.dtype} {list(each.shape)}" if isinstance(each, Content) else str(each) for each in values)
    return "".join(f"<td>{html.escape(word)}</td>" for word in words)
