"""Sound and video through the client, over either transport: to hear, to see, to save and to send."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image, ImageSequence

from brood_client import Audio, Client, Content, Generation, InvalidArgument, Medium, Sample
from brood_client._sound import write_wav
from helpers.backend import ALL, FPS, MOTION, RATE_HZ, SOUND
from helpers.sdk import Service

STEPS = (np.arange(480) * 37 % 2000 - 1000).reshape(SOUND)
WAVE = (STEPS / 2**15).astype(np.float32)  # exact in 16 bits


@pytest.fixture
async def shows(service: Service) -> Service:
    service.backend.statuses = ALL
    return service


async def made(service: Service, model: str, **options: Any) -> Generation:
    def ask(client: Client) -> Generation:
        return client.generate(model, seed=7, **options)

    return await service.call(ask)


async def test_sound_as_numbers_and_as_files_is_the_same(shows: Service) -> None:
    plain = (await made(shows, "singer")).audio
    assert (plain.array.shape, plain.array.dtype.name, plain.sample_rate_hz) == (SOUND, "float32", RATE_HZ)
    for form in ("wav", "flac", None):
        filed = await made(shows, "singer", format=form)
        assert filed[0].contents["sample"].format == (form or "wav")  # type: ignore[union-attr]
        assert filed.array.shape == (1, SOUND[1], SOUND[0])
        assert filed.audio.sample_rate_hz == RATE_HZ
        np.testing.assert_allclose(filed.audio.array, plain.array, atol=1.01 / 2**15)


async def test_a_wav_file_made_here_sounds_like_the_servers(shows: Service, tmp_path: Path) -> None:
    here = (await made(shows, "singer")).save(tmp_path / "here.wav")
    there = (await made(shows, "singer", format="wav")).save(tmp_path / "there.wav")
    assert [here, there] == [[tmp_path / "here.wav"], [tmp_path / "there.wav"]]
    (mine, rate), (its, its_rate) = (soundfile.read(path, dtype="int16") for path in (here[0], there[0]))
    np.testing.assert_array_equal(mine, its)
    assert rate == its_rate == RATE_HZ
    with soundfile.SoundFile(here[0]) as one, soundfile.SoundFile(there[0]) as other:
        for file in (one, other):
            assert file.comment.startswith("AI-generated")
            assert file.comment.endswith("model singer; version 1; operation generate; seed 7; index 0")


async def test_video_as_numbers_and_as_files_is_the_same(shows: Service) -> None:
    plain = await made(shows, "mover")
    frames = plain.frames
    assert (frames.shape, frames.dtype.name) == ((4, 6, 8, 3), "uint8")
    assert plain.array.shape == (1, *MOTION)
    for form in ("webp", "apng"):
        np.testing.assert_array_equal((await made(shows, "mover", format=form)).frames, frames)
    for other in ("mp4", "webm", "gif", None):
        filed = await made(shows, "mover", format=other)
        assert filed.frames.shape == frames.shape
        assert filed[0].content("video").fps == FPS


@pytest.mark.parametrize("suffix", ["webp", "apng", "gif"])
async def test_video_of_numbers_is_saved_as_what_pillow_writes(shows: Service, tmp_path: Path, suffix: str) -> None:
    plain = await made(shows, "mover")
    (path,) = plain.save(tmp_path / f"x.{suffix}")
    with Image.open(path) as file:
        frames = np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(file)])
        if suffix == "gif":
            assert file.info["comment"].startswith(b"AI-generated")
    assert frames.shape == plain.frames.shape
    if suffix != "gif":
        np.testing.assert_array_equal(frames, plain.frames)
    assert path.read_bytes() == plain.save(tmp_path / f"y.{suffix}")[0].read_bytes()


async def test_a_server_is_asked_for_what_cannot_be_made_here(shows: Service, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"this video came as raw, which is no mp4; .* webp, gif, apng, npy; or ask"):
        (await made(shows, "mover")).save(tmp_path / "x.mp4")
    with pytest.raises(ValueError, match="this audio came as raw, which is no flac; here it can be wav, npy; or ask"):
        (await made(shows, "singer")).save(tmp_path / "x.flac")
    filed = await made(shows, "mover", format="mp4")
    (path,) = filed.save(tmp_path / "x.mp4")
    assert path.read_bytes() == filed[0].content("video").content
    assert b"ftyp" in path.read_bytes()[:12]
    assert filed[0].save(tmp_path / "y.mp4").read_bytes() == path.read_bytes()


async def test_a_directory_of_them(shows: Service, tmp_path: Path) -> None:
    for model, options, names in (
        ("singer", {}, ["000000-sample.wav", "000001-sample.wav"]),
        ("singer", {"format": "flac"}, ["000000-sample.flac", "000001-sample.flac"]),
        ("mover", {}, ["000000-sample.webp", "000001-sample.webp"]),
        ("mover", {"format": None}, ["000000-sample.mp4", "000001-sample.mp4"]),
    ):
        files = (await made(shows, model, n=2, **options)).save(tmp_path / model)
        assert [path.name for path in files] == [*names, "samples.json"]
        assert len(json.loads(files[-1].read_text())["samples"]) == 2


async def test_one_file_needs_one_sample_and_a_format_that_there_is(shows: Service, tmp_path: Path) -> None:
    two = await made(shows, "singer", n=2)
    with pytest.raises(ValueError, match=r"there are 2 samples; they have .save\(\) each"):
        two.save(tmp_path / "x.wav")
    with pytest.raises(ValueError, match=r"there are 2 samples; they have .audio each"):
        _ = two.audio
    assert two[1].save(tmp_path / "second.wav").exists()
    with pytest.raises(ValueError, match=r"no format is called '.ogg'; there are: .png"):
        two[0].save(tmp_path / "x.ogg")
    with pytest.raises(ValueError, match="there is no video here; outputs: label, sample"):
        _ = two[0].frames
    (array,) = (await made(shows, "singer")).save(tmp_path / "x.npy")
    assert np.load(array).shape == SOUND


async def test_notebooks_play_them(shows: Service) -> None:
    for model, form, tag in (
        ("singer", "raw", '<audio controls src="data:audio/wav;base64,'),
        ("singer", "flac", '<audio controls src="data:audio/flac;base64,'),
        ("mover", "raw", '<img src="data:image/webp;base64,'),
        ("mover", "gif", '<img src="data:image/gif;base64,'),
        ("mover", "mp4", '<video controls loop muted src="data:video/mp4;base64,'),
    ):
        shown = await made(shows, model, n=2, format=form)
        assert shown._repr_html_().count(tag) == 2
        assert shown._repr_png_() is None
        assert shown[0]._repr_png_() is None


async def test_sounds_are_given_as_files_arrays_or_what_was_made(shows: Service, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", WAVE.T, RATE_HZ, "PCM_16")
    soundfile.write(tmp_path / "x.flac", WAVE.T, RATE_HZ, "PCM_16")
    givens: list[Any] = [tmp_path / "x.wav", (tmp_path / "x.flac").read_bytes(), WAVE, Audio(WAVE, RATE_HZ)]
    for given in givens:
        await shows.call(lambda client, given=given: client.reconstruct("singer", audio=given))  # type: ignore[misc]
        np.testing.assert_allclose(shows.backend.submitted[-1].inputs["audio"][0], WAVE, atol=1e-7)
    video = np.zeros(MOTION, np.float32)
    await shows.call(lambda client: client.reconstruct("mover", video=video))
    assert shows.backend.submitted[-1].inputs["video"].shape == (1, *MOTION)
    error = await shows.error(lambda client: client.reconstruct("singer", audio=Audio(WAVE, 44100)))
    assert (type(error), error.field) == (InvalidArgument, "inputs.audio")
    assert "sample rate 44100 is not allowed; allowed: 8000 Hz" in error.message


async def test_a_model_says_how_it_is_to_be_heard(shows: Service) -> None:
    singer = await shows.call(lambda client: client.model("singer"))
    assert singer.sample == Medium("CT", (-1.0, 1.0), sample_rate_hz=RATE_HZ)
    assert singer.operations["generate"].outputs["sample"].formats == ("wav", "flac", "raw", "npy")
    assert singer.operations["reconstruct"].inputs["audio"].formats == ("npy", "raw", "wav", "flac")
    assert (await shows.call(lambda client: client.model("mover"))).sample == Medium("TCHW", (-1.0, 1.0), fps=FPS)
    assert (await shows.call(lambda client: client.model("tiny"))).sample == Medium("CHW", (-1.0, 1.0))


def test_videos_of_channels_that_cannot_be_shown_are_tensors() -> None:
    strange = Content(bytes(4 * 16), "raw", "float32", (2, 2, 2, 2), (0.0, 1.0), fps=8.0)
    assert strange.kind == "tensor"
    with pytest.raises(ValueError, match="this output is no video"):
        _ = strange.frames


def test_what_reads_a_file_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    soundfile.write(file, WAVE.T, RATE_HZ, "PCM_16", format="FLAC")
    flac = Content(file.getvalue(), "flac", "int16", SOUND[::-1], sample_rate_hz=RATE_HZ)
    assert flac.audio.array.shape == SOUND
    for missing in ("soundfile", "av", "PIL"):
        monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r'this needs soundfile: pip install soundfile, or ask for format="wav"'):
        _ = flac.audio
    with pytest.raises(ImportError, match='this needs PyAV: pip install av, or ask for format="webp"'):
        _ = Content(b"", "mp4", "uint8", (1, 2, 2, 3), fps=8.0).frames
    numbers = Content(bytes(16), "raw", "float32", (1, 1, 2, 2), (0.0, 1.0), fps=8.0)
    with pytest.raises(ImportError, match="this needs Pillow"):
        numbers.file({})
    wav = Content(write_wav(Audio(WAVE, RATE_HZ), {}), "wav", "int16", SOUND[::-1], sample_rate_hz=RATE_HZ)
    np.testing.assert_array_equal(wav.audio.array, WAVE)  # numpy is enough


def test_sound_of_a_range_of_its_own() -> None:
    numbers = np.array([[0.0, 1.0, 2.0]], np.float32)
    content = Content(numbers.tobytes(), "raw", "float32", (1, 3), (0.0, 2.0), sample_rate_hz=RATE_HZ)
    np.testing.assert_array_equal(content.audio.array, [[-1.0, 0.0, 1.0]])
    assert Sample(0, 7, {"x": content}).audio.sample_rate_hz == RATE_HZ
