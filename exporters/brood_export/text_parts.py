"""Networks and tokenizers of a pipeline's folder: weights from safetensors, a tokenizer as one file, and no code."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from brood.media.text import Tokenizer
from brood_export.errors import Misfit
from brood_export.families.text_diffusion import TOKENIZER, Text

EXAMPLES = ("a photograph of a cat", "blurry")  # of which golden samples are made
# By which tokenizers are held against each other.
TRIED = ("", *EXAMPLES, "Größe  ÇA,\tVA? <|endoftext|> 42", "猫が好き 🐈")


class TextEncoder(nn.Module):
    """A ``CLIPTextModel`` as a function of tokens: its last hidden state."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.text = model

    def forward(self, tokens: Tensor) -> Tensor:
        read: Tensor = self.text(tokens, return_dict=False)[0]
        return read


def read_part(source: Path, part: str, parts: Mapping[str, str], **words: Any) -> Any:
    """A network of a pipeline; its weights from safetensors only.

    Raises:
        Misfit: it cannot be read.
    """
    library = "transformers" if part == "text_encoder" else "diffusers"
    if library == "diffusers":
        words = {"low_cpu_mem_usage": False, **words}
    try:
        kind: Any = getattr(importlib.import_module(library), parts[part])
        found: Any = kind.from_pretrained(source / part, local_files_only=True, use_safetensors=True, **words)
    except ImportError as error:
        raise Misfit(f"{part}: needs the library {library}: pip install {library}") from error
    except (OSError, ValueError) as error:
        raise Misfit(f"{part}: {' '.join(str(error).split())[:300]}") from error
    return found.float().eval()


def read_texts(source: Path, parts: Mapping[str, str]) -> Text:
    """Text encoder and tokenizer.

    Raises:
        Misfit: they cannot be read, do not go together, or the tokenizer's file gives other tokens than itself.
    """
    encoder = read_part(source, "text_encoder", parts, attn_implementation="eager")
    if getattr(encoder.config, "use_attention_mask", False):
        raise Misfit("text_encoder.use_attention_mask: true is not allowed; allowed: false")
    kind: Any = getattr(importlib.import_module("transformers"), parts["tokenizer"].removesuffix("Fast"))
    try:
        tokenizer: Any = kind.from_pretrained(source / "tokenizer", local_files_only=True)
        content = str(tokenizer.backend_tokenizer.to_str()).encode()
    except (OSError, ValueError, AttributeError) as error:
        raise Misfit(f"tokenizer: {' '.join(str(error).split())[:300]}") from error
    if (last := max(tokenizer.get_vocab().values())) >= encoder.config.vocab_size:
        raise Misfit(f"tokenizer: token {last} is not allowed; allowed: 0 to {encoder.config.vocab_size - 1}")
    check_tokens(tokenizer, content)
    length = min(int(tokenizer.model_max_length), int(encoder.config.max_position_embeddings))
    prompt, negative = (own_tokens(tokenizer, each, length) for each in EXAMPLES)
    sizes = int(encoder.config.hidden_size), int(encoder.config.vocab_size)
    return Text(TextEncoder(encoder), content, length, *sizes, int(tokenizer.pad_token_id or 0), (prompt, negative))


def own_tokens(tokenizer: Any, text: str, length: int) -> np.ndarray:
    """What the pipeline itself makes of a text: [length] int64."""
    found = tokenizer(text, padding="max_length", truncation=True, max_length=length).input_ids
    return np.asarray(found, np.int64)


def check_tokens(tokenizer: Any, content: bytes) -> None:
    """Whether the tokenizer's file, read without transformers, gives its tokens.

    Raises:
        Misfit: it does not; says for which text.
    """
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / TOKENIZER
        path.write_bytes(content)
        own = Tokenizer(path, TOKENIZER)
        for text in TRIED:
            if own.tokens(text) != list(tokenizer(text).input_ids):
                raise Misfit(f"tokenizer: its file gives other tokens for {text!r} than it gives itself")
