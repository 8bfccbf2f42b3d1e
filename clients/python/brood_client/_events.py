"""What happens to a generation, in order: accepted; progress, previews and samples as they come; done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from brood_client._content import Array, Content, Kind, Scalar
from brood_client._pictures import Pixels, opened
from brood_client._sound import Audio

if TYPE_CHECKING:
    from PIL import Image

CALLED: Mapping[Kind, str] = {"image": "picture", "audio": "sound", "video": "video"}
FORMATS = ("png", "webp", "jpeg", "wav", "flac", "mp4", "webm", "apng", "gif", "npy")
SUFFIXES = {f".{format}": format for format in FORMATS} | {".jpg": "jpeg"}


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request is valid and queued; always the first event."""

    id: str  # for `Client.cancel`
    model: str
    version: int
    operation: str
    seed: int  # of all samples
    determinism: str  # "exact", "tolerance" or "none": how equal a repetition will be
    n: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is."""

    steps: int  # graph calls made, summed over samples
    of: int  # graph calls that all samples take together
    finished: int  # samples
    n: int  # samples there will be
    eta_s: float  # predicted seconds until the last sample


@dataclass(frozen=True, repr=False)
class _Shown:
    """Outputs of one sample by name."""

    index: int
    seed: int
    contents: Mapping[str, Content | Scalar]  # as they came; `outputs` decodes them

    @cached_property
    def outputs(self) -> Mapping[str, Array | Scalar]:
        """Arrays and numbers by name, in order of name."""
        decoded = ((name, self.contents[name]) for name in sorted(self.contents))
        return {name: value.array if isinstance(value, Content) else value for name, value in decoded}

    @property
    def array(self) -> Array:
        """The first output, by name, that is an array.

        Raises:
            ValueError: there is none.
        """
        return self.content().array

    @property
    def png(self) -> bytes:
        """The first output, by name, that is a picture, as a PNG file.

        Raises:
            ValueError: there is none.
        """
        return self.picture().file({"seed": str(self.seed), "index": str(self.index)}, "png")[1]

    @property
    def image(self) -> Image.Image:
        """The same as an image of Pillow.

        Raises:
            ValueError: there is none.
            ImportError: Pillow is not installed.
        """
        return opened(self.png)

    @property
    def audio(self) -> Audio:
        """The first output, by name, that is sound: its array [channels, samples], −1 to 1, and its sample rate.

        Raises:
            ValueError: there is none.
            ImportError: it came as FLAC, and soundfile is not installed.
        """
        return self.content("audio").audio

    @property
    def frames(self) -> Pixels:
        """The frames of the first output, by name, that is a video: uint8 [T, H, W] or [T, H, W, 3].

        Raises:
            ValueError: there is none.
            ImportError: it came as a file that only PyAV (MP4, WebM) or Pillow can read, and that is not installed.
        """
        return self.content("video").frames

    def first(self, *kinds: Kind) -> str | None:
        """Name of the first output of these kinds, or (without) that is an array; None if there is none."""
        contents = ((name, self.contents[name]) for name in sorted(self.contents))
        arrays = ((name, value) for name, value in contents if isinstance(value, Content))
        return next((name for name, value in arrays if not kinds or value.kind in kinds), None)

    def picture(self) -> Content:
        """The first output, by name, that is a picture.

        Raises:
            ValueError: there is none.
        """
        return self.content("image")

    def content(self, *kinds: Kind) -> Content:
        """The first output, by name, of these kinds, or (without) that is an array, as it came.

        Raises:
            ValueError: there is none.
        """
        value = self.contents.get(self.first(*kinds) or "")
        if isinstance(value, Content):
            return value
        what = " or ".join(CALLED[kind] for kind in kinds) or "array"
        raise ValueError(f"there is no {what} here; outputs: {', '.join(sorted(self.contents))}")

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the picture, sound or video as a file, or else the array: ``sample.save("x.wav")``.

        Args:
            path: its suffix says in which format: what it came in; or of numbers PNG, WAV, WebP, GIF or APNG; or NPY.

        Raises:
            ValueError: it came in another form, of which that cannot be made here; ask the server by ``format``.
            OSError: it cannot be written.
            ImportError: what makes or reads such files is not installed.
        """
        return saved(self, path, {"seed": str(self.seed), "index": str(self.index)})

    def scalars(self) -> dict[str, Scalar]:
        """The outputs that are numbers, by name."""
        return {name: value for name, value in self.contents.items() if not isinstance(value, Content)}

    def _repr_png_(self) -> bytes | None:
        """For notebooks."""
        return self.png if self.first("image") is not None else None

    def __repr__(self) -> str:
        outputs = (f"{name}: {_briefly(self.contents[name])}" for name in sorted(self.contents))
        return f"{type(self).__name__}({self._place()}, {', '.join(outputs)})"

    def _place(self) -> str:
        return f"index={self.index}, seed={self.seed}"


@dataclass(frozen=True, repr=False)
class Sample(_Shown):
    """One finished sample."""


@dataclass(frozen=True, repr=False)
class Preview(_Shown):
    """What an unfinished sample looks like."""

    step: int  # steps it has behind it
    of: int  # steps it takes

    def _place(self) -> str:
        return f"{super()._place()}, step={self.step}, of={self.of}"


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the server's time went, in milliseconds; the parts follow one another."""

    queue_ms: float = 0.0  # from admission until the first sample was begun
    run_ms: float = 0.0  # from then until the last was finished
    encode_ms: float = 0.0  # from then until all were encoded


@dataclass(frozen=True, slots=True)
class Usage:
    """What it took."""

    rows: int = 0  # one for each sample
    steps: int = 0  # graph calls, summed over samples


@dataclass(frozen=True, slots=True)
class Done:
    """All samples are finished; always the last event. After a resumption: of the parts that ended well."""

    timing: Timing
    usage: Usage


Event = Accepted | Progress | Preview | Sample | Done


def saved(sample: _Shown, path: str | PathLike[str], texts: Mapping[str, str]) -> Path:
    """See `_Shown.save`; the texts go into a file that is made here."""
    target = Path(path)
    form = SUFFIXES.get(target.suffix.lower())
    if form is None:
        raise ValueError(f"{target}: no format is called {target.suffix!r}; there are: {', '.join(SUFFIXES)}")
    value = sample.content() if form == "npy" or sample.first(*CALLED) is None else sample.content(*CALLED)
    target.write_bytes(value.file(texts, form)[1])
    return target


def _briefly(value: Content | Scalar) -> str:
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, Content) else str(value)
