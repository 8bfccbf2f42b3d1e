"""diffusers pipelines: tiny random ones, made here; the bundle draws what diffusers' own scheduler draws."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from brood.program import compile_program, run_row
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.load import load_graphs
from brood.sampling.noise import noise
from brood.store.store import read_bundle
from brood_export.cli import main
from brood_export.errors import Misfit
from brood_export.families.base import LATENT_STREAM, complete_params
from brood_export.pipelines import import_pipeline, read_scheduler

pytestmark = [pytest.mark.export, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]


def diffusers() -> Any:
    """Its classes are not typed."""
    return importlib.import_module("diffusers")


def saved(folder: Path, scheduler: Any, **changes: Any) -> Path:
    torch.manual_seed(0)
    words = {
        "sample_size": 8,
        "in_channels": 1,
        "out_channels": 1,
        "layers_per_block": 1,
        "block_out_channels": (8, 8),
        "norm_num_groups": 4,
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    }
    diffusers().DDPMPipeline(diffusers().UNet2DModel(**words | changes), scheduler).save_pretrained(folder)
    return folder


def ddim(**changes: Any) -> Any:
    return diffusers().DDIMScheduler(num_train_timesteps=100, timestep_spacing="trailing", **changes)


def test_it_draws_what_diffusers_draws(tmp_path: Path) -> None:
    source = saved(tmp_path / "pipe", ddim())
    command = ["diffusers", str(source), "--name", "d", "--out", str(tmp_path / "store"), "--runtime", "torchscript"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    directory = tmp_path / "store" / "d" / "1"
    manifest = read_bundle(directory, allow_native=True).manifest
    assert manifest.operations["generate"].params["sampler"].default == "ddim"
    program = compile_program(manifest, "generate")
    params = complete_params(program.operation, {"steps": 5})
    graphs = load_graphs(directory, manifest, RuntimeOptions(threads=1))
    made = run_row(program, graphs, seed=3, index=1, params=params, inputs={})["image"]

    scheduler = diffusers().DDIMScheduler.from_pretrained(source / "scheduler")
    unet = diffusers().UNet2DModel.from_pretrained(source / "unet", low_cpu_mem_usage=False)
    scheduler.set_timesteps(5)
    x = torch.from_numpy(noise("normal", seed=3, stream=LATENT_STREAM, index=1, step=0, shape=(1, 1, 8, 8)))
    with torch.no_grad():
        for t in scheduler.timesteps:
            x = scheduler.step(unet(x, t).sample, t, x, use_clipped_model_output=True).prev_sample
    np.testing.assert_allclose(made, x[0].numpy(), atol=1e-4)


def test_schedulers_that_no_table_says_are_replaced_with_a_note(tmp_path: Path) -> None:
    source = saved(tmp_path, diffusers().PNDMScheduler(beta_schedule="scaled_linear", prediction_type="v_prediction"))
    levels = read_scheduler(source, "PNDMScheduler")
    assert levels.options["sampler"] == "dpmpp-2m"
    assert (levels.options["betas"], levels.options["prediction"]) == ("scaled_linear", "v")
    assert levels.note == "PNDMScheduler cannot be said by a table: dpmpp-2m on the same noise levels instead"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"thresholding": True}, "scheduler.thresholding: true is not allowed"),
        ({"beta_schedule": "sigmoid"}, "scheduler.beta_schedule: 'sigmoid' is not allowed; allowed: linear"),
        ({"trained_betas": [0.1] * 100}, "scheduler.trained_betas: given"),
        ({"beta_end": 0.5}, None),
    ],
)
def test_what_a_scheduler_says_is_checked(changes: dict[str, Any], words: str | None, tmp_path: Path) -> None:
    source = saved(tmp_path / "pipe", ddim())
    path = source / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    if words is None:
        assert read_scheduler(source, "DDIMScheduler").options["beta_end"] == 0.5
        return
    with pytest.raises(Misfit, match=words):
        import_pipeline(source, out=tmp_path / "store", name="d")
    assert not (tmp_path / "store").exists()


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Misfit, match=r"model_index.json: cannot be read"):
        import_pipeline(tmp_path, out=tmp_path, name="d")
    (tmp_path / "model_index.json").write_text(json.dumps({"vae": ["diffusers", "AutoencoderKL"]}))
    with pytest.raises(Misfit, match="has vae AutoencoderKL; allowed: unet UNet2DModel and scheduler"):
        import_pipeline(tmp_path, out=tmp_path, name="d")
    source = saved(tmp_path / "pipe", ddim(), num_class_embeds=3)
    with pytest.raises(Misfit, match="unet: takes classes"):
        import_pipeline(source, out=tmp_path, name="d")
