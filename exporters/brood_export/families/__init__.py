"""Families of generators: how a trained model of each kind becomes step graphs and operations."""

from collections.abc import Callable, Mapping

from brood_export.families.autoregressive import autoregressive
from brood_export.families.base import Examples, ExportSpec, Request, StepGraph
from brood_export.families.boltzmann import boltzmann
from brood_export.families.diffusion import diffusion
from brood_export.families.energy import energy
from brood_export.families.flow import flow
from brood_export.families.flow_matching import flow_matching
from brood_export.families.gan import gan
from brood_export.families.latent_diffusion import latent_diffusion
from brood_export.families.pixelrnn import pixelrnn
from brood_export.families.rbm import rbm
from brood_export.families.vae import vae

FAMILIES: Mapping[str, Callable[..., ExportSpec]] = {
    "gan": gan,
    "vae": vae,
    "flow": flow,
    "pixelrnn": pixelrnn,
    "rbm": rbm,
    "boltzmann": boltzmann,
    "diffusion": diffusion,
    "flow-matching": flow_matching,
    "energy": energy,
    "autoregressive": autoregressive,
    "latent-diffusion": latent_diffusion,
}

__all__ = ["FAMILIES", "Examples", "ExportSpec", "Request", "StepGraph"]
