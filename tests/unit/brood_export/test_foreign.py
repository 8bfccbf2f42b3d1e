"""Architectures that brood has never seen: exported by its families as they are, and served."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import brood
from brood_export import NotExportable, export
from brood_export.verify import verify_bundle
from helpers.foreign import DiT, Glow, GroupedStyleGan, StyleGan, VqDecoder, WaveNet

pytestmark = pytest.mark.export

FOREIGN: dict[str, tuple[type[nn.Module], str, str, dict[str, Any]]] = {
    "stylegan": (StyleGan, "gan", "torchscript", {"latent": 88, "value_range": (-1.0, 1.0)}),
    "vq": (VqDecoder, "gan", "onnx", {"latent": (4, 4, 4)}),
    "glow": (Glow, "flow", "onnx", {"image": (1, 8, 8)}),
    "wavenet": (WaveNet, "gan", "onnx", {"latent": 32, "classes": 3, "value_range": (-1.0, 1.0)}),
    "dit": (
        DiT,
        "diffusion",
        "torchscript",
        {"shape": (1, 8, 8), "classes": 3, "prediction": "v", "betas": "cosine", "train_steps": 40, "steps": 4},
    ),
}


@pytest.mark.parametrize("name", list(FOREIGN))
def test_a_foreign_architecture_is_exported_and_served(name: str, tmp_path: Path) -> None:
    kind, family, runtime, options = FOREIGN[name]
    torch.manual_seed(4)
    model = kind()
    done = export(model, family=family, out=tmp_path, name=name, runtime=runtime, buckets=(1, 2, 5), **options)
    assert verify_bundle(done.directory).failed == []
    served = brood.load(name, models=str(tmp_path), allow_native=True)
    try:
        many, one = served.generate(n=3, seed=7), served.generate(n=1, seed=7)
    finally:
        served.close()
    assert many.array.shape[0] == 3
    assert np.isfinite(many.array).all()
    assert not np.array_equal(many.array[0], many.array[1])
    np.testing.assert_allclose(many.array[0], one.array[0], atol=1e-5)


def test_weights_in_groups_of_rows_are_refused_with_their_line(tmp_path: Path) -> None:
    words = r"takes the rows one by one: foreign.py, line \d+: grouped = .*no groups=rows"
    with pytest.raises(NotExportable, match=words):
        export(GroupedStyleGan(), family="gan", out=tmp_path, name="s", latent=88)
    torch.manual_seed(4)
    grouped, plain = GroupedStyleGan(), StyleGan()
    plain.load_state_dict(grouped.state_dict())
    latent = torch.randn(3, 88)
    torch.testing.assert_close(plain(latent), grouped(latent), atol=1e-5, rtol=1e-4)
