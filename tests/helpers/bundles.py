"""Tiny complete bundles that need no weights and no framework, and ways to break them.

`once_bundle` is a one-call generator, `steps_bundle` a K-step program with state; both run on the fake runtime.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from brood.program import compile_program, run_row
from brood.protocol.manifest import FORMAT, Golden, Manifest, Parity
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.load import load_graphs
from brood.store.files import MANIFEST, hash_file
from brood.store.golden import GOLDEN, GoldenRun, write_golden
from brood.store.store import write_manifest

Words = dict[str, Any]

IMAGE = (1, 4, 4)
SOUND, RATE_HZ = (1, 240), 8000
MOTION, FPS = (4, 3, 6, 8), 12.5
STEPS_LIMIT = 10_000


def once_bundle(root: Path, *, name: str = "once", version: int = 1, **fake: Any) -> Path:
    """A model of one graph call a row, whose bits do not depend on the batch.

    - ``generate`` (label −1 … 9 = −1, scale 0 … 3e38 = 0.25): ``image`` = scale·noise + 0.01·label, float32
      [1, 4, 4], range [−1, 1], and ``label``, a scalar int64. At scale 1.5e38 about one row in three overflows:
      it is not ``ok``.
    - ``reconstruct`` (input ``image`` in [−1, 1]): ``image``, unchanged.
    - ``score`` (input ``image``): ``score`` = 2·weight (weight 0 … 10 = 1), a scalar float32 that says nothing.

    Args:
        root: the store; the bundle is ``root/NAME/VERSION``.
        fake: further words of the fake graph ``generate``: ``bucket_dependent=True``,
            ``fails_on={"input": "label", "equals": 9}``.
    """
    graphs = {
        "generate": {
            "outputs": {
                "image": {"sum": [{"of": ["noise", "scale"]}, {"times": 0.01, "of": ["label"]}]},
                "drawn": {"sum": [{"of": ["label"]}]},
                "ok": {"finite": "image"},
            },
            **fake,
        },
        "keep": {"outputs": {"kept": {"sum": [{"of": ["image"]}]}, "ok": {"finite": "kept"}}},
        "score": {"outputs": {"score": {"sum": [{"times": 2.0, "of": ["weight"]}]}}},
    }
    return write_bundle(root, _once_words(name, version), graphs, golden={"generate": {"label": 3}})


def shown_bundle(root: Path, kind: Literal["audio", "video"], *, name: str = "") -> Path:
    """A model of sound or of video, called as its kind if nothing is said; its bits do not depend on the batch.

    - ``generate``: noise / 4, clipped by nobody: `SOUND` at `RATE_HZ`, or `MOTION` at `FPS`, range [−1, 1].
    - ``reconstruct`` (one input, called as the kind): the same again.

    Args:
        root: the store; the bundle is ``root/NAME/1``.
    """
    shape = SOUND if kind == "audio" else MOTION
    rate: Words = {"layout": "CT", "sample_rate_hz": RATE_HZ} if kind == "audio" else {"layout": "TCHW", "fps": FPS}
    noise = {"distribution": "normal", "stream": 0}
    made, ok = _tensor("float32", shape, role="output"), _tensor("bool", role="ok")
    graphs = {
        "generate": _graph(
            "generate", {"noise": _tensor("float32", shape, role="noise", noise=noise)}, {kind: made, "ok": ok}
        ),
        "keep": _graph("keep", {kind: _tensor("float32", shape, role="input")}, {"kept": made, "ok": ok}),
    }
    out = _tensor("float32", shape, kind=kind)
    given = {**out, "minimum": -1.0, "maximum": 1.0, "description": f"{kind} to keep"}
    operations = {
        "generate": {"stages": [{"graph": "generate"}], "outputs": {kind: out}},
        "reconstruct": {
            "inputs": {kind: given},
            "stages": [{"graph": "keep", "bind": {"kept": kind}}],
            "outputs": {kind: out},
        },
    }
    words = bundle_words(name or kind, 1, graphs=graphs, operations=operations)
    words |= {"modality": kind, "sample": {"range": (-1.0, 1.0), **rate}}
    quarter = {"sum": [{"times": 0.25, "of": ["noise"]}]}
    return write_bundle(
        root,
        words,
        {
            "generate": {"outputs": {kind: quarter, "ok": {"finite": kind}}},
            "keep": {"outputs": {"kept": {"sum": [{"of": [kind]}]}, "ok": {"finite": "kept"}}},
        },
        golden={"generate": {}},
    )


def steps_bundle(root: Path, *, name: str = "steps", version: int = 1, **fake: Any) -> Path:
    """A model of K graph calls a row and one more to finish.

    ``generate`` (steps 1 … 10000 = 4, temperature 0.1 … 10 = 1): x starts as normal noise (stream 0) and becomes
    0.5·x + u + 0.1·T_k with uniform noise u (stream 1) and the annealing schedule's T_k; ``image`` = 0.25·x;
    ``count`` is the number of steps taken. ``complete`` is the same from a given ``image``, starting at 4·image.

    Args:
        root: the store; the bundle is ``root/NAME/VERSION``.
        fake: further words of the fake graph ``step``.
    """
    drift = [{"times": 0.5, "of": ["x"]}, {"of": ["noise"]}, {"times": 0.1, "of": ["temperature"]}]
    graphs = {
        "begin": {"outputs": {"x": {"sum": [{"times": 4.0, "of": ["image"]}]}}},
        "step": {
            "outputs": {
                "x": {"sum": drift},
                "count": {"sum": [{"of": ["count"]}, {"times": 1.0}]},
                "ok": {"finite": "x"},
            },
            **fake,
        },
        "finish": {"outputs": {"image": {"sum": [{"times": 0.25, "of": ["x"]}]}}},
    }
    return write_bundle(root, _steps_words(name, version), graphs, golden={"generate": {}})


def write_bundle(
    root: Path, words: Words, graphs: Mapping[str, Words], *, golden: Mapping[str, Words] | None = None
) -> Path:
    """Write ``root/NAME/VERSION`` from a manifest without files, and the fake graphs' descriptions.

    Args:
        golden: operation without inputs → parameters that differ from their defaults; recorded with seed 7, index 2.
    """
    directory = root.joinpath(words["name"], str(words["version"]))
    directory.mkdir(parents=True)
    for name, description in graphs.items():
        (directory / f"{name}.json").write_text(json.dumps(description), encoding="utf-8")
    files = {f"{name}.json": hash_file(directory / f"{name}.json") for name in graphs}
    manifest = Manifest.model_validate({**words, "files": files})
    if golden:
        runs = [_record(directory, manifest, operation, params) for operation, params in golden.items()]
        files[GOLDEN] = hash_file(write_golden(directory, runs))
        manifest = manifest.model_copy(update={"files": files, "golden": tuple(run.words for run in runs)})
    write_manifest(directory, manifest)
    return directory


def edit_manifest(directory: Path, edit: Callable[[Words], object]) -> Path:
    """Change a manifest's words in place, sensible or not: ``edit_manifest(bundle, lambda m: m.pop("name"))``."""
    path = directory / MANIFEST
    words = json.loads(path.read_text(encoding="utf-8"))
    edit(words)
    path.write_text(json.dumps(words), encoding="utf-8")
    return directory


