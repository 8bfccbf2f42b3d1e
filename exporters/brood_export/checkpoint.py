"""Weights from files: safetensors, or torch's own format read without running code.

A pickle can do anything when it is opened, so torch's files are read with ``weights_only=True``: what needs more is
refused.
"""

from __future__ import annotations

import json
import pickle
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from brood_export.errors import CheckpointRefused

SAFETENSORS, INDEX = ".safetensors", ".safetensors.index.json"
WRAPPERS = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before every name
NESTS = ("state_dict", "model_state_dict", "model", "generator", "ema", "params_ema", "params", "g_ema", "net")
SHOWN = 12  # names in one complaint
CODE = ("GLOBAL", "Unsupported operand", "Unsupported class")  # what torch says of a pickle that is more than data
REMEDY = "save model.state_dict() with safetensors.torch.save_file"


def load_checkpoint(model: nn.Module, source: Path, key: str | None = None) -> None:
    """Put the weights of a file into a model; all of it must fit.

    Args:
        source: ``.safetensors``, its ``.safetensors.index.json``, or a file of ``torch.save``.
        key: of the dictionary in the file that holds the weights, where there are several; dots lead deeper.

    Raises:
        CheckpointRefused: the file cannot be read without running code, its names or shapes are others than the
            model's (all are listed), or a number is not finite.
        FileNotFoundError: there is no such file.
    """
    found = unwrapped(read_weights(source, key))
    check_fit(model, found, source.name)
    check_finite(found, source.name)
    model.load_state_dict(dict(found))


def read_weights(source: Path, key: str | None = None) -> Mapping[str, Tensor]:
    """The tensors of a file by name; see `load_checkpoint`."""
    if not source.is_file():
        raise FileNotFoundError(f"{source}: no such checkpoint")
    if source.name.endswith(INDEX):
        return _of_shards(source)
    content: object = _of_safetensors(source) if source.suffix == SAFETENSORS else _of_torch(source)
    for part in key.split(".") if key else ():
        if not isinstance(content, Mapping) or part not in content:
            raise CheckpointRefused(f"{source.name}: nothing is called {key!r}; there are: {_listed(_names(content))}")
        content = content[part]
    return _tensors(content, source.name, search=key is None)


def _of_safetensors(source: Path) -> Mapping[str, Tensor]:
    try:
        return dict(load_file(source))
    except SafetensorError as error:
        raise CheckpointRefused(f"{source.name}: no safetensors file: {error}") from error


def _of_shards(index: Path) -> Mapping[str, Tensor]:
    """All tensors of the files that an index lists; they lie beside it."""
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointRefused(f"{index.name}: no index of safetensors files") from error
    if strange := [name for name in names if Path(name).name != name]:
        raise CheckpointRefused(f"{index.name}: {strange[0]!r} leaves the folder of the index")
    return {name: tensor for shard in names for name, tensor in _of_safetensors(index.parent / shard).items()}


def _of_torch(source: Path) -> object:
    try:
        with warnings.catch_warnings():  # old pickles are read, or refused, without a warning before
            warnings.simplefilter("ignore")
            content: object = torch.load(source, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        words = str(error)
        if not any(word in words for word in CODE):
            raise CheckpointRefused(f"{source.name}: torch cannot read it: no file of torch.save") from error
        code = words.partition("GLOBAL ")[2].split(" ")[0] or "more than tensors"
        text = f"{source.name}: opening it would run code ({code}): refused; {REMEDY}"
        raise CheckpointRefused(text) from error
    except (RuntimeError, EOFError, ValueError, KeyError) as error:
        raise CheckpointRefused(f"{source.name}: torch cannot read it: {_reason(error)}") from error
    return content


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _tensors(content: object, where: str, *, search: bool) -> Mapping[str, Tensor]:
    """The content as weights; where a training run has saved more beside them, they are looked for."""
    if isinstance(content, Mapping):
        if content and all(isinstance(value, Tensor) for value in content.values()):
            return {str(name): value for name, value in content.items()}
        nests = [name for name in NESTS if isinstance(content.get(name), Mapping)] if search else []
        if len(nests) == 1:
            return _tensors(content[nests[0]], where, search=False)
    text = f"{where} holds {_listed(_names(content))}, which are not only tensors"
    raise CheckpointRefused(f"{text}; say with key (--key) under which of them the weights lie, or {REMEDY}")


def _names(content: object) -> list[str]:
    return [str(name) for name in content] if isinstance(content, Mapping) else [type(content).__name__]


def unwrapped(weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The weights without what DataParallel or torch.compile puts before all names."""
    for wrapper in WRAPPERS:
        if weights and all(name.startswith(wrapper) for name in weights):
            return unwrapped({name.removeprefix(wrapper): tensor for name, tensor in weights.items()})
    return weights


def check_fit(model: nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """Whether names and shapes are those of the model.

    Raises:
        CheckpointRefused: listing the names that are missing, unknown, or of another shape.
    """
    own = model.state_dict()
    shapes = [
        f"{name} {list(weights[name].shape)} instead of {list(tensor.shape)}"
        for name, tensor in own.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    wrong = {
        "missing": [name for name in own if name not in weights],
        "unknown": [name for name in weights if name not in own],
        "of another shape": shapes,
    }
    if any(wrong.values()):
        text = "; ".join(f"{len(names)} {what}: {_listed(names)}" for what, names in wrong.items() if names)
        raise CheckpointRefused(f"{where} does not fit {type(model).__name__}: {text}")


def check_finite(weights: Mapping[str, Tensor], where: str) -> None:
    """Whether all numbers are finite.

    Raises:
        CheckpointRefused: listing the tensors that have others, and how many.
    """
    counts = {name: int((~torch.isfinite(tensor)).sum()) for name, tensor in weights.items()}
    if bad := [f"{name} ({count} of {weights[name].numel()})" for name, count in counts.items() if count]:
        raise CheckpointRefused(f"{where} has weights that are not finite: {_listed(bad)}")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
