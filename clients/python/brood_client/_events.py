"""What happens to a generation, in order: accepted; progress, previews and samples as they come; done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from brood_client._content import Array, Content, Scalar
from brood_client._pictures import opened

if TYPE_CHECKING:
    from PIL import Image


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
        return self._content(picture=False).array

    @property
    def png(self) -> bytes:
        """The first output, by name, that is a picture, as a PNG file.

        Raises:
            ValueError: there is none.
        """
        return self.picture().png({"seed": str(self.seed), "index": str(self.index)})

    @property
    def image(self) -> Image.Image:
        """The same as an image of Pillow.

        Raises:
            ValueError: there is none.
            ImportError: Pillow is not installed.
        """
        return opened(self.png)

    def first(self, *, picture: bool) -> str | None:
        """Name of the first output that is an array (``picture``: one that can be looked at); None if there is none."""
        names = (name for name in sorted(self.contents) if _is_array(self.contents[name], picture=picture))
        return next(names, None)

    def picture(self) -> Content:
        """The first output, by name, that can be looked at.

        Raises:
            ValueError: there is none.
        """
        return self._content(picture=True)

    def scalars(self) -> dict[str, Scalar]:
        """The outputs that are numbers, by name."""
        return {name: value for name, value in self.contents.items() if not isinstance(value, Content)}

    def _content(self, *, picture: bool) -> Content:
        value = self.contents.get(self.first(picture=picture) or "")
        if isinstance(value, Content):
            return value
        what = "picture" if picture else "array"
        raise ValueError(f"there is no {what} here; outputs: {', '.join(sorted(self.contents))}")

    def _repr_png_(self) -> bytes | None:
        """For notebooks."""
        return self.png if self.first(picture=True) is not None else None

    def __repr__(self) -> str:
        outputs = (f"{name}: {_briefly(self.contents[name])}" for name in sorted(self.contents))
        return f"{type(self).__name__}(index={self.index}, seed={self.seed}, {', '.join(outputs)})"


@dataclass(frozen=True, repr=False)
class Sample(_Shown):
    """One finished sample."""


@dataclass(frozen=True, repr=False)
class Preview(_Shown):
    """What an unfinished sample looks like."""

    step: int  # steps it has behind it
    of: int  # steps it takes


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


def _is_array(value: Content | Scalar, *, picture: bool) -> bool:
    return isinstance(value, Content) and (value.is_picture or not picture)


def _briefly(value: Content | Scalar) -> str:
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, Content) else str(value)
