"""Which formats there are for what."""

import sys
from typing import Any

import numpy as np
import pytest

from brood.media.encode import Stamp, encode_output
from brood.media.formats import check_format, format_of, input_formats, output_formats
from brood.protocol.errors import InvalidArgument
from brood.protocol.manifest import Input, Operation, Output, Sample
from brood.protocol.requests import OutputFormat

SHAPES: dict[str, tuple[int, ...]] = {
    "image": (3, 4, 4),
    "audio": (1, 9),
    "video": (2, 1, 4, 4),
    "tensor": (3,),
    "scalar": (),
}


def output(kind: str, shape: tuple[int, ...] | None = None) -> Output:
    return Output.model_validate({"kind": kind, "dtype": "float32", "shape": SHAPES[kind] if shape is None else shape})


def making(*kinds: str) -> Operation:
    outputs = {f"{kind}_{place}": output(kind).model_dump() for place, kind in enumerate(kinds)}
    return Operation.model_validate({"stages": [{"graph": "x"}], "outputs": outputs})


@pytest.mark.parametrize(
    ("kind", "formats"),
    [
        ("image", ("png", "webp", "jpeg", "raw", "npy")),
        ("audio", ("wav", "flac", "raw", "npy")),
        ("video", ("mp4", "webm", "webp", "apng", "gif", "raw", "npy")),
        ("tensor", ("raw", "npy")),
        ("scalar", ()),
    ],
)
def test_outputs_have_the_formats_of_their_kind_the_default_first(kind: str, formats: tuple[str, ...]) -> None:
    assert output_formats(output(kind)) == formats
    if formats:
        assert format_of(output(kind), None) == formats[0]
        assert format_of(output(kind), "npy") == "npy"


@pytest.mark.parametrize(
    ("kind", "shape"), [("image", (4, 4, 4)), ("image", (4, 4)), ("audio", (6, 9)), ("video", (2, 2, 4, 4))]
)
def test_what_no_file_can_hold_is_numbers(kind: str, shape: tuple[int, ...]) -> None:
    assert output_formats(output(kind, shape)) == ("raw", "npy")


def test_inputs_are_read_from_files_of_their_kind() -> None:
    def read(kind: str, *shape: int) -> tuple[str, ...]:
        words = {"kind": kind, "dtype": "float32", "shape": shape or SHAPES[kind], "description": ""}
        return input_formats(Input.model_validate(words))

    assert read("image") == ("npy", "raw", "png")
    assert read("audio") == ("npy", "raw", "wav", "flac")
    assert read("video") == read("tensor") == read("image", 4, 4, 4) == read("audio", 6, 9) == ("npy", "raw")


@pytest.mark.parametrize(
    ("kinds", "wanted", "written"),
    [
        (("image",), "jpeg", ["jpeg"]),
        (("image", "tensor"), "jpeg", ["jpeg", "raw"]),
        (("image", "audio", "video"), None, ["png", "wav", "mp4"]),
        (("image", "video"), "webp", ["webp", "webp"]),
        (("image", "video"), "png", ["png", "raw"]),
        (("tensor",), "png", ["raw"]),
        (("audio",), "npy", ["npy"]),
    ],
)
def test_each_output_has_the_wanted_format_or_its_numbers(
    kinds: tuple[str, ...], wanted: OutputFormat | None, written: list[str]
) -> None:
    operation = making(*kinds)
    check_format(operation, wanted, "x generate")
    assert [format_of(made, wanted) for made in operation.outputs.values()] == written


@pytest.mark.parametrize(
    ("kinds", "wanted", "reason"),
    [
        (("audio",), "png", "'png' cannot show what tones generate makes, audio; allowed: wav, flac, raw, npy"),
        (("video",), "jpeg", "'jpeg' .* video; allowed: mp4, webm, webp, apng, gif, raw, npy"),
        (("video",), "png", "'png' cannot show"),
        (("image",), "wav", "'wav' .* image; allowed: png, webp, jpeg, raw, npy"),
        (("image", "audio"), "gif", "'gif' .*, audio and image; allowed: png, webp, jpeg, raw, npy, wav, flac"),
    ],
)
def test_what_shows_nothing_is_refused(kinds: tuple[str, ...], wanted: OutputFormat, reason: str) -> None:
    with pytest.raises(InvalidArgument, match=reason) as raised:
        check_format(making(*kinds), wanted, "tones generate")
    assert raised.value.field == "output.format"


@pytest.mark.parametrize("wanted", [None, "mp4", "webm"])
def test_without_pyav_the_message_says_how_to_get_it(wanted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import av  # noqa: F401  # so that it is there before it is hidden

    monkeypatch.setitem(sys.modules, "av", None)
    reason = (
        r"needs PyAV, which is not installed here \(pip install 'brood\[video\]'\); allowed: webp, apng, gif, raw, npy"
    )
    with pytest.raises(InvalidArgument, match=reason):
        check_format(making("video"), wanted, "motion generate")
    check_format(making("video"), "gif", "motion generate")
    check_format(making("image"), None, "glyphs generate")
    video, sample = output("video"), Sample(layout="TCHW", range=(0.0, 1.0), fps=8)
    with pytest.raises(InvalidArgument, match=reason):
        encode_output(np.zeros(video.shape), video, sample, wanted or "mp4", Stamp("m", 1, "g", 0, 0))