def flip_byte(directory: Path, file: str) -> Path:
    """Change one byte of a file."""
    content = bytearray((directory / file).read_bytes())
    content[len(content) // 2] ^= 1
    (directory / file).write_bytes(content)
    return directory


def relist(directory: Path, file: str, content: bytes) -> Path:
    """Give a file other content and list it properly: the bundle verifies, whatever the content."""
    (directory / file).write_bytes(content)
    digest = hash_file(directory / file)
    return edit_manifest(directory, lambda words: words["files"].update({file: digest}))


def broken_bundles(root: Path) -> dict[str, tuple[Path, str]]:
    """One bundle for each way to be refused: kind → (directory, a part of the reason). Each has its own name."""

    def edited(kind: str, edit: Callable[[Words], object]) -> Path:
        return edit_manifest(once_bundle(root, name=kind), edit)

    missing = once_bundle(root, name="missing-file")
    (missing / "keep.json").unlink()
    linked = once_bundle(root, name="linked-file")
    outside = root / "outside.json"
    (linked / "keep.json").rename(outside)
    (linked / "keep.json").symlink_to(outside)
    return {
        "changed-byte": (flip_byte(once_bundle(root, name="changed-byte"), "keep.json"), "keep.json"),
        "missing-file": (missing, "keep.json: listed in the manifest, but missing"),
        "linked-file": (linked, "keep.json: the path leaves the bundle's directory"),
        "leaving-path": (
            edited("leaving-path", lambda words: words["files"].update({"../keep.json": "0" * 64})),
            "../keep.json",
        ),
        "unknown-key": (edited("unknown-key", lambda words: words.update({"colour": 1})), "colour: unknown key"),
        "other-format": (edited("other-format", lambda words: words.update({"format": "brood/2"})), '"brood/1"'),
        "unlisted-graph": (
            edited("unlisted-graph", lambda words: words["files"].pop("keep.json")),
            "'keep.json' is not listed",
        ),
    }


def _record(directory: Path, manifest: Manifest, operation: str, params: Words) -> GoldenRun:
    words = Golden(
        id=operation,
        operation=operation,
        seed=7,
        index=2,
        params=params,
        tolerance=0.0,
        parity=Parity(rows=(1, 2), max_abs=0.0, psnr_db=None),
    )
    defaults = {name: param.default for name, param in manifest.operations[operation].params.items()}
    full = {name: value for name, value in {**defaults, **params}.items() if value is not None}
    graphs = load_graphs(directory, manifest, RuntimeOptions(threads=1))
    program = compile_program(manifest, operation)
    return GoldenRun(words, {}, run_row(program, graphs, seed=7, index=2, params=full, inputs={}))


def _tensor(dtype: str, shape: tuple[int, ...] = (), **words: Any) -> Words:
    return {"dtype": dtype, "shape": shape, **words}


def _graph(name: str, inputs: Words, outputs: Words) -> Words:
    return {"file": f"{name}.json", "runtime": "fake", "buckets": (1, 2, 4, 8), "inputs": inputs, "outputs": outputs}


def bundle_words(name: str, version: int, **words: Any) -> Words:
    """A manifest in words: what all of these have in common, and the given parts."""
    return {
        "format": FORMAT,
        "name": name,
        "version": version,
        "family": "function",
        "modality": "image",
        "domain": "continuous",
        "description": "A model for tests.",
        "license": "Apache-2.0",
        "created": "2025-01-01T00:00:00Z",
        "provenance": {"framework": "none"},
        "sample": {"layout": "CHW", "range": (-1.0, 1.0)},
        **words,
    }


def _once_words(name: str, version: int) -> Words:
    ok = _tensor("bool", role="ok")
    image = _tensor("float32", IMAGE, kind="image")
    given = {"image": {**image, "minimum": -1.0, "maximum": 1.0, "description": "A picture."}}
    noise = {"distribution": "normal", "stream": 0}
    label = {"type": "int", "default": -1, "minimum": -1, "maximum": 9, "description": "Class."}
    scale = {"type": "float", "default": 0.25, "minimum": 0, "maximum": 3e38, "description": "Contrast."}
    weight = {"type": "float", "default": 1.0, "minimum": 0, "maximum": 10, "description": "Weight."}
    graphs = {
        "generate": _graph(
            "generate",
            {
                "noise": _tensor("float32", IMAGE, role="noise", noise=noise),
                "scale": _tensor("float32", role="param"),
                "label": _tensor("int64", role="param"),
            },
            {"image": _tensor("float32", IMAGE, role="output"), "drawn": _tensor("int64", role="output"), "ok": ok},
        ),
        "keep": _graph(
            "keep",
            {"image": _tensor("float32", IMAGE, role="input")},
            {"kept": _tensor("float32", IMAGE, role="output"), "ok": ok},
        ),
        "score": _graph(
            "score",
            {"image": _tensor("float32", IMAGE, role="input"), "weight": _tensor("float32", role="param")},
            {"score": _tensor("float32", role="output")},
        ),
    }
    operations = {
        "generate": {
            "params": {"label": label, "scale": scale},
            "stages": [{"graph": "generate"}],
            "outputs": {"image": image, "label": _tensor("int64", kind="scalar", value="drawn")},
        },
        "reconstruct": {
            "inputs": given,
            "stages": [{"graph": "keep", "bind": {"kept": "image"}}],
            "outputs": {"image": image},
        },
        "score": {
            "inputs": given,
            "params": {"weight": weight},
            "stages": [{"graph": "score"}],
            "outputs": {"score": _tensor("float32", kind="scalar")},
        },
    }
    return bundle_words(name, version, graphs=graphs, operations=operations)


def _steps_words(name: str, version: int) -> Words:
    x, count = _tensor("float32", IMAGE), _tensor("int64")
    image = {**x, "kind": "image"}
    steps = {"type": "int", "default": 4, "minimum": 1, "maximum": STEPS_LIMIT, "description": "Steps."}
    temperature = {"type": "float", "default": 1.0, "minimum": 0.1, "maximum": 10, "description": "At the end."}
    graphs = {
        "begin": _graph("begin", {"image": {**x, "role": "input"}}, {"x": {**x, "role": "state"}}),
        "step": _graph(
            "step",
            {
                "x": {**x, "role": "state"},
                "count": {**count, "role": "state"},
                "noise": {**x, "role": "noise", "noise": {"distribution": "uniform", "stream": 1}},
                "temperature": _tensor("float32", role="schedule"),
            },
            {
                "x": {**x, "role": "state"},
                "count": {**count, "role": "state"},
                "ok": _tensor("bool", role="ok"),
            },
        ),
        "finish": _graph("finish", {"x": {**x, "role": "state"}}, {"image": {**x, "role": "output"}}),
    }
    zeros = {**count, "init": "zeros"}
    run = [{"graph": "step", "repeat": "schedule"}, {"graph": "finish"}]
    common = {
        "params": {"steps": steps, "temperature": temperature},
        "outputs": {"image": image, "count": {**count, "kind": "scalar"}},
    }
    noise = {**x, "init": "noise", "noise": {"distribution": "normal", "stream": 0}}
    given = {"image": {**image, "minimum": -1.0, "maximum": 1.0, "description": "Where to start."}}
    operations = {
        "generate": {**common, "state": {"x": noise, "count": zeros}, "stages": run},
        "complete": {
            **common,
            "inputs": given,
            "state": {"x": {**x, "init": "zeros"}, "count": zeros},
            "stages": [{"graph": "begin"}, *run],
        },
    }
    schedule = {"kind": "annealing", "numbers": {"start": 5.0, "hold": 0.25}}
    return bundle_words(name, version, graphs=graphs, operations=operations, schedule=schedule)


def picture(value: float = 0.0) -> np.ndarray:
    """A picture as the bundles' ``image`` inputs take it, of one value, with a corner that differs."""
    array = np.full(IMAGE, value, np.float32)
    array[0, 0, 0] = -value
    return array
