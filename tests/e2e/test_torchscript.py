"""A TorchScript bundle of a shipped model gives what its ONNX bundle gives, through the same host."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import brood
from brood.protocol.errors import BundleError
from brood_export.zoo.registry import export_zoo

pytestmark = pytest.mark.export


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_zoo("glyphs-vae", tmp_path_factory.mktemp("store"), runtime="torchscript").directory


def test_every_operation_agrees_with_onnx(scripted: Path) -> None:
    with brood.load("glyphs-vae") as onnx, brood.load(str(scripted), allow_native=True) as torchscript:
        drawn = [model.generate(n=5, seed=21, temperature=0.9) for model in (onnx, torchscript)]
        np.testing.assert_allclose(drawn[1].array, drawn[0].array, atol=1e-4)
        assert [s.outputs["label"] for s in drawn[0].samples] == [s.outputs["label"] for s in drawn[1].samples]
        image = drawn[0].array[0]
        for operation in ("encode", "reconstruct"):
            found = [model.run(operation, label=2, image=image).array for model in (onnx, torchscript)]
            np.testing.assert_allclose(found[1], found[0], atol=1e-4)


def test_its_native_code_must_be_allowed(scripted: Path) -> None:
    with pytest.raises(BundleError, match="allow_native"):
        brood.load(str(scripted))
