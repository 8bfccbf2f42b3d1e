"""MP4 and WebM: what they show, what is written into them, and that nothing else is."""

import io

import av
import numpy as np
import pytest

from brood.media.encode import encode_output
from brood.media.stamp import SOURCE_TYPE, XMP, Stamp
from brood.media.video import VideoFormat, evened, write_video
from brood.protocol.manifest import Output, Sample

FORMS: list[VideoFormat] = ["mp4", "webm"]
CODECS = {"mp4": "h264", "webm": "vp9"}
STAMP = Stamp(model="motion-diffusion", version=3, operation="generate", seed=2**62, index=17)
SAMPLE = Sample(layout="TCHW", range=(0.0, 1.0), fps=12.5)


def ramps(frames: int = 6, height: int = 16, width: int = 24) -> np.ndarray:
    """Smooth colours that move, uint8 [T, H, W, 3]."""
    t, y, x = np.meshgrid(np.arange(frames), np.arange(height), np.arange(width), indexing="ij")
    return np.stack([(8 * x + 4 * t) % 256, 255 - 8 * y, np.full_like(x, 64)], -1).astype(np.uint8)


def shown(content: bytes) -> np.ndarray:
    """uint8 [T, H, W, 3]."""
    with av.open(io.BytesIO(content), "r") as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def told(content: bytes) -> dict[str, str]:
    with av.open(io.BytesIO(content)) as container:
        return {name.lower(): value for name, value in container.metadata.items()}


@pytest.mark.parametrize("form", FORMS)
def test_every_frame_is_shown_about_as_it_is(form: VideoFormat) -> None:
    frames = ramps()
    content = write_video(frames, 12.5, form, "x", b"")
    assert shown(content).shape == frames.shape
    assert np.abs(shown(content).astype(int) - frames).mean() < 6
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == (CODECS[form], "yuv420p")
        assert float(stream.average_rate or 0) == 12.5


@pytest.mark.parametrize("form", FORMS)
def test_grey_stays_grey(form: VideoFormat) -> None:
    grey = np.broadcast_to(np.arange(0, 256, 8, dtype=np.uint8), (3, 32, 32))
    colours = shown(write_video(grey, 8, form, "x", b"")).astype(int)
    assert np.ptp(colours, axis=-1).max() <= 2
    assert np.abs(colours[..., 0] - grey).mean() < 3


@pytest.mark.parametrize("form", FORMS)
def test_a_file_says_what_made_it_and_is_equal_for_equal_samples(form: VideoFormat) -> None:
    array = np.random.default_rng(7).random((4, 1, 6, 8), np.float32)
    output = Output(dtype="float32", shape=array.shape, kind="video")
    encoded = encode_output(array, output, SAMPLE, form, STAMP)
    assert encoded == encode_output(array.copy(), output, SAMPLE, form, STAMP)
    assert (encoded.format, encoded.dtype, encoded.shape) == (form, "uint8", (4, 6, 8))
    assert (encoded.fps, encoded.sample_rate_hz) == (12.5, None)
    content = bytes(encoded.content)
    words = told(content)
    assert words["comment"] == STAMP.sentence()
    assert not {"creation_time", "date"} & words.keys()
    assert "Lavf6" not in content.decode("latin-1")  # no version of what wrote it
    if form == "mp4":
        assert content.endswith(XMP.encode())
        assert SOURCE_TYPE in XMP
        assert content.index(b"moov") < content.index(b"mdat")


def test_odd_sides_are_evened_by_showing_the_last_row_and_column_twice() -> None:
    frames = ramps(2, 5, 7)
    even = evened(frames)
    assert even.shape == (2, 6, 8, 3)
    np.testing.assert_array_equal(even[:, :5, :7], frames)
    np.testing.assert_array_equal(even[:, 5, :7], frames[:, 4])
    np.testing.assert_array_equal(even[:, :5, 7], frames[:, :, 6])
    assert evened(even) is not frames
    np.testing.assert_array_equal(evened(even), even)
    assert evened(frames[..., 0]).shape == (2, 6, 8)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (3, 3, 5, 7), (40, 1, 2, 2)])
def test_any_size_and_number_of_frames(form: VideoFormat, shape: tuple[int, ...]) -> None:
    array = np.zeros(shape, np.float32)
    encoded = encode_output(array, Output(dtype="float32", shape=shape, kind="video"), SAMPLE, form, STAMP)
    assert shown(bytes(encoded.content)).shape[:3] == encoded.shape[:3]
    assert encoded.shape[1:3] == (shape[2] + shape[2] % 2, shape[3] + shape[3] % 2)


@pytest.mark.parametrize("form", FORMS)
def test_less_quality_is_fewer_bytes_and_the_best_is_close(form: VideoFormat) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (3, 32, 32), np.uint8)
    files = [write_video(noise, 8, form, "x", b"", quality) for quality in (0, 50, 100)]
    assert len(files[0]) < len(files[1]) < len(files[2])
    assert write_video(noise, 8, form, "x", b"") == write_video(noise, 8, form, "x", b"", 66)
    assert np.abs(shown(files[2])[..., 0].astype(int) - noise).mean() < 3
    with av.open(io.BytesIO(files[2])) as container:
        assert container.streams.video[0].codec_context.profile in ("High", "Profile 0")
