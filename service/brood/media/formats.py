"""In which formats an output of each kind can be had, and an input given."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from brood.media.pixels import CHANNELS as PICTURE_CHANNELS
from brood.media.sound import CHANNELS as SOUND_CHANNELS
from brood.protocol.errors import InvalidArgument
from brood.protocol.manifest import Input, Operation, Output
from brood.protocol.requests import InputFormat, OutputFormat

PLAIN: tuple[OutputFormat, ...] = ("raw", "npy")  # the model's own numbers
# Of each kind, the first is what is written if nothing is said.
WRITTEN: Mapping[str, tuple[OutputFormat, ...]] = {
    "image": ("png", "webp", "jpeg"),
    "audio": ("wav", "flac"),
    "video": ("mp4", "webm", "webp", "apng", "gif"),
}
READ: Mapping[str, tuple[InputFormat, ...]] = {"image": ("png",), "audio": ("wav", "flac")}
CHANNELS: Mapping[str, tuple[int, tuple[int, ...]]] = {  # kind: axes, and how many channels a file can hold
    "image": (3, PICTURE_CHANNELS),
    "audio": (2, SOUND_CHANNELS),
    "video": (4, PICTURE_CHANNELS),
}
SUFFIXES: Mapping[str, OutputFormat] = {
    **{f".{form}": form for forms in WRITTEN.values() for form in forms},
    ".jpg": "jpeg",
    ".npy": "npy",
}
NEED_PYAV: tuple[OutputFormat, ...] = ("mp4", "webm")
PYAV = "pip install 'brood[video]'"


def output_formats(output: Output) -> tuple[OutputFormat, ...]:
    """What an output can be written as; the first is the default. Scalars are numbers and have none."""
    return _written(output.kind, output.shape)


@lru_cache(1024)
def _written(kind: str, shape: tuple[int, ...]) -> tuple[OutputFormat, ...]:
    if kind == "scalar":
        return ()
    return (*WRITTEN[kind], *PLAIN) if _is_media(kind, shape) else PLAIN


def input_formats(given: Input) -> tuple[InputFormat, ...]:
    """What an input can be read from, as bytes."""
    if given.kind == "text":
        return ("text",)
    return ("npy", "raw", *(READ.get(given.kind, ()) if is_media(given) else ()))


def is_media(spec: Output | Input) -> bool:
    """Whether its values can be seen or heard: pictures, sound and video of as many channels as files can hold."""
    return _is_media(spec.kind, spec.shape)


def _is_media(kind: str, shape: tuple[int, ...]) -> bool:
    axes, channels = CHANNELS.get(kind, (0, ()))
    return len(shape) == axes and shape[-3 if axes > 2 else 0] in channels if axes else False


def format_of(output: Output, wanted: OutputFormat | None) -> OutputFormat:
    """What an output of an operation is written as: what is wanted, if it can be, or else its numbers, ``raw``.

    Args:
        wanted: for all outputs of the operation; None: each output's default.
    """
    formats = output_formats(output)
    if wanted is None and formats:
        return formats[0]
    return wanted if wanted in formats else PLAIN[0]


def format_of_path(path: Path) -> OutputFormat | None:
    """As what a file is to be written, by its suffix; None: it is a directory, or one is to be made."""
    return None if path.is_dir() else SUFFIXES.get(path.suffix.lower())


def check_format(operation: Operation, wanted: OutputFormat | None, called: str) -> None:
    """Hold the format that is wanted against what an operation makes. Of numbers nothing is asked.

    Args:
        called: model and operation, for the message.

    Raises:
        InvalidArgument: none of its pictures, sounds and videos can be had in it, or not on this machine.
    """
    shown = [output for output in operation.outputs.values() if output.kind in WRITTEN]
    having = [output for output in shown if wanted is None or wanted in output_formats(output)]
    if shown and not having:
        offered = ", ".join(dict.fromkeys(form for output in shown for form in output_formats(output)))
        kinds = " and ".join(sorted({output.kind for output in shown}))
        text = f"output.format: '{wanted}' cannot show what {called} makes, {kinds}; allowed: {offered}"
        raise InvalidArgument(text, field="output.format")
    for output in having:
        check_installed(format_of(output, wanted), output)


def check_installed(format: OutputFormat, output: Output) -> None:
    """Hold a format that an output can be had in against what is installed here.

    Raises:
        InvalidArgument: it needs what is not; the message says how to get it.
    """
    if format in NEED_PYAV and find_spec("av") is None:
        offered = ", ".join(form for form in output_formats(output) if form not in NEED_PYAV)
        text = f"output.format: '{format}' needs PyAV, which is not installed here ({PYAV}); allowed: {offered}"
        raise InvalidArgument(text, field="output.format")
