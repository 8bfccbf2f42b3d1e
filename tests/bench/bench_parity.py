"""How near exports come to the original, by family, runtime and operation: writes results/parity.json.

Run it from the root of the project: PYTHONPATH=tests python tests/bench/bench_parity.py [FAMILY...]

Each family's small test model (`helpers.tiny_models`, random weights) is exported in every way; figures are the worst
of all golden runs of an operation and of the calls of its graphs, as the manifest has them. A combination that is
refused has the reason. With names, only those families are measured anew. ``pt2`` is the program of torch.export;
`--compile` makes it what AOTInductor compiles, which takes a minute or more for each family.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import onnxruntime
import torch

from brood.protocol.manifest import Manifest
from brood.store.store import read_bundle
from brood_export import FAMILIES, ExportError, export
from helpers.tiny_models import MODELS, tiny_model

WAYS = {
    "onnx": ("onnx", "fp32"),
    "onnx fp16": ("onnx", "fp16"),
    "torchscript": ("torchscript", "fp32"),
    "pt2": ("pt2", "fp32"),
}
RESULT = Path(__file__).parent / "results" / "parity.json"
BUCKETS = (1, 2, 3, 8)
Figures = dict[str, Any]


def measured(family: str) -> dict[str, Figures]:
    """Way → operation → figures, or why there are none."""
    found: dict[str, Figures] = {}
    for way, (runtime, precision) in WAYS.items():
        with tempfile.TemporaryDirectory() as place:
            words: Figures = {
                "out": place,
                "name": "parity",
                "runtime": runtime,
                "precision": precision,
                "buckets": BUCKETS,
            }
            try:
                done = export(tiny_model(family), family=family, **(MODELS[family][1] | words))
            except ExportError as error:
                found[way] = {"refused": str(error)}
            else:
                found[way] = {"operations": of_operations(read_bundle(done.directory, allow_native=True).manifest)}
        print(f"{family}, {way}: {found[way]}", flush=True)
    return found


def of_operations(manifest: Manifest) -> Figures:
    """Operation → the worst of its golden runs; of PSNR, None is no difference at all."""
    figures: Figures = {}
    for name in manifest.operations:
        runs = [golden.parity for golden in manifest.golden if golden.operation == name]
        noises = [run.psnr_db for run in runs if run.psnr_db is not None]
        psnr = round(min(noises), 1) if noises else None
        figures[name] = {"max_abs": float(f"{max(run.max_abs for run in runs):.2g}"), "psnr_db": psnr}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="FAMILY")
    parser.add_argument("--compile", action="store_true", help="pt2 by AOTInductor")
    asked = parser.parse_args()
    for family in asked.families or FAMILIES:
        with patch("brood_export.targets.pt2.compiler", lambda: None if not asked.compile else "g++"):
            found = measured(family)
        kept = json.loads(RESULT.read_text())["families"] if RESULT.exists() else {}
        kept[family] = found
        result = {
            "command": "PYTHONPATH=tests python tests/bench/bench_parity.py",
            "machine": {"system": platform.system(), "architecture": platform.machine()},
            "torch": torch.__version__.partition("+")[0],
            "onnxruntime": onnxruntime.__version__,
            "rows": list(BUCKETS),
            "families": {name: kept[name] for name in FAMILIES if name in kept},
        }
        RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
