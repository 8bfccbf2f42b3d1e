"""Weights that fit are taken, from every kind of file; everything else is refused by name."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from brood_export.checkpoint import SHOWN, load_checkpoint
from brood_export.errors import CheckpointRefused

pytestmark = pytest.mark.export


def model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))


def weights() -> dict[str, torch.Tensor]:
    return {name: torch.full_like(tensor, 0.25) for name, tensor in model().state_dict().items()}


def check_loaded(source: Path, key: str | None = None) -> None:
    made = model()
    load_checkpoint(made, source, key)
    assert all(bool((tensor == 0.25).all()) for tensor in made.state_dict().values())


def test_safetensors(tmp_path: Path) -> None:
    save_file(weights(), tmp_path / "w.safetensors")
    check_loaded(tmp_path / "w.safetensors")


def test_safetensors_in_pieces(tmp_path: Path) -> None:
    parts = list(weights().items())
    save_file(dict(parts[:2]), tmp_path / "a.safetensors")
    save_file(dict(parts[2:]), tmp_path / "b.safetensors")
    index = tmp_path / "w.safetensors.index.json"
    index.write_text('{"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}')
    check_loaded(index)
    index.write_text('{"weight_map": {"x": "../a.safetensors"}}')
    with pytest.raises(CheckpointRefused, match="leaves the folder"):
        load_checkpoint(model(), index)
    index.write_text("[1]")
    with pytest.raises(CheckpointRefused, match="no index"):
        load_checkpoint(model(), index)


@pytest.mark.parametrize(
    "around",
    [
        lambda found: found,
        lambda found: {"state_dict": found, "epoch": 3},
        lambda found: {f"module.{name}": tensor for name, tensor in found.items()},
        lambda found: {"model": {f"_orig_mod.module.{name}": tensor for name, tensor in found.items()}, "loss": 0.5},
    ],
)
def test_what_training_runs_save(around: Callable[[Any], Any], tmp_path: Path) -> None:
    torch.save(around(weights()), tmp_path / "w.pt")
    check_loaded(tmp_path / "w.pt")


def test_one_of_several_by_its_key(tmp_path: Path) -> None:
    torch.save({"ema": {"net": weights()}, "model": {"net": {}}, "step": 3}, tmp_path / "w.pt")
    check_loaded(tmp_path / "w.pt", "ema.net")
    with pytest.raises(CheckpointRefused, match=r"holds ema, model, step, which are not only tensors; say with key"):
        load_checkpoint(model(), tmp_path / "w.pt")
    with pytest.raises(CheckpointRefused, match=r"nothing is called 'ema.other'; there are: net"):
        load_checkpoint(model(), tmp_path / "w.pt", "ema.other")


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("owned"),)


@pytest.mark.parametrize("save", [torch.save, lambda found, path: path.write_bytes(pickle.dumps(found))])
def test_a_file_that_would_run_code_is_refused_and_does_not(
    save: Callable[[Any, Path], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save({"w": Evil()}, tmp_path / "w.pt")
    with pytest.raises(CheckpointRefused, match=r"would run code .*refused; save model.state_dict\(\) with"):
        load_checkpoint(model(), tmp_path / "w.pt")
    assert not (tmp_path / "owned").exists()


def test_a_whole_pickled_model_is_refused(tmp_path: Path) -> None:
    torch.save(model(), tmp_path / "w.pt")
    with pytest.raises(CheckpointRefused, match=r"would run code \(torch.nn.modules.container.Sequential\)"):
        load_checkpoint(model(), tmp_path / "w.pt")


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
def test_what_is_no_checkpoint_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("hello")
    with pytest.raises(CheckpointRefused, match=name):
        load_checkpoint(model(), tmp_path / name)
    with pytest.raises(FileNotFoundError, match="no such checkpoint"):
        load_checkpoint(model(), tmp_path / f"other-{name}")


def test_all_names_that_do_not_fit_are_listed(tmp_path: Path) -> None:
    found = weights()
    found["0.weight"] = torch.zeros(3, 5)
    found["2.weight"] = found.pop("1.weight")
    save_file(found, tmp_path / "w.safetensors")
    before = model()
    kept = {name: tensor.clone() for name, tensor in before.state_dict().items()}
    with pytest.raises(CheckpointRefused) as caught:
        load_checkpoint(before, tmp_path / "w.safetensors")
    assert str(caught.value) == (
        "w.safetensors does not fit Sequential: 1 missing: 1.weight; 1 unknown: 2.weight; "
        "1 of another shape: 0.weight [3, 5] instead of [3, 2]"
    )
    assert all(torch.equal(tensor, kept[name]) for name, tensor in before.state_dict().items())


def test_long_lists_end_somewhere(tmp_path: Path) -> None:
    save_file({f"x{number:02}": torch.zeros(1) for number in range(30)}, tmp_path / "w.safetensors")
    with pytest.raises(CheckpointRefused, match=rf"30 unknown: x00, .*x11 and {30 - SHOWN} more"):
        load_checkpoint(model(), tmp_path / "w.safetensors")


def test_weights_that_are_no_numbers_are_counted(tmp_path: Path) -> None:
    found = weights()
    found["0.weight"][1, 0] = torch.nan
    found["1.bias"][0] = torch.inf
    save_file(found, tmp_path / "w.safetensors")
    with pytest.raises(CheckpointRefused, match=r"not finite: 0.weight \(1 of 6\), 1.bias \(1 of 1\)"):
        load_checkpoint(model(), tmp_path / "w.safetensors")
