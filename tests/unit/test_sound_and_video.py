"""Bundles of sound and video from the store to a file: the command, the library and a server give the same bytes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import av
import httpx2
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result
from PIL import Image

from brood import load
from brood.cli import main
from brood.dataplane import DataPlane, Limits
from brood.frontends.servers import ServerOptions, Servers
from brood.host.host import Host, HostOptions
from brood.media.stamp import Stamp
from brood.protocol.errors import InvalidArgument
from helpers.bundles import FPS, MOTION, RATE_HZ, SOUND, shown_bundle
from helpers.observer import FakeObserver, RequestsOnly


@pytest.fixture
def store(tmp_path: Path) -> Path:
    shown_bundle(tmp_path / "store", "audio")
    shown_bundle(tmp_path / "store", "video")
    return tmp_path / "store"


@asynccontextmanager
async def serving(store: Path) -> AsyncGenerator[str, None]:
    """A server of a store's bundles; its URL."""
    host = Host(HostOptions(models=store), RequestsOnly())
    await host.start()
    plane = DataPlane(host, Limits(), FakeObserver())
    servers = Servers(plane, ServerOptions("127.0.0.1", 0, 0))
    await servers.start()
    yield f"http://127.0.0.1:{servers.http_port}"
    await servers.stop(0)
    await host.stop()
    plane.close()


@pytest.fixture
async def url(store: Path) -> AsyncIterator[str]:
    async with serving(store) as url:
        yield url


def generate(store: Path, model: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["generate", model, "--models", str(store), "--seed", "7", *arguments])


def comment(model: str) -> str:
    return Stamp(model, 1, "generate", 7, 0).sentence()


