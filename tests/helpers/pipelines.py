"""A tiny pipeline of the shape of Stable Diffusion, with random weights and a vocabulary of few pairs of letters."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import torch

LENGTH = 12  # tokens of a prompt
LATENT, IMAGE = (4, 8, 8), (3, 16, 16)
ENDS = dict.fromkeys(("unk_token", "eos_token", "pad_token"), "<|endoftext|>")
LETTERS = [chr(letter) for letter in range(ord("a"), ord("z") + 1)]
MERGES = ["c a", "ca t</w>", "d o", "do g</w>"]


def library(name: str) -> Any:
    """diffusers or transformers: their classes are not typed."""
    return importlib.import_module(name)


def stable_pipeline(folder: Path, scheduler: Any, **unet: Any) -> Any:
    """Make it, write it into a folder as ``save_pretrained`` does, and give it back.

    Args:
        scheduler: of diffusers.
        unet: further words of the UNet's configuration.
    """
    diffusers = library("diffusers")
    torch.manual_seed(0)
    pipeline = diffusers.StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=_text_encoder(),
        tokenizer=_tokenizer(folder),
        unet=_unet(unet),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.save_pretrained(folder)
    return pipeline


def ddim(**changes: Any) -> Any:
    """The scheduler as Stable Diffusion has it, of fewer timesteps."""
    words = {"num_train_timesteps": 100, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
    words |= {"clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1}
    return library("diffusers").DDIMScheduler(**words | changes)


def _vae() -> Any:
    blocks = {"block_out_channels": (8, 8), "norm_num_groups": 4, "layers_per_block": 1, "latent_channels": 4}
    ways = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    return library("diffusers").AutoencoderKL(**blocks, **ways, sample_size=16).eval()


def _unet(changes: dict[str, Any]) -> Any:
    words = {
        "sample_size": 8,
        "layers_per_block": 1,
        "block_out_channels": (8, 16),
        "norm_num_groups": 4,
        "cross_attention_dim": 16,
        "attention_head_dim": 4,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    }
    return library("diffusers").UNet2DConditionModel(**words | changes).eval()


def _text_encoder() -> Any:
    transformers = library("transformers")
    words = {"vocab_size": 80, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}
    words |= {"num_attention_heads": 2, "max_position_embeddings": LENGTH}
    words |= {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    return transformers.CLIPTextModel(transformers.CLIPTextConfig(**words)).eval()


def _tokenizer(folder: Path) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    pieces = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), *(merge.replace(" ", "") for merge in MERGES)]
    words = {word: number for number, word in enumerate(["<|startoftext|>", "<|endoftext|>", *pieces])}
    vocabulary, merges = folder / "words.json", folder / "merges.txt"
    vocabulary.write_text(json.dumps(words), encoding="utf-8")
    merges.write_text("\n".join(["#version: 0.2", *MERGES, ""]), encoding="utf-8")
    kind = library("transformers").CLIPTokenizer
    given = {"bos_token": "<|startoftext|>", "model_max_length": LENGTH, **ENDS}
    return kind(vocab=str(vocabulary), merges=str(merges), **given)
