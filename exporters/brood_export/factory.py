"""Models by the name of what makes them: ``module:factory`` or ``folder/file.py:factory``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from torch import nn

from brood_export.errors import Misfit


def make_model(name: str) -> nn.Module:
    """Call a factory; a module of the working folder is found, too.

    Args:
        name: module or file, colon, a function or class that takes nothing and gives an ``nn.Module``.

    Raises:
        Misfit: there is no such factory, it fails, or gives something else.
    """
    place, _, attribute = name.rpartition(":")
    if not place or not attribute:
        raise Misfit(f"{name!r} is not allowed; allowed: module:factory or file.py:factory")
    found: object = _module(place)
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise Misfit(f"{place} has no {attribute!r}")
        found = getattr(found, part)
    model = found
    if callable(found) and not isinstance(found, nn.Module):
        try:
            model = found()
        except Exception as error:  # code of others
            raise Misfit(f"{name} failed: {type(error).__name__}: {error}") from error
    if not isinstance(model, nn.Module):
        raise Misfit(f"{name} gives a {type(model).__name__}; allowed: a torch.nn.Module")
    return model


def _module(place: str) -> ModuleType:
    try:
        return _of_file(Path(place)) if place.endswith(".py") else _of_name(place)
    except Exception as error:  # code of others
        raise Misfit(f"{place} cannot be imported: {type(error).__name__}: {error}") from error


def _of_name(place: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    return importlib.import_module(place)


def _of_file(path: Path) -> ModuleType:
    """A file as a module of its own name: its classes say in the bundle where they come from."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