def test_a_directory_holds_files_to_hear_and_to_see(store: Path, tmp_path: Path) -> None:
    for model, ending in (("audio", "wav"), ("video", "mp4")):
        result = generate(store, model, "-n", "2", "-o", str(tmp_path / model))
        assert result.exit_code == 0, result.output
        names = [f"000000-{model}.{ending}", f"000001-{model}.{ending}", "samples.json"]
        assert sorted(path.name for path in (tmp_path / model).iterdir()) == names
    heard, rate = soundfile.read(tmp_path / "audio" / "000000-audio.wav", always_2d=True)
    assert (heard.T.shape, rate) == (SOUND, RATE_HZ)
    with av.open(str(tmp_path / "video" / "000000-video.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.frames, stream.height, stream.width) == (MOTION[0], *MOTION[2:])
        assert float(stream.average_rate or 0) == FPS
        assert container.metadata["comment"] == comment("video")


def test_one_file_is_in_the_format_of_its_suffix(store: Path, tmp_path: Path) -> None:
    for model, suffix in (("audio", "flac"), ("video", "gif"), ("video", "webm"), ("audio", "npy")):
        path = tmp_path / f"x.{suffix}"
        result = generate(store, model, "-o", str(path))
        assert (result.exit_code, result.stdout) == (0, f"{path}; seed 7\n"), result.output
    with soundfile.SoundFile(tmp_path / "x.flac") as file:
        assert (file.format, file.comment) == ("FLAC", comment("audio"))
    with Image.open(tmp_path / "x.gif") as image:
        assert image.info["comment"].decode() == comment("video")
    assert np.load(tmp_path / "x.npy").shape == SOUND


@pytest.mark.parametrize(
    ("model", "arguments", "reason"),
    [
        ("audio", ["-o", "x.png"], "x.png: audio generate makes nothing that is png; allowed: wav, flac, raw, npy"),
        ("video", ["-o", "x.wav"], "video generate makes nothing that is wav; allowed: mp4, webm, webp, apng, gif"),
        ("audio", ["-n", "2", "-o", "x.wav"], "--output x.wav: one file holds one sample"),
        (
            "audio",
            ["--operation", "reconstruct", "--input", "audio=x.mp3"],
            "files that end in .png, .npy, .wav, .flac",
        ),
    ],
)
def test_what_is_wrong_is_said(store: Path, model: str, arguments: list[str], reason: str) -> None:
    result = generate(store, model, *arguments)
    assert result.exit_code in (1, 2)
    assert reason in result.output


def test_the_library_refuses_several_samples_in_one_file(store: Path, tmp_path: Path) -> None:
    with load("audio", models=str(store)) as model:
        with pytest.raises(InvalidArgument, match="n: 2 samples do not fit into"):
            model.generate(n=2, seed=7).save(tmp_path / "x.wav")
        assert model.generate(seed=7).save(tmp_path / "x.wav") == [tmp_path / "x.wav"]


def test_sound_comes_from_a_file(store: Path, tmp_path: Path) -> None:
    wave = np.linspace(-0.5, 0.5, SOUND[1], dtype=np.float32)[:, None]
    soundfile.write(tmp_path / "given.wav", wave, RATE_HZ, "PCM_16")
    given = ("--operation", "reconstruct", "--input", f"audio={tmp_path / 'given.wav'}")
    assert generate(store, "audio", *given, "-o", str(tmp_path / "out.wav")).exit_code == 0
    (one, _), (other, _) = (soundfile.read(tmp_path / name, dtype="int16") for name in ("given.wav", "out.wav"))
    np.testing.assert_array_equal(one, other)
    soundfile.write(tmp_path / "given.wav", wave, 44100, "PCM_16")
    result = generate(store, "audio", *given, "-o", str(tmp_path / "out.wav"))
    assert result.exit_code == 1
    assert "inputs.audio: sample rate 44100 is not allowed; allowed: 8000 Hz" in result.output


@pytest.mark.parametrize("out", ["x.wav", "x.flac", "x.mp4", "x.webm", "x.gif", "x.apng", "x.webp", "folder"])
async def test_a_server_gives_the_same_bytes(store: Path, url: str, tmp_path: Path, out: str) -> None:
    model = "audio" if out in ("x.wav", "x.flac") else "video"
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    words = ["generate", model, "--seed", "7", "--url", url, "-o", str(tmp_path / "there" / out)]
    result = await asyncio.to_thread(CliRunner().invoke, main, words)
    assert result.exit_code == 0, result.output
    local = await asyncio.to_thread(generate, store, model, "-o", str(tmp_path / "here" / out))
    assert local.exit_code == 0, local.output
    names = [path.relative_to(tmp_path / "here") for path in (tmp_path / "here").rglob("*.*") if path.suffix != ".json"]
    assert names
    for name in names:
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


PAGE = (Path(__file__).parents[2] / "docs" / "media.md").read_text()


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The models of the page, where its code runs."""
    shown_bundle(tmp_path / "bundles", "audio", name="my-tones")
    shown_bundle(tmp_path / "bundles", "video", name="my-motion")
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def test_the_code_of_the_page_runs(own: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)).replace("\\\n", " ").splitlines()
    async with serving(own / "bundles") as url:
        for number, block in enumerate(blocks):
            (own / f"{number}.py").write_text(block.replace("http://127.0.0.1:8000", url))
            left = await asyncio.to_thread(runpy.run_path, f"{number}.py")
            if "wave" in left:
                assert (left["wave"].shape, left["rate_hz"], left["pixels"].shape) == (SOUND, RATE_HZ, (4, 6, 8, 3))
                assert left["again"].audio.array.shape == SOUND
        curl, command = (shlex.split(line.replace("http://127.0.0.1:8000", url)) for line in lines)
        assert curl[0] == "curl"
        body = json.loads(curl[curl.index("-d") + 1])
        headers = dict(curl[place + 1].split(": ") for place, word in enumerate(curl) if word == "-H")
        made = await asyncio.to_thread(httpx2.post, curl[2], json=body, headers=headers)
        assert made.content[:4] == b"RIFF"
        result = await asyncio.to_thread(CliRunner().invoke, main, command[1:])
        assert result.exit_code == 0, result.output
    names = ("tone.wav", "motion.mp4", "tone.flac", "motion.gif")
    magics = [(own / name).read_bytes()[:12] for name in names]
    assert [magic[:4] for magic in (magics[0], magics[2], magics[3])] == [b"RIFF", b"fLaC", b"GIF8"]
    assert magics[1][4:8] == b"ftyp"


PROGRAM = """
import hashlib, json
import numpy as np
from brood.media.encode import Stamp, encode_output
from brood.media.formats import output_formats
from brood.protocol.manifest import Output, Sample
found = {}
for kind, size, shape, rate in (
    ("audio", "", (2, 240), {"layout": "CT", "sample_rate_hz": 8000}),
    ("video", "odd", (5, 3, 31, 17), {"layout": "TCHW", "fps": 12.5}),
    ("video", "even", (12, 3, 28, 28), {"layout": "TCHW", "fps": 12.5}),
    ("image", "", (3, 15, 17), {}),
):
    array = np.sin(sum(np.indices(shape) * np.arange(1, 1 + len(shape)).reshape(-1, *[1] * len(shape))) / 7)
    array = array.astype(np.float32)
    output, sample = Output(dtype="float32", shape=shape, kind=kind), Sample(range=(-1.0, 1.0), **rate)
    for form in output_formats(output):
        content = encode_output(array, output, sample, form, Stamp("m", 1, "generate", 7, 0)).content
        found[f"{kind} {size} {form}"] = hashlib.sha256(content).hexdigest()
print(json.dumps(found))
"""


@pytest.mark.parametrize("junk", ["1", "85", "255"])
def test_other_processes_write_the_same_bytes_whatever_lies_in_memory(junk: str) -> None:
    one, other = (
        json.loads(subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, env=env).stdout)
        for env in (dict(os.environ), {**os.environ, "MALLOC_PERTURB_": junk})  # glibc fills what it hands out with it
    )
    assert one == other
    assert len(set(one.values())) == len(one) == 4 + 2 * 7 + 5
