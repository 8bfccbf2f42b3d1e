"""brood serves trained deep generative models."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from brood.dataplane.local import LocalModel

__version__ = "0.1.0"


def load(model: str, *, models: str | None = None, allow_native: bool = False) -> LocalModel:
    """Load one model in this process, without any server.

    Args:
        model: its name (``"glyphs-vae"``), or the path of a bundle directory.
        models: a directory of bundles to look in instead of the shipped ones.
        allow_native: run the native code of a TorchScript bundle that does not ship with brood.

    Returns:
        The model, with a method for every operation it offers: ``brood.load("glyphs-vae").generate(n=4, seed=7)``.

    Raises:
        brood.protocol.errors.BundleError: the bundle cannot be trusted or understood.
        brood.protocol.errors.ModelNotFound: there is no such model.
    """
    from brood.dataplane.local import load_local

    return load_local(model, models, allow_native=allow_native)
