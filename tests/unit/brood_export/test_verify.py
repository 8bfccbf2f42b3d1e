"""A bundle against its own golden runs, with its own graphs or those of another bundle."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from torch import nn

from brood.protocol.errors import BundleError
from brood.store.store import read_bundle
from brood_export import export
from brood_export.cli import main
from brood_export.verify import Found, apart, verify_bundle
from helpers.tiny_models import LATENT, tiny_model

pytestmark = pytest.mark.export


def bundle(out: Path, model: nn.Module, classes: int = 3) -> Path:
    options = {"latent": LATENT, "classes": classes}
    return export(
        model,
        family="gan",
        out=out,
        name="g",
        runtime="torchscript",
        buckets=(1, 2),
        **options,  # type: ignore[arg-type]
    ).directory


def test_it_holds_and_another_model_does_not(tmp_path: Path) -> None:
    first, other = tiny_model("gan"), tiny_model("gan")
    for parameter in other.parameters():
        parameter.data += 0.1
    right, wrong = bundle(tmp_path / "a", first), bundle(tmp_path / "b", other)
    verified = verify_bundle(right)
    assert verified.failed == []
    assert {found.output for found in verified.found} == {"image", "label"}
    assert verify_bundle(right, wrong).failed == [
        "generate_label image",
        "generate_any image",
        "generate_truncated image",
        "interpolate_half image",
        "interpolate_end image",
        "vary_near image",
        "cross_half image",
    ]
    command = ["verify", str(right), "--graphs", str(wrong)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert "| generate_label | image |" in result.output
    assert "out of tolerance: generate_label image" in result.output
    result = CliRunner().invoke(main, ["verify", str(right)])
    assert result.exit_code == 0
    assert "FAILS" not in result.output


def test_graphs_of_another_kind_are_refused(tmp_path: Path) -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(LATENT, 16)

        def forward(self, z: object) -> object:
            return self.inner(z).reshape(-1, 1, 4, 4)

    one, two = bundle(tmp_path / "a", tiny_model("gan")), bundle(tmp_path / "b", Plain(), classes=0)
    with pytest.raises(BundleError, match="graph 'generate' is not that of g"):
        verify_bundle(one, two)


def test_what_is_not_a_number_is_infinitely_far(tmp_path: Path) -> None:
    run = read_bundle(bundle(tmp_path, tiny_model("gan")), allow_native=True).golden()[0]
    assert apart(np.full_like(run.outputs["image"], np.nan), run, "image") == np.inf
    assert not Found("r", "o", 1.0, np.inf).holds
