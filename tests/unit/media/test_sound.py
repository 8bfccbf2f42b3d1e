"""WAV and FLAC: what they hold, what is written into them, and what is refused."""

import io

import numpy as np
import pytest
import soundfile

from brood.media.encode import encode_output
from brood.media.refused import Refused
from brood.media.sound import SoundFormat, from_wave, read_sound, to_pcm, write_sound
from brood.media.stamp import Stamp
from brood.protocol.errors import InvalidArgument
from brood.protocol.manifest import Output, Sample

RATE = 8000
SAMPLE = Sample(layout="CT", range=(-1.0, 1.0), sample_rate_hz=RATE)
STAMP = Stamp(model="tones-vae", version=3, operation="generate", seed=2**62, index=17)
FORMS: list[SoundFormat] = ["wav", "flac"]
HALF_A_STEP = 0.5 / 2**15


def sound(channels: int = 1, samples: int = 200) -> np.ndarray:
    return np.random.default_rng(7).uniform(-0.99, 0.99, (channels, samples)).astype(np.float32)


def declared(array: np.ndarray) -> Output:
    return Output(dtype="float32", shape=array.shape, kind="audio")


def written(pcm: np.ndarray, form: str, subtype: str = "PCM_16", rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, pcm, rate, subtype, format=form)
    return file.getvalue()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("form", FORMS)
def test_a_file_holds_the_sound_to_half_a_step(form: SoundFormat, channels: int) -> None:
    array = sound(channels)
    encoded = encode_output(array, declared(array), SAMPLE, form, STAMP)
    assert (encoded.format, encoded.dtype, encoded.shape) == (form, "int16", (200, channels))
    assert (encoded.sample_rate_hz, encoded.fps, encoded.range) == (RATE, None, None)
    heard, rate = soundfile.read(io.BytesIO(encoded.content), dtype="float64", always_2d=True)
    assert rate == RATE
    assert np.abs(heard.T - array).max() <= HALF_A_STEP * 1.001
    again = from_wave(read_sound(bytes(encoded.content), form, channels, 200, RATE), SAMPLE)
    assert again.dtype == np.float32
    assert np.abs(again - array).max() <= HALF_A_STEP * 1.001


@pytest.mark.parametrize("form", FORMS)
def test_a_file_says_what_made_it_and_is_equal_for_equal_samples(form: SoundFormat) -> None:
    array = sound()
    content = encode_output(array, declared(array), SAMPLE, form, STAMP).content
    assert content == encode_output(array.copy(), declared(array), SAMPLE, form, STAMP).content
    with soundfile.SoundFile(io.BytesIO(content)) as file:
        assert file.comment == STAMP.sentence()
        assert "AI-generated" in file.comment
        assert file.software.startswith("brood")
        assert (file.format, file.subtype) == (form.upper(), "PCM_16")
    if form == "wav":
        assert b"LIST" in content
        assert b"INFOISFT" in content
        assert b"ICMT" in content


def test_values_are_mapped_rounded_and_clipped() -> None:
    values = np.array([[0.0, 1.0, 2.0, 3.0, -9.0, np.nan, np.inf, -np.inf, 1.5]], np.float32)
    pcm = to_pcm(values, Sample(layout="CT", range=(0.0, 2.0), sample_rate_hz=RATE))
    top, bottom = 2**15 - 1, -(2**15)
    assert pcm[:, 0].tolist() == [bottom, 0, top, top, bottom, 0, top, bottom, 2**14]
    assert to_pcm(np.array([[1.5 / 2**15, -1.5 / 2**15]], np.float32), SAMPLE)[:, 0].tolist() == [2, -1]


@pytest.mark.parametrize("range_", [(-1.0, 1.0), (0.0, 1.0), (-3.0, 5.0)])
def test_what_was_written_is_read_back_in_the_same_range(range_: tuple[float, float]) -> None:
    sample = Sample(layout="CT", range=range_, sample_rate_hz=RATE)
    lo, hi = range_
    values = (lo + (hi - lo) * np.linspace(0.0, 0.999, 100)).astype(np.float32)[None]
    pcm = to_pcm(values, sample)
    again = from_wave(read_sound(write_sound(pcm, RATE, "wav", "x"), "wav", 1, 100, RATE), sample)
    np.testing.assert_allclose(again, values, atol=(hi - lo) / 2**15)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_files_of_other_depths_are_read(subtype: str) -> None:
    array = sound(2)
    heard = read_sound(written(array.T, "WAV", subtype), "wav", 2, 200, RATE)
    assert np.abs(heard.T - array).max() <= (1 / 128 if subtype == "PCM_U8" else 1e-6)


def test_an_extensible_wav_file_is_one() -> None:
    array = sound(2)
    assert np.abs(read_sound(written(array.T, "WAVEX"), "wav", 2, 200, RATE).T - array).max() < 1e-4


BAD: dict[str, tuple[bytes, SoundFormat, str]] = {
    "another rate": (written(sound().T, "WAV", rate=44100), "wav", "sample rate 44100 8000 Hz"),
    "more channels": (written(sound(2).T, "WAV"), "wav", "channels 2 1 channels"),
    "too long": (written(sound(1, 201).T, "WAV"), "wav", "length 201 200 samples"),
    "too short": (written(sound(1, 199).T, "FLAC"), "flac", "length 199 200 samples"),
    "flac for wav": (written(sound().T, "FLAC"), "wav", "bytes a WAV file"),
    "wav for flac": (written(sound().T, "WAV"), "flac", "bytes a FLAC file"),
    "aiff": (written(sound().T, "AIFF"), "wav", "bytes a WAV file"),
    "lossy": (written(sound().T, "WAV", "IMA_ADPCM"), "wav", "encoding IMA_ADPCM"),
    "nothing": (b"", "wav", "b64 0 bytes a WAV file"),
    "noise": (bytes(range(256)), "flac", "b64 256 bytes a FLAC file"),
    "half a header": (written(sound().T, "WAV")[:20], "wav", "a whole WAV file"),
    "no sound": (written(sound().T, "FLAC")[:60], "flac", "a whole FLAC file"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_is_refused(case: str) -> None:
    content, form, reason = BAD[case]
    with pytest.raises(Refused) as raised:
        read_sound(content, form, 1, 200, RATE)
    assert reason in " ".join(map(str, raised.value.args))


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_is_cut_off_anywhere_is_refused(form: SoundFormat) -> None:
    whole = write_sound(to_pcm(sound(), SAMPLE), RATE, form, "x")
    assert len(read_sound(whole, form, 1, 200, RATE)) == 200
    for end in range(0, len(whole) - 1, 7):
        with pytest.raises(Refused):
            read_sound(whole[:end], form, 1, 200, RATE)


def test_a_header_that_claims_hours_costs_nothing() -> None:
    claims = bytearray(written(sound(1, 4096).T, "FLAC"))
    claims[21:26] = bytes([claims[21] | 0x0F, 0xFF, 0xFF, 0xFF, 0xFF])  # the total of samples, in STREAMINFO
    with pytest.raises(Refused):
        read_sound(bytes(claims), "flac", 1, 200, RATE)


def test_a_rate_that_flac_has_not_is_refused_by_name() -> None:
    array, sample = sound(), Sample(layout="CT", range=(-1.0, 1.0), sample_rate_hz=100_001)
    with pytest.raises(InvalidArgument, match=r"output.format: 'flac' cannot hold 100001 Hz; allowed: wav, raw, npy"):
        encode_output(array, declared(array), sample, "flac", STAMP)
    assert encode_output(array, declared(array), sample, "wav", STAMP).sample_rate_hz == 100_001
