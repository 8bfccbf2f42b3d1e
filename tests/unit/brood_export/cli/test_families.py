"""The command for a family: from a file of code and a checkpoint to a bundle; what is wrong is said in one line."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import save_file

from brood.store.store import read_bundle
from brood_export.cli import main

pytestmark = pytest.mark.export

CODE = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 16)
    def forward(self, z, label):
        return torch.sigmoid(self.linear(z) + label[:, None]).reshape(-1, 1, 4, 4)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own_network_of_test_families.py"
    path.write_text(CODE)
    save_file({"linear.weight": torch.ones(16, 3), "linear.bias": torch.zeros(16)}, tmp_path / "w.safetensors")
    return path


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_code_and_checkpoint_to_bundle(file: Path) -> None:
    store, name = file.parent / "store", ("--name", "mine", "--runtime", "torchscript")
    options = ("--latent", 3, "--classes", 2, "--value-range", "0,1", "--checkpoint", file.parent / "w.safetensors")
    result = call("gan", f"{file}:Net", "--out", store, *name, *options)
    assert result.exit_code == 0, result.output
    assert "mine: reading the checkpoint ..." in result.output
    assert "| generate | random inputs | image |" in result.output
    assert "preview.png" in result.output
    manifest = read_bundle(store / "mine" / "1", allow_native=True).manifest
    assert manifest.operations["generate"].params["label"].maximum == 1
    assert manifest.provenance["source_class"] == f"{file.stem}.Net"
    again = call("gan", f"{file}:Net", "--out", store, *name, *options)
    assert again.exit_code == 1
    assert "mine/1 exists already" in again.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "family 'gan' also needs latent (a whole number or some whole numbers with commas between): numbers of"),
        (("--latent", "three"), "--latent: 'three' is not allowed; allowed: a whole number or"),
        (("--latent", "3", "--checkpoint", "no.safetensors"), "no.safetensors: no such checkpoint"),
        (("--latent", "5"), "calls Net.forward(float32[2, 5]), which fails"),
    ],
)
def test_what_is_wrong_is_one_line(file: Path, arguments: tuple[str, ...], words: str) -> None:
    result = call("gan", f"{file}:Net", "--out", file.parent / "store", "--name", "mine", *arguments)
    assert result.exit_code == 1
    assert result.output.startswith(("Error: ", "mine: "))
    assert words in result.output.replace("\n", "")
    assert not (file.parent / "store").exists()


def test_help_says_what_is_needed() -> None:
    result = call("diffusion", "--help")
    assert result.exit_code == 0
    text = " ".join(result.output.split())
    for words in ("MODULE:FACTORY", "--prediction", "one of epsilon, v, x0; required", "--train-steps", "default 1000"):
        assert words in text
    assert "flow" in call("--help").output
