"""Trained torch models in, bundles out."""

from brood_export.bundle import BundleExists, export_bundle
from brood_export.families import FAMILIES, Examples, Misfit
from brood_export.parity import ParityFailed

__all__ = ["FAMILIES", "BundleExists", "Examples", "Misfit", "ParityFailed", "export_bundle"]
